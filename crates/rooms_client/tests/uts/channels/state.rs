//! States and their changes (`RTL2`, `RTL12`, `RTL14`, `RTL23` to `RTL25`).

use rooms_client::{ChannelState::*, ClientOptions, ConnectionState, Timing};
use rooms_protocol::Flags;
use serde_json::json;

use super::{error_code, states};
use crate::support::*;

/// Case: RTL2b/channel-state-attribute-0
/// Case: RTL2b/initial-state-initialized-1
#[test]
fn rtl2b_a_channel_begins_initialized() {
    assert_eq!(Bench::new().channel("c"), Initialized);
}

/// Case: RTL2a/state-change-events-emitted-0
/// Case: RTL2d/state-change-object-structure-0
#[test]
fn rtl2a_every_change_is_told_with_the_states_before_and_after() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    let changes = bench.channel_changes();
    let steps: Vec<_> = changes.iter().map(|change| (change.previous, change.current)).collect();
    assert_eq!(steps, [(Initialized, Attaching), (Attaching, Attached)]);
    assert!(changes.iter().all(|change| change.channel == "c".into() && change.reason.is_none()));
}

/// Case: RTL2d/state-change-error-reason-1
/// Case: RTL24/error-reason-populated-0
/// Case: RTL14/attaching-to-failed-1
#[test]
fn rtl2d_a_change_for_an_error_tells_it() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(json!({ "action": 9, "channel": "c", "error": error(40160, 401, "Channel denied") }));
    let change = bench.channel_changes().pop().unwrap();
    let reason = change.reason.unwrap();
    assert_eq!((change.previous, change.current), (Attaching, Failed));
    assert_eq!((reason.code.0, reason.message.as_str()), (40160, "Channel denied"));
    assert_eq!(bench.client.channel_error_reason(&"c".into()), Some(&reason));
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTL2/filtered-event-subscription-0
#[test]
fn rtl2_each_state_is_told_once() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!(states(&mut bench).into_iter().filter(|state| *state == Attached).count(), 1);
}

/// Case: RTL2g/update-event-condition-change-0
/// Case: RTL2g/no-duplicate-state-events-1
/// Case: RTL12/no-error-null-reason-2
#[test]
fn rtl2g_a_change_of_conditions_is_an_update_and_no_change_of_state() {
    let mut bench = Bench::attached();
    bench.receive(attached("c", "s1", Flags::empty()));
    let changes = bench.channel_changes();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].previous, changes[0].current, changes[0].resumed), (Attached, Attached, false));
    assert_eq!((&changes[0].reason, bench.channel("c")), (&None, Attached));
}

/// Case: RTL12/update-emits-with-error-0
#[test]
fn rtl12_attached_anew_with_a_gap_tells_the_error() {
    let mut bench = Bench::attached();
    let mut frame = attached("c", "s1", Flags::empty());
    frame["error"] = error(50000, 500, "generic serverside failure");
    bench.receive(frame);
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.previous, change.current, change.resumed), (Attached, Attached, false));
    assert_eq!(change.reason.unwrap().code.0, 50000);
}

/// Case: RTL12/resumed-no-update-1
#[test]
fn rtl12_attached_anew_without_a_gap_is_not_told() {
    let mut bench = Bench::attached();
    bench.receive(attached("c", "s1", Flags::RESUMED));
    assert_eq!((bench.events.len(), bench.channel("c")), (0, Attached));
}

fn attached_with(flags: Flags) -> (bool, bool) {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(attached("c", "s0", flags));
    let change = bench.channel_changes().pop().unwrap();
    (change.resumed, change.has_backlog)
}

/// Case: RTL2i/has-backlog-flag-true-0
/// Case: RTL2i/has-backlog-flag-false-1
#[test]
fn rtl2i_a_backlog_is_told() {
    assert_eq!(attached_with(Flags::HAS_BACKLOG), (false, true));
    assert_eq!(attached_with(Flags::empty()), (false, false));
}

/// Case: RTL2d/resumed-flag-propagated-2
#[test]
fn rtl2d_resuming_is_told() {
    assert_eq!(attached_with(Flags::RESUMED), (true, false));
}

