//! Publishing and its outcomes.

use super::*;
use Lifetime::{Connection, Durable, Volatile};
use rooms_protocol::ChannelName;
use rooms_protocol::Data;

const LIFETIMES: [Lifetime; 3] = [Durable, Connection, Volatile];

fn ack(bench: &mut Bench, serial: i64, count: u32) {
    bench.receive(json!({ "action": 1, "msgSerial": serial, "count": count }));
}

fn publish_message(bench: &mut Bench, message: Message) -> Option<ErrorCode> {
    let (operation, channel, lifetime) = (OperationId(1), "c".into(), Durable);
    bench.command(Command::Publish { operation, channel, messages: vec![message], lifetime });
    bench.outcomes().1.pop().map(|(_, code)| code)
}

#[test]
fn a_publish_goes_out_at_once_and_tells_the_serials_it_was_given() {
    let mut bench = Bench::connected();
    let messages = vec![Message::new("a", "1"), Message::new("b", "2")];
    let (operation, channel) = (OperationId(9), ChannelName::from("c"));
    bench.command(Command::Publish { operation, channel: channel.clone(), messages, lifetime: Durable });
    let frame = &bench.sent[0];
    assert_eq!((frame.action, &frame.channel, frame.messages.len()), (Action::Message, &Some(channel), 2));
    bench.receive(json!({ "action": 1, "msgSerial": 0, "count": 1, "res": [{ "serials": ["x", null] }] }));
    assert_eq!(bench.events, [Event::Published { operation, outcome: Ok(vec![Some("x".into()), None]) }]);
    assert_eq!(bench.client.stats().channels, 0, "publishing attaches nothing");
}

#[test]
fn a_refusal_is_told_to_whoever_published() {
    let mut bench = Bench::connected();
    bench.publish(1, Durable);
    bench.publish(2, Durable);
    let error = json!({ "message": "no", "code": 40160, "statusCode": 401 });
    bench.receive(json!({ "action": 2, "msgSerial": 0, "count": 1, "error": error }));
    ack(&mut bench, 1, 1);
    assert_eq!(bench.outcomes(), (vec![2], vec![(1, ErrorCode::NOT_PERMITTED)]));
}

#[test]
fn publishes_wait_for_the_first_connection_in_order() {
    let mut bench = Bench::new();
    bench.publish(1, Durable);
    bench.command(Command::Connect);
    bench.publish(2, Connection);
    bench.publish(3, Durable);
    bench.accept("conn-1");
    assert_eq!(bench.sent_messages(), [("1".into(), 0), ("2".into(), 1), ("3".into(), 2)]);
}

#[test]
fn a_resumed_connection_sends_again_what_was_not_acknowledged_with_its_old_numbers() {
    let mut bench = Bench::connected();
    for operation in 1..=4 {
        bench.publish(operation, if operation == 3 { Connection } else { Durable });
    }
    ack(&mut bench, 0, 2);
    bench.cut();
    bench.publish(5, Connection);
    bench.forget();
    bench.accept("conn-1");
    assert_eq!(bench.sent_messages(), [("3".into(), 2), ("4".into(), 3), ("5".into(), 4)]);
    ack(&mut bench, 2, 3);
    assert_eq!(bench.outcomes(), (vec![3, 4, 5], vec![]));
}

#[test]
fn a_new_connection_numbers_anew_and_gives_up_what_was_meant_for_the_old_one() {
    let mut bench = Bench::connected();
    bench.publish(1, Durable);
    ack(&mut bench, 0, 1);
    bench.publish(2, Durable);
    bench.publish(3, Connection);
    bench.cut();
    bench.publish(4, Durable);
    bench.publish(5, Connection);
    bench.forget();
    bench.accept("conn-2");
    assert_eq!(bench.sent_messages(), [("2".into(), 0), ("4".into(), 1)]);
    let code = ErrorCode::RECOVERY_FAILED;
    assert_eq!(bench.outcomes(), (vec![], vec![(3, code), (5, code)]));
    ack(&mut bench, 0, 2);
    assert_eq!(bench.outcomes(), (vec![2, 4], vec![]));
}

#[test]
fn what_is_volatile_goes_now_or_never() {
    let mut bench = Bench::new();
    bench.publish(1, Volatile);
    bench.command(Command::Connect);
    bench.publish(2, Volatile);
    bench.accept("conn-1");
    bench.publish(3, Volatile);
    bench.publish(4, Volatile);
    ack(&mut bench, 0, 1);
    bench.cut();
    bench.publish(5, Volatile);
    let lost = |operation| (operation, ErrorCode::DISCONNECTED);
    assert_eq!(bench.outcomes(), (vec![3], [1, 2, 4, 5].map(lost).into()));
    bench.forget();
    bench.accept("conn-1");
    assert_eq!(bench.sent_messages(), []);
}

