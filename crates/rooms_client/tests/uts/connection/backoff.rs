//! Waits between attempts (`RTB1`).

use rooms_client::{ChannelState, ConnectionState};
use serde_json::Value;

use crate::support::*;

/// The waits of a client that never reaches its server, in parts of the first wait before jitter.
fn waits() -> Vec<f64> {
    let mut bench = Bench::connecting(options());
    let mut waits = vec![];
    while waits.len() < 5 {
        bench.cut();
        let wait = bench.last_change().retry_in.expect("the client tries again");
        assert_eq!(bench.state(), ConnectionState::Disconnected);
        waits.push(wait.as_secs_f64() / 15.0);
        bench.pass(wait);
    }
    waits
}

/// Case: RTB1a/backoff-coefficient-sequence-0
#[test]
fn rtb1a_waits_grow_by_thirds_up_to_twice_the_first() {
    let bounds = [1.0, 4.0 / 3.0, 5.0 / 3.0, 2.0, 2.0];
    for (wait, bound) in waits().into_iter().zip(bounds) {
        assert!(wait <= bound + 1e-9 && wait > 0.8 * bound - 1e-9, "{wait} of {bound}");
    }
}

/// Case: RTB1b/jitter-coefficient-range-0
#[test]
fn rtb1b_waits_are_spread_over_their_last_fifth() {
    let bounds = [1.0, 4.0 / 3.0, 5.0 / 3.0, 2.0, 2.0];
    let jitters: Vec<f64> = waits().into_iter().zip(bounds).map(|(wait, bound)| wait / bound).collect();
    assert!(jitters.iter().all(|jitter| (0.8 - 1e-9..=1.0 + 1e-9).contains(jitter)), "{jitters:?}");
    assert!(jitters.windows(2).any(|pair| pair[0] != pair[1]), "{jitters:?}");
}

/// Case: RTB1/disconnected-retry-delay-0
#[test]
fn rtb1_a_disconnected_client_tries_again_after_the_wait_that_it_told() {
    let mut bench = Bench::connecting(options());
    bench.cut();
    let wait = bench.last_change().retry_in.unwrap();
    assert!(wait >= 12 * SECOND && wait <= 15 * SECOND);
    bench.pass(wait - std::time::Duration::from_millis(1));
    assert_eq!(bench.urls.len(), 1);
    bench.pass(std::time::Duration::from_millis(1));
    assert_eq!(bench.urls.len(), 2);
}

/// Case: RTB1/suspended-channel-retry-delay-1
#[test]
fn rtb1_a_suspended_channel_waits_in_the_same_way() {
    let mut bench = Bench::connected();
    bench.attach("c");
    for bound in [15.0, 20.0, 25.0, 30.0, 30.0] {
        bench.receive(detached("c", Value::Null));
        assert_eq!(bench.channel("c"), ChannelState::Suspended);
        let start = bench.now;
        while bench.channel("c") == ChannelState::Suspended {
            bench.receive(serde_json::json!({ "action": 0 }));
            bench.pass(SECOND / 10);
        }
        let wait = (bench.now - start).as_secs_f64();
        assert!(wait <= bound + 0.2 && wait >= 0.8 * bound - 0.2, "{wait} of {bound}");
    }
}
