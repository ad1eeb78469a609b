//! Publishing (`RTL6`).

use rooms_client::{ChannelState::*, ClientOptions, Command, ConnectionState, Event, Lifetime, OperationId};
use rooms_protocol::{Action, Data, ErrorCode, Frame, Message, json as wire};
use serde_json::{Value, json};

use crate::support::*;

/// The code that publishing on the channel `c` ends with, while nothing is sent.
fn refusal(bench: &mut Bench) -> ErrorCode {
    bench.forget();
    bench.publish(1);
    assert_eq!(bench.sent_of(Action::Message), []);
    bench.outcomes().1.pop().unwrap().1
}

fn names(frames: &[Frame]) -> Vec<&str> {
    frames.iter().flat_map(|frame| &frame.messages).filter_map(|message| message.name.as_deref()).collect()
}

/// Case: RTL6i1/publish-name-and-data-0
/// Case: RTL6i1/publish-message-object-1
/// Case: RTL6c1/publish-when-attached-0
#[test]
fn rtl6i1_one_message_goes_out_as_one_frame_at_once() {
    let mut bench = Bench::attached();
    bench.publish_on("c", 1, vec![Message::new("greeting", "hello")]);
    bench.publish_on("c", 2, vec![Message::new("custom", json!({ "key": "value" }))]);
    let frames = bench.take_sent();
    assert_eq!((frames[0].action, &frames[0].channel), (Action::Message, &Some("c".into())));
    assert_eq!(frames[0].messages, [Message::new("greeting", "hello")]);
    assert_eq!((frames.len(), frames[1].messages.len()), (2, 1));
    assert_eq!(frames[1].messages[0].data, Some(Data::Json(json!({ "key": "value" }))));
}

/// Case: RTL6i2/publish-message-array-0
#[test]
fn rtl6i2_several_messages_go_out_as_one_frame() {
    let mut bench = Bench::attached();
    bench.publish_on("c", 1, ["event1", "event2", "event3"].map(|name| Message::new(name, "data")).into());
    let frames = bench.take_sent();
    assert_eq!((frames.len(), names(&frames)), (1, vec!["event1", "event2", "event3"]));
}

/// Case: RTL6i3/null-fields-json-0
/// Case: RTL6i3/null-fields-msgpack-1
///
/// Both encodings leave out what is absent in the frame; the codec of each has tests of its own.
#[test]
fn rtl6i3_what_a_message_does_not_have_is_not_sent() {
    let mut bench = Bench::attached();
    let click = Message { name: Some("click".to_owned()), ..Message::default() };
    let payload = Message { data: Some("payload".into()), ..Message::default() };
    for message in [click, payload, Message::default()] {
        bench.publish_on("c", 1, vec![message]);
    }
    let texts = bench.take_sent().into_iter().map(|frame| serde_json::from_str(&wire::encode(frame)).unwrap());
    let messages: Vec<Value> = texts.map(|mut frame: Value| frame["messages"][0].take()).collect();
    assert_eq!(messages, [json!({ "name": "click" }), json!({ "data": "payload" }), json!({})]);
}

/// Case: RTL6c1/publish-when-attaching-1
#[test]
fn rtl6c1_an_attaching_channel_is_published_to_at_once() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.publish(1);
    assert_eq!((bench.channel("c"), bench.sent_of(Action::Message).len()), (Attaching, 1));
}

/// Case: RTL6c1/publish-when-initialized-2
/// Case: RTL6c5/no-implicit-attach-0
#[test]
fn rtl6c5_publishing_attaches_nothing() {
    let mut bench = Bench::connected();
    bench.publish(1);
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Initialized, vec![Action::Message]));
}

/// Case: RTL6c2/queued-when-connecting-0
#[test]
fn rtl6c2_while_connecting_messages_wait() {
    let mut bench = Bench::connecting(options());
    bench.publish_on("c", 1, vec![Message::new("queued", "waiting")]);
    assert!(bench.sent.is_empty());
    bench.accept("conn-1");
    assert_eq!(names(&bench.take_sent()), ["queued"]);
}

