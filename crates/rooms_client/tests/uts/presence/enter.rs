//! Entering, updating and leaving (`RTP4`, `RTP8` to `RTP10`, `RTP14` to `RTP16`).

use rooms_client::{ChannelState::*, ClientOptions, ConnectionState};
use rooms_protocol::{Action, ErrorCode, PresenceAction};
use serde_json::json;

use super::*;

fn refusal(bench: &mut Bench) -> ErrorCode {
    assert_eq!(said(bench), []);
    bench.outcomes().1.pop().unwrap().1
}

/// Case: RTP8a/enter-sends-presence-enter-0
/// Case: RTP8e/enter-with-data-0
/// Case: RTP16a/presence-sent-when-attached-0
#[test]
fn rtp8a_entering_is_said_at_once_without_a_name() {
    let mut bench = Bench::attached();
    enter(&mut bench, 1, "hello world");
    let frame = bench.take_sent().remove(0);
    assert_eq!((frame.action, &frame.channel, frame.presence.len()), (Action::Presence, &Some("c".into()), 1));
    let word = &frame.presence[0];
    assert_eq!((word.action, &word.client_id), (PresenceAction::Enter, &None));
    assert_eq!(word.data, Some("hello world".into()));
    bench.receive(ack(0));
    assert_eq!(bench.outcomes().0, [1]);
}

/// Case: RTP8d/enter-implicitly-attaches-0
#[test]
fn rtp8d_entering_attaches_the_channel() {
    let mut bench = Bench::connected();
    enter(&mut bench, 1, "hello");
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!((bench.channel("c"), said(&mut bench).len()), (Attached, 1));
}

/// Case: RTP8g/enter-detached-failed-errors-0
/// Case: RTP16c/presence-errors-other-states-0
#[test]
fn rtp8g_on_a_detached_or_failed_channel_entering_is_refused() {
    for (end, state) in [(detached("c", json!(null)), Detached), (channel_error("c", 90001, 400), Failed)] {
        let mut bench = Bench::attached();
        bench.detach("c");
        bench.receive(end);
        bench.forget();
        enter(&mut bench, 1, "hello");
        assert_eq!((bench.channel("c"), refusal(&mut bench)), (state, ErrorCode::INVALID_CHANNEL_STATE));
    }
}

/// Item RTP16c.
#[test]
fn rtp16c_on_a_detaching_or_suspended_channel_entering_is_refused() {
    let mut bench = Bench::attached();
    bench.detach("c");
    enter(&mut bench, 1, "hello");
    assert_eq!((bench.channel("c"), refusal(&mut bench)), (Detaching, ErrorCode::INVALID_CHANNEL_STATE));
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(detached("c", error(90198, 500, "x")));
    bench.forget();
    enter(&mut bench, 1, "hello");
    assert_eq!((bench.channel("c"), refusal(&mut bench)), (Suspended, ErrorCode::INVALID_CHANNEL_STATE));
}

/// Case: RTP8j/enter-null-clientid-errors-0
#[test]
fn rtp8j_a_client_without_a_name_cannot_enter() {
    let mut bench = Bench::connecting(anonymous());
    bench.open();
    bench.receive(with(connected("conn-1"), json!({ "connectionDetails": { "connectionKey": "key" } })));
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    enter(&mut bench, 1, "hello");
    assert_eq!(refusal(&mut bench), ErrorCode::INVALID_CLIENT_ID);
}

/// Case: RTP8j/enter-wildcard-clientid-errors-1
#[test]
fn rtp8j_a_client_that_may_be_anybody_cannot_enter_as_nobody_in_particular() {
    let mut bench = anybody_attached();
    enter(&mut bench, 1, "hello");
    assert_eq!(refusal(&mut bench), ErrorCode::INVALID_CLIENT_ID);
}

/// Case: RTP8h/nack-presence-permission-denied-0
#[test]
fn rtp8h_an_entry_that_the_server_refuses_tells_why() {
    let mut bench = Bench::attached();
    enter(&mut bench, 1, "hello");
    let refused = error(40160, 401, "Presence permission denied");
    bench.receive(json!({ "action": 2, "msgSerial": 0, "count": 1, "error": refused }));
    assert_eq!(bench.outcomes().1, [(1, ErrorCode::NOT_PERMITTED)]);
}

