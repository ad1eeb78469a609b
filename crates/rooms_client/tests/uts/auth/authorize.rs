//! A new token on demand (`RTC8`).

use rooms_client::{ChannelState, ClientOptions, Command, ConnectionState, Endpoint, Event, OperationId};
use rooms_protocol::{Action, ErrorCode, Flags};
use serde_json::json;

use crate::support::*;

const AUTHORIZE: Command = Command::Authorize { operation: OperationId(9) };

/// A client that is connected with its first token and was asked to get another.
fn authorizing() -> Bench {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.forget();
    bench.command(AUTHORIZE);
    bench
}

/// How the operation ended, if it did.
fn outcome(bench: &Bench) -> Option<Result<(), ErrorCode>> {
    bench.events.iter().find_map(|event| match event {
        Event::Authorized { operation: OperationId(9), outcome } => Some(outcome.clone().map_err(|error| error.code)),
        _ => None,
    })
}

/// Case: RTC8a/authorize-connected-sends-auth-0
#[test]
fn rtc8a_over_a_standing_line_the_new_token_goes_in_a_frame() {
    let mut bench = authorizing();
    bench.give_token("token-2");
    let frames = bench.sent_of(Action::Auth);
    let token = frames[0].auth.as_ref().and_then(|auth| auth.access_token.as_deref());
    assert_eq!((frames.len(), token), (1, Some("token-2")));
    bench.receive(connected("conn-1"));
    assert_eq!(outcome(&bench), Some(Ok(())));
    assert_eq!((bench.tokens_asked, bench.urls.len()), (2, 1));
    assert!(!bench.history[2..].contains(&ConnectionState::Connecting));
}

/// Case: RTC8a1/successful-reauth-update-event-0
#[test]
fn rtc8a1_the_servers_consent_is_told_as_an_update() {
    let mut bench = authorizing();
    bench.give_token("token-2");
    bench.receive(json!({
        "action": 4, "connectionId": "conn-1", "connectionDetails": { "connectionKey": "key-2" },
    }));
    assert_eq!(bench.client.connection_key().unwrap().as_str(), "key-2");
    let changes = bench.connection_changes();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].previous, changes[0].current), (ConnectionState::Connected, ConnectionState::Connected));
}

/// Case: RTC8a1/capability-downgrade-channel-failed-1
#[test]
fn rtc8a1_a_token_that_allows_less_fails_the_channel_alone() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.attach("private");
    bench.receive(attached("private", "s0", Flags::empty()));
    bench.command(AUTHORIZE);
    bench.give_token("token-2");
    bench.receive(connected("conn-1"));
    bench.forget();
    bench.receive(channel_error("private", 40160, 401));
    assert_eq!((bench.state(), bench.channel("private")), (ConnectionState::Connected, ChannelState::Failed));
    let changes = bench.channel_changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].reason.as_ref().unwrap().code.0, 40160);
}

/// Case: RTC8a2/failed-reauth-connection-failed-0
#[test]
fn rtc8a2_a_token_that_the_server_refuses_fails_the_connection() {
    for (code, status) in [(40012, 400), (40142, 401)] {
        let mut bench = authorizing();
        bench.give_token("token-2");
        bench.receive_and_cut(connection_error(code, status));
        assert_eq!(outcome(&bench), Some(Err(ErrorCode(code))));
        assert_eq!(bench.states(), [ConnectionState::Failed]);
        assert_eq!(bench.client.error_reason().unwrap().code.0, code);
    }
}

/// Case: RTC8a3/authorize-completes-after-response-0
#[test]
fn rtc8a3_it_is_done_when_the_server_has_answered() {
    let mut bench = authorizing();
    assert_eq!(outcome(&bench), None);
    bench.give_token("token-2");
    assert_eq!(outcome(&bench), None);
    bench.receive(connected("conn-1"));
    assert_eq!(outcome(&bench), Some(Ok(())));
}

/// Case: RTC8b/authorize-connecting-halts-attempt-0
#[test]
fn rtc8b_while_connecting_the_attempt_begins_anew_with_the_new_token() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.open();
    let first = bench.transport();
    bench.command(AUTHORIZE);
    assert_eq!(bench.socket, None);
    bench.receive_on(first, connected("conn-0"));
    bench.give_token("token-2");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-2"));
    bench.accept("conn-1");
    assert_eq!(outcome(&bench), Some(Ok(())));
    assert_eq!((bench.tokens_asked, bench.urls.len()), (2, 2));
}

/// Case: RTC8b1/authorize-connecting-fails-on-failed-0
#[test]
fn rtc8b1_while_connecting_it_fails_with_the_connection() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.command(AUTHORIZE);
    bench.give_token("token-2");
    bench.receive_and_cut(connection_error(40101, 401));
    assert_eq!((bench.state(), outcome(&bench)), (ConnectionState::Failed, Some(Err(ErrorCode(40101)))));
}

