//! The states of a channel.

use super::*;
use crate::Timing;
use ChannelState::{Attached, Attaching, Detached, Detaching, Failed, Initialized, Suspended};

fn attached(serial: &str, flags: Flags) -> Value {
    json!({ "action": 11, "channel": "c", "channelSerial": serial, "flags": flags.bits() })
}

fn states(bench: &mut Bench) -> Vec<ChannelState> {
    bench.channel_changes().into_iter().map(|change| change.current).collect()
}

fn state(bench: &Bench) -> ChannelState {
    bench.client.channel_state(&"c".into())
}

#[test]
fn attaching_asks_with_options_and_tells_what_was_granted() {
    let mut bench = Bench::connected();
    let params = [("rewind".into(), "5".to_owned())].into();
    let options = ChannelOptions { params, modes: Flags::SUBSCRIBE, ..ChannelOptions::default() };
    bench.command(Command::Attach { channel: "c".into(), options: options.clone() });
    let frame = &bench.sent[0];
    assert_eq!((frame.action, frame.flags, &frame.params), (Action::Attach, Some(Flags::SUBSCRIBE), &options.params));
    assert_eq!(frame.channel_serial, None);
    bench.receive(attached("s1", Flags::SUBSCRIBE | Flags::HAS_BACKLOG));
    let changes = bench.channel_changes();
    let change = changes.last().unwrap();
    assert_eq!((change.previous, change.current), (Attaching, Attached));
    assert_eq!((change.resumed, change.has_backlog, change.modes), (false, true, Flags::SUBSCRIBE));
}

#[test]
fn attaching_without_a_connection_waits_for_one() {
    let mut bench = Bench::new();
    bench.attach("c");
    bench.command(Command::Connect);
    assert_eq!((state(&bench), bench.sent.len()), (Attaching, 0));
    bench.accept("conn-1");
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("s1", Flags::empty()));
    assert_eq!(state(&bench), Attached);
}

#[test]
fn attaching_again_changes_nothing_and_new_options_are_asked_for_in_place() {
    let mut bench = Bench::attached();
    bench.attach("c");
    assert!(bench.sent.is_empty());
    let options = ChannelOptions { modes: Flags::PUBLISH, ..ChannelOptions::default() };
    bench.command(Command::Attach { channel: "c".into(), options });
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Attach], Attached));
}

#[test]
fn a_line_on_which_the_answer_to_an_attach_does_not_come_is_doubted_and_given_up() {
    let timing = Timing { doubt: Some(3 * SECOND), ..Timing::default() };
    let mut bench = Bench::with(ClientOptions { timing, ..options() });
    bench.command(Command::Connect);
    bench.accept("conn-1");
    bench.attach("c");
    bench.pass(2 * SECOND);
    bench.attach("d");
    bench.sent.clear();
    bench.pass(SECOND);
    assert_eq!(bench.sent_actions(), [Action::Heartbeat], "3 s after the first attach");
    bench.pass(2 * SECOND);
    assert_eq!(bench.urls.len(), 2, "nothing came, so there is another socket");
    bench.accept("conn-1");
    bench.receive(attached("s1", Flags::empty()));
    bench.sent.clear();
    bench.pass(3 * SECOND);
    assert_eq!((bench.sent_actions(), bench.urls.len()), (vec![Action::Heartbeat], 2), "d is not attached yet");
    bench.receive(json!({ "action": 11, "channel": "d", "channelSerial": "s1" }));
    bench.sent.clear();
    bench.pass(9 * SECOND);
    assert_eq!((bench.sent_actions(), bench.urls.len()), (vec![], 2), "nothing is waited for");
}

#[test]
fn an_attach_that_is_not_answered_is_tried_again_later_and_later() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 4, "connectionId": "conn-1", "connectionDetails": { "maxIdleInterval": 0 } }));
    bench.attach("c");
    for step in [15.0, 20.0, 25.0, 30.0, 30.0] {
        bench.forget();
        bench.pass(10 * SECOND);
        let changes = bench.channel_changes();
        assert_eq!(changes[0].current, Suspended);
        let reason = changes[0].reason.as_ref().unwrap();
        assert_eq!((reason.code, reason.status_code), (ErrorCode::CHANNEL_TIMEOUT, 408));
        let wait = bench.client.poll_timeout().unwrap() - bench.now;
        assert!((step * 0.8..=step).contains(&wait.as_secs_f64()), "{wait:?} for {step}");
        bench.pass(wait);
        assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Attach], Attaching));
    }
    bench.receive(attached("s1", Flags::empty()));
    assert_eq!(state(&bench), Attached);
}

fn keep_alive(bench: &mut Bench, seconds: u32) {
    for _ in 0..seconds {
        bench.receive(json!({ "action": 0 }));
        bench.pass(SECOND);
    }
}

