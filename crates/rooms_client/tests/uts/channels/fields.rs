//! What messages inherit from their frame (`TM2`).

use rooms_protocol::{Message, Timestamp};
use serde_json::{Value, json};

use crate::support::*;

/// The messages that the game is told of a frame with these fields.
fn received(mut fields: Value) -> Vec<Message> {
    let mut bench = Bench::attached();
    fields["action"] = json!(15);
    fields["channel"] = json!("c");
    bench.receive(fields);
    bench.messages().remove(0)
}

fn ids(messages: &[Message]) -> Vec<Option<&str>> {
    messages.iter().map(|message| message.id.as_deref()).collect()
}

/// Case: TM2a/id-from-protocol-message-0
#[test]
fn tm2a_a_message_without_an_id_has_that_of_its_frame_and_its_place() {
    let messages = json!([{ "name": "first" }, { "name": "second" }, { "name": "third" }]);
    let messages = received(json!({ "id": "abc123:5", "messages": messages }));
    assert_eq!(ids(&messages), [Some("abc123:5:0"), Some("abc123:5:1"), Some("abc123:5:2")]);
}

/// Case: TM2a/existing-id-not-overwritten-1
#[test]
fn tm2a_an_id_of_its_own_stands() {
    let messages = received(json!({ "id": "proto-id:0", "messages": [{ "id": "my-custom-id" }] }));
    assert_eq!(ids(&messages), [Some("my-custom-id")]);
}

/// Case: TM2a/no-id-without-protocol-id-2
#[test]
fn tm2a_no_id_is_made_up() {
    assert_eq!(ids(&received(json!({ "connectionId": "abc123", "messages": [{ "name": "msg" }] }))), [None]);
}

/// Case: TM2c/connectionid-from-protocol-0
/// Case: TM2c/existing-connectionid-kept-1
#[test]
fn tm2c_the_connection_is_that_of_the_frame_unless_the_message_names_its_own() {
    let messages = json!([{ "name": "msg" }, { "connectionId": "msg-conn" }]);
    let messages = received(json!({ "id": "msg:0", "connectionId": "server-conn-xyz", "messages": messages }));
    assert_eq!(messages[0].connection_id, Some("server-conn-xyz".into()));
    assert_eq!(messages[1].connection_id, Some("msg-conn".into()));
}

/// Case: TM2f/timestamp-from-protocol-0
/// Case: TM2f/existing-timestamp-kept-1
#[test]
fn tm2f_the_time_is_that_of_the_frame_unless_the_message_names_its_own() {
    let messages = json!([{ "name": "msg" }, { "timestamp": 1_600_000_000_000_i64 }]);
    let messages = received(json!({ "id": "msg:0", "timestamp": 1_700_000_000_000_i64, "messages": messages }));
    assert_eq!(messages[0].timestamp, Some(Timestamp(1_700_000_000_000)));
    assert_eq!(messages[1].timestamp, Some(Timestamp(1_600_000_000_000)));
}

/// Case: TM2a/all-fields-populated-together-3
#[test]
fn tm2_all_that_is_inherited_is_inherited_together() {
    let messages = json!([{ "name": "first", "data": "a" }, { "name": "second", "data": "b" }]);
    let frame = json!({ "id": "connId:7", "connectionId": "connId", "timestamp": 1_700_000_000_000_i64,
        "messages": messages });
    for (index, message) in received(frame).into_iter().enumerate() {
        assert_eq!(message.id, Some(format!("connId:7:{index}")));
        assert_eq!(message.connection_id, Some("connId".into()));
        assert_eq!(message.timestamp, Some(Timestamp(1_700_000_000_000)));
        assert_eq!(message.name.as_deref(), Some(["first", "second"][index]));
        assert_eq!(message.data, Some(["a", "b"][index].into()));
    }
}
