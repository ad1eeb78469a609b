//! The connection's id and key (`RTN8`, `RTN9`).

use rooms_client::{Command, ConnectionState};
use rooms_protocol::{ConnectionId, ConnectionKey};
use serde_json::json;

use crate::support::*;

fn id_and_key(bench: &Bench) -> (Option<&str>, Option<&str>) {
    (bench.client.connection_id().map(ConnectionId::as_str), bench.client.connection_key().map(ConnectionKey::as_str))
}

/// Case: RTN8a/id-unset-until-connected-0
#[test]
fn rtn8a_the_id_is_unset_until_connected() {
    let mut bench = Bench::connecting(options());
    assert_eq!(bench.client.connection_id(), None);
    bench.accept("conn-1");
    assert_eq!(id_and_key(&bench).0, Some("conn-1"));
}

/// Case: RTN9a/key-unset-until-connected-0
#[test]
fn rtn9a_the_key_is_unset_until_connected() {
    let mut bench = Bench::connecting(options());
    assert_eq!(bench.client.connection_key(), None);
    bench.accept("conn-1");
    assert_eq!(id_and_key(&bench).1, Some("conn-1-key"));
}

/// Case: RTN8b/id-unique-per-connection-0
#[test]
fn rtn8b_two_connections_have_their_own_ids() {
    let (mut one, mut two) = (Bench::connecting(options()), Bench::connecting(options()));
    one.accept("conn-1");
    two.accept("conn-2");
    assert_eq!((id_and_key(&one).0, id_and_key(&two).0), (Some("conn-1"), Some("conn-2")));
}

/// Case: RTN9b/key-unique-per-connection-0
#[test]
fn rtn9b_two_connections_have_their_own_keys() {
    let (mut one, mut two) = (Bench::connecting(options()), Bench::connecting(options()));
    one.accept("conn-1");
    two.accept("conn-2");
    assert_eq!((id_and_key(&one).1, id_and_key(&two).1), (Some("conn-1-key"), Some("conn-2-key")));
}

fn closed() -> Bench {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    assert_eq!((bench.state(), id_and_key(&bench)), (ConnectionState::Closing, (None, None)));
    bench.receive(json!({ "action": 8 }));
    assert_eq!(bench.state(), ConnectionState::Closed);
    bench
}

/// Case: RTN8c/id-null-after-closed-0
#[test]
fn rtn8c_a_closed_connection_has_no_id() {
    assert_eq!(id_and_key(&closed()).0, None);
}

/// Case: RTN9c/key-null-after-closed-0
#[test]
fn rtn9c_a_closed_connection_has_no_key() {
    assert_eq!(id_and_key(&closed()).1, None);
}

/// Case: RTN8c/id-key-null-after-failed-1
#[test]
fn rtn8c_rtn9c_a_failed_connection_has_neither() {
    let mut bench = Bench::connected();
    bench.receive_and_cut(connection_error(80000, 400));
    assert_eq!((bench.state(), id_and_key(&bench)), (ConnectionState::Failed, (None, None)));
}

/// The specification keeps both since 6.1, to resume with (`RTN14h`); the test cases still have none.
/// Case: RTN8c/id-key-null-after-suspended-2
#[test]
fn rtn8c_rtn9c_a_suspended_connection_keeps_both() {
    assert_eq!(id_and_key(&Bench::suspended()), (Some("conn-1"), Some("conn-1-key")));
}
