//! Options, derived channels, and the set of channels (`TB2`, `RTL16`, `RTS1` to `RTS5`).

use rooms_client::{ChannelOptions, ChannelState::*, CipherKey, CipherParams, ClientOptions, Timing};
use rooms_protocol::{Action, ChannelName, ErrorCode, Flags};

use super::states;
use crate::support::*;

fn rewind() -> ChannelOptions {
    ChannelOptions { params: [("rewind".into(), "1".to_owned())].into(), ..ChannelOptions::default() }
}

fn receiving() -> ChannelOptions {
    ChannelOptions { modes: Flags::SUBSCRIBE, ..ChannelOptions::default() }
}

/// Case: TB2/channel-options-attributes-0
#[test]
fn tb2_options_default_to_nothing_asked() {
    let options = ChannelOptions::default();
    assert!(options.params.is_empty() && options.modes.is_empty());
}

/// Case: TB2c/options-with-params-0
/// Case: TB2d/options-with-modes-0
/// Case: RTS3b/options-set-on-new-0
#[test]
fn tb2_a_channel_keeps_the_options_that_it_was_given() {
    let mut bench = Bench::connected();
    let options = ChannelOptions { modes: Flags::PUBLISH | Flags::SUBSCRIBE, ..rewind() };
    bench.attach_with("c", options.clone());
    assert_eq!(bench.client.channel_options(&"c".into()), Some(options));
}

/// Case: RTL16/set-options-updates-0
/// Case: RTS3c/options-updated-existing-0
///
/// Options that the server need not know, such as a cipher, are set in the same way.
#[test]
fn rtl16_options_of_a_known_channel_are_changed() {
    let mut bench = Bench::attached();
    bench.attach_with("c", rewind());
    assert_eq!(bench.client.channel_options(&"c".into()), Some(rewind()));
    assert_eq!(bench.client.channels().count(), 1);
}

/// Case: RTL16a/triggers-reattach-0
///
/// The case sees the channel attaching; the item asks for the frame alone, and while it is on its way messages go on.
#[test]
fn rtl16a_new_options_of_an_attached_channel_are_sent_in_place() {
    let mut bench = Bench::attached();
    bench.attach_with("c", rewind());
    let frame = bench.take_sent().pop().unwrap();
    assert_eq!((frame.action, frame.params["rewind"].as_str()), (Action::Attach, "1"));
    assert_eq!((bench.channel("c"), states(&mut bench)), (Attached, vec![]));
    bench.receive(attached("c", "s1", Flags::RESUMED));
    bench.pass(SECOND * 11);
    assert_eq!(bench.channel("c"), Attached);
}

/// Item RTL16a.
#[test]
fn rtl16a_new_options_that_are_not_answered_are_told() {
    let timing = Timing { request_timeout: SECOND / 10, ..Timing::default() };
    let mut bench = Bench::connected_with(ClientOptions { timing, ..options() });
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.attach_with("c", receiving());
    bench.pass(SECOND / 5);
    let change = bench.channel_changes().pop().unwrap();
    assert_eq!((change.current, change.resumed), (Attached, true));
    assert_eq!(change.reason.unwrap().code, ErrorCode::CHANNEL_TIMEOUT);
}

/// Case: RTS3c1/error-reattach-params-0
/// Case: RTS3c1/error-reattach-modes-1
///
/// The cases are about a getter that must not attach. Here nothing but attaching takes options, which is `setOptions`.
#[test]
fn rts3c1_looking_at_a_channel_never_attaches_it_again() {
    let bench = Bench::attached();
    assert_eq!(bench.client.channel_options(&"c".into()), Some(ChannelOptions::default()));
    assert_eq!((bench.channel("c"), bench.sent.len()), (Attached, 0));
}

const FILTER: &str = "name == 'test'";

fn derived(options: &ChannelOptions) -> ChannelName {
    ChannelName::from("base").derived(FILTER, &options.params)
}

/// Case: RTS5a/creates-derived-channel-0
/// Case: RTS5a1/filter-base64-encoded-0
/// Case: DO2a/filter-attribute-0
#[test]
fn rts5a1_a_derived_channel_names_its_filter_in_base64() {
    assert_eq!(derived(&ChannelOptions::default()).as_str(), "[filter=bmFtZSA9PSAndGVzdCc=]base");
}

/// Case: RTS5a2/derived-with-params-0
#[test]
fn rts5a2_a_derived_channel_names_its_parameters() {
    let mut options = rewind();
    options.params.insert("delta".into(), "a b".to_owned());
    assert_eq!(derived(&options).as_str(), "[filter=bmFtZSA9PSAndGVzdCc=?delta=a+b&rewind=1]base");
}

/// Case: RTS5/get-derived-with-options-0
#[test]
fn rts5_a_derived_channel_takes_options_like_any_other() {
    let mut bench = Bench::connected();
    let name = derived(&receiving());
    bench.attach_with(name.as_str(), receiving());
    let frame = bench.take_sent().remove(0);
    assert_eq!((frame.channel, frame.flags), (Some(name), Some(Flags::SUBSCRIBE)));
}

/// Case: RTS1/channels-collection-accessible-0
/// Case: RTS2/channel-exists-check-0
/// Case: RTS2/iterate-channels-1
/// Case: RTS3a/get-creates-new-channel-0
#[test]
fn rts2_the_channels_that_are_known_are_told() {
    let mut bench = Bench::new();
    assert_eq!(bench.client.channels().count(), 0);
    for channel in ["a", "b", "c"] {
        bench.attach(channel);
    }
    assert_eq!(bench.client.channels().map(ChannelName::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
}

/// Case: RTS3a/get-returns-existing-channel-1
/// Case: RTS3a/subscript-operator-channel-2
#[test]
fn rts3a_a_name_stands_for_one_channel() {
    let mut bench = Bench::new();
    bench.attach("c");
    bench.attach("c");
    assert_eq!(bench.client.channels().count(), 1);
}

/// Case: TB3/with-cipher-key-0
#[test]
fn tb3_a_channel_takes_a_cipher_key() {
    let key = CipherKey::from_bytes(&[7; 32]).unwrap();
    let options = ChannelOptions { cipher: Some(CipherParams::new(key)), ..ChannelOptions::default() };
    let mut bench = Bench::attached();
    bench.attach_with("c", options);
    assert!(bench.sent.is_empty(), "the server is not told");
    bench.publish(1);
    let message = bench.take_sent().remove(0).messages.remove(0);
    assert_eq!(message.encoding.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
}
