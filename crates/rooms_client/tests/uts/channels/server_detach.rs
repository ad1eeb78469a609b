//! Channels that the server detaches (`RTL13`).

use rooms_client::{ChannelState::*, ClientOptions, Timing};
use rooms_protocol::{Action, Flags};
use serde_json::{Value, json};

use super::states;
use crate::support::*;

/// A client with the channel `c` attached, that waits 100 ms for answers and at most 200 ms to try a channel again.
fn impatient() -> Bench {
    let timing = Timing { request_timeout: SECOND / 10, channel_retry: SECOND / 5, ..Timing::default() };
    let mut bench = Bench::connected_with(ClientOptions { timing, ..options() });
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.forget();
    bench
}

fn server_detaches() -> Value {
    detached("c", error(90198, 500, "Server detached channel"))
}

/// Past the wait for an answer.
fn time_out(bench: &mut Bench) {
    bench.pass(SECOND * 15 / 100);
    assert_eq!(bench.channel("c"), Suspended);
}

/// Past the wait before the channel is tried again, in either of its first two steps, and short of the next time-out.
fn retry(bench: &mut Bench) {
    bench.next_timer();
    assert_eq!(bench.channel("c"), Attaching);
}

/// Case: RTL13a/attached-reattach-triggered-0
#[test]
fn rtl13a_an_attached_channel_is_attached_again_at_once() {
    let mut bench = impatient();
    bench.receive(server_detaches());
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("c", "s1", Flags::empty()));
    let changes = bench.channel_changes();
    assert_eq!((changes[0].previous, changes[0].current), (Attached, Attaching));
    assert_eq!(changes[0].reason.as_ref().unwrap().code.0, 90198);
    assert_eq!((changes[1].current, changes.len()), (Attached, 2));
}

/// Case: RTL13a/suspended-reattach-triggered-1
#[test]
fn rtl13a_a_suspended_channel_is_attached_again_at_once() {
    let mut bench = impatient();
    bench.receive(server_detaches());
    time_out(&mut bench);
    bench.forget();
    bench.receive(server_detaches());
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Attaching, vec![Action::Attach]));
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(bench.channel("c"), Attached);
}

/// Case: RTL13b/failed-reattach-suspended-retry-0
#[test]
fn rtl13b_an_attach_that_failed_is_tried_again_after_a_while() {
    let mut bench = impatient();
    bench.receive(server_detaches());
    time_out(&mut bench);
    retry(&mut bench);
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(states(&mut bench), [Attaching, Suspended, Attaching, Attached]);
    assert_eq!(bench.sent_actions(), [Action::Attach; 2]);
}

/// Case: RTL13b/attaching-detached-to-suspended-1
#[test]
fn rtl13b_a_channel_detached_while_attaching_is_suspended_and_tried_again() {
    let timing = Timing { channel_retry: SECOND / 5, ..Timing::default() };
    let mut bench = Bench::connected_with(ClientOptions { timing, ..options() });
    bench.attach("c");
    bench.forget();
    bench.receive(server_detaches());
    let changes = bench.channel_changes();
    assert_eq!((changes[0].previous, changes[0].current, changes.len()), (Attaching, Suspended, 1));
    assert_eq!((changes[0].reason.as_ref().unwrap().code.0, bench.sent.len()), (90198, 0));
    retry(&mut bench);
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Attached, vec![Action::Attach]));
}

/// Case: RTL13b/repeated-failure-cycle-2
#[test]
fn rtl13b_a_channel_is_tried_again_as_often_as_it_takes() {
    let mut bench = impatient();
    bench.receive(server_detaches());
    for _ in 0..2 {
        time_out(&mut bench);
        retry(&mut bench);
    }
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(states(&mut bench), [Attaching, Suspended, Attaching, Suspended, Attaching, Attached]);
    assert_eq!(bench.sent_actions(), [Action::Attach; 3]);
}

/// Case: RTL13c/retry-cancelled-disconnected-0
#[test]
fn rtl13c_without_a_connection_no_channel_is_tried_again() {
    let mut bench = impatient();
    bench.receive(server_detaches());
    time_out(&mut bench);
    bench.cut();
    bench.forget();
    bench.pass(SECOND / 20);
    bench.cut();
    bench.pass(SECOND / 2);
    assert_eq!((bench.channel("c"), bench.sent.len(), bench.channel_changes().len()), (Suspended, 0, 0));
}

/// Case: RTL13a/detaching-not-server-initiated-2
#[test]
fn rtl13a_a_channel_that_was_asked_to_detach_stays_detached() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Detached, vec![Action::Detach]));
}
