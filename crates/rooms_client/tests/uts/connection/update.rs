//! CONNECTED on a standing connection (`RTN24`).

use rooms_client::ConnectionState;
use rooms_protocol::ErrorCode;
use serde_json::json;

use crate::support::*;

/// Case: RTN24/connected-emits-update-0
#[test]
fn rtn24_connected_while_connected_is_told_as_an_update() {
    let mut bench = Bench::connected();
    bench.receive(connected("conn-1"));
    let changes = bench.connection_changes();
    assert_eq!((changes[0].previous, changes[0].current), (ConnectionState::Connected, ConnectionState::Connected));
    assert_eq!(changes[0].reason, None);
}

/// Case: RTN24/update-event-with-error-1
#[test]
fn rtn24_an_update_carries_the_servers_error() {
    let mut bench = Bench::connected();
    let mut frame = connected("conn-1");
    frame["error"] = error(40142, 401, "token expired");
    bench.receive(frame);
    assert_eq!(bench.last_reason().unwrap().code, ErrorCode(40142));
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN24/connection-details-override-2
#[test]
fn rtn24_the_details_of_an_update_stand_over_those_before() {
    let mut bench = Bench::connected();
    bench.receive(json!({
        "action": 4, "connectionId": "conn-2",
        "connectionDetails": { "connectionKey": "key-2", "clientId": "ada", "maxIdleInterval": 5000 },
    }));
    assert_eq!(bench.client.connection_id().unwrap().as_str(), "conn-2");
    assert_eq!(bench.client.connection_key().unwrap().as_str(), "key-2");
    bench.pass(15 * SECOND);
    assert_ne!(bench.state(), ConnectionState::Connected, "the shorter silence counts");
}

/// Case: RTN24/no-duplicate-connected-event-3
#[test]
fn rtn24_an_update_is_told_once() {
    let mut bench = Bench::connected();
    bench.receive(connected("conn-1"));
    assert_eq!(bench.connection_changes().len(), 1);
    assert_eq!(bench.history.iter().filter(|state| **state == ConnectionState::Connecting).count(), 1);
}
