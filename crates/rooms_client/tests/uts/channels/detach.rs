//! Detaching (`RTL5`) and releasing (`RTS4`).

use rooms_client::{ChannelState::*, ClientOptions, Command, Timing};
use rooms_protocol::{Action, ErrorCode, Flags};
use serde_json::json;

use super::{release, states};
use crate::support::*;

fn impatient() -> ClientOptions {
    ClientOptions { timing: Timing { request_timeout: SECOND / 10, ..Timing::default() }, ..options() }
}

/// Case: RTL5a/detach-initialized-noop-0
#[test]
fn rtl5a_detaching_a_channel_that_was_never_attached_does_nothing() {
    let mut bench = Bench::connected();
    bench.detach("c");
    assert_eq!((bench.channel("c"), bench.sent.len(), bench.events.len()), (Initialized, 0, 0));
}

/// Case: RTL5a/detach-already-detached-noop-1
#[test]
fn rtl5a_detaching_twice_asks_once() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    bench.detach("c");
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Detached, vec![Action::Detach]));
}

/// Case: RTL5i/detach-while-detaching-0
#[test]
fn rtl5i_detaching_while_detaching_asks_once() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Detached, vec![Action::Detach]));
}

/// Case: RTL5i/detach-while-attaching-1
#[test]
fn rtl5i_detaching_while_attaching_waits_for_the_end_of_it() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.detach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.receive(detached("c", json!(null)));
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Detached, vec![Action::Attach, Action::Detach]));
}

/// Case: RTL5b/detach-failed-errors-0
#[test]
fn rtl5b_detaching_a_failed_channel_is_refused() {
    let mut bench = Bench::attached();
    bench.receive(channel_error("c", 40160, 401));
    bench.forget();
    bench.detach("c");
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.previous, change.current), (Failed, Failed));
    assert_eq!(change.reason.unwrap().code, ErrorCode::INVALID_CHANNEL_STATE);
    assert_eq!((bench.channel("c"), bench.sent.len()), (Failed, 0));
}

/// Case: RTL5j/detach-suspended-to-detached-0
#[test]
fn rtl5j_a_suspended_channel_is_detached_at_once() {
    let mut bench = Bench::connected_with(impatient());
    bench.attach("c");
    bench.pass(SECOND / 5);
    assert_eq!(bench.channel("c"), Suspended);
    bench.forget();
    bench.detach("c");
    assert_eq!((bench.channel("c"), bench.sent.len()), (Detached, 0));
}

/// Case: RTL5l/detach-not-connected-immediate-0
#[test]
fn rtl5l_without_a_connection_an_attaching_channel_is_detached_at_once() {
    let mut bench = Bench::connecting(options());
    bench.attach("c");
    bench.detach("c");
    assert_eq!(bench.channel("c"), Detached);
    bench.accept("conn-1");
    assert!(bench.sent.is_empty());
}

/// Case: RTL5l/detach-attached-when-disconnected-1
#[test]
fn rtl5l_without_a_connection_an_attached_channel_is_detached_at_once() {
    let mut bench = Bench::attached();
    bench.cut();
    bench.detach("c");
    assert_eq!(bench.channel("c"), Detached);
    bench.accept("conn-1");
    assert!(bench.sent.is_empty());
}

/// Case: RTL5d/normal-detach-flow-0
#[test]
fn rtl5d_detaching_asks_the_server_and_ends_with_its_answer() {
    let mut bench = Bench::attached();
    bench.detach("c");
    assert_eq!(bench.channel("c"), Detaching);
    let frame = bench.take_sent().pop().unwrap();
    assert_eq!((frame.action, frame.channel), (Action::Detach, Some("c".into())));
    bench.receive(detached("c", json!(null)));
    assert_eq!(bench.channel("c"), Detached);
}

/// Case: RTL5f/timeout-returns-previous-state-0
#[test]
fn rtl5f_a_detach_that_is_not_answered_in_time_leaves_the_channel_attached() {
    let mut bench = Bench::connected_with(impatient());
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.detach("c");
    bench.pass(SECOND / 5);
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.current, change.reason.unwrap().code), (Attached, ErrorCode::CHANNEL_TIMEOUT));
}

/// Case: RTL5k/attached-while-detaching-0
#[test]
fn rtl5k_a_channel_attached_while_detaching_is_detached_again() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Detaching, vec![Action::Detach, Action::Detach]));
    bench.receive(detached("c", json!(null)));
    assert_eq!(bench.channel("c"), Detached);
}

/// Case: RTL5k/attached-while-detached-1
#[test]
fn rtl5k_a_channel_attached_while_detached_is_detached_again() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    bench.forget();
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(bench.sent_actions(), [Action::Detach]);
    bench.receive(detached("c", json!(null)));
    assert_eq!(bench.channel("c"), Detached);
}

/// Case: RTL5/detach-state-change-events-0
#[test]
fn rtl5_detaching_is_told_step_by_step() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    let steps = bench.channel_changes().into_iter().map(|change| (change.previous, change.current));
    assert_eq!(steps.collect::<Vec<_>>(), [(Attached, Detaching), (Detaching, Detached)]);
}

/// Case: RTS4a/release-removes-channel-0
/// Case: RTS4a/release-detaches-attached-2
#[test]
fn rts4a_releasing_detaches_and_forgets_the_channel() {
    let mut bench = Bench::attached();
    release(&mut bench, "c");
    assert_eq!(bench.channel("c"), Detaching);
    bench.receive(detached("c", json!(null)));
    assert_eq!((states(&mut bench), bench.client.channels().count()), (vec![Detaching, Detached], 0));
}

/// Case: RTS4a/release-nonexistent-noop-1
#[test]
fn rts4a_releasing_an_unknown_channel_does_nothing() {
    let mut bench = Bench::connected();
    release(&mut bench, "c");
    assert_eq!((bench.sent.len(), bench.events.len(), bench.client.channels().count()), (0, 0, 0));
}

/// Case: RTS3a/get-after-release-new-3
#[test]
fn rts3a_a_released_channel_begins_anew() {
    let mut bench = Bench::attached();
    release(&mut bench, "c");
    bench.receive(detached("c", json!(null)));
    assert_eq!(bench.channel("c"), Initialized);
    bench.command(Command::Attach { channel: "c".into(), options: Default::default() });
    assert_eq!(bench.client.attach_serial(&"c".into()), None);
    assert_eq!(bench.client.channels().collect::<Vec<_>>(), [&"c".into()]);
}
