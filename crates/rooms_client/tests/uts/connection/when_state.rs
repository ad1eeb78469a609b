//! Waiting for a state (`RTN26`). Here the state can be asked for at any time, and each change is told by one event: a
//! game in the ECS looks instead of being called back.

use rooms_client::{Command, ConnectionState};

use crate::support::*;

fn times(bench: &Bench, state: ConnectionState) -> usize {
    bench.history.iter().filter(|seen| **seen == state).count()
}

/// Case: RTN26a/immediate-callback-current-state-0
#[test]
fn rtn26a_a_state_that_holds_is_seen_at_once() {
    assert_eq!(Bench::connected().state(), ConnectionState::Connected);
}

/// Case: RTN26b/deferred-callback-future-state-0
#[test]
fn rtn26b_a_state_that_comes_is_told_with_the_one_before() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert_eq!(times(&bench, ConnectionState::Connected), 0);
    bench.accept("conn-1");
    assert_eq!(bench.last_change().previous, ConnectionState::Connecting);
    assert_eq!(bench.last_change().current, ConnectionState::Connected);
}

/// Case: RTN26b/fires-only-once-1
#[test]
fn rtn26b_a_state_is_told_once_each_time_it_comes() {
    let mut bench = Bench::connected();
    bench.pass(SECOND);
    assert_eq!(times(&bench, ConnectionState::Connected), 1);
    bench.cut();
    bench.accept("conn-1");
    assert_eq!(times(&bench, ConnectionState::Connected), 2);
}

/// Case: RTN26a/multiple-whenstate-calls-1
#[test]
fn rtn26a_looking_at_a_state_does_not_change_it() {
    let bench = Bench::connected();
    assert_eq!([bench.state(), bench.state(), bench.state()], [ConnectionState::Connected; 3]);
}

/// Case: RTN26a/no-fire-for-past-state-2
#[test]
fn rtn26a_a_state_that_has_passed_is_not_seen() {
    let bench = Bench::connected();
    assert_ne!(bench.state(), ConnectionState::Connecting);
    assert_eq!(times(&bench, ConnectionState::Connecting), 1);
}

/// Case: RTN26/whenstate-different-states-0
#[test]
fn rtn26_every_state_on_the_way_is_told() {
    let mut bench = Bench::new();
    assert_eq!(bench.state(), ConnectionState::Initialized);
    bench.command(Command::Connect);
    bench.cut();
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Disconnected]);
}
