//! Silence of the server (`RTN23`). The longest is 15 s and the wait for an answer 10 s, so 25 s end a line.
//!
//! The client asks for heartbeat frames everywhere and takes pings as a sign of life too, where the transport sees them.

use rooms_client::ConnectionState;
use rooms_protocol::ErrorCode;
use serde_json::json;

use crate::support::*;

const LOST: [ConnectionState; 2] = [ConnectionState::Disconnected, ConnectionState::Connecting];

/// After 20 s something happens that is a sign of life or is not; then 20 s more pass. Whether the line still stands.
fn survives(sign: impl Fn(&mut Bench)) -> bool {
    let mut bench = Bench::connected();
    bench.pass(20 * SECOND);
    sign(&mut bench);
    bench.pass(20 * SECOND);
    bench.state() == ConnectionState::Connected
}

/// A WebSocket ping came.
fn ping_frame(bench: &mut Bench) {
    let transport = bench.transport();
    bench.client.handle_activity(transport, bench.now);
    bench.drain();
}

/// Case: RTN23a/heartbeats-true-query-param-0
#[test]
fn rtn23a_the_server_is_asked_for_heartbeat_frames() {
    assert_eq!(Bench::connecting(options()).param("heartbeats").as_deref(), Some("true"));
}

/// Case: RTN23a/idle-timeout-reconnect-1
#[test]
fn rtn23a_a_silent_line_is_dropped_and_taken_up_again() {
    let mut bench = Bench::connected();
    bench.pass(25 * SECOND - SECOND / 1000);
    assert_eq!(bench.state(), ConnectionState::Connected);
    bench.pass(SECOND / 1000);
    assert_eq!(bench.connection_changes()[0].reason.as_ref().unwrap().code, ErrorCode::DISCONNECTED);
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN23a/heartbeat-resets-timer-2
#[test]
fn rtn23a_a_heartbeat_is_a_sign_of_life() {
    assert!(survives(|bench| bench.receive(json!({ "action": 0 }))));
    assert!(!survives(|_| {}));
}

/// Case: RTN23a/any-message-resets-timer-3
#[test]
fn rtn23a_any_frame_is_a_sign_of_life() {
    assert!(survives(|bench| bench.receive(json!({ "action": 1, "msgSerial": 0, "count": 1 }))));
}

#[test]
fn rtn23a_what_the_client_sends_is_no_sign_of_life() {
    assert!(!survives(|bench| bench.publish(1)));
}

/// Case: RTN23a/timeout-triggers-reconnect-4
#[test]
fn rtn23a_a_silent_line_is_replaced_at_once() {
    let mut bench = Bench::connected();
    bench.pass(25 * SECOND);
    assert_eq!(bench.states(), LOST);
    assert_eq!(bench.urls.len(), 2);
}

/// Case: RTN23a/reconnect-uses-resume-5
#[test]
fn rtn23a_the_new_line_resumes() {
    let mut bench = Bench::connected();
    bench.pass(25 * SECOND);
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
}

/// The cases ask a client that sees pings to say so; this one need not see any, so that native and web are alike.
/// Case: RTN23b/heartbeats-false-query-param-0
#[test]
fn rtn23b_heartbeat_frames_are_asked_for_where_pings_are_seen_too() {
    assert_eq!(Bench::connecting(options()).param("heartbeats").as_deref(), Some("true"));
}

/// Case: RTN23b/idle-timeout-reconnect-1
#[test]
fn rtn23b_a_line_without_pings_is_dropped_and_taken_up_again() {
    let mut bench = Bench::connected();
    ping_frame(&mut bench);
    bench.pass(25 * SECOND);
    assert_eq!(bench.states(), LOST);
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN23b/ping-frame-resets-timer-2
#[test]
fn rtn23b_a_ping_is_a_sign_of_life() {
    assert!(survives(ping_frame));
}

/// Case: RTN23b/any-message-resets-timer-3
#[test]
fn rtn23b_any_frame_is_a_sign_of_life_beside_pings() {
    let mut bench = Bench::connected();
    for second in 0..60 {
        bench.pass(20 * SECOND);
        if second % 2 == 0 { ping_frame(&mut bench) } else { bench.receive(json!({ "action": 0 })) }
    }
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN23b/timeout-triggers-reconnect-4
#[test]
fn rtn23b_pings_that_end_have_the_line_replaced_at_once() {
    let mut bench = Bench::connected();
    bench.pass(10 * SECOND);
    ping_frame(&mut bench);
    bench.pass(25 * SECOND);
    assert_eq!((bench.states().as_slice(), bench.urls.len()), (&LOST[..], 2));
}

/// Case: RTN23b/reconnect-uses-resume-5
#[test]
fn rtn23b_the_new_line_resumes_after_pings_ended() {
    let mut bench = Bench::connected();
    ping_frame(&mut bench);
    bench.pass(25 * SECOND);
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
}

/// Case: RTN23b/multiple-pings-keep-alive-6
#[test]
fn rtn23b_pings_keep_a_line_alive_for_long() {
    let mut bench = Bench::connected();
    for _ in 0..50 {
        bench.pass(20 * SECOND);
        ping_frame(&mut bench);
    }
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connected, 1));
}
