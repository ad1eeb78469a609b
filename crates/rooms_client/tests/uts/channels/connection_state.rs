//! What becomes of channels when the connection changes (`RTL3`).

use rooms_client::{ChannelState::*, Command, ConnectionState};
use rooms_protocol::{Action, Flags};
use serde_json::json;

use super::{error_code, states};
use crate::support::*;

fn attaching() -> Bench {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.forget();
    bench
}

/// A client with one attached channel, one that was detached, and one that was never attached.
fn with_detached() -> Bench {
    let mut bench = Bench::attached();
    bench.attach("d");
    bench.receive(attached("d", "s0", Flags::empty()));
    bench.detach("d");
    bench.receive(detached("d", json!(null)));
    bench.forget();
    bench
}

/// Case: RTL3e/disconnected-attached-noop-0
/// Case: RTL3e/disconnected-attaching-noop-1
#[test]
fn rtl3e_a_lost_line_changes_no_channel() {
    for (mut bench, state) in [(Bench::attached(), Attached), (attaching(), Attaching)] {
        bench.cut();
        assert_ne!(bench.state(), ConnectionState::Connected);
        assert_eq!((bench.channel("c"), bench.channel_changes()), (state, vec![]));
    }
}

/// Case: RTL3a/failed-attached-to-failed-0
/// Case: RTL3a/failed-attaching-to-failed-1
#[test]
fn rtl3a_a_failed_connection_fails_its_channels() {
    for (mut bench, previous) in [(Bench::attached(), Attached), (attaching(), Attaching)] {
        bench.receive_and_cut(connection_error(40198, 403));
        let changes = bench.channel_changes();
        assert_eq!((changes[0].previous, changes[0].current, changes.len()), (previous, Failed, 1));
        assert_eq!(changes[0].reason.as_ref().unwrap().code.0, 40198);
        assert_eq!((bench.channel("c"), error_code(&bench)), (Failed, Some(40198)));
    }
}

/// Case: RTL3a/other-states-unaffected-2
#[test]
fn rtl3a_a_failed_connection_leaves_other_channels_as_they_are() {
    let mut bench = with_detached();
    bench.receive_and_cut(connection_error(40198, 403));
    assert!(bench.channel_changes().iter().all(|change| change.channel == "c".into()));
    assert_eq!((bench.channel("d"), bench.channel("e")), (Detached, Initialized));
}

/// Case: RTL3b/closed-attached-to-detached-0
/// Case: RTL3b/closed-attaching-to-detached-1
#[test]
fn rtl3b_a_closed_connection_detaches_its_channels() {
    for (mut bench, previous) in [(Bench::attached(), Attached), (attaching(), Attaching)] {
        bench.command(Command::Close);
        bench.receive(json!({ "action": 8 }));
        assert_eq!(bench.state(), ConnectionState::Closed);
        let changes = bench.channel_changes();
        assert_eq!((changes[0].previous, changes[0].current, changes.len()), (previous, Detached, 1));
        assert_eq!(bench.channel("c"), Detached);
    }
}

/// Case: RTL3c/suspended-attached-to-suspended-0
/// Case: RTL3c/suspended-attaching-to-suspended-1
#[test]
fn rtl3c_a_suspended_connection_suspends_its_channels() {
    for (mut bench, previous) in [(Bench::attached(), Attached), (attaching(), Attaching)] {
        bench.suspend();
        let changes = bench.channel_changes();
        assert_eq!((changes[0].previous, changes[0].current, changes.len()), (previous, Suspended, 1));
        assert_eq!(bench.channel("c"), Suspended);
    }
}

/// Case: RTL3d/reattach-attached-with-serial-0
#[test]
fn rtl3d_attached_channels_are_attached_again_from_where_they_were() {
    let mut bench = Bench::attached();
    bench.cut();
    bench.accept("conn-1");
    let frames = bench.sent_of(Action::Attach);
    assert_eq!((frames.len(), frames[0].channel_serial.as_ref()), (1, Some(&"s0".into())));
    bench.receive(attached("c", "s0", Flags::RESUMED));
    assert_eq!(states(&mut bench), [Attaching, Attached]);
}

/// Case: RTL3d/reattach-suspended-channels-1
#[test]
fn rtl3d_suspended_channels_are_attached_again() {
    let mut bench = Bench::attached();
    bench.suspend();
    bench.forget();
    bench.next_timer();
    bench.accept("conn-2");
    assert_eq!(bench.sent_of(Action::Attach).len(), 1);
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(states(&mut bench), [Attaching, Attached]);
}

/// Case: RTL3d/init-detached-not-reattached-2
#[test]
fn rtl3d_channels_that_nobody_wants_are_not_attached_again() {
    let mut bench = with_detached();
    bench.cut();
    bench.accept("conn-1");
    let asked: Vec<_> = bench.sent_of(Action::Attach).into_iter().filter_map(|frame| frame.channel).collect();
    assert_eq!(asked, ["c".into()]);
    assert!(bench.channel_changes().iter().all(|change| change.channel == "c".into()));
    assert_eq!((bench.channel("d"), bench.channel("e")), (Detached, Initialized));
}

/// Case: RTL3d/multiple-channels-reattached-3
#[test]
fn rtl3d_all_attached_channels_are_attached_again() {
    let mut bench = Bench::attached();
    bench.attach("d");
    bench.receive(attached("d", "s0", Flags::empty()));
    bench.cut();
    bench.forget();
    bench.accept("conn-1");
    let asked: Vec<_> = bench.sent_of(Action::Attach).into_iter().filter_map(|frame| frame.channel).collect();
    assert_eq!(asked, ["c".into(), "d".into()]);
    for channel in ["c", "d"] {
        bench.receive(attached(channel, "s0", Flags::RESUMED));
        assert_eq!(bench.channel(channel), Attached);
    }
}
