//! Presence: this client's own, and the others'.

use super::*;
use PresenceCommand::{Enter, Leave, Update};
use rooms_protocol::{PresenceAction, PresenceMessage};

/// The server's word about `client` on `connection`, as frame `serial` of that connection.
fn word(action: i64, connection: &str, client: &str, serial: i64) -> Value {
    json!({ "action": action, "clientId": client, "connectionId": connection, "timestamp": 1000 + serial,
        "id": format!("{connection}:{serial}:0"), "data": "hi" })
}

fn tell(bench: &mut Bench, word: Value) {
    bench.receive(json!({ "action": 14, "channel": "c", "presence": [word] }));
}

fn attached(bench: &mut Bench, flags: Flags) {
    bench.receive(
        json!({ "action": 11, "channel": "c", "channelSerial": "s1", "flags": flags.bits(), "timestamp": 77 }),
    );
}

fn ack(bench: &mut Bench, serial: i64) {
    bench.receive(json!({ "action": 1, "msgSerial": serial, "count": 1 }));
}

/// The words that were sent, and forgets them.
fn said(bench: &mut Bench) -> Vec<PresenceMessage> {
    std::mem::take(&mut bench.sent).into_iter().flat_map(|frame| frame.presence).collect()
}

fn actions(bench: &mut Bench) -> Vec<PresenceAction> {
    said(bench).into_iter().map(|word| word.action).collect()
}

/// What was told of members, as actions and names, and forgets it.
fn news(bench: &mut Bench) -> Vec<(PresenceAction, String)> {
    let events = bench.take_events().into_iter();
    let words = events.flat_map(|event| if let Event::Presence { members, .. } = event { members } else { vec![] });
    words.map(|word| (word.action, word.client_id.unwrap().to_string())).collect()
}

/// A client that is entered, echo and all.
fn entered() -> Bench {
    let mut bench = Bench::attached();
    bench.presence(1, Enter, "hi");
    tell(&mut bench, word(2, "conn-1", "ada", 0));
    ack(&mut bench, 0);
    bench.forget();
    bench
}

#[test]
fn entering_says_so_without_a_name_and_is_acknowledged() {
    let mut bench = Bench::attached();
    bench.presence(1, Enter, "hi");
    let frame = bench.sent.pop().unwrap();
    assert_eq!((frame.action, frame.msg_serial.unwrap().0), (Action::Presence, 0));
    let word = &frame.presence[0];
    assert_eq!((word.action, &word.client_id, &word.data), (PresenceAction::Enter, &None, &Some("hi".into())));
    ack(&mut bench, 0);
    assert_eq!(bench.events, [Event::Published { operation: OperationId(1), outcome: Ok(vec![]) }]);
}

#[test]
fn entering_attaches_first_and_waits_for_it() {
    let mut bench = Bench::connected();
    bench.presence(1, Enter, "hi");
    bench.presence(2, Update, "ho");
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    attached(&mut bench, Flags::empty());
    assert_eq!(actions(&mut bench), [PresenceAction::Enter, PresenceAction::Update]);
}

#[test]
fn what_waits_for_a_channel_fails_with_it() {
    for end in [json!({ "action": 9, "channel": "c" }), json!({ "action": 13, "channel": "c" })] {
        let mut bench = Bench::connected();
        bench.presence(1, Enter, "hi");
        bench.receive(end);
        assert_eq!(bench.outcomes(), (vec![], vec![(1, ErrorCode::INVALID_CHANNEL_STATE)]));
        bench.presence(2, Enter, "hi");
        assert_eq!(bench.outcomes().1, [(2, ErrorCode::INVALID_CHANNEL_STATE)]);
    }
}

#[test]
fn nobody_in_particular_cannot_enter() {
    let mut bench = Bench::with(ClientOptions { client_id: None, ..options() });
    bench.command(Command::Connect);
    bench.receive(json!({ "action": 4, "connectionId": "x", "connectionDetails": { "clientId": "*" } }));
    bench.presence(1, Enter, "hi");
    assert_eq!(bench.outcomes().1, [(1, ErrorCode::INVALID_CLIENT_ID)]);
}

#[test]
fn members_are_told_and_kept() {
    let mut bench = Bench::attached();
    tell(&mut bench, word(2, "conn-9", "bob", 0));
    assert_eq!(news(&mut bench), [(PresenceAction::Enter, "bob".into())]);
    let members: Vec<_> = bench.client.members(&"c".into()).collect();
    assert_eq!((members.len(), members[0].action), (1, PresenceAction::Present));
    tell(&mut bench, word(3, "conn-9", "bob", 1));
    assert_eq!(news(&mut bench), [(PresenceAction::Leave, "bob".into())]);
    assert_eq!(bench.client.members(&"c".into()).count(), 0);
}

#[test]
fn a_sync_is_told_when_it_is_complete() {
    let mut bench = Bench::connected();
    bench.attach("c");
    attached(&mut bench, Flags::HAS_PRESENCE);
    let synced = |bench: &Bench| bench.events.contains(&Event::PresenceSynced { channel: "c".into() });
    let page = |cursor: &str, name: &str| json!({ "action": 16, "channel": "c", "channelSerial": cursor, "presence": [word(1, name, name, 0)] });
    bench.receive(page("x:1", "bob"));
    assert!(!synced(&bench));
    bench.receive(page("x:", "eve"));
    assert!(synced(&bench));
    assert_eq!(bench.client.members(&"c".into()).count(), 2);
}

