//! The server asks for a new token (`RTN22`).

use rooms_client::ConnectionState;
use rooms_protocol::Action;
use serde_json::json;

use crate::support::*;

fn asked() -> Bench {
    let mut bench = Bench::connecting(with_callback());
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.forget();
    bench.receive(json!({ "action": 17 }));
    bench
}

/// Case: RTN22/server-auth-triggers-reauth-0
#[test]
fn rtn22_the_client_answers_with_a_new_token() {
    let mut bench = asked();
    bench.give_token("token-2");
    let frames = bench.sent_of(Action::Auth);
    let token = frames[0].auth.as_ref().and_then(|auth| auth.access_token.as_deref());
    assert_eq!((frames.len(), token), (1, Some("token-2")));
    bench.receive(connected("conn-1"));
    assert_eq!(bench.connection_changes().len(), 1);
    assert_eq!(bench.tokens_asked, 2);
}

/// Case: RTN22/stays-connected-during-reauth-1
#[test]
fn rtn22_the_line_stands_meanwhile() {
    let mut bench = asked();
    assert_eq!(bench.state(), ConnectionState::Connected);
    bench.give_token("token-2");
    assert_eq!((bench.state(), bench.take_events().len()), (ConnectionState::Connected, 0));
    bench.receive(connected("conn-1"));
    let changes = bench.connection_changes();
    assert_eq!((changes[0].previous, changes[0].current), (ConnectionState::Connected, ConnectionState::Connected));
    assert_eq!(bench.urls.len(), 1);
}

#[test]
fn rtn22_asking_twice_gets_one_token() {
    let mut bench = asked();
    bench.receive(json!({ "action": 17 }));
    assert_eq!(bench.tokens_asked, 2);
}

#[test]
fn rtn22_a_client_that_cannot_renew_goes_on() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 17 }));
    assert_eq!((bench.state(), bench.tokens_asked), (ConnectionState::Connected, 0));
}

/// Case: RTN22a/forced-disconnect-reauth-failure-0
#[test]
fn rtn22a_a_server_that_loses_patience_ends_the_line() {
    let mut bench = asked();
    bench.receive_and_cut(disconnected(40142, 401));
    let changes = bench.connection_changes();
    assert_eq!(changes[0].current, ConnectionState::Disconnected);
    assert_eq!(changes[0].reason.as_ref().unwrap().code.0, 40142);
}
