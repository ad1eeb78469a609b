//! Why the connection is as it is (`RTN25`).

use rooms_client::ConnectionState;
use rooms_protocol::ErrorCode;

use crate::support::*;

fn failed(code: u32, status: u16) -> Bench {
    let mut bench = Bench::connecting(options());
    assert_eq!(bench.client.error_reason(), None);
    bench.open();
    bench.receive_and_cut(connection_error(code, status));
    assert_eq!(bench.state(), ConnectionState::Failed);
    bench
}

/// Case: RTN25/error-reason-on-failed-0
#[test]
fn rtn25_a_refused_connection_says_why() {
    let bench = failed(40005, 400);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code, reason.message.as_str()), (40005, 400, "the server says no"));
}

/// Case: RTN25/error-reason-disconnected-1
#[test]
fn rtn25_a_disconnected_client_says_why() {
    let mut bench = Bench::connecting(options());
    bench.cut();
    assert!(bench.client.error_reason().is_some_and(|reason| !reason.message.is_empty()));
}

/// Case: RTN25/error-reason-suspended-2
#[test]
fn rtn25_a_suspended_client_says_why() {
    let bench = Bench::suspended();
    assert!(bench.client.error_reason().is_some_and(|reason| !reason.message.is_empty()));
}

/// Case: RTN25/error-reason-token-error-3
#[test]
fn rtn25_a_token_that_cannot_be_renewed_is_the_reason() {
    let mut bench = Bench::connecting(with_token("token-1"));
    bench.receive_and_cut(connection_error(40142, 401));
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::NO_RENEWAL);
}

/// Case: RTN25/error-reason-cleared-on-connect-4
#[test]
fn rtn25_a_connection_that_stands_forgets_the_reason() {
    let mut bench = Bench::connecting(options());
    bench.cut();
    assert!(bench.client.error_reason().is_some());
    bench.next_timer();
    bench.accept("conn-1");
    assert_eq!(bench.client.error_reason(), None);
}

/// Case: RTN25/error-reason-protocol-error-5
#[test]
fn rtn25_an_error_of_the_server_is_the_reason() {
    let bench = failed(50000, 500);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code, reason.message.as_str()), (50000, 500, "the server says no"));
}

/// Case: RTN25/error-reason-in-state-change-6
#[test]
fn rtn25_the_change_carries_the_same_reason() {
    let bench = failed(40003, 400);
    assert_eq!(bench.last_reason(), bench.client.error_reason());
    assert_eq!(bench.last_reason().unwrap().code.0, 40003);
}