#[test]
fn rtc8b1_while_connecting_it_fails_when_the_connection_is_closed_or_suspended() {
    let mut bench = Bench::connecting(with_callback());
    bench.command(AUTHORIZE);
    bench.command(Command::Close);
    assert_eq!((bench.state(), outcome(&bench)), (ConnectionState::Closed, Some(Err(ErrorCode::CONNECTION_CLOSED))));
    let mut bench = Bench::connecting(with_callback());
    bench.command(AUTHORIZE);
    bench.give_token("token-1");
    bench.suspend();
    assert!(matches!(outcome(&bench), Some(Err(_))));
}

/// Case: RTC8c/authorize-disconnected-initiates-connection-0
#[test]
fn rtc8c_a_client_that_never_connected_does_so() {
    let mut bench = Bench::with(with_callback());
    bench.command(AUTHORIZE);
    bench.give_token("token-1");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-1"));
    bench.accept("conn-1");
    assert_eq!(outcome(&bench), Some(Ok(())));
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Connected]);
}

/// Case: RTC8c/authorize-failed-initiates-connection-1
#[test]
fn rtc8c_a_failed_client_connects_again() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.receive_and_cut(connection_error(40101, 401));
    bench.command(AUTHORIZE);
    bench.give_token("token-2");
    assert_eq!(bench.param("access_token").as_deref(), Some("token-2"));
    bench.accept("conn-1");
    assert_eq!((bench.state(), outcome(&bench)), (ConnectionState::Connected, Some(Ok(()))));
}

/// Case: RTC8c/authorize-closed-initiates-connection-2
#[test]
fn rtc8c_a_closed_client_connects_again() {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.command(Command::Close);
    bench.receive(json!({ "action": 8 }));
    assert_eq!(bench.state(), ConnectionState::Closed);
    bench.command(AUTHORIZE);
    bench.give_token("token-2");
    bench.accept("conn-2");
    assert_eq!((bench.state(), outcome(&bench)), (ConnectionState::Connected, Some(Ok(()))));
}

#[test]
fn rtc8_a_token_that_cannot_be_had_is_told() {
    let mut bench = authorizing();
    bench.refuse_token(50000, 500);
    assert_eq!(outcome(&bench), Some(Err(ErrorCode::TOKEN_NOT_OBTAINED)));
    assert_eq!(bench.state(), ConnectionState::Connected);
}

#[test]
fn rtc8_a_line_that_is_lost_meanwhile_has_the_token_used_on_the_next() {
    let mut bench = authorizing();
    bench.cut();
    bench.accept("conn-1");
    assert_eq!(outcome(&bench), None, "the new token is still to come");
    bench.give_token("token-2");
    assert_eq!(bench.sent_of(Action::Auth).len(), 1);
    bench.receive(connected("conn-1"));
    assert_eq!(outcome(&bench), Some(Ok(())));
}

#[test]
fn rtc8_credentials_that_give_no_new_token_are_told() {
    let mut bench = Bench::connected_with(with_token("token-1"));
    bench.command(AUTHORIZE);
    assert_eq!(outcome(&bench), Some(Err(ErrorCode::NO_RENEWAL)));
}

#[test]
fn rsa10a_a_client_with_a_key_uses_tokens_from_then_on() {
    let mut bench = Bench::connected();
    bench.command(AUTHORIZE);
    bench.give_token("token-1");
    let auth = bench.sent_of(Action::Auth).remove(0).auth.unwrap();
    assert_eq!(auth.access_token.as_deref(), Some("token-1"));
    bench.receive(connected("conn-1"));
    assert_eq!(outcome(&bench), Some(Ok(())));
    bench.cut();
    assert_eq!((bench.param("key"), bench.param("access_token").as_deref()), (None, Some("token-1")));
}

#[test]
fn rtc8_the_newest_request_counts() {
    let mut bench = authorizing();
    bench.command(Command::Authorize { operation: OperationId(10) });
    assert!(matches!(outcome(&bench), Some(Err(_))));
    bench.give_token("token-2");
    bench.receive(connected("conn-1"));
    let done = Event::Authorized { operation: OperationId(10), outcome: Ok(()) };
    assert!(bench.events.contains(&done));
}

#[test]
fn an_attempt_that_fails_at_once_answers_the_operation() {
    let endpoint = Endpoint::Url("nowhere".to_owned());
    let mut bench = Bench::with(ClientOptions { endpoint, ..with_callback() });
    bench.command(AUTHORIZE);
    assert_eq!(bench.state(), ConnectionState::Failed);
    assert_eq!(outcome(&bench), Some(Err(ErrorCode::INVALID_PARAMETER)));

    let mut bench = Bench::suspended();
    bench.command(Command::Network { up: false });
    bench.command(AUTHORIZE);
    assert_eq!(bench.state(), ConnectionState::Suspended);
    assert_eq!(outcome(&bench), Some(Err(ErrorCode::DISCONNECTED)));
}