#[test]
fn the_outbox_is_bounded_and_says_so() {
    let mut bench = Bench::with(ClientOptions { outbox_limit: 3, ..options() });
    for operation in 1..=5 {
        bench.publish(operation, Durable);
    }
    let full = ErrorCode::CONNECTION_RATE_EXCEEDED;
    assert_eq!(bench.outcomes(), (vec![], vec![(4, full), (5, full)]));
    bench.command(Command::Connect);
    bench.accept("conn-1");
    bench.publish(6, Durable);
    assert_eq!(bench.outcomes().1, [(6, full)], "what is not acknowledged counts too");
    ack(&mut bench, 0, 3);
    bench.publish(7, Durable);
    assert_eq!(bench.outcomes(), (vec![1, 2, 3], vec![]));
}

#[test]
fn a_suspended_closed_or_failed_connection_ends_everything_and_refuses_more() {
    type End = fn(&mut Bench);
    let ends: [(End, ErrorCode); 3] = [
        (|bench| bench.receive(json!({ "action": 8 })), ErrorCode::CONNECTION_CLOSED),
        (|bench| bench.receive(json!({ "action": 9 })), ErrorCode::CONNECTION_FAILED),
        (
            |bench| {
                bench.cut();
                bench.cut();
                while bench.client.state() != ConnectionState::Suspended {
                    bench.pass(SECOND);
                }
            },
            ErrorCode::CONNECTION_SUSPENDED,
        ),
    ];
    for (end, code) in ends {
        let mut bench = Bench::connected();
        for lifetime in LIFETIMES {
            bench.publish(1, lifetime);
        }
        end(&mut bench);
        assert_eq!(bench.outcomes().1.len(), 3, "{code}");
        for lifetime in LIFETIMES {
            bench.publish(1, lifetime);
        }
        assert_eq!(bench.outcomes().1, [(1, code); 3]);
        assert_eq!(bench.client.stats().pending + bench.client.stats().queued, 0);
    }
}

#[test]
fn without_queueing_nothing_waits_for_a_line() {
    let mut bench = Bench::with(ClientOptions { queue_messages: false, ..options() });
    bench.command(Command::Connect);
    bench.publish(1, Durable);
    bench.accept("conn-1");
    bench.publish(2, Durable);
    bench.cut();
    let code = ErrorCode::DISCONNECTED;
    assert_eq!(bench.outcomes().1, [(1, code), (2, code)]);
}

#[test]
fn what_the_server_would_refuse_is_refused_here() {
    let mut bench = Bench::connected();
    let big = "x".repeat(65_536);
    assert_eq!(publish_message(&mut bench, Message::new("m", big.as_str())), Some(ErrorCode::MESSAGE_TOO_LARGE));
    let named = |id: &str| Message { client_id: Some(id.into()), ..Message::new("m", "x") };
    assert_eq!(publish_message(&mut bench, named("bob")), Some(ErrorCode::INVALID_CLIENT_ID));
    assert_eq!(publish_message(&mut bench, Message::new("m", json!(7))), Some(ErrorCode::INVALID_DATA));
    assert!(bench.sent.is_empty());
    assert_eq!(publish_message(&mut bench, named("ada")), None);
    assert_eq!(publish_message(&mut bench, Message::new("", Data::Json(json!([])))), None);
}

#[test]
fn the_servers_limit_on_size_stands() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 4, "connectionId": "conn-1", "connectionDetails": { "maxMessageSize": 4 } }));
    assert_eq!(publish_message(&mut bench, Message::new("m", "123")), None);
    assert_eq!(publish_message(&mut bench, Message::new("m", "1234")), Some(ErrorCode::MESSAGE_TOO_LARGE));
}

#[test]
fn publishing_to_a_suspended_or_failed_channel_is_refused() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.pass(10 * SECOND);
    bench.publish(1, Durable);
    bench.receive(json!({ "action": 9, "channel": "c" }));
    bench.publish(2, Durable);
    let code = ErrorCode::INVALID_CHANNEL_STATE;
    assert_eq!(bench.outcomes(), (vec![], vec![(1, code), (2, code)]));
}

#[test]
fn publishing_nothing_is_done_at_once() {
    let mut bench = Bench::connected();
    let (operation, channel, lifetime) = (OperationId(1), "c".into(), Durable);
    bench.command(Command::Publish { operation, channel, messages: vec![], lifetime });
    assert_eq!((bench.outcomes(), bench.sent.len()), ((vec![1], vec![]), 0));
}

#[test]
fn acknowledgements_that_fit_nothing_change_nothing() {
    let mut bench = Bench::connected();
    bench.publish(1, Durable);
    for (serial, count) in [(-9, 4), (i64::MIN, u32::MAX), (0, 0)] {
        ack(&mut bench, serial, count);
    }
    assert_eq!(bench.outcomes(), (vec![], vec![]));
    ack(&mut bench, 0, u32::MAX);
    ack(&mut bench, 0, u32::MAX);
    assert_eq!(bench.outcomes(), (vec![1], vec![]));
}

#[test]
fn an_old_acknowledgement_before_the_server_has_spoken_is_ignored() {
    let mut bench = Bench::connected();
    bench.publish(1, Durable);
    bench.cut();
    ack(&mut bench, 0, 1);
    assert_eq!(bench.outcomes(), (vec![], vec![]));
}
