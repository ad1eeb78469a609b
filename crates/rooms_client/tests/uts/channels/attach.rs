//! Attaching (`RTL4`).

use rooms_client::{ChannelOptions, ChannelState::*, ClientOptions, Command, Timing};
use rooms_protocol::{Action, ErrorCode, Flags};
use serde_json::json;

use super::{error_code, states};
use crate::support::*;

/// Case: RTL4a/already-attached-noop-0
#[test]
fn rtl4a_attaching_an_attached_channel_does_nothing() {
    let mut bench = Bench::attached();
    bench.attach("c");
    assert_eq!((bench.channel("c"), bench.sent.len(), bench.events.len()), (Attached, 0, 0));
}

/// Case: RTL4h/attach-while-attaching-0
#[test]
fn rtl4h_attaching_while_attaching_asks_once() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Attached, vec![Action::Attach]));
}

/// Case: RTL4h/attach-while-detaching-1
#[test]
fn rtl4h_attaching_while_detaching_waits_for_the_end_of_it() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.attach("c");
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Detaching, vec![Action::Detach]));
    bench.receive(detached("c", json!(null)));
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(bench.channel("c"), Attached);
}

/// Case: RTL4g/attach-from-failed-0
/// Case: RTL4c/error-reason-cleared-attach-0
#[test]
fn rtl4g_a_failed_channel_is_attached_afresh_and_its_error_forgotten() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(channel_error("c", 40160, 401));
    assert_eq!((bench.channel("c"), error_code(&bench)), (Failed, Some(40160)));
    bench.attach("c");
    assert_eq!((bench.channel("c"), error_code(&bench)), (Attaching, None));
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!((bench.channel("c"), error_code(&bench)), (Attached, None));
}

/// Case: RTL4c/clears-error-reason-0
#[test]
fn rtl4c_any_attach_that_succeeds_clears_the_error() {
    let mut bench = Bench::attached();
    bench.suspend();
    assert_eq!(bench.channel("c"), Suspended);
    assert!(error_code(&bench).is_some());
    bench.next_timer();
    bench.accept("conn-2");
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!((bench.channel("c"), error_code(&bench)), (Attached, None));
}

fn refusal(bench: &mut Bench) -> Option<ErrorCode> {
    bench.forget();
    bench.attach("c");
    assert_ne!(bench.channel("c"), Attached);
    assert!(bench.sent.is_empty());
    bench.channel_changes().pop().and_then(|change| change.reason).map(|reason| reason.code)
}

/// Case: RTL4b/fails-connection-closed-0
#[test]
fn rtl4b_attaching_on_a_closed_connection_is_refused() {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    bench.receive(json!({ "action": 8 }));
    assert_eq!(refusal(&mut bench), Some(ErrorCode::CONNECTION_CLOSED));
}

/// Case: RTL4b/fails-connection-failed-1
#[test]
fn rtl4b_attaching_on_a_failed_connection_is_refused() {
    let mut bench = Bench::connected();
    bench.receive_and_cut(connection_error(80000, 400));
    assert_eq!(refusal(&mut bench), Some(ErrorCode::CONNECTION_FAILED));
}

/// Case: RTL4b/fails-connection-suspended-2
#[test]
fn rtl4b_attaching_on_a_suspended_connection_is_refused_for_now() {
    let mut bench = Bench::suspended();
    assert_eq!(refusal(&mut bench), Some(ErrorCode::CONNECTION_SUSPENDED));
    assert_eq!(bench.channel("c"), Suspended);
}

/// Case: RTL4i/queued-while-connecting-0
/// Case: RTL4i/completes-on-connected-1
#[test]
fn rtl4i_attaching_waits_for_the_connection() {
    let mut bench = Bench::connecting(options());
    bench.attach("c");
    assert_eq!((bench.channel("c"), bench.sent.len()), (Attaching, 0));
    bench.accept("conn-1");
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!(bench.channel("c"), Attached);
}

