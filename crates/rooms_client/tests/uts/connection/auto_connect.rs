//! Nothing happens before it is asked for (`RTN3`). The plugin asks when a game enters a room.

use rooms_client::{Command, ConnectionState};

use crate::support::*;

/// Case: RTN3/auto-connect-true-0
#[test]
fn rtn3_a_client_that_is_asked_to_connect_does_so_at_once() {
    let mut bench = Bench::connecting(options());
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connecting, 1));
    bench.accept("conn-1");
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTN3/auto-connect-false-1
#[test]
fn rtn3_a_client_that_is_not_asked_does_not_connect() {
    let mut bench = Bench::new();
    bench.pass(60 * SECOND);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Initialized, 0));
}

/// Case: RTN3/explicit-connect-after-false-2
#[test]
fn rtn3_a_client_that_waited_connects_when_it_is_asked() {
    let mut bench = Bench::new();
    bench.pass(SECOND);
    bench.command(Command::Connect);
    bench.accept("conn-1");
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Connected]);
}
