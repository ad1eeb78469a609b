//! What the operating system says about the network (`RTN20`).

use rooms_client::{ConnectionState, Event};

use crate::support::*;

fn network(bench: &mut Bench, up: bool) {
    bench.client.handle_network(up, bench.now);
    bench.drain();
}

/// Case: RTN20a/network-loss-connected-disconnects-0
#[test]
fn rtn20a_a_network_that_goes_away_ends_a_standing_line() {
    let mut bench = Bench::connected();
    network(&mut bench, false);
    let Event::Connection(change) = &bench.events[0] else { panic!("{:?}", bench.events) };
    assert_eq!(change.current, ConnectionState::Disconnected);
    assert!(change.reason.is_some());
}

/// Case: RTN20a/network-loss-connecting-disconnects-1
#[test]
fn rtn20a_a_network_that_goes_away_ends_an_attempt() {
    let mut bench = Bench::connecting(options());
    network(&mut bench, false);
    assert_eq!((bench.state(), bench.socket), (ConnectionState::Disconnected, None));
    assert!(bench.last_reason().is_some());
}

/// Case: RTN20b/network-available-disconnected-connects-0
#[test]
fn rtn20b_a_network_that_comes_back_ends_the_wait() {
    let mut bench = Bench::connecting(options());
    bench.cut();
    network(&mut bench, true);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connecting, 2));
    let mut bench = Bench::suspended();
    let before = bench.urls.len();
    network(&mut bench, true);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connecting, before + 1));
}

/// Case: RTN20c/network-available-connecting-restarts-0
#[test]
fn rtn20c_a_network_that_comes_back_restarts_an_attempt() {
    let mut bench = Bench::connecting(options());
    let first = bench.transport();
    network(&mut bench, true);
    assert_ne!(bench.transport(), first);
    bench.receive_on(first, connected("conn-0"));
    assert_eq!(bench.state(), ConnectionState::Connecting, "the first socket is given up");
    bench.accept("conn-1");
    assert_eq!(bench.client.connection_id().unwrap().as_str(), "conn-1");
}