/// Case: RTL6c2/queued-when-disconnected-1
#[test]
fn rtl6c2_while_disconnected_messages_wait() {
    let mut bench = Bench::attached();
    bench.cut();
    bench.cut();
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    bench.publish_on("c", 1, vec![Message::new("during-disconnect", "queued")]);
    assert!(bench.sent.is_empty());
    bench.next_timer();
    bench.accept("conn-1");
    assert_eq!(names(&bench.take_sent()), ["during-disconnect"]);
}

/// Case: RTL6c2/queued-when-initialized-2
#[test]
fn rtl6c2_before_connecting_messages_wait() {
    let mut bench = Bench::new();
    bench.publish_on("c", 1, vec![Message::new("pre-connect", "early")]);
    assert!(bench.sent.is_empty());
    bench.command(Command::Connect);
    bench.accept("conn-1");
    assert_eq!(names(&bench.take_sent()), ["pre-connect"]);
}

/// Case: RTL6c2/queued-messages-order-4
#[test]
fn rtl6c2_messages_that_waited_go_out_in_order() {
    let mut bench = Bench::connecting(options());
    for name in ["first", "second", "third"] {
        bench.publish_on("c", 1, vec![Message::new(name, "x")]);
    }
    bench.accept("conn-1");
    assert_eq!(names(&bench.take_sent()), ["first", "second", "third"]);
}

/// Case: RTL6c2/fails-no-queue-messages-3
#[test]
fn rtl6c2_without_queueing_nothing_waits() {
    let mut bench = Bench::connecting(ClientOptions { queue_messages: false, ..options() });
    assert_eq!(refusal(&mut bench), ErrorCode::DISCONNECTED);
}

/// Case: RTL6c4/fails-conn-suspended-0
#[test]
fn rtl6c4_a_suspended_connection_takes_no_messages() {
    assert_eq!(refusal(&mut Bench::suspended()), ErrorCode::CONNECTION_SUSPENDED);
}

/// Case: RTL6c4/fails-conn-closed-1
#[test]
fn rtl6c4_a_closed_connection_takes_no_messages() {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    bench.receive(json!({ "action": 8 }));
    assert_eq!(refusal(&mut bench), ErrorCode::CONNECTION_CLOSED);
}

/// Case: RTL6c4/fails-conn-failed-2
#[test]
fn rtl6c4_a_failed_connection_takes_no_messages() {
    let mut bench = Bench::connected();
    bench.receive_and_cut(connection_error(80000, 400));
    assert_eq!(refusal(&mut bench), ErrorCode::CONNECTION_FAILED);
}

/// Case: RTL6c4/fails-channel-suspended-3
#[test]
fn rtl6c4_a_suspended_channel_takes_no_messages() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(detached("c", error(90198, 500, "x")));
    assert_eq!(bench.channel("c"), Suspended);
    assert_eq!(refusal(&mut bench), ErrorCode::INVALID_CHANNEL_STATE);
}

/// Case: RTL6c4/fails-channel-failed-4
#[test]
fn rtl6c4_a_failed_channel_takes_no_messages() {
    let mut bench = Bench::attached();
    bench.receive(channel_error("c", 40160, 401));
    assert_eq!(refusal(&mut bench), ErrorCode::INVALID_CHANNEL_STATE);
}

/// The serials that each operation was given, and forgets all events.
fn serials(bench: &mut Bench) -> Vec<(u64, Vec<Option<String>>)> {
    let given = bench.take_events().into_iter().filter_map(|event| match event {
        Event::Published { operation, outcome } => Some((operation.0, outcome.unwrap())),
        _ => None,
    });
    given
        .map(|(id, serials)| (id, serials.into_iter().map(|it| it.map(|it| it.as_str().to_owned())).collect()))
        .collect()
}

fn ack_with(serial: i64, serials: Value) -> Value {
    json!({ "action": 1, "msgSerial": serial, "count": 1, "res": [{ "serials": serials }] })
}