/// Case: RTL4c/sends-attach-message-1
#[test]
fn rtl4c_attaching_asks_the_server_and_ends_with_its_answer() {
    let mut bench = Bench::connected();
    bench.attach("c");
    assert_eq!(bench.channel("c"), Attaching);
    let frame = bench.take_sent().pop().unwrap();
    assert_eq!((frame.action, frame.channel), (Action::Attach, Some("c".into())));
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!(states(&mut bench), [Attaching, Attached]);
}

/// Case: RTL4c1/includes-channel-serial-0
#[test]
fn rtl4c1_attaching_again_names_the_place_in_the_stream() {
    let mut bench = Bench::connected();
    bench.attach("c");
    assert_eq!(bench.take_sent()[0].channel_serial, None);
    bench.receive(attached("c", "serial-1", Flags::empty()));
    bench.attach_with("c", ChannelOptions { modes: Flags::SUBSCRIBE, ..ChannelOptions::default() });
    assert_eq!(bench.take_sent()[0].channel_serial, Some("serial-1".into()));
}

/// Case: RTL4f/timeout-to-suspended-0
#[test]
fn rtl4f_an_attach_that_is_not_answered_in_time_is_suspended() {
    let timing = Timing { request_timeout: SECOND / 10, ..Timing::default() };
    let mut bench = Bench::connected_with(ClientOptions { timing, ..options() });
    bench.attach("c");
    bench.pass(SECOND / 5);
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.current, change.reason.unwrap().code), (Suspended, ErrorCode::CHANNEL_TIMEOUT));
}

/// Case: RTL4k/includes-channel-params-0
#[test]
fn rtl4k_attaching_sends_the_parameters() {
    let mut bench = Bench::connected();
    let params = [("rewind".into(), "1".to_owned()), ("delta".into(), "vcdiff".to_owned())].into();
    bench.attach_with("c", ChannelOptions { params, ..ChannelOptions::default() });
    let params = bench.take_sent().remove(0).params;
    assert_eq!((params["rewind"].as_str(), params["delta"].as_str()), ("1", "vcdiff"));
}

/// Item RTL4k1.
#[test]
fn rtl4k1_the_parameters_that_the_server_took_are_told() {
    let mut bench = Bench::attached();
    assert!(bench.client.channel_params(&"c".into()).unwrap().is_empty());
    bench.receive(json!({ "action": 11, "channel": "c", "flags": 4, "params": { "rewind": "1" } }));
    assert_eq!(bench.client.channel_params(&"c".into()).unwrap()["rewind"], "1");
}

/// Case: RTL4l/modes-encoded-as-flags-0
#[test]
fn rtl4l_attaching_sends_the_modes_as_flags() {
    let mut bench = Bench::connected();
    let modes = Flags::PUBLISH | Flags::SUBSCRIBE;
    bench.attach_with("c", ChannelOptions { modes, ..ChannelOptions::default() });
    assert_eq!(bench.take_sent()[0].flags.unwrap().bits(), 131_072 | 262_144);
}

/// Case: RTL4m/modes-from-attached-0
#[test]
fn rtl4m_the_modes_that_the_server_granted_are_told() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(json!({ "action": 11, "channel": "c", "flags": 393_216 | 2 }));
    assert_eq!(bench.client.channel_modes(&"c".into()), Flags::PUBLISH | Flags::SUBSCRIBE);
}

/// Case: RTL4j/attach-resume-flag-0
///
/// The case is stale: the item was deleted in version 6.1.0 of the specification, and the flag is not set any more.
#[test]
fn rtl4j_attaching_again_sets_no_flag_of_its_own() {
    let mut bench = Bench::attached();
    let params = [("rewind".into(), "1".to_owned())].into();
    bench.attach_with("c", ChannelOptions { params, ..ChannelOptions::default() });
    assert_eq!(bench.take_sent()[0].flags, None);
}