/// Case: RTL23/name-attribute-0
#[test]
fn rtl23_a_channel_keeps_its_name() {
    let mut bench = Bench::connected();
    for name in ["my-channel", "namespace:channel-name"] {
        bench.attach(name);
        assert_eq!(bench.take_sent()[0].channel, Some(name.into()));
        assert_eq!(bench.channel_changes()[0].channel, name.into());
    }
}

/// Case: RTL24/error-reason-channel-error-0
/// Case: RTL14/attached-to-failed-0
#[test]
fn rtl14_an_error_fails_an_attached_channel_and_leaves_the_connection() {
    let mut bench = Bench::attached();
    assert_eq!(error_code(&bench), None);
    bench.receive(channel_error("c", 90001, 500));
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.previous, change.current), (Attached, Failed));
    let error = bench.client.channel_error_reason(&"c".into()).unwrap();
    assert_eq!((error.code.0, error.status_code, error.message.as_str()), (90001, 500, "the server says no"));
    assert_eq!((change.reason.as_ref(), bench.state()), (Some(error), ConnectionState::Connected));
}

/// Case: RTL24/error-reason-attach-failure-1
/// Case: RTL4c/error-cleared-on-attach-0
#[test]
fn rtl24_the_error_of_an_attach_that_the_server_refused_is_kept_until_the_next() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(detached("c", error(40160, 401, "no")));
    assert_eq!((bench.channel("c"), error_code(&bench)), (Suspended, Some(40160)));
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!((bench.channel("c"), error_code(&bench)), (Attached, None));
}

/// Case: RTL4c/error-cleared-preserved-detach-1
#[test]
fn rtl24_detaching_sets_no_error() {
    let mut bench = Bench::attached();
    bench.receive(channel_error("c", 90002, 500));
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    assert_eq!((bench.channel("c"), error_code(&bench)), (Detached, None));
}

/// Case: RTL14/pending-detach-error-2
#[test]
fn rtl14_an_error_ends_a_detach() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(channel_error("c", 90198, 500));
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.previous, change.current, change.reason.unwrap().code.0), (Detaching, Failed, 90198));
    assert_eq!((error_code(&bench), bench.state()), (Some(90198), ConnectionState::Connected));
}

/// Case: RTL14/other-channels-unaffected-3
#[test]
fn rtl14_an_error_leaves_other_channels_alone() {
    let mut bench = Bench::attached();
    bench.attach("d");
    bench.receive(attached("d", "s0", Flags::empty()));
    bench.receive(channel_error("d", 40160, 401));
    assert_eq!((bench.channel("d"), bench.channel("c"), error_code(&bench)), (Failed, Attached, None));
    assert_eq!(bench.state(), ConnectionState::Connected);
}

/// Case: RTL14/cancels-pending-timers-4
#[test]
fn rtl14_an_error_ends_the_attempts_to_attach() {
    let timing = Timing { request_timeout: SECOND / 10, channel_retry: SECOND / 5, ..Timing::default() };
    let mut bench = Bench::connected_with(ClientOptions { timing, ..options() });
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.receive(detached("c", error(90198, 500, "Detach")));
    bench.pass(SECOND * 15 / 100);
    assert_eq!(bench.channel("c"), Suspended);
    bench.receive(channel_error("c", 40160, 401));
    bench.forget();
    bench.pass(SECOND / 2);
    assert_eq!((bench.channel("c"), bench.sent.len()), (Failed, 0));
}

/// Case: RTL25a/resolves-immediately-current-0
#[test]
fn rtl25a_the_state_that_a_channel_is_in_is_known_without_an_event() {
    let bench = Bench::attached();
    assert_eq!((bench.channel("c"), bench.events.len()), (Attached, 0));
}

/// Case: RTL25b/waits-for-state-change-0
#[test]
fn rtl25b_a_state_that_comes_later_is_told_when_it_comes() {
    let mut bench = Bench::connected();
    bench.attach("c");
    assert_eq!(states(&mut bench), [Attaching]);
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!(states(&mut bench), [Attached]);
}

/// Case: RTL25b/fires-once-only-1
/// Case: RTL25a/past-state-does-not-resolve-1
#[test]
fn rtl25b_a_state_that_was_told_is_not_told_again() {
    let mut bench = Bench::attached();
    bench.pass(SECOND);
    assert_eq!(states(&mut bench), []);
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    bench.attach("c");
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(states(&mut bench), [Detaching, Detached, Attaching, Attached]);
}
