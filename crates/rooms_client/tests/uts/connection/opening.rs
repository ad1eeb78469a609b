//! Attempts to connect that fail (`RTN14`).

use rooms_client::{ClientOptions, ConnectionState, Timing};
use rooms_protocol::ErrorCode;

use crate::support::*;

/// Case: RTN14a/invalid-key-failed-0
#[test]
fn rtn14a_a_key_that_is_no_good_fails_the_connection() {
    let mut bench = Bench::connecting(options());
    bench.open();
    bench.receive_and_cut(connection_error(40005, 400));
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Failed]);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code, reason.status_code), (ErrorCode(40005), 400));
    assert_eq!((bench.client.connection_id(), bench.client.connection_key()), (None, None));
}

/// Case: RTN14b/token-error-with-renewal-0
#[test]
fn rtn14b_a_token_error_renews_the_token_once_and_tries_again() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.open();
    bench.receive_and_cut(connection_error(40142, 401));
    bench.give_token("token-2");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-2"));
    bench.accept("conn-1");
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Connected]);
    assert_eq!((bench.tokens_asked, bench.urls.len()), (2, 2));
}

/// Case: RTN14b/token-renewal-fails-1
#[test]
fn rtn14b_a_renewal_that_fails_leaves_the_connection_disconnected() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.open();
    bench.receive_and_cut(connection_error(40142, 401));
    bench.refuse_token(40171, 401);
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Disconnected]);
    assert!(bench.client.error_reason().is_some());
    assert_eq!(bench.tokens_asked, 2);
}

#[test]
fn rtn14b_a_second_token_error_leaves_the_connection_disconnected_until_the_next_try() {
    let mut bench = Bench::connecting(with_callback());
    for token in ["token-1", "token-2"] {
        bench.give_token(token);
        bench.open();
        bench.receive_and_cut(connection_error(40142, 401));
    }
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode(40142));
    bench.next_timer();
    bench.give_token("token-3");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-3"));
}

/// Case: RSA4a/token-error-no-renewal-0
#[test]
fn rsa4a_a_token_error_without_means_to_renew_fails_the_connection() {
    let mut bench = Bench::connecting(with_token("token-1"));
    bench.open();
    bench.receive_and_cut(connection_error(40142, 401));
    assert_eq!(bench.state(), ConnectionState::Failed);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::NO_RENEWAL);
}

/// Case: RTN14c/connection-timeout-0
#[test]
fn rtn14c_an_attempt_that_takes_too_long_is_given_up() {
    let timing = Timing { request_timeout: SECOND, ..Timing::default() };
    let mut bench = Bench::connecting(ClientOptions { timing, ..options() });
    bench.open();
    bench.pass(SECOND);
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::TIMED_OUT);
    assert_eq!(bench.socket, None);
}

/// Case: RTN14d/retry-recoverable-failure-0
#[test]
fn rtn14d_a_failure_that_may_pass_is_tried_again() {
    let mut bench = Bench::connecting(options());
    bench.cut();
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    bench.pass(15 * SECOND);
    bench.accept("conn-1");
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connected, 2));
}

/// Case: RTN14e/disconnected-to-suspended-0
#[test]
fn rtn14e_a_client_without_a_line_for_too_long_is_suspended() {
    let mut bench = Bench::connecting(options());
    let start = bench.now;
    bench.suspend();
    assert!(bench.now - start >= 120 * SECOND);
    assert!(bench.client.error_reason().is_some());
    assert_eq!(bench.last_change().retry_in, Some(30 * SECOND));
}

/// Case: RTN14f/suspended-retries-indefinitely-0
#[test]
fn rtn14f_a_suspended_client_tries_for_ever() {
    let mut bench = Bench::suspended();
    let before = bench.urls.len();
    for _ in 0..20 {
        bench.pass(30 * SECOND);
        assert_eq!(bench.state(), ConnectionState::Connecting);
        bench.cut();
        assert_eq!(bench.state(), ConnectionState::Suspended);
    }
    assert_eq!(bench.urls.len(), before + 20);
    bench.pass(30 * SECOND);
    bench.accept("conn-2");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN14g/error-empty-channel-failed-0
#[test]
fn rtn14g_an_error_for_the_connection_fails_it() {
    let mut bench = Bench::connecting(options());
    bench.open();
    bench.receive_and_cut(connection_error(50000, 500));
    assert_eq!(bench.state(), ConnectionState::Failed);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code, reason.message.as_str()), (50000, 500, "the server says no"));
}

#[test]
fn rtn14h_attempts_while_suspended_ask_to_resume() {
    let mut bench = Bench::suspended();
    bench.next_timer();
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
}