/// Case: RTP9a/update-sends-presence-update-0
#[test]
fn rtp9a_updating_is_said_without_a_name() {
    let mut bench = Bench::attached();
    bench.presence(1, PresenceCommand::Update, Some("new-status".into()));
    let word = said(&mut bench).remove(0);
    assert_eq!((word.action, word.client_id, word.data), (PresenceAction::Update, None, Some("new-status".into())));
}

/// Case: RTP10a/leave-sends-presence-leave-0
/// Case: RTP10a/leave-with-data-1
#[test]
fn rtp10a_leaving_is_said_without_a_name_and_with_a_last_word() {
    let mut bench = Bench::attached();
    bench.presence(1, PresenceCommand::Leave, None);
    bench.presence(2, PresenceCommand::Leave, Some("goodbye".into()));
    let words = said(&mut bench);
    assert!(words.iter().all(|word| word.action == PresenceAction::Leave && word.client_id.is_none()));
    assert_eq!((&words[0].data, &words[1].data), (&None, &Some("goodbye".into())));
}

/// Case: RTP14a/enterclient-on-behalf-0
/// Case: RTP15a/updateclient-leaveclient-0
#[test]
fn rtp14a_a_client_that_may_be_anybody_speaks_for_others() {
    let mut bench = anybody_attached();
    speak_for(&mut bench, "user-alice", PresenceCommand::Enter, Some("alice-data"));
    speak_for(&mut bench, "user-bob", PresenceCommand::Enter, Some("entered"));
    speak_for(&mut bench, "user-bob", PresenceCommand::Update, Some("updated"));
    speak_for(&mut bench, "user-bob", PresenceCommand::Leave, Some("leaving"));
    let words = said(&mut bench);
    let told: Vec<_> =
        words.iter().map(|word| (word.action, name(word), word.data.as_ref().unwrap().as_text().unwrap())).collect();
    let expected = [
        (PresenceAction::Enter, "user-alice", "alice-data"),
        (PresenceAction::Enter, "user-bob", "entered"),
        (PresenceAction::Update, "user-bob", "updated"),
        (PresenceAction::Leave, "user-bob", "leaving"),
    ];
    assert_eq!(told, expected);
}

/// Case: RTP15e/enterclient-implicitly-attaches-0
#[test]
fn rtp15e_speaking_for_another_attaches_the_channel() {
    let mut bench = anybody();
    speak_for(&mut bench, "user-1", PresenceCommand::Enter, None);
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!((bench.channel("c"), said(&mut bench).len()), (Attached, 1));
}

/// Case: RTP15f/enterclient-mismatched-clientid-0
#[test]
fn rtp15f_a_client_with_a_name_cannot_speak_for_another() {
    let mut bench = Bench::attached();
    for other in ["other-client", "*", ""] {
        speak_for(&mut bench, other, PresenceCommand::Enter, None);
        assert_eq!(refusal(&mut bench), ErrorCode::INVALID_CLIENT_ID, "{other:?}");
    }
    assert_eq!((bench.state(), bench.channel("c")), (ConnectionState::Connected, Attached));
    speak_for(&mut bench, "ada", PresenceCommand::Enter, None);
    assert_eq!(said(&mut bench).len(), 1, "for itself it can");
}

/// Case: RTP16b/presence-queued-when-attaching-0
#[test]
fn rtp16b_while_attaching_an_entry_waits() {
    let mut bench = Bench::connected();
    bench.attach("c");
    enter(&mut bench, 1, "hello");
    assert_eq!(said(&mut bench), []);
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!(said(&mut bench).len(), 1);
}

/// Item RTP16b.
#[test]
fn rtp16b_without_queueing_an_entry_does_not_wait() {
    let mut bench = Bench::connected_with(ClientOptions { queue_messages: false, ..options() });
    bench.attach("c");
    bench.forget();
    enter(&mut bench, 1, "hello");
    assert_eq!(refusal(&mut bench), ErrorCode::INVALID_CHANNEL_STATE);
}