#[test]
fn a_late_answer_still_counts() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.pass(10 * SECOND);
    assert_eq!(state(&bench), Suspended);
    bench.receive(attached("s1", Flags::empty()));
    assert_eq!(state(&bench), Attached);
    bench.forget();
    keep_alive(&mut bench, 20);
    assert!(bench.sent.is_empty(), "and the retry is off");
}

#[test]
fn detaching_waits_for_the_answer_and_forgets_the_place_in_the_stream() {
    let mut bench = Bench::attached();
    bench.detach("c");
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Detach], Detaching));
    bench.receive(json!({ "action": 13, "channel": "c" }));
    assert_eq!(states(&mut bench), [Detaching, Detached]);
    assert_eq!(state(&bench), Detached);
    bench.attach("c");
    assert_eq!(bench.sent[0].channel_serial, None);
}

#[test]
fn releasing_detaches_first_and_forgets_the_channel() {
    let mut bench = Bench::attached();
    bench.release("c");
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Detach], Detaching));
    bench.receive(json!({ "action": 13, "channel": "c" }));
    assert_eq!(states(&mut bench), [Detaching, Detached]);
    assert_eq!((state(&bench), bench.client.stats().channels), (Initialized, 0));
}

#[test]
fn a_release_is_taken_back_by_attaching_and_by_a_detach_that_is_not_answered() {
    let mut bench = Bench::attached();
    bench.release("c");
    bench.attach("c");
    bench.receive(json!({ "action": 13, "channel": "c" }));
    assert_eq!(state(&bench), Attaching);
    bench.receive(attached("s1", Flags::empty()));
    bench.release("c");
    bench.pass(10 * SECOND);
    bench.detach("c");
    bench.receive(json!({ "action": 13, "channel": "c" }));
    assert_eq!(state(&bench), Detached);
}

#[test]
fn a_detach_that_is_not_answered_leaves_the_channel_attached() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.pass(10 * SECOND);
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.current, change.reason.map(|reason| reason.code)), (Attached, Some(ErrorCode::CHANNEL_TIMEOUT)));
}

#[test]
fn detaching_without_a_line_or_from_suspended_is_done_at_once() {
    let mut bench = Bench::attached();
    bench.cut();
    bench.detach("c");
    assert_eq!(state(&bench), Detached);
    bench.accept("conn-1");
    assert!(bench.sent.is_empty());
    bench.attach("c");
    bench.pass(10 * SECOND);
    assert_eq!(state(&bench), Suspended);
    bench.detach("c");
    assert_eq!(state(&bench), Detached);
}

#[test]
fn opposite_wishes_wait_for_the_answer_to_the_first() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.detach("c");
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("s1", Flags::empty()));
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Detach], Detaching));
    bench.attach("c");
    assert!(bench.sent.is_empty());
    bench.receive(json!({ "action": 13, "channel": "c" }));
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Attach], Attaching));
    assert_eq!(states(&mut bench), [Attaching, Attached, Detaching, Detached, Attaching]);
}

#[test]
fn an_attached_that_nobody_wants_is_answered_with_detach() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.forget();
    bench.receive(attached("s1", Flags::empty()));
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Detach], Detaching));
    bench.receive(json!({ "action": 13, "channel": "c" }));
    bench.receive(attached("s1", Flags::empty()));
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Detach], Detaching));
    bench.receive(json!({ "action": 11, "channel": "other" }));
    assert_eq!((bench.sent_actions(), bench.client.stats().channels), (vec![Action::Detach], 1));
}

#[test]
fn a_channel_that_the_server_detached_is_attached_again() {
    let mut bench = Bench::attached();
    let detached =
        json!({ "action": 13, "channel": "c", "error": { "message": "x", "code": 90198, "statusCode": 500 } });
    bench.receive(detached.clone());
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Attach], Attaching));
    bench.receive(detached);
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![], Suspended), "a second time it waits");
    let reasons: Vec<_> = bench.channel_changes().into_iter().map(|change| change.reason.unwrap().code.0).collect();
    assert_eq!(reasons, [90198, 90198]);
    keep_alive(&mut bench, 15);
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Attach], Attaching));
}

#[test]
fn attached_anew_with_a_gap_is_told_and_without_one_is_not() {
    let mut bench = Bench::attached();
    bench.receive(attached("s5", Flags::RESUMED));
    assert!(bench.events.is_empty());
    bench.receive(attached("s6", Flags::empty()));
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.previous, change.current, change.resumed), (Attached, Attached, false));
}

#[test]
fn an_error_fails_the_channel_and_nothing_else() {
    let mut bench = Bench::attached();
    bench
        .receive(json!({ "action": 9, "channel": "c", "error": { "message": "x", "code": 40160, "statusCode": 401 } }));
    assert_eq!((state(&bench), bench.client.state()), (Failed, ConnectionState::Connected));
    bench.cut();
    bench.accept("conn-1");
    assert!(bench.sent.is_empty(), "a failed channel is not attached again");
    bench.attach("c");
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Attach], Attaching));
}

