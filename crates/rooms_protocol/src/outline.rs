//! What a frame says about itself before it is built: who waits for which answer, and how large it would be in memory.
//!
//! A few bytes can stand for a large structure: `{}` is an empty message. So a server looks at the outline of what a stranger
//! sent first. It also answers with it where the frame itself cannot be read.

use std::fmt;

use super::{Action, ChannelName, DecodeError, Frame, Message, MsgSerial, PresenceMessage, PublishResult};

/// Most bytes of structures that a frame may become for each byte that it has on the wire. Its texts come on top of that: nil,
/// one byte in MessagePack, becomes five bytes of JSON, and a control character six. Together they stay below 20.
const PROPORTION: usize = 13;

/// Most bytes of text that one byte of MessagePack becomes: a control character is six characters in JSON.
const MSGPACK_EXPANSION: usize = 7;

/// Most bytes of text that one byte of JSON becomes: `1e9` is written out.
const JSON_EXPANSION: usize = 4;

/// Bytes of structures that every frame may become.
const ALLOWANCE: usize = 4 * 1024;

/// What a list of its own costs beside its elements, about, in bytes.
const LIST: usize = 48;

/// What a parameter costs in a map, about, in bytes.
const PARAM: usize = 128;

/// What can be read of a frame without building it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What the frame is about.
    pub action: Option<Action>,
    /// The number that its sender waits for.
    pub msg_serial: Option<MsgSerial>,
    /// The channel.
    pub channel: Option<ChannelName>,
    /// Whether it has its end. One that was cut on the way has not, and comes whole when it is sent again.
    pub is_whole: bool,
    /// How many messages or presence messages it holds.
    messages: usize,
    /// How many other parts it holds.
    parts: usize,
    /// The bytes of the structures that it would become, about. Its texts come on top of that.
    weight: usize,
    /// Whether it is in MessagePack.
    is_packed: bool,
}

/// The size of a field's value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// The elements of a list, or the entries of a map.
    pub(super) children: usize,
    /// All values, those inside others too.
    pub(super) values: usize,
}

impl Outline {
    /// Counts a field. Fields that are skipped weigh nothing.
    pub(super) fn count(&mut self, field: &str, Part { children, values }: Part) {
        let weight = match field {
            "messages" => children.saturating_mul(size_of::<Message>()),
            "presence" => children.saturating_mul(size_of::<PresenceMessage>()),
            "res" => values.saturating_mul(size_of::<PublishResult>().max(LIST)),
            "params" => children.saturating_mul(PARAM),
            _ => return,
        };
        match field {
            "messages" | "presence" => self.messages = self.messages.max(children),
            _ => self.parts = self.parts.max(children),
        }
        self.weight = self.weight.saturating_add(weight);
    }

    /// The outline of a frame in MessagePack of which nothing is read yet.
    pub(super) fn packed() -> Self {
        Self { is_packed: true, ..Self::default() }
    }

    /// Most bytes that a frame of this outline holds in memory when it is built, about. It has `length` bytes on the wire.
    pub fn most_bytes(&self, length: usize) -> usize {
        let expansion = if self.is_packed { MSGPACK_EXPANSION } else { JSON_EXPANSION };
        self.weight.saturating_add(length.saturating_mul(expansion)).saturating_add(ALLOWANCE)
    }

    fn check(&self, length: usize, most: usize) -> Result<(), DecodeError> {
        if self.messages > most {
            return Err(DecodeError::TooManyMessages { count: self.messages, most });
        }
        if self.parts > most || self.weight > length.saturating_mul(PROPORTION).saturating_add(ALLOWANCE) {
            return Err(DecodeError::OutOfProportion);
        }
        Ok(())
    }
}

/// Why a server does not take what came, and what that says about itself nevertheless.
#[derive(Debug)]
pub struct Unreadable {
    /// Why.
    pub error: DecodeError,
    /// What could be read.
    pub outline: Outline,
}

impl Unreadable {
    /// Builds a frame of `length` bytes unless its outline speaks against it.
    pub(super) fn unless(
        outline: Outline,
        length: usize,
        most: usize,
        build: impl FnOnce() -> Result<Frame, DecodeError>,
    ) -> Result<Frame, Self> {
        let built = outline.check(length, most).and_then(|()| build());
        built.map_err(|error| Self { error, outline })
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, WireFrame, json, msgpack};

    fn outlines(text: &str) -> [Outline; 2] {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        [json::outline(text), msgpack::outline(&msgpack::to_vec(&value))]
    }

