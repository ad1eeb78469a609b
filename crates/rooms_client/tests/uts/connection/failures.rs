//! What ends a standing connection, and what comes after (`RTN15`).

use rooms_client::{ChannelState, ConnectionState};
use rooms_protocol::{Action, ErrorCode};
use serde_json::json;

use crate::support::*;

const RECONNECTING: [ConnectionState; 2] = [ConnectionState::Disconnected, ConnectionState::Connecting];

/// A client with a callback that is connected with its first token.
fn connected_by_callback() -> Bench {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.forget();
    bench
}

/// The specification (`RSA4a2`) names 40171; the test cases still have the server's own code, which is the cause here.
/// Case: RTN15h1/token-error-no-renew-0
#[test]
fn rtn15h1_a_token_error_without_means_to_renew_fails_the_connection() {
    let mut bench = Bench::connected();
    bench.receive_and_cut(disconnected(40142, 401));
    assert_eq!(bench.states(), [ConnectionState::Failed]);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code, reason.status_code), (ErrorCode::NO_RENEWAL, 401));
    assert_eq!(reason.cause.as_ref().map(|cause| cause.code), Some(ErrorCode(40142)));
}

/// Case: RTN15h2/token-error-renew-success-0
#[test]
fn rtn15h2_a_token_error_renews_the_token_and_resumes() {
    let mut bench = connected_by_callback();
    bench.receive_and_cut(disconnected(40142, 401));
    assert_eq!(bench.states(), RECONNECTING);
    assert_eq!(bench.urls.len(), 1, "the token comes first");
    bench.give_token("token-2");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-2"));
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
    assert_eq!(bench.tokens_asked, 2);
}

/// Case: RTN15h2/token-error-renew-fails-1
#[test]
fn rtn15h2_a_renewal_that_fails_leaves_the_connection_disconnected() {
    let mut bench = connected_by_callback();
    bench.receive_and_cut(disconnected(40142, 401));
    bench.refuse_token(40171, 401);
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::TOKEN_NOT_OBTAINED);
    assert!(bench.last_change().retry_in.is_some());
}

#[test]
fn rtn15h2_a_renewed_token_that_is_refused_too_leaves_the_connection_disconnected() {
    let mut bench = connected_by_callback();
    bench.receive_and_cut(disconnected(40142, 401));
    bench.give_token("token-2");
    bench.open();
    bench.receive_and_cut(connection_error(40142, 401));
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode(40142));
    assert_eq!(bench.tokens_asked, 2);
}

/// Case: RTN15h3/non-token-error-resume-0
#[test]
fn rtn15h3_any_other_error_that_ends_the_line_resumes_at_once() {
    let mut bench = Bench::connected();
    bench.receive_and_cut(disconnected(80003, 503));
    assert_eq!(bench.states(), RECONNECTING);
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
    bench.accept("conn-1");
    assert_eq!(bench.client.connection_id().unwrap().as_str(), "conn-1");
    assert_eq!(bench.urls.len(), 2);
}

/// Case: RTN15j/error-empty-channel-failed-0
#[test]
fn rtn15j_an_error_for_the_connection_fails_it_and_its_channels() {
    let mut bench = Bench::attached();
    bench.receive_and_cut(connection_error(50000, 500));
    assert_eq!(bench.state(), ConnectionState::Failed);
    assert_eq!(bench.channel("c"), ChannelState::Failed);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code, reason.status_code), (ErrorCode(50000), 500));
}

/// Case: RTN15a/unexpected-transport-disconnect-0
#[test]
fn rtn15a_a_socket_that_breaks_is_replaced_at_once() {
    let mut bench = Bench::connected();
    bench.cut();
    assert_eq!(bench.states(), RECONNECTING);
    bench.accept("conn-1");
    assert_eq!(bench.states(), [ConnectionState::Connected]);
    assert_eq!((bench.client.connection_id().unwrap().as_str(), bench.urls.len()), ("conn-1", 2));
}

/// Case: RTN15b/successful-resume-0
#[test]
fn rtn15b_rtn15c6_resuming_names_the_key_and_keeps_the_connection() {
    let mut bench = Bench::connected();
    bench.cut();
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
    assert_eq!(bench.last_reason(), None);
}

/// Case: RTN15c7/failed-resume-new-id-0
#[test]
fn rtn15c7_a_resume_that_fails_starts_a_new_connection_and_new_numbers() {
    let mut bench = Bench::connected();
    bench.publish(1);
    bench.receive(ack(0));
    bench.cut();
    bench.accept_anew("conn-2");
    assert_eq!(bench.client.connection_id().unwrap().as_str(), "conn-2");
    assert_eq!(bench.client.connection_key().unwrap().as_str(), "conn-2-key");
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::INVALID_CONNECTION_KEY);
    assert_eq!(bench.last_reason().unwrap().code, ErrorCode::INVALID_CONNECTION_KEY);
    bench.take_sent();
    bench.publish(2);
    assert_eq!(bench.sent_of(Action::Message)[0].msg_serial.unwrap().0, 0);
}

/// Case: RTN15e/connection-key-updated-0
#[test]
fn rtn15e_the_newest_key_resumes() {
    let mut bench = Bench::connected();
    bench.cut();
    bench.open();
    let mut welcome = connected("conn-1");
    welcome["connectionDetails"]["connectionKey"] = json!("key-updated");
    bench.receive(welcome);
    assert_eq!(bench.client.connection_key().unwrap().as_str(), "key-updated");
    bench.cut();
    bench.pass(SECOND);
    assert_eq!(bench.param("resume").as_deref(), Some("key-updated"));
}

/// The specification has every attempt ask to resume (`RTN14h`); the test cases still want none after the time to live.
/// Case: RTN15g/state-cleared-after-ttl-0
#[test]
fn rtn15g_after_the_time_to_live_a_new_connection_takes_the_place_of_the_old_one() {
    let mut bench = Bench::connecting(options());
    bench.open();
    let mut welcome = connected("conn-1");
    welcome["connectionDetails"]["connectionStateTtl"] = json!(5000);
    bench.receive(welcome);
    bench.suspend();
    bench.next_timer();
    assert_eq!(bench.param("resume").as_deref(), Some("conn-1-key"));
    bench.accept_anew("conn-2");
    assert_eq!(bench.client.connection_id().unwrap().as_str(), "conn-2");
    let tail: Vec<_> = bench.history.iter().rev().take(3).rev().copied().collect();
    assert_eq!(tail, [ConnectionState::Suspended, ConnectionState::Connecting, ConnectionState::Connected]);
}

/// Case: RTN15c5/token-error-during-resume-0
#[test]
fn rtn15c5_a_token_error_while_resuming_renews_the_token() {
    let mut bench = connected_by_callback();
    bench.cut();
    bench.open();
    bench.receive_and_cut(connection_error(40142, 401));
    assert_eq!(bench.state(), ConnectionState::Connecting);
    bench.give_token("token-2");
    bench.accept("conn-2");
    assert_eq!((bench.tokens_asked, bench.urls.len()), (2, 3));
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN15c4/fatal-error-during-resume-0
#[test]
fn rtn15c4_any_other_error_while_resuming_fails_the_connection() {
    let mut bench = Bench::attached();
    bench.cut();
    bench.open();
    bench.receive_and_cut(connection_error(50000, 500));
    assert_eq!((bench.state(), bench.channel("c")), (ConnectionState::Failed, ChannelState::Failed));
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode(50000));
    bench.pass(600 * SECOND);
    assert_eq!(bench.urls.len(), 2);
}