/// Case: RTL6j/publish-result-serials-0
/// Case: RTL6j/batch-publish-serials-1
#[test]
fn rtl6j_a_publish_tells_the_serial_of_each_message() {
    let mut bench = Bench::attached();
    bench.publish(1);
    bench.publish_on("c", 2, ["a", "b", "c"].map(|name| Message::new(name, "x")).into());
    assert_eq!(bench.take_sent()[0].msg_serial.unwrap().0, 0);
    bench.receive(ack_with(0, json!(["abc123"])));
    bench.receive(ack_with(1, json!(["serial-1", null, "serial-3"])));
    let text = |text: &str| Some(text.to_owned());
    let expected = [(1, vec![text("abc123")]), (2, vec![text("serial-1"), None, text("serial-3")])];
    assert_eq!(serials(&mut bench), expected);
}

/// Case: RTL6j/incrementing-msg-serial-2
#[test]
fn rtl6j_each_publish_has_the_next_number() {
    let mut bench = Bench::attached();
    for number in 0..3 {
        bench.publish(number);
        assert_eq!(bench.take_sent()[0].msg_serial.unwrap().0, i64::try_from(number).unwrap());
        bench.receive(ack_with(i64::try_from(number).unwrap(), json!([format!("serial-{number}")])));
        assert_eq!(serials(&mut bench), [(number, vec![Some(format!("serial-{number}"))])]);
    }
}

/// Case: RTL6j/nack-results-error-3
#[test]
fn rtl6j_a_publish_that_the_server_refuses_tells_why() {
    let mut bench = Bench::attached();
    bench.publish(1);
    let refused = error(40160, 401, "Publish rejected");
    bench.receive(json!({ "action": 2, "msgSerial": 0, "count": 1, "error": refused }));
    let Some(Event::Published { operation: OperationId(1), outcome: Err(error) }) = bench.take_events().pop() else {
        panic!("the publish did not fail");
    };
    assert_eq!((error.code.0, error.message.as_str()), (40160, "Publish rejected"));
}

fn named(client_id: &str) -> Message {
    Message { client_id: Some(client_id.into()), ..Message::new("m", "x") }
}

/// Items RTL6g1 to RTL6g3.
#[test]
fn rtl6g3_a_message_of_somebody_else_is_refused_and_the_rest_goes_on() {
    let mut bench = Bench::attached();
    bench.publish_on("c", 1, vec![named("bob")]);
    assert_eq!((bench.sent.len(), bench.outcomes().1), (0, vec![(1, ErrorCode::INVALID_CLIENT_ID)]));
    bench.publish_on("c", 2, vec![named("ada"), Message::new("m", "x")]);
    let messages = bench.take_sent().remove(0).messages;
    assert_eq!((&messages[0].client_id, &messages[1].client_id), (&Some("ada".into()), &None));
    assert_eq!((bench.state(), bench.channel("c")), (ConnectionState::Connected, Attached));
}

/// Item RTL6g4.
#[test]
fn rtl6g4_before_the_server_said_who_the_client_is_any_name_is_taken() {
    let mut bench = Bench::connecting(anonymous());
    bench.publish_on("c", 1, vec![named("bob")]);
    bench.accept("conn-1");
    assert_eq!(bench.take_sent()[0].messages[0].client_id, Some("bob".into()));
}

/// Item RTL6a with RSL1i.
#[test]
fn rtl6a_a_publish_larger_than_the_server_takes_is_refused() {
    let mut bench = Bench::attached();
    bench.publish_on("c", 1, vec![Message::new("m", "x".repeat(65_535))]);
    assert_eq!(bench.take_sent().len(), 1);
    bench.publish_on("c", 2, vec![Message::new("m", "x".repeat(65_536))]);
    assert_eq!((bench.sent.len(), bench.outcomes().1), (0, vec![(2, ErrorCode::MESSAGE_TOO_LARGE)]));
    bench.command(Command::Publish {
        operation: OperationId(3),
        channel: "c".into(),
        messages: vec![Message::new("m", "x".repeat(40_000)), Message::new("m", "x".repeat(40_000))],
        lifetime: Lifetime::Durable,
    });
    assert_eq!(bench.outcomes().1, [(3, ErrorCode::MESSAGE_TOO_LARGE)]);
}