    #[test]
    fn action_number_and_channel_are_read_whatever_else_is_wrong() {
        for outline in outlines(
            r#"{"id":{"x":[1,"]"]}, "action":15.0,"messages":[{"name":5},7],"channel":"a\"b","msgSerial" : 3 ,"x":null}"#,
        ) {
            assert_eq!((outline.action, outline.msg_serial), (Some(Action::Message), Some(MsgSerial(3))));
            assert_eq!((outline.channel, outline.messages), (Some("a\"b".into()), 2));
        }
        for text in [
            r#"{"action":15,"messages":[{"data":"cut \ud83d"}],"msgSerial":4}"#,
            r#"{"action":15,"messages":[{"data":NaN}],"msgSerial":4}"#,
            r#"{"msgSerial":4,"action":15,"messages":[{"data":"#,
            r#"{"action":15,"messages":[{"extras":[1]}],"msgSerial":4}"#,
            r#"{"action":15,"\u006dsgSerial":4,"data":"]}\\"}"#,
        ] {
            let outline = json::outline(text);
            assert!(json::decode(text).is_err() || text.contains('\\'));
            assert_eq!((outline.action, outline.msg_serial), (Some(Action::Message), Some(MsgSerial(4))), "{text}");
        }
        let bytes = msgpack::to_vec(&serde_json::json!({ "action": 15, "msgSerial": 4, "z": [1, 2] }));
        let outline = msgpack::outline(&bytes[..bytes.len() - 1]);
        assert_eq!((outline.action, outline.msg_serial), (Some(Action::Message), Some(MsgSerial(4))));
    }

    #[test]
    fn a_frame_that_was_cut_is_not_whole_wherever_that_was() {
        let text = r#"{"action":15,"msgSerial":4,"messages":[{"data":"}"}]}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let bytes = msgpack::to_vec(&value);
        assert!(json::outline(text).is_whole && msgpack::outline(&bytes).is_whole);
        assert!((0..text.len()).all(|length| !json::outline(&text[..length]).is_whole));
        assert!((0..bytes.len()).all(|length| !msgpack::outline(&bytes[..length]).is_whole));
        assert!(!json::outline(&format!("{text}{text}")).is_whole && json::outline(&format!("{text} ")).is_whole);
        assert!(json::outline(r#"{"messages":[{"data":NaN,"name":"\ud83d"}]}"#).is_whole, "wrong, but with its end");
    }

    #[test]
    fn nonsense_says_nothing_about_itself() {
        for text in ["", "{", "[15]", "null", r#"{"action"}"#, r#"{"action":"x","msgSerial":[]}"#, "}{\"action\":15}"] {
            for outline in [json::outline(text), msgpack::outline(text.as_bytes())] {
                assert_eq!((outline.action, outline.msg_serial, outline.channel), (None, None, None), "{text}");
            }
        }
    }

    #[test]
    fn more_messages_than_there_may_be_are_not_built() {
        let frame = |count: usize| {
            format!(r#"{{"action":15,"messages":[{}]}}"#, vec![r#"{"data":"0123456789"}"#; count].join(","))
        };
        for (count, fits) in [(3, true), (4, false)] {
            let value: serde_json::Value = serde_json::from_str(&frame(count)).unwrap();
            for wire in [WireFrame::Text(frame(count)), WireFrame::Binary(msgpack::to_vec(&value))] {
                let error = wire.decode_checked(3).err().map(|unreadable| unreadable.error);
                assert!(matches!(error, Some(DecodeError::TooManyMessages { count: 4, most: 3 })) != fits, "{wire:?}");
            }
        }
    }

    #[test]
    fn what_is_out_of_proportion_is_not_built() {
        for (field, element, most) in [("messages", "{}", 1_000), ("presence", "{}", 1_000), ("res", "{}", 10_000)] {
            let list = vec![element; most].join(",");
            let text = format!(r#"{{"action":15,"msgSerial":1,"{field}":[{list}]}}"#);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            for wire in [WireFrame::Text(text.clone()), WireFrame::Binary(msgpack::to_vec(&value))] {
                let unreadable = wire.decode_checked(most).unwrap_err();
                assert!(matches!(unreadable.error, DecodeError::OutOfProportion), "{field} {wire:?}");
                assert_eq!(unreadable.outline.msg_serial, Some(MsgSerial(1)));
            }
        }
        let mut frame = Frame::new(Action::Message);
        frame.messages = vec![Message::new("move", "12,7"); 1_000];
        for format in [Format::Json, Format::MsgPack] {
            assert!(
                format.encode(frame.clone()).decode_checked(1_000).is_ok(),
                "{format:?}: small messages are none of that"
            );
        }
    }
}
