//! How long things take (`RTC7`).

use std::time::Duration;

use rooms_client::{ChannelState, ClientOptions, ConnectionState, Timing};
use rooms_protocol::{ErrorCode, Flags};

use crate::support::*;

fn with_timing(timing: Timing) -> ClientOptions {
    ClientOptions { timing, ..options() }
}

/// Case: RTC7/attach-request-timeout-0
#[test]
fn rtc7_the_wait_for_an_answer_holds_for_attaching() {
    let mut bench = Bench::connected_with(with_timing(Timing { request_timeout: SECOND / 10, ..Timing::default() }));
    bench.attach("c");
    bench.pass(SECOND / 10);
    assert_eq!(bench.channel("c"), ChannelState::Suspended);
    assert_eq!(bench.channel_changes().pop().unwrap().reason.unwrap().code, ErrorCode::CHANNEL_TIMEOUT);
}

/// Case: RTC7/detach-request-timeout-1
#[test]
fn rtc7_the_wait_for_an_answer_holds_for_detaching() {
    let mut bench = Bench::connected_with(with_timing(Timing { request_timeout: SECOND / 10, ..Timing::default() }));
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.detach("c");
    assert_eq!(bench.channel("c"), ChannelState::Detaching);
    bench.pass(SECOND / 10);
    assert_eq!(bench.channel("c"), ChannelState::Attached);
}

/// Case: RTC7/disconnected-retry-timeout-2
#[test]
fn rtc7_the_wait_between_attempts_can_be_set() {
    let timing = Timing { disconnected_retry: 2 * SECOND, ..Timing::default() };
    let mut bench = Bench::connecting(with_timing(timing));
    bench.cut();
    assert!(bench.last_change().retry_in.unwrap() <= 2 * SECOND);
    bench.pass(2 * SECOND);
    assert_eq!((bench.state(), bench.urls.len()), (ConnectionState::Connecting, 2));
}

/// Case: RTC7/default-timeouts-applied-3
#[test]
fn rtc7_the_defaults_are_those_of_the_specification() {
    let timing = options().timing;
    let seconds = Duration::from_secs;
    assert_eq!(
        (timing.request_timeout, timing.disconnected_retry, timing.suspended_retry, timing.channel_retry),
        (seconds(10), seconds(15), seconds(30), seconds(15))
    );
    assert_eq!(timing.connection_state_ttl, seconds(120));
}