#[test]
fn a_failure_is_forgotten_by_releasing() {
    let mut bench = Bench::attached();
    bench.receive(json!({ "action": 9, "channel": "c" }));
    bench.release("c");
    assert_eq!(states(&mut bench), [Failed, Initialized]);
    assert_eq!(bench.client.stats().channels, 0);
}

#[test]
fn every_channel_is_attached_again_on_a_new_line_whether_resumed_or_not() {
    for id in ["conn-1", "conn-2"] {
        let mut bench = Bench::attached();
        bench.receive(json!({ "action": 15, "channel": "c", "channelSerial": "s7", "messages": [{ "name": "m" }] }));
        bench.forget();
        bench.cut();
        assert!(states(&mut bench).is_empty(), "losing the socket changes no channel");
        bench.accept(id);
        assert_eq!(bench.sent[0].channel_serial, Some("s7".into()), "from where the game has it");
        let order: Vec<_> = bench.events.iter().map(|event| matches!(event, Event::Channel(_))).collect();
        assert_eq!(order, [true, false], "the game sees the channel attaching before it sees the client connected");
        bench.receive(attached("s7", Flags::RESUMED));
        assert!(bench.channel_changes().pop().unwrap().resumed);
    }
}

#[test]
fn the_cursor_of_a_sync_is_not_the_place_in_the_stream() {
    let mut bench = Bench::attached();
    bench.receive(json!({ "action": 14, "channel": "c", "channelSerial": "s1", "presence": [] }));
    bench.receive(json!({ "action": 16, "channel": "c", "channelSerial": "x:", "presence": [] }));
    bench.cut();
    bench.accept("conn-1");
    assert_eq!(bench.sent[0].channel_serial, Some("s1".into()));
}

#[test]
fn messages_reach_the_game_only_while_attached_and_do_not_count_as_seen_otherwise() {
    let mut bench = Bench::attached();
    let message = |serial: &str| {
        json!({ "action": 15, "channel": "c", "channelSerial": serial, "id": "b:1",
        "connectionId": "b", "timestamp": 5, "messages": [{ "name": "m", "data": "{\"a\":1}", "encoding": "json" }] })
    };
    bench.receive(message("s1"));
    let Some(Event::Messages { messages, .. }) = bench.take_events().pop() else { panic!("no messages") };
    assert_eq!(messages[0].data, Some(json!({ "a": 1 }).into()));
    assert_eq!((messages[0].id.as_deref(), messages[0].encoding.as_deref()), (Some("b:1:0"), None));
    bench.cut();
    bench.accept("conn-1");
    bench.forget();
    bench.receive(message("s2"));
    assert!(bench.events.is_empty());
    bench.cut();
    bench.pass(SECOND);
    bench.accept("conn-1");
    assert_eq!(bench.sent[0].channel_serial, Some("s1".into()));
}

#[test]
fn a_payload_that_cannot_be_decoded_is_delivered_as_far_as_it_was() {
    let mut bench = Bench::attached();
    let message = json!({ "data": "AAE=", "encoding": "utf-8/cipher+aes-256-cbc/base64" });
    bench.receive(json!({ "action": 15, "channel": "c", "messages": [message] }));
    let Some(Event::Messages { messages, .. }) = bench.take_events().pop() else { panic!("no messages") };
    assert_eq!(messages[0].data, Some(vec![0, 1].into()));
    assert_eq!(messages[0].encoding.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
}

#[test]
fn channels_follow_a_suspended_connection_and_come_back_with_it() {
    let mut bench = Bench::attached();
    bench.receive(json!({ "action": 4, "connectionId": "conn-1", "connectionDetails": { "connectionStateTtl": 1 } }));
    bench.cut();
    bench.cut();
    bench.pass(SECOND);
    assert_eq!((bench.client.state(), state(&bench)), (ConnectionState::Suspended, Suspended));
    bench.attach("d");
    assert_eq!(bench.client.channel_state(&"d".into()), Suspended);
    bench.pass(30 * SECOND);
    bench.forget();
    bench.accept("conn-2");
    assert_eq!(bench.sent_actions(), [Action::Attach, Action::Attach]);
}

#[test]
fn attaching_on_a_connection_that_ended_is_refused() {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    bench.attach("c");
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.current, change.reason.unwrap().code), (Detached, ErrorCode::CONNECTION_CLOSED));
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 9 }));
    bench.attach("c");
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.current, change.reason.unwrap().code), (Failed, ErrorCode::CONNECTION_FAILED));
}

#[test]
fn a_detach_that_was_under_way_goes_on_on_the_new_line() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.cut();
    bench.forget();
    bench.accept("conn-1");
    assert_eq!((bench.sent_actions(), state(&bench)), (vec![Action::Detach], Detaching));
}
