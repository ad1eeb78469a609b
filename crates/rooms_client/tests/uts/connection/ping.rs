//! Round trips (`RTN13`).

use std::time::Duration;

use rooms_client::{Command, ConnectionState, Event};
use rooms_protocol::{Action, ErrorCode};
use serde_json::json;

use crate::support::*;

/// The ids of the pings that were sent, and forgets all frames.
fn sent_ids(bench: &mut Bench) -> Vec<String> {
    bench.sent_of(Action::Heartbeat).into_iter().map(|frame| frame.id.expect("a ping has an id").to_string()).collect()
}

fn answer(bench: &mut Bench, id: &str) {
    bench.receive(json!({ "action": 0, "id": id }));
}

/// How the pings ended, and forgets all events.
fn outcomes(bench: &mut Bench) -> Vec<Result<Duration, ErrorCode>> {
    let events = bench.take_events().into_iter();
    let outcome = |event| match event {
        Event::RoundTrip(time) => Some(Ok(time)),
        Event::PingFailed(error) => Some(Err(error.code)),
        _ => None,
    };
    events.filter_map(outcome).collect()
}

/// Case: RTN13a/ping-heartbeat-roundtrip-0
#[test]
fn rtn13a_a_ping_tells_the_round_trip() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    let ids = sent_ids(&mut bench);
    bench.pass(SECOND / 4);
    answer(&mut bench, &ids[0]);
    assert_eq!(outcomes(&mut bench), [Ok(SECOND / 4)]);
}

/// Case: RTN13e/heartbeat-random-id-0
#[test]
fn rtn13e_each_ping_has_an_id_of_its_own() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    bench.command(Command::Ping);
    let ids = sent_ids(&mut bench);
    assert!(ids.len() == 2 && ids[0] != ids[1] && !ids[0].is_empty(), "{ids:?}");
}

/// Case: RTN13e/no-id-heartbeat-ignored-1
#[test]
fn rtn13e_a_heartbeat_without_the_id_is_no_answer() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    let ids = sent_ids(&mut bench);
    bench.receive(json!({ "action": 0 }));
    answer(&mut bench, "another");
    assert_eq!(outcomes(&mut bench), []);
    answer(&mut bench, &ids[0]);
    assert_eq!(outcomes(&mut bench).len(), 1);
}

/// Case: RTN13e/concurrent-pings-unique-ids-2
#[test]
fn rtn13e_pings_at_once_get_each_their_answer() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    bench.pass(SECOND);
    bench.command(Command::Ping);
    let ids = sent_ids(&mut bench);
    bench.pass(SECOND);
    answer(&mut bench, &ids[1]);
    bench.pass(SECOND);
    answer(&mut bench, &ids[0]);
    assert_eq!(outcomes(&mut bench), [Ok(SECOND), Ok(3 * SECOND)]);
}

/// Case: RTN13c/ping-timeout-0
#[test]
fn rtn13c_a_ping_without_answer_times_out() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    bench.pass(4 * SECOND);
    bench.command(Command::Ping);
    bench.pass(6 * SECOND);
    assert_eq!(outcomes(&mut bench), [Err(ErrorCode::TIMED_OUT)]);
    bench.pass(4 * SECOND);
    assert_eq!(outcomes(&mut bench), [Err(ErrorCode::TIMED_OUT)]);
}

fn refused(mut bench: Bench) -> bool {
    bench.forget();
    bench.command(Command::Ping);
    bench.take_sent().is_empty() && matches!(outcomes(&mut bench)[..], [Err(_)])
}

/// Case: RTN13b/ping-error-initialized-0
#[test]
fn rtn13b_a_client_that_never_connected_does_not_ping() {
    assert!(refused(Bench::new()));
}

/// Case: RTN13b/ping-error-suspended-1
#[test]
fn rtn13b_a_suspended_client_does_not_ping() {
    assert!(refused(Bench::suspended()));
}

/// Case: RTN13b/ping-error-closed-2
#[test]
fn rtn13b_a_closed_client_does_not_ping() {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    bench.receive(json!({ "action": 8 }));
    assert!(refused(bench));
}

/// Case: RTN13b/ping-error-failed-3
#[test]
fn rtn13b_a_failed_client_does_not_ping() {
    let mut bench = Bench::connected();
    bench.receive_and_cut(connection_error(80000, 400));
    assert!(refused(bench));
}

/// Case: RTN13d/ping-deferred-connecting-0
#[test]
fn rtn13d_a_ping_while_connecting_waits_for_the_line() {
    let mut bench = Bench::connecting(options());
    bench.command(Command::Ping);
    bench.pass(SECOND);
    bench.accept("conn-1");
    let ids = sent_ids(&mut bench);
    answer(&mut bench, &ids[0]);
    assert_eq!(outcomes(&mut bench), [Ok(Duration::ZERO)]);
}

/// Case: RTN13d/ping-deferred-disconnected-1
#[test]
fn rtn13d_a_ping_while_disconnected_waits_for_the_line() {
    let mut bench = Bench::connecting(options());
    bench.cut();
    bench.command(Command::Ping);
    bench.next_timer();
    bench.accept("conn-1");
    let ids = sent_ids(&mut bench);
    answer(&mut bench, &ids[0]);
    assert_eq!(outcomes(&mut bench), [Ok(Duration::ZERO)]);
}

/// Case: RTN13b/deferred-ping-error-failed-4
#[test]
fn rtn13b_a_ping_that_waits_fails_with_the_connection() {
    let mut bench = Bench::connecting(options());
    bench.command(Command::Ping);
    bench.receive_and_cut(connection_error(40005, 400));
    assert_eq!(outcomes(&mut bench), [Err(ErrorCode(40005))]);
}

/// Case: RTN13b/deferred-ping-error-suspended-5
#[test]
fn rtn13b_a_ping_that_waits_fails_when_the_client_is_suspended() {
    let mut bench = Bench::connecting(options());
    bench.command(Command::Ping);
    bench.suspend();
    assert_eq!(bench.state(), ConnectionState::Suspended);
    assert!(matches!(outcomes(&mut bench)[..], [Err(_)]));
}

/// Case: RTN13c/deferred-ping-timeout-1
#[test]
fn rtn13c_a_ping_that_waited_times_out_from_when_it_was_sent() {
    let mut bench = Bench::connecting(options());
    bench.command(Command::Ping);
    bench.pass(5 * SECOND);
    bench.accept("conn-1");
    bench.pass(9 * SECOND);
    assert_eq!(outcomes(&mut bench), []);
    bench.pass(SECOND);
    assert_eq!(outcomes(&mut bench), [Err(ErrorCode::TIMED_OUT)]);
}

#[test]
fn rtn13_a_ping_whose_line_is_lost_fails() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    bench.cut();
    assert_eq!(outcomes(&mut bench), [Err(ErrorCode::DISCONNECTED)]);
}

#[test]
fn rtn13_pings_without_end_are_refused() {
    let mut bench = Bench::connected();
    for _ in 0..100 {
        bench.command(Command::Ping);
    }
    assert_eq!((sent_ids(&mut bench).len(), outcomes(&mut bench).len()), (16, 84));
}
