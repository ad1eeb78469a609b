//! Where a channel stands in its stream (`RTL15`).

use rooms_client::{ChannelState::*, ClientOptions, Timing};
use rooms_protocol::{ChannelSerial, Flags};
use serde_json::json;

use crate::support::*;

fn serial(bench: &Bench) -> Option<&str> {
    bench.client.channel_serial(&"c".into()).map(ChannelSerial::as_str)
}

fn attach_serial(bench: &Bench) -> Option<&str> {
    bench.client.attach_serial(&"c".into()).map(ChannelSerial::as_str)
}

fn attached_at(at: &str) -> Bench {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(attached("c", at, Flags::empty()));
    bench
}

/// Case: RTL15c/attach-serial-from-attached-0
#[test]
fn rtl15c_attaching_notes_where_the_stream_was() {
    let mut bench = Bench::connected();
    bench.attach("c");
    assert_eq!(attach_serial(&bench), None);
    bench.receive(attached("c", "attach-serial-1", Flags::empty()));
    assert_eq!(attach_serial(&bench), Some("attach-serial-1"));
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    bench.attach("c");
    bench.receive(attached("c", "attach-serial-2", Flags::empty()));
    assert_eq!(attach_serial(&bench), Some("attach-serial-2"));
}

/// Case: RTL15c/attach-serial-server-reattach-1
#[test]
fn rtl15c_attached_anew_with_a_gap_notes_it_anew() {
    let mut bench = attached_at("initial-serial");
    bench.receive(attached("c", "updated-serial", Flags::empty()));
    assert_eq!(attach_serial(&bench), Some("updated-serial"));
}

/// Case: RTL15c/attach-serial-not-updated-resumed-2
#[test]
fn rtl15c_attached_anew_without_a_gap_leaves_it() {
    let mut bench = attached_at("initial-serial");
    bench.receive(attached("c", "resumed-serial", Flags::RESUMED));
    assert_eq!((serial(&bench), attach_serial(&bench)), (Some("resumed-serial"), Some("initial-serial")));
}

/// Case: RTL15b/channel-serial-from-attached-0
/// Case: RTL15b/channel-serial-from-messages-1
#[test]
fn rtl15b_attached_messages_and_presence_move_the_place_on() {
    let mut bench = Bench::connected();
    assert_eq!(serial(&bench), None);
    bench.attach("c");
    bench.receive(attached("c", "serial-001", Flags::empty()));
    assert_eq!(serial(&bench), Some("serial-001"));
    let message = json!({ "name": "event", "data": "data" });
    bench.receive(json!({ "action": 15, "channel": "c", "channelSerial": "serial-002", "messages": [message] }));
    assert_eq!(serial(&bench), Some("serial-002"));
    bench.receive(json!({ "action": 14, "channel": "c", "channelSerial": "serial-003" }));
    assert_eq!(serial(&bench), Some("serial-003"));
}

/// Case: RTL15b/serial-not-updated-empty-2
#[test]
fn rtl15b_a_frame_without_a_place_leaves_it() {
    let mut bench = attached_at("serial-001");
    bench.receive(json!({ "action": 15, "channel": "c", "messages": [{ "name": "event" }] }));
    assert_eq!(serial(&bench), Some("serial-001"));
}

/// Case: RTL15b/serial-not-updated-irrelevant-3
#[test]
fn rtl15b_detached_and_a_sync_leave_it() {
    let mut bench = attached_at("serial-001");
    bench.receive(json!({ "action": 16, "channel": "c", "channelSerial": "sync:", "presence": [] }));
    bench.receive(json!({ "action": 13, "channel": "c", "channelSerial": "no", "error": error(90198, 500, "x") }));
    assert_eq!((bench.channel("c"), serial(&bench)), (Attaching, Some("serial-001")));
}

/// Case: RTL15b1/serial-cleared-detached-0
#[test]
fn rtl15b2_detaching_forgets_the_place() {
    let mut bench = attached_at("serial-001");
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    assert_eq!((bench.channel("c"), serial(&bench)), (Detached, None));
}

/// Case: RTL15b1/serial-cleared-suspended-1
///
/// The case is stale: since version 6.1.0 of the specification (`RTL15b2`) a suspended channel keeps its place.
#[test]
fn rtl15b2_a_suspended_channel_keeps_its_place() {
    let timing = Timing { request_timeout: SECOND / 10, ..Timing::default() };
    let mut bench = Bench::connected_with(ClientOptions { timing, ..options() });
    bench.attach("c");
    bench.receive(attached("c", "serial-001", Flags::empty()));
    bench.receive(detached("c", error(90198, 500, "Detached")));
    bench.pass(SECOND / 5);
    assert_eq!((bench.channel("c"), serial(&bench)), (Suspended, Some("serial-001")));
}

/// Case: RTL15b1/serial-cleared-failed-2
#[test]
fn rtl15b2_failing_forgets_the_place() {
    let mut bench = attached_at("serial-001");
    bench.receive(channel_error("c", 40160, 401));
    assert_eq!((bench.channel("c"), serial(&bench)), (Failed, None));
}
