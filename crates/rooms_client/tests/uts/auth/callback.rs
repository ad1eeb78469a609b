//! A callback that fails (`RSA4c` to `RSA4f`).

use rooms_client::{ConnectionState, MAX_TOKEN_SIZE, TokenAnswer};
use rooms_protocol::ErrorCode;
use serde_json::json;

use crate::support::*;

fn asked_again() -> Bench {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.forget();
    bench.receive(json!({ "action": 17 }));
    bench
}

/// Case: RSA4c2/callback-error-connecting-disconnected-0
#[test]
fn rsa4c2_a_callback_that_fails_while_connecting_leaves_the_client_disconnected() {
    let mut bench = Bench::connecting(with_callback());
    bench.refuse_token(50000, 500);
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Disconnected]);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code), (80019, 401));
    assert_eq!(reason.cause.as_ref().unwrap().code.0, 50000);
    assert_eq!(bench.last_reason(), bench.client.error_reason());
    bench.next_timer();
    bench.give_token("token-2");
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RSA4c2/callback-timeout-connecting-disconnected-1
#[test]
fn rsa4c2_a_callback_that_never_answers_leaves_the_client_disconnected() {
    let mut bench = Bench::connecting(with_callback());
    bench.pass(10 * SECOND);
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code), (80019, 401));
    bench.give_token("too late");
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Disconnected, 0));
}

/// Case: RSA4c3/callback-error-connected-stays-0
#[test]
fn rsa4c3_a_callback_that_fails_while_connected_changes_nothing() {
    let mut bench = asked_again();
    bench.refuse_token(50000, 500);
    assert_eq!((bench.state(), bench.take_events().len()), (ConnectionState::Connected, 0));
    assert_eq!(bench.client.error_reason(), None);
}

/// Case: RSA4d/callback-403-connecting-failed-0
#[test]
fn rsa4d_a_callback_that_forbids_fails_the_connection() {
    let mut bench = Bench::connecting(with_callback());
    bench.refuse_token(40300, 403);
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Failed]);
    assert_eq!(bench.urls.len(), 0);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code), (80019, 403));
    let cause = reason.cause.as_ref().unwrap();
    assert_eq!((cause.code.0, cause.status_code), (40300, 403));
    assert_eq!(bench.last_reason(), bench.client.error_reason());
}

/// Case: RSA4d/callback-403-reauth-failed-1
#[test]
fn rsa4d_a_callback_that_forbids_a_new_token_fails_a_standing_connection() {
    let mut bench = asked_again();
    bench.refuse_token(40300, 403);
    assert_eq!(bench.states(), [ConnectionState::Failed]);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code), (80019, 403));
    assert_eq!(reason.cause.as_ref().unwrap().code.0, 40300);
}

/// The callback's type leaves nothing else to give; what a URL gives may be anything.
/// Case: RSA4f/callback-invalid-type-format-0
#[test]
fn rsa4f_an_answer_of_another_form_counts_as_a_failure() {
    let mut bench = Bench::connecting(with_callback());
    bench.answer_token(TokenAnswer::from_json("12345"));
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code), (80019, 401));
}

/// Case: RSA4f/callback-oversized-token-format-1
#[test]
fn rsa4f_a_token_beyond_128_kib_counts_as_a_failure() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token(&"x".repeat(MAX_TOKEN_SIZE + 1));
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Disconnected, 0));
    let reason = bench.client.error_reason().unwrap();
    assert_eq!((reason.code.0, reason.status_code), (80019, 401));
    bench.next_timer();
    bench.give_token(&"x".repeat(MAX_TOKEN_SIZE));
    assert_eq!(bench.urls.len(), 1);
}

#[test]
fn rsa4f_an_empty_token_counts_as_a_failure() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("");
    assert_eq!(bench.client.error_reason().unwrap().cause.as_ref().unwrap().code, ErrorCode::AUTH_CALLBACK_FAILED);
}

#[test]
fn rsa4c_a_signed_request_is_exchanged_and_its_refusal_counts_as_a_failure() {
    let mut bench = Bench::connecting(with_callback());
    bench.answer_token(TokenAnswer::from_json(r#"{"keyName":"app.id","mac":"m","nonce":"n"}"#));
    let (request, http) = bench.exchanges.pop().unwrap();
    assert_eq!(http.url, "http://127.0.0.1:8787/keys/app.id/requestToken");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&http.body.unwrap()).unwrap()["mac"], "m");
    let error = rooms_protocol::ErrorInfo::new(ErrorCode(40104), 401, "too old");
    bench.client.handle_token(request, Err(error), bench.now);
    bench.drain();
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::TOKEN_NOT_OBTAINED);
}

#[test]
fn rsa4c_a_signed_request_that_names_no_key_goes_nowhere() {
    for name in ["", "app", "../app.id", "app.id/..", "a..b"] {
        let mut bench = Bench::connecting(with_callback());
        bench.answer_token(TokenAnswer::from_json(&json!({ "keyName": name, "mac": "m" }).to_string()));
        assert_eq!((bench.exchanges.len(), bench.state()), (0, ConnectionState::Disconnected), "{name}");
    }
}
