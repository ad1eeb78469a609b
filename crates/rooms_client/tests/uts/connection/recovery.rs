//! Going on with the connection of an earlier client (`RTN16`).

use rooms_client::{ChannelState, ClientOptions, Command, ConnectionState};
use rooms_protocol::{Action, Flags};
use serde_json::{Value, json};

use crate::support::*;

const UNICODE: &str = "channel-éàü-世界";

fn left_behind() -> String {
    json!({
        "connectionKey": "old-key", "msgSerial": 42,
        "channelSerials": { "one": "serial-1", "two": "serial-2", UNICODE: "serial-3" },
    })
    .to_string()
}

fn recovering(key: &str) -> Bench {
    Bench::connecting(ClientOptions { recover: Some(key.to_owned()), ..options() })
}

/// Case: RTN16g/recovery-key-structure-0
#[test]
fn rtn16g_rtn16g1_the_recovery_key_holds_key_number_and_places_of_attached_channels() {
    let mut bench = Bench::connected();
    for (channel, serial) in [("channel-alpha", "serial-a"), (UNICODE, "serial-b")] {
        bench.attach(channel);
        bench.receive(attached(channel, serial, Flags::empty()));
    }
    bench.attach("not attached yet");
    let key: Value = serde_json::from_str(&bench.client.recovery_key().unwrap()).unwrap();
    let expected = json!({
        "connectionKey": "conn-1-key", "msgSerial": 0,
        "channelSerials": { "channel-alpha": "serial-a", UNICODE: "serial-b" },
    });
    assert_eq!(key, expected);
}

/// Case: RTN16g2/recovery-key-null-inactive-0
#[test]
fn rtn16g2_without_a_connection_to_go_on_with_there_is_no_key() {
    let mut bench = Bench::new();
    assert_eq!(bench.client.recovery_key(), None);
    bench.command(Command::Connect);
    bench.accept("conn-1");
    assert!(bench.client.recovery_key().is_some());
    bench.cut();
    assert!(bench.client.recovery_key().is_some(), "a lost line is taken up again");
    bench.accept("conn-1");
    bench.command(Command::Close);
    assert_eq!((bench.state(), bench.client.recovery_key()), (ConnectionState::Closing, None));
    bench.receive(json!({ "action": 8 }));
    assert_eq!((bench.state(), bench.client.recovery_key()), (ConnectionState::Closed, None));
    let mut bench = Bench::connected();
    bench.receive_and_cut(connection_error(80000, 400));
    assert_eq!(bench.client.recovery_key(), None);
    assert_eq!(Bench::suspended().client.recovery_key(), None);
}

/// Case: RTN16k/recover-query-param-0
#[test]
fn rtn16k_the_first_connection_asks_to_recover_and_later_ones_resume() {
    let mut bench = recovering(&left_behind());
    assert_eq!((bench.param("recover").as_deref(), bench.param("resume")), (Some("old-key"), None));
    bench.cut();
    bench.next_timer();
    assert_eq!(bench.param("recover").as_deref(), Some("old-key"), "it never connected");
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
    bench.cut();
    assert_eq!((bench.param("recover"), bench.param("resume").as_deref()), (None, Some("conn-1-key")));
}

/// Case: RTN16f/recover-initializes-msgserial-0
#[test]
fn rtn16f_numbers_go_on_where_the_earlier_client_was() {
    let mut bench = recovering(&left_behind());
    bench.accept("conn-1");
    bench.publish(1);
    assert_eq!(bench.sent_of(Action::Message)[0].msg_serial.unwrap().0, 42);
}

#[test]
fn rtn16f_numbers_start_anew_where_the_recovery_fails() {
    let mut bench = recovering(&left_behind());
    bench.accept_anew("conn-1");
    assert!(!bench.last_change().resumed);
    assert!(bench.client.error_reason().is_some());
    bench.publish(1);
    assert_eq!(bench.sent_of(Action::Message)[0].msg_serial.unwrap().0, 0);
}

/// Case: RTN16f1/malformed-recovery-key-0
#[test]
fn rtn16f1_a_key_that_cannot_be_read_is_as_good_as_none() {
    for wrong in ["this-is-not-valid-json!!!", "{}", "[]", "{\"connectionKey\":5,\"msgSerial\":\"x\"}"] {
        let mut bench = recovering(wrong);
        assert_eq!((bench.param("recover"), bench.param("resume")), (None, None), "{wrong}");
        bench.accept("fresh");
        assert_eq!((bench.client.connection_id().unwrap().as_str(), bench.urls.len()), ("fresh", 1));
    }
}

/// Case: RTN16j/recover-channel-serials-0
#[test]
fn rtn16j_channels_are_attached_from_where_they_were() {
    let mut bench = recovering(&left_behind());
    for channel in ["one", "two", UNICODE] {
        assert_eq!(bench.channel(channel), ChannelState::Initialized);
    }
    bench.accept("conn-1");
    assert_eq!(bench.sent_of(Action::Attach), [], "nobody asked to attach yet");
    for (channel, serial) in [("one", "serial-1"), (UNICODE, "serial-3")] {
        bench.attach(channel);
        let frames = bench.sent_of(Action::Attach);
        assert_eq!(frames[0].channel_serial.as_ref().unwrap().as_str(), serial);
    }
}
