//! Frames of a newer protocol (`RTF1`, `RSF1`).

use rooms_client::{ChannelState, ConnectionState};
use serde_json::json;

use crate::support::*;

/// Case: RTF1/unrecognised-attributes-ignored-0
#[test]
fn rtf1_a_frame_with_unknown_fields_is_read() {
    let mut bench = Bench::attached();
    bench.receive(json!({
        "action": 15, "channel": "c", "channelSerial": "s1", "unknown": { "deep": [1, 2] }, "other": 7,
        "messages": [{ "name": "test-event", "data": "hello" }],
    }));
    let messages = bench.messages();
    assert_eq!(messages[0][0].name.as_deref(), Some("test-event"));
    assert_eq!(messages[0][0].data, Some("hello".into()));
    assert_eq!((bench.state(), bench.channel("c")), (ConnectionState::Connected, ChannelState::Attached));
}

/// Case: RTF1/unknown-action-handled-1
#[test]
fn rtf1_a_frame_with_an_unknown_action_is_ignored() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 254, "channel": "c" }));
    bench.pass(SECOND);
    assert_eq!((bench.state(), bench.take_events().len()), (ConnectionState::Connected, 0));
}

/// Case: RSF1/message-unrecognised-attrs-0
#[test]
fn rsf1_a_message_with_unknown_fields_is_delivered() {
    let mut bench = Bench::attached();
    bench.receive(json!({
        "action": 15, "channel": "c", "channelSerial": "s1",
        "messages": [
            { "name": "event-1", "data": "payload-1", "future": true, "nested": { "a": null } },
            { "name": "event-2", "data": "payload-2", "version": { "serial": "v", "newer": 1 } },
        ],
    }));
    let names: Vec<_> = bench.messages().concat().into_iter().map(|message| message.data).collect();
    assert_eq!(names, [Some("payload-1".into()), Some("payload-2".into())]);
    assert_eq!(bench.channel("c"), ChannelState::Attached);
}
