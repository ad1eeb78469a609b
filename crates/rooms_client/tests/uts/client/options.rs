//! What a client is made with, and the URL that comes of it (`RTC1`, `RTC2` to `RTC17`, `RTN2`).

use rooms_client::{ClientOptions, Command, ConnectionState, Credentials};
use rooms_protocol::{ErrorCode, Format};
use serde_json::json;

use crate::support::*;

/// Why a client of these options fails when it is to connect.
fn refusal(options: ClientOptions) -> Option<ErrorCode> {
    let bench = Bench::connecting(options);
    assert_eq!(bench.urls.is_empty(), bench.state() == ConnectionState::Failed);
    bench.client.error_reason().map(|reason| reason.code)
}

/// The kinds of credentials are told apart by type here, not by looking for a colon.
/// Case: RTC12/constructor-string-detection-0
#[test]
fn rtc12_a_key_and_a_token_go_into_their_own_parameters() {
    let bench = Bench::connecting(options());
    assert_eq!((bench.param("key").as_deref(), bench.param("access_token")), (Some(KEY), None));
    let bench = Bench::connecting(with_token("token-1"));
    assert_eq!((bench.param("key"), bench.param("access_token").as_deref()), (None, Some("token-1")));
}

/// Case: RTC12/invalid-arguments-error-1
#[test]
fn rtc12_credentials_that_are_none_fail_with_a_reason() {
    let with = |credentials| refusal(ClientOptions { credentials, ..options() });
    assert_eq!(with(Credentials::Key("no key".to_owned())), Some(ErrorCode::INVALID_CREDENTIALS));
    assert_eq!(with(Credentials::Token(String::new())), Some(ErrorCode::NO_AUTH_METHOD));
    assert_eq!(with(Credentials::TokenUrl("no url".to_owned())), Some(ErrorCode::INVALID_PARAMETER));
}

/// Case: RTC2/connection-attribute-0
#[test]
fn rtc2_a_new_client_has_a_connection_that_is_initialized() {
    assert_eq!(Bench::new().state(), ConnectionState::Initialized);
}

/// Case: RTC3/channels-attribute-0
#[test]
fn rtc3_a_new_client_has_channels_that_are_initialized() {
    assert_eq!(Bench::new().channel("c"), rooms_client::ChannelState::Initialized);
}

/// Case: RTC4/auth-attribute-0
#[test]
fn rtc4_http_requests_carry_the_same_credentials() {
    assert_eq!(Bench::new().client.http_authorization().as_deref(), Some("Basic YXBwLmlkOnNlY3JldA=="));
    let mut bench = Bench::connecting(with_callback());
    assert_eq!(bench.client.http_authorization(), None);
    bench.give_token("token-1");
    assert_eq!(bench.client.http_authorization().as_deref(), Some("Bearer dG9rZW4tMQ=="));
}

/// Case: RTC17/client-id-attribute-0
#[test]
fn rtc17a_the_client_knows_its_own_id() {
    assert_eq!(Bench::new().client.client_id(), Some(&"ada".into()));
    let mut bench = Bench::connecting(anonymous());
    assert_eq!(bench.client.client_id(), None);
    bench.accept("conn-1");
    assert_eq!(bench.client.client_id(), Some(&"ada".into()), "as the server says");
}

#[test]
fn rsa7c_an_id_that_is_everybodys_is_refused() {
    assert_eq!(refusal(ClientOptions { client_id: Some("*".into()), ..options() }), Some(ErrorCode::INVALID_CLIENT_ID));
}

/// Case: RTC1a/echo-messages-option-0
#[test]
fn rtc1a_1_echo_is_asked_for_by_default() {
    assert_eq!(Bench::connecting(options()).param("echo").as_deref(), Some("true"));
}

/// Case: RTC1a/echo-messages-option-0
#[test]
fn rtc1a_2_echo_can_be_turned_off() {
    assert_eq!(Bench::connecting(ClientOptions { echo: false, ..options() }).param("echo").as_deref(), Some("false"));
}

/// Case: RTC1b/auto-connect-option-0
#[test]
fn rtc1b_1_a_client_connects_once_it_is_asked() {
    let mut bench = Bench::connecting(options());
    bench.accept("conn-1");
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connected, 1));
}

/// Case: RTC1b/auto-connect-option-0
#[test]
fn rtc1b_2_a_client_that_is_not_asked_stays_as_it_is() {
    let mut bench = Bench::new();
    bench.pass(600 * SECOND);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Initialized, 0));
}

