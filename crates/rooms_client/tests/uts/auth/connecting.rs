//! Tokens on the way to a connection (`RTN2e`, `RTN27b`, `RSA15`).

use std::time::Duration;

use rooms_client::{ClientOptions, ConnectionState, TokenDetails};
use rooms_protocol::{Action, ErrorCode, Timestamp};
use serde_json::json;

use crate::support::*;

/// A token that its issuer says lives for 10 minutes.
fn ten_minutes(token: &str) -> TokenDetails {
    let mut details = TokenDetails::new(token);
    details.issued = Some(Timestamp(1_000_000));
    details.expires = Some(Timestamp(1_600_000));
    details
}

/// The specification names the parameter `accessToken`; every server takes `access_token`, which the cloud's SDKs send.
/// Case: RTN2e/token-before-websocket-0
#[test]
fn rtn2e_rtn27b_the_token_comes_before_the_socket() {
    let mut bench = Bench::connecting(with_callback());
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connecting, 0));
    bench.give_token("token-1");
    assert_eq!((bench.param("access_token").as_deref(), bench.param("key")), (Some("token-1"), None));
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN2e/callback-error-prevents-connect-1
#[test]
fn rtn2e_rtn27b_without_a_token_no_socket_is_opened() {
    let mut bench = Bench::connecting(with_callback());
    bench.refuse_token(40000, 400);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Disconnected, 0));
    assert_eq!(bench.client.error_reason().unwrap().status_code, 401);
}

/// Case: RTN2e/callback-params-include-clientid-2
#[test]
fn rtn2e_the_callback_is_told_the_client_id() {
    let bench = Bench::connecting(ClientOptions { client_id: Some("ada".into()), ..with_callback() });
    assert_eq!(bench.tokens_wanted[0].1.client_id, Some("ada".into()));
}

/// Case: RTN2e/reuse-valid-token-3
#[test]
fn rtn2e_a_token_that_still_holds_is_used_again() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.cut();
    assert_eq!((bench.tokens_asked, bench.param("access_token").as_deref()), (1, Some("token-1")));
}

#[test]
fn rtn2e_a_token_to_begin_with_is_used_first() {
    let token = Some(TokenDetails::new("token-0"));
    let mut bench = Bench::connecting(ClientOptions { token, ..with_callback() });
    assert_eq!((bench.tokens_asked, bench.param("access_token").as_deref()), (0, Some("token-0")));
    bench.open();
    bench.receive_and_cut(connection_error(40142, 401));
    bench.give_token("token-1");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-1"));
}

/// Case: RSA4c2/callback-error-causes-disconnected-0
#[test]
fn rsa4c2_a_callback_that_fails_is_asked_again_with_the_next_attempt() {
    let mut bench = Bench::connecting(with_callback());
    bench.refuse_token(40000, 400);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::TOKEN_NOT_OBTAINED);
    bench.next_timer();
    assert_eq!((bench.state(), bench.tokens_asked), (ConnectionState::Connecting, 2));
}

/// Case: RSA4c3/callback-error-stays-connected-0
#[test]
fn rsa4c3_a_renewal_that_fails_leaves_the_line_standing() {
    let mut bench = Bench::connecting(with_callback());
    bench.answer_token(Ok(ten_minutes("token-1").into()));
    bench.accept("conn-1");
    bench.receive(json!({ "action": 17 }));
    bench.refuse_token(40000, 400);
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RSA4d/callback-403-causes-failed-0
#[test]
fn rsa4d_a_callback_that_forbids_ends_the_attempts() {
    let mut bench = Bench::connecting(with_callback());
    bench.refuse_token(40300, 403);
    bench.pass(600 * SECOND);
    assert_eq!((bench.state(), bench.tokens_asked), (ConnectionState::Failed, 1));
}

/// Case: RSA4d/callback-403-reauth-causes-failed-1
#[test]
fn rsa4d_a_callback_that_forbids_when_the_server_asks_ends_the_connection() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.receive(json!({ "action": 17 }));
    bench.refuse_token(40300, 403);
    assert_eq!((bench.state(), bench.socket), (ConnectionState::Failed, None));
}

#[test]
fn rsa4b_a_token_is_renewed_before_it_ends_over_the_standing_line() {
    let mut bench = Bench::connecting(with_callback());
    bench.answer_token(Ok(ten_minutes("token-1").into()));
    bench.accept("conn-1");
    // The server keeps the line busy meanwhile.
    let mut left = Duration::from_secs(570);
    while left > SECOND {
        assert_eq!(bench.tokens_asked, 1);
        bench.pass(SECOND);
        bench.receive(json!({ "action": 0 }));
        left -= SECOND;
    }
    bench.pass(left);
    assert_eq!(bench.tokens_asked, 2, "half a minute before the end");
    bench.answer_token(Ok(ten_minutes("token-2").into()));
    assert_eq!(bench.sent_of(Action::Auth).len(), 1);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connected, 1));
}

#[test]
fn rsa15a_a_token_of_somebody_else_fails_the_connection() {
    let mut bench = Bench::connecting(ClientOptions { client_id: Some("ada".into()), ..with_callback() });
    let eve = TokenDetails { client_id: Some("eve".into()), ..TokenDetails::new("token-1") };
    bench.answer_token(Ok(eve.into()));
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Failed, 0));
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::INCOMPATIBLE_CREDENTIALS);
}

#[test]
fn rsa15b_a_token_for_anybody_serves_a_client_with_a_name() {
    let mut bench = Bench::connecting(ClientOptions { client_id: Some("ada".into()), ..with_callback() });
    let anybody = TokenDetails { client_id: Some("*".into()), ..TokenDetails::new("token-1") };
    bench.answer_token(Ok(anybody.into()));
    assert_eq!(bench.client.client_id(), Some(&"ada".into()));
    assert_eq!(bench.urls.len(), 1);
}

#[test]
fn rsa15c_a_connection_of_somebody_else_fails() {
    let mut bench = Bench::connecting(ClientOptions { client_id: Some("eve".into()), ..options() });
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Failed);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::INCOMPATIBLE_CREDENTIALS);
}

#[test]
fn rsa7b2_a_token_says_who_the_client_is() {
    let mut bench = Bench::connecting(with_callback());
    assert_eq!(bench.client.client_id(), None);
    bench.answer_token(Ok(TokenDetails { client_id: Some("ada".into()), ..TokenDetails::new("token-1") }.into()));
    assert_eq!(bench.client.client_id(), Some(&"ada".into()));
}