/// Item RTL3d2.
#[test]
fn rtl3d2_an_entry_that_waited_for_the_line_waits_for_the_channel_too() {
    let mut bench = Bench::attached();
    bench.cut();
    enter(&mut bench, 1, "hello");
    bench.accept("conn-1");
    assert_eq!(said(&mut bench), []);
    bench.receive(attached("c", "s1", Flags::RESUMED));
    assert_eq!(said(&mut bench).len(), 1);
}

/// Case: RTP15c/enterclient-no-side-effects-0
///
/// A client that may be anybody has no name to enter by itself (`RTP8j`), so the first is entered by name too.
#[test]
fn rtp15c_speaking_for_one_member_leaves_the_others_alone() {
    let mut bench = anybody_attached();
    speak_for(&mut bench, "main", PresenceCommand::Enter, Some("main-0"));
    speak_for(&mut bench, "other", PresenceCommand::Enter, None);
    speak_for(&mut bench, "other", PresenceCommand::Leave, None);
    let words = said(&mut bench);
    let told: Vec<_> = words.iter().map(|word| (word.action, name(word))).collect();
    use PresenceAction::{Enter, Leave};
    assert_eq!(told, [(Enter, "main"), (Enter, "other"), (Leave, "other")]);
    let words =
        [word(ENTER, "conn-1", "main", 0), word(ENTER, "conn-1", "other", 1), word(LEAVE, "conn-1", "other", 2)];
    tell(&mut bench, &words);
    assert_eq!((names(&bench), data(&bench)), (vec!["main".to_owned()], vec!["main-0".to_owned()]));
}

/// As many as the item asks for; the cases are content with 50.
const MANY: i64 = 250;

fn users(action: i64, connection: &str) -> Vec<Value> {
    (0..MANY).map(|number| word(action, connection, &format!("user-{number}"), number)).collect()
}

/// The members as the client answers, sorted by number.
fn all_members(bench: &mut Bench) -> Vec<(String, String)> {
    ask(bench, MemberQuery::default());
    let mut words = answer(bench).unwrap().unwrap();
    words.sort_by_key(|word| word.timestamp);
    words
        .iter()
        .map(|word| (name(word).to_owned(), word.data.as_ref().unwrap().as_text().unwrap().to_owned()))
        .collect()
}

fn expected_members() -> Vec<(String, String)> {
    (0..MANY).map(|number| (format!("user-{number}"), format!("user-{number}-{number}"))).collect()
}

/// Case: RTP4/bulk-enterclient-same-connection-0
#[test]
fn rtp4_many_members_are_entered_on_one_connection() {
    let mut bench = anybody();
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::HAS_PRESENCE));
    bench.forget();
    for number in 0..MANY {
        speak_for(&mut bench, &format!("user-{number}"), PresenceCommand::Enter, Some("x"));
        bench.receive(ack(number));
    }
    assert_eq!((said(&mut bench).len(), bench.outcomes().0.len()), (250, 250));
    for word in users(ENTER, "conn-1") {
        tell(&mut bench, &[word]);
    }
    assert_eq!(news(&mut bench).len(), 250);
    page(&mut bench, "seq1:", &users(PRESENT, "conn-1"));
    assert_eq!(all_members(&mut bench), expected_members());
}

/// Case: RTP4/bulk-enterclient-diff-connections-1
#[test]
fn rtp4_many_members_are_seen_from_another_connection() {
    let mut bench = syncing();
    tell(&mut bench, &users(ENTER, "conn-A"));
    assert!(news(&mut bench).iter().all(|(action, _)| *action == PresenceAction::Enter));
    page(&mut bench, "seq1:", &users(PRESENT, "conn-A"));
    assert_eq!(news(&mut bench), []);
    assert_eq!(all_members(&mut bench), expected_members());
    assert!(members(&bench).iter().all(|word| word.connection_id == Some("conn-A".into())));
}