#[test]
fn a_channel_without_members_is_synced_at_once_and_those_known_have_left() {
    let mut bench = Bench::attached();
    tell(&mut bench, word(2, "conn-9", "bob", 0));
    bench.forget();
    attached(&mut bench, Flags::empty());
    let Event::Presence { members, .. } = &bench.events[1] else { panic!("{:?}", bench.events) };
    assert_eq!((members[0].action, &members[0].id), (PresenceAction::Leave, &None));
    assert_eq!(members[0].timestamp.map(|time| time.0), Some(77));
    assert_eq!(bench.events[2], Event::PresenceSynced { channel: "c".into() });
}

#[test]
fn members_outlast_a_resume_that_missed_nothing_but_are_asked_for_again() {
    let mut bench = Bench::attached();
    tell(&mut bench, word(2, "conn-9", "bob", 0));
    bench.cut();
    bench.accept("conn-1");
    bench.forget();
    attached(&mut bench, Flags::RESUMED | Flags::HAS_PRESENCE);
    bench.receive(
        json!({ "action": 16, "channel": "c", "channelSerial": "x:", "presence": [word(1, "conn-9", "bob", 0)] }),
    );
    assert_eq!(news(&mut bench), []);
    assert_eq!(bench.client.members(&"c".into()).count(), 1);
}

#[test]
fn a_member_is_entered_again_with_its_id_on_the_same_connection() {
    let mut bench = entered();
    bench.cut();
    bench.accept("conn-1");
    bench.forget();
    attached(&mut bench, Flags::RESUMED);
    let words = said(&mut bench);
    assert_eq!(words.len(), 1);
    assert_eq!((words[0].action, words[0].id.as_deref()), (PresenceAction::Enter, Some("conn-1:0:0")));
    assert_eq!((&words[0].client_id, &words[0].data), (&Some("ada".into()), &Some("hi".into())));
}

#[test]
fn a_member_is_entered_again_without_an_id_on_a_new_connection() {
    let mut bench = entered();
    bench.cut();
    bench.accept("conn-2");
    bench.forget();
    attached(&mut bench, Flags::empty());
    let words = said(&mut bench);
    assert_eq!((words.len(), &words[0].id), (1, &None));
}

#[test]
fn an_acknowledged_member_is_entered_again_though_its_echo_was_lost() {
    let mut bench = Bench::attached();
    bench.presence(1, Enter, "hi");
    ack(&mut bench, 0);
    bench.cut();
    bench.accept("conn-2");
    bench.forget();
    attached(&mut bench, Flags::empty());
    assert_eq!(actions(&mut bench), [PresenceAction::Enter]);
}

#[test]
fn whoever_left_is_not_entered_again() {
    let mut bench = entered();
    bench.presence(2, Leave, "");
    tell(&mut bench, word(3, "conn-1", "ada", 1));
    ack(&mut bench, 1);
    bench.cut();
    bench.accept("conn-2");
    bench.forget();
    attached(&mut bench, Flags::empty());
    assert_eq!(actions(&mut bench), []);
}

#[test]
fn a_leave_that_is_on_its_way_is_not_undone_by_entering_again() {
    for id in ["conn-1", "conn-2"] {
        let mut bench = entered();
        bench.presence(2, Leave, "");
        bench.cut();
        bench.forget();
        bench.accept(id);
        attached(&mut bench, Flags::empty());
        assert_eq!(actions(&mut bench), [PresenceAction::Leave], "{id}");
    }
}

#[test]
fn a_leave_that_the_server_made_up_does_not_end_the_wish_to_be_there() {
    let mut bench = entered();
    let mut made_up = word(3, "conn-1", "ada", 99);
    made_up["id"] = json!("server:1:0");
    tell(&mut bench, made_up);
    bench.forget();
    attached(&mut bench, Flags::empty());
    assert_eq!(actions(&mut bench), [PresenceAction::Enter]);
}

#[test]
fn an_attached_frame_that_missed_nothing_enters_nobody_again() {
    let mut bench = entered();
    attached(&mut bench, Flags::RESUMED);
    assert_eq!(actions(&mut bench), []);
}

#[test]
fn a_refused_reentry_is_told_by_the_channel() {
    let mut bench = entered();
    attached(&mut bench, Flags::empty());
    bench.forget();
    let error = json!({ "message": "no", "code": 40160, "statusCode": 401 });
    bench.receive(json!({ "action": 2, "msgSerial": 1, "count": 1, "error": error }));
    let change = bench.channel_changes().pop().unwrap();
    let reason = change.reason.unwrap();
    assert_eq!(
        (change.current, change.resumed, reason.code),
        (ChannelState::Attached, true, ErrorCode::REENTRY_FAILED)
    );
    assert!(reason.message.contains("ada"));
    assert_eq!(reason.cause.map(|cause| cause.code), Some(ErrorCode::NOT_PERMITTED));
}

#[test]
fn detaching_ends_the_membership_and_tells_no_leaves() {
    let mut bench = entered();
    bench.detach("c");
    bench.receive(json!({ "action": 13, "channel": "c" }));
    assert_eq!((news(&mut bench), bench.client.stats().members), (vec![], 0));
    bench.attach("c");
    bench.forget();
    attached(&mut bench, Flags::empty());
    assert_eq!(actions(&mut bench), []);
}

#[test]
fn presence_that_was_not_acknowledged_is_said_again_on_the_new_line() {
    let mut bench = Bench::attached();
    bench.presence(1, Enter, "hi");
    bench.cut();
    bench.presence(2, Update, "ho");
    bench.forget();
    bench.accept("conn-1");
    assert_eq!(actions(&mut bench), [PresenceAction::Enter], "the old one at once, with its number");
    attached(&mut bench, Flags::RESUMED);
    assert_eq!(actions(&mut bench), [PresenceAction::Update], "the new one when the channel is attached");
    bench.receive(json!({ "action": 1, "msgSerial": 0, "count": 2 }));
    assert_eq!(bench.outcomes(), (vec![1, 2], vec![]));
}
