//! Other hosts, when the first cannot be reached (`RTN17`).

use std::collections::BTreeSet;

use rooms_client::{Client, ClientOptions, Command, ConnectionState, Credentials, Endpoint, Output, TokenAnswer};
use rooms_protocol::ErrorInfo;

use crate::support::*;

const PRIMARY: &str = "main.realtime.ably.net";

fn cloud() -> ClientOptions {
    ClientOptions::new(Endpoint::Cloud, Credentials::Key(KEY.to_owned()))
}

/// A client whose first host could not be reached, while others can.
fn at_another_host(options: ClientOptions) -> Bench {
    let mut bench = Bench::connecting(options);
    bench.cut();
    bench.answer_check(true);
    bench
}

/// Case: RTN17i/prefer-primary-domain-0
#[test]
fn rtn17i_every_attempt_begins_at_the_first_host() {
    let mut bench = at_another_host(cloud());
    bench.accept("conn-1");
    bench.cut();
    let hosts = bench.hosts();
    assert_eq!((hosts[0].as_str(), hosts[2].as_str()), (PRIMARY, PRIMARY));
    assert_ne!(hosts[1], PRIMARY);
}

/// Case: RTN17f/fallback-on-error-0
#[test]
fn rtn17f_a_host_that_cannot_be_reached_is_replaced_within_the_attempt() {
    let mut bench = at_another_host(cloud());
    bench.accept("conn-1");
    assert!(bench.hosts()[1].contains("fallback"));
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Connected]);
}

#[test]
fn rtn17f_a_host_that_does_not_answer_in_time_is_replaced() {
    let mut bench = Bench::connecting(cloud());
    bench.pass(10 * SECOND);
    bench.answer_check(true);
    assert!(bench.hosts()[1].contains("fallback"));
}

#[test]
fn rtn17f_an_answer_that_refuses_the_client_is_not_asked_of_another_host() {
    let mut bench = Bench::connecting(cloud());
    bench.open();
    bench.receive_and_cut(disconnected(42910, 429));
    assert_eq!((bench.state(), bench.checks.len()), (ConnectionState::Disconnected, 0));
}

/// Case: RTN17f1/disconnected-5xx-fallback-0
#[test]
fn rtn17f1_a_host_in_trouble_is_replaced() {
    let mut bench = Bench::connecting(cloud());
    bench.open();
    bench.receive_and_cut(disconnected(50003, 503));
    bench.answer_check(true);
    bench.accept("conn-1");
    assert_eq!(bench.hosts()[0], PRIMARY);
    assert!(bench.hosts()[1].contains("fallback"));
}

/// Case: RTN17j/connectivity-check-before-fallback-0
#[test]
fn rtn17j_the_internet_is_checked_before_another_host_is_tried() {
    let mut bench = Bench::connecting(cloud());
    bench.cut();
    assert_eq!(bench.urls.len(), 1);
    assert_eq!(bench.checks[0].1, "https://internet-up.ably-realtime.com/is-the-internet-up.txt");
    bench.answer_check(true);
    assert_eq!(bench.urls.len(), 2);
    bench.cut();
    assert_eq!((bench.checks.len(), bench.urls.len()), (0, 3), "one check serves the whole attempt");
}

#[test]
fn rtn17j_without_internet_no_other_host_is_tried() {
    let mut bench = Bench::connecting(cloud());
    bench.cut();
    bench.answer_check(false);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Disconnected, 1));
}

#[test]
fn rtn17j_a_check_that_is_not_answered_counts_as_no_internet() {
    let mut bench = Bench::connecting(cloud());
    bench.cut();
    bench.pass(10 * SECOND);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Disconnected, 1));
    bench.answer_check(true);
    assert_eq!(bench.urls.len(), 1, "the answer comes too late");
}

/// Case: RTN17j/fallback-random-order-1
#[test]
fn rtn17j_all_hosts_are_tried_once_in_random_order() {
    let mut orders = BTreeSet::new();
    for seed in 0..10 {
        let mut client = Client::new(cloud(), seed);
        let now = web_time::Instant::now();
        let mut order = vec![];
        client.handle_command(Command::Connect, now);
        while let Some(output) = client.poll_output() {
            match output {
                Output::Open { transport, url } => {
                    order.push(url::Url::parse(&url).unwrap().host_str().unwrap().to_owned());
                    client.handle_closed(transport, None, now);
                }
                Output::CheckConnectivity { request, .. } => client.handle_connectivity(request, true, now),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(client.state(), ConnectionState::Disconnected);
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 6, "{order:?}");
        orders.insert(order);
    }
    assert!(orders.len() > 1);
}

/// Case: RTN17g/empty-fallback-set-error-0
#[test]
fn rtn17g_without_other_hosts_the_attempt_fails_at_once() {
    let mut bench =
        Bench::connecting(ClientOptions { endpoint: Endpoint::Named("custom.example.com".into()), ..cloud() });
    bench.cut();
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    assert_eq!((bench.hosts(), bench.checks.len()), (vec!["custom.example.com".to_owned()], 0));
}

/// Case: RTN17h/fallback-domains-from-rec2-0
#[test]
fn rtn17h_the_other_hosts_are_those_of_the_endpoint() {
    let bench = at_another_host(cloud());
    let host = bench.hosts().pop().unwrap();
    assert!(["a", "b", "c", "d", "e"].iter().any(|r| host == format!("main.{r}.fallback.ably-realtime.com")), "{host}");
    let given = ClientOptions { fallback_hosts: Some(vec!["other.example".to_owned()]), ..cloud() };
    assert_eq!(at_another_host(given).hosts()[1], "other.example");
}

/// Case: RTN17e/http-uses-same-fallback-0
#[test]
fn rtn17e_http_requests_go_to_the_host_of_the_connection() {
    let options = ClientOptions { credentials: with_callback().credentials, ..cloud() };
    let mut bench = Bench::connecting(options);
    bench.give_token("token-1");
    bench.cut();
    bench.answer_check(true);
    bench.accept("conn-1");
    bench.receive(serde_json::json!({ "action": 17 }));
    let signed: Result<TokenAnswer, ErrorInfo> = TokenAnswer::from_json(r#"{"keyName":"app.id","mac":"m"}"#);
    bench.answer_token(signed);
    let (_, http) = &bench.exchanges[0];
    assert_eq!(http.url, format!("https://{}/keys/app.id/requestToken", bench.hosts()[1]));
}
