//! Entering again by itself (`RTP17`).

use rooms_client::ChannelState::*;
use rooms_protocol::{ErrorCode, PresenceAction};
use serde_json::json;

use super::*;

/// A client that is entered as `ada`, echo and all. What led there is forgotten.
fn entered() -> Bench {
    let mut bench = Bench::attached();
    enter(&mut bench, 1, "hello");
    tell(&mut bench, &[with(word(ENTER, "conn-1", "ada", 0), json!({ "data": "hello" }))]);
    bench.receive(ack(0));
    bench.forget();
    bench
}

/// The line breaks, and the channel is attached on a connection of this id; `flags` tell how.
fn come_back(bench: &mut Bench, connection: &str, flags: Flags) {
    bench.cut();
    bench.accept(connection);
    bench.forget();
    bench.receive(attached("c", "s1", flags));
}

/// Case: RTP17i/auto-reentry-on-attached-0
#[test]
fn rtp17i_attached_again_the_client_enters_again() {
    for (connection, flags) in [("conn-1", Flags::RESUMED), ("conn-1", Flags::empty()), ("conn-2", Flags::empty())] {
        let mut bench = entered();
        come_back(&mut bench, connection, flags);
        let words = said(&mut bench);
        assert_eq!((words.len(), words[0].action), (1, PresenceAction::Enter), "{connection} {flags:?}");
    }
}

/// Case: RTP17g/reentry-publishes-enter-with-data-0
#[test]
fn rtp17g_all_that_were_entered_are_entered_again_with_what_they_said() {
    let mut bench = anybody_attached();
    for (serial, name) in ["alice", "bob"].into_iter().enumerate() {
        let serial = i64::try_from(serial).unwrap();
        speak_for(&mut bench, name, PresenceCommand::Enter, Some(&format!("{name}-{serial}")));
        tell(&mut bench, &[word(ENTER, "conn-1", name, serial)]);
        bench.receive(ack(serial));
    }
    bench.cut();
    bench.open();
    bench.receive(connected_as_anybody("conn-1"));
    bench.forget();
    bench.receive(attached("c", "s1", Flags::empty()));
    let words = said(&mut bench);
    assert!(words.iter().all(|word| word.action == PresenceAction::Enter));
    let told: Vec<_> = words.iter().map(|word| (name(word), word.data.as_ref().unwrap().as_text().unwrap())).collect();
    assert_eq!(told, [("alice", "alice-0"), ("bob", "bob-1")]);
    let ids: Vec<_> = words.iter().map(|word| word.id.as_deref()).collect();
    assert_eq!(ids, [Some("conn-1:0:0"), Some("conn-1:1:0")]);
}

/// Case: RTP17g1/reentry-omits-id-new-connid-0
#[test]
fn rtp17g1_on_a_new_connection_the_old_id_is_left_out() {
    let mut bench = entered();
    come_back(&mut bench, "conn-2", Flags::empty());
    let words = said(&mut bench);
    assert_eq!((words[0].action, &words[0].id, &words[0].data), (PresenceAction::Enter, &None, &Some("hello".into())));
}

/// Case: RTP17i/no-reentry-with-resumed-flag-1
#[test]
fn rtp17i_attached_while_attached_without_a_gap_nothing_is_entered_again() {
    let mut bench = entered();
    bench.receive(attached("c", "s1", Flags::RESUMED));
    assert_eq!(said(&mut bench), []);
}

/// Case: RTP17e/failed-reentry-emits-update-error-0
#[test]
fn rtp17e_an_entry_that_is_refused_again_is_told() {
    let mut bench = entered();
    come_back(&mut bench, "conn-2", Flags::empty());
    let refused = error(40160, 401, "Presence denied");
    bench.receive(json!({ "action": 2, "msgSerial": 0, "count": 1, "error": refused }));
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.previous, change.current, change.resumed), (Attached, Attached, true));
    let reason = change.reason.unwrap();
    assert_eq!(reason.code, ErrorCode::REENTRY_FAILED);
    assert!(reason.message.contains("ada"), "{}", reason.message);
    assert_eq!(reason.cause.unwrap().code, ErrorCode::NOT_PERMITTED);
}

/// Case: RTP17a/server-publishes-without-subscribe-0
#[test]
fn rtp17a_the_client_sees_itself_without_the_mode_to_see_others() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(json!({ "action": 11, "channel": "c", "flags": Flags::PRESENCE.bits() }));
    enter(&mut bench, 1, "hello");
    tell(&mut bench, &[word(ENTER, "conn-1", "ada", 0)]);
    bench.receive(ack(0));
    ask(&mut bench, at_once());
    assert_eq!(answered_names(&mut bench), Some(vec!["ada".to_owned()]));
    bench.forget();
    bench.receive(json!({ "action": 11, "channel": "c", "flags": Flags::PRESENCE.bits() }));
    assert_eq!(said(&mut bench).len(), 1, "and enters itself again");
}