/// Case: RTC1b/auto-connect-option-0
#[test]
fn rtc1b_3_asking_twice_connects_once() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.command(Command::Connect);
    bench.accept("conn-1");
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connected, 1));
}

fn recovering(key: &str) -> Bench {
    Bench::connecting(ClientOptions { recover: Some(key.to_owned()), ..options() })
}

/// Case: RTC1c/recover-option-0
#[test]
fn rtc1c_1_a_recovery_key_is_sent() {
    let key = json!({ "connectionKey": "previous", "msgSerial": 5, "channelSerials": {} }).to_string();
    assert_eq!(recovering(&key).param("recover").as_deref(), Some("previous"));
}

/// Case: RTC1c/recover-option-0
#[test]
fn rtc1c_2_a_recovery_key_serves_once() {
    let key = json!({ "connectionKey": "previous", "msgSerial": 5, "channelSerials": {} }).to_string();
    let mut bench = recovering(&key);
    bench.accept("conn-1");
    bench.cut();
    assert_eq!(bench.param("recover"), None);
}

/// Case: RTC1c/recover-option-0
#[test]
fn rtc1c_3_a_recovery_key_that_cannot_be_read_is_left_out() {
    assert_eq!(recovering("invalid-not-a-valid-recovery-key").param("recover"), None);
}

fn with_params(params: &[(&str, &str)]) -> Bench {
    let transport_params = params.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
    Bench::connecting(ClientOptions { transport_params, ..options() })
}

/// Case: RTC1f/transport-params-option-0
#[test]
fn rtc1f_1_parameters_of_the_game_are_sent() {
    let bench = with_params(&[("customParam", "customValue"), ("anotherParam", "123")]);
    assert_eq!(bench.param("customParam").as_deref(), Some("customValue"));
    assert_eq!(bench.param("anotherParam").as_deref(), Some("123"));
}

/// Case: RTC1f/transport-params-option-0
#[test]
fn rtc1f_2_parameters_are_text_whatever_they_stand_for() {
    let bench = with_params(&[("text", "a b&c=d"), ("number", "42"), ("truth", "true"), ("lie", "false")]);
    for (name, value) in [("text", "a b&c=d"), ("number", "42"), ("truth", "true"), ("lie", "false")] {
        assert_eq!(bench.param(name).as_deref(), Some(value));
    }
}

/// Case: RTC1f/transport-params-option-0
#[test]
fn rtc1f1_parameters_of_the_game_stand_over_the_clients_own() {
    let bench = with_params(&[("v", "3"), ("heartbeats", "false")]);
    assert_eq!((bench.param("v").as_deref(), bench.param("heartbeats").as_deref()), (Some("3"), Some("false")));
    assert_eq!(bench.urls[0].matches("heartbeats=").count(), 1);
}

/// Case: RTC15/connect-method-0
#[test]
fn rtc15a_connecting_goes_by_the_connection() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert_eq!(bench.state(), ConnectionState::Connecting);
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTC16/close-method-0
#[test]
fn rtc16a_closing_goes_by_the_connection() {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    assert_eq!(bench.state(), ConnectionState::Closing);
    bench.receive(json!({ "action": 8 }));
    assert_eq!(bench.states(), [ConnectionState::Closing, ConnectionState::Closed]);
}

// A page is not to have a key for servers elsewhere.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn rsc18_a_key_goes_over_tls_or_to_a_host_that_is_near() {
    use rooms_client::Endpoint;
    let to = |url: &str| ClientOptions { endpoint: Endpoint::Url(url.to_owned()), ..options() };
    assert_eq!(refusal(to("wss://example.com")), None);
    assert_eq!(refusal(to("ws://192.168.1.5")), None);
    assert_eq!(refusal(to("ws://example.com")), Some(ErrorCode::KEY_OVER_PLAIN_LINE));
    let cloud = Bench::connecting(ClientOptions { endpoint: Endpoint::Cloud, ..options() });
    assert!(cloud.urls[0].starts_with("wss://"));
}

#[test]
fn rtn2a_the_url_names_the_format() {
    for (format, name) in [(Format::Json, "json"), (Format::MsgPack, "msgpack")] {
        assert_eq!(Bench::connecting(ClientOptions { format, ..options() }).param("format").as_deref(), Some(name));
    }
}

#[test]
fn rtn2_the_url_carries_the_standard_parameters() {
    let bench = Bench::connecting(options());
    for name in ["v", "format", "heartbeats", "echo", "key", "clientId", "agent"] {
        assert!(bench.param(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
}
