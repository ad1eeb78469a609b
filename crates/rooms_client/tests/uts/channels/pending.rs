//! What waits for an acknowledgement when the line or the connection goes (`RTN7`, `RTN19`).

use rooms_client::{ChannelState::*, ClientOptions, Command, Event};
use rooms_protocol::{Action, ErrorCode, Flags, Frame, MsgSerial};
use serde_json::{Value, json};

use crate::support::*;

/// A client with the channel `c` attached and `count` publishes on their way.
fn publishing(count: u64) -> Bench {
    let mut bench = Bench::attached();
    for operation in 1..=count {
        bench.publish(operation);
    }
    bench
}

fn numbers(frames: &[Frame]) -> Vec<Option<i64>> {
    frames.iter().map(|frame| frame.msg_serial.map(|MsgSerial(number)| number)).collect()
}

/// Case: RTN7e/pending-fail-suspended-0
#[test]
fn rtn7e_a_suspended_connection_fails_what_is_pending() {
    let mut bench = publishing(1);
    bench.suspend();
    let (taken, failed) = bench.outcomes();
    assert_eq!((taken.len(), failed.len(), failed[0].0), (0, 1, 1));
    bench.next_timer();
    bench.accept("conn-1");
    assert_eq!(bench.sent_of(Action::Message).len(), 1, "and it is not sent again");
}

/// Case: RTN7e/pending-fail-closed-1
/// Case: RTN7e/multiple-pending-fail-3
#[test]
fn rtn7e_a_closed_connection_fails_all_that_is_pending() {
    let mut bench = publishing(3);
    bench.command(Command::Close);
    bench.receive(json!({ "action": 8 }));
    assert_eq!(bench.outcomes().1, [1, 2, 3].map(|operation| (operation, ErrorCode::CONNECTION_CLOSED)));
}

/// Case: RTN7e/pending-fail-failed-2
/// Case: RTN7e/error-represents-reason-4
#[test]
fn rtn7e_a_failed_connection_fails_what_is_pending_with_its_own_reason() {
    let mut bench = publishing(1);
    let reason = error(80019, 400, "Connection closed due to admin action");
    bench.receive_and_cut(json!({ "action": 9, "error": reason }));
    let outcome = bench.events.iter().find_map(|event| match event {
        Event::Published { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    let error = outcome.unwrap().unwrap_err();
    assert_eq!((error.code.0, error.status_code), (80019, 400));
    assert_eq!(error.message, "Connection closed due to admin action");
    assert_eq!(bench.last_reason(), Some(&error));
}

/// Case: RTN7d/fail-disconnected-no-queue-0
#[test]
fn rtn7d_without_queueing_a_lost_line_fails_what_is_pending() {
    let mut bench = Bench::connected_with(ClientOptions { queue_messages: false, ..options() });
    bench.publish(1);
    bench.cut();
    assert_eq!(bench.outcomes().1, [(1, ErrorCode::DISCONNECTED)]);
}

/// Case: RTN7d/survive-disconnected-queue-1
/// Case: RTN19a/resent-on-new-transport-0
#[test]
fn rtn19a_what_is_pending_outlives_the_line_and_is_sent_again() {
    let mut bench = publishing(1);
    let first = bench.take_sent();
    bench.cut();
    bench.accept("conn-1");
    let again = bench.sent_of(Action::Message);
    assert_eq!(again, first);
    bench.receive(ack(0));
    assert_eq!(bench.outcomes(), (vec![1], vec![]));
}

/// Case: RTN19a2/same-serial-on-resume-0
#[test]
fn rtn19a2_on_a_resumed_connection_numbers_stay() {
    let mut bench = publishing(1);
    bench.receive(ack(0));
    bench.publish(2);
    bench.publish(3);
    bench.forget();
    bench.cut();
    bench.accept("conn-1");
    assert_eq!(numbers(&bench.sent_of(Action::Message)), [Some(1), Some(2)]);
}

/// Case: RTN19a2/new-serial-failed-resume-1
#[test]
fn rtn19a2_on_a_new_connection_numbers_start_anew() {
    let mut bench = publishing(1);
    bench.receive(ack(0));
    bench.publish(2);
    bench.publish(3);
    bench.forget();
    bench.cut();
    bench.open();
    bench.receive(connected_anew("conn-2"));
    assert_eq!(numbers(&bench.sent_of(Action::Message)), [Some(0), Some(1)]);
    bench.receive(ack(0));
    bench.receive(ack(1));
    assert_eq!(bench.outcomes().0, [2, 3]);
}

fn sent_again(bench: &mut Bench, action: Action, answer: Value) {
    assert_eq!(bench.sent_of(action).len(), 1);
    bench.cut();
    bench.accept("conn-1");
    let again = bench.sent_of(action);
    assert_eq!((again.len(), &again[0].channel), (1, &Some("c".into())));
    bench.receive(answer);
}

/// Case: RTN19b/attach-resent-on-reconnect-0
#[test]
fn rtn19b_an_attach_under_way_is_sent_again() {
    let mut bench = Bench::connected();
    bench.attach("c");
    sent_again(&mut bench, Action::Attach, attached("c", "s0", Flags::empty()));
    assert_eq!(bench.channel("c"), Attached);
}

/// Case: RTN19b/detach-resent-on-reconnect-1
#[test]
fn rtn19b_a_detach_under_way_is_sent_again() {
    let mut bench = Bench::attached();
    bench.detach("c");
    sent_again(&mut bench, Action::Detach, detached("c", json!(null)));
    assert_eq!(bench.channel("c"), Detached);
}
