//! The two forms in which a frame goes over a socket, and the choice between them.

use std::fmt;

use super::{ChannelName, Frame, Unreadable, json, msgpack};

/// How a connection writes its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON in text messages: larger, and readable in a browser's network panel.
    #[default]
    Json,
    /// MessagePack in binary messages: smaller, and bytes travel as they are.
    MsgPack,
}

impl Format {
    /// What the query parameter `format` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
        }
    }

    /// The format that the query parameter `format` names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::MsgPack].into_iter().find(|format| format.name() == name)
    }

    /// The same frame under another name of its channel, without reading the rest of it. `None` unless it is a frame that
    /// [`encode`](Self::encode) wrote, with a channel.
    pub fn renamed(self, frame: &[u8], name: &ChannelName) -> Option<Vec<u8>> {
        match self {
            Self::Json => json::renamed(frame, name),
            Self::MsgPack => msgpack::renamed(frame, name),
        }
    }

    /// Writes one frame. Payloads that are not in their wire form yet are turned into it.
    pub fn encode(self, frame: Frame) -> WireFrame {
        match self {
            Self::Json => WireFrame::Text(json::encode(frame)),
            Self::MsgPack => WireFrame::Binary(msgpack::encode(frame)),
        }
    }
}

/// A frame as a WebSocket message. It may hold a token or a connection's key, so that debug output shows its length alone.
#[derive(Clone, PartialEq, Eq)]
pub enum WireFrame {
    /// JSON, in a text message.
    Text(String),
    /// MessagePack, in a binary message.
    Binary(Vec<u8>),
}

impl fmt::Debug for WireFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Text(_)) { "Text" } else { "Binary" };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

impl WireFrame {
    /// Reads the frame. What kind of message it came in says how: a text is no MessagePack, and bytes are no JSON.
    ///
    /// # Errors
    /// As [`json::decode`] and [`msgpack::decode`].
    pub fn decode(&self) -> Result<Frame, DecodeError> {
        match self {
            Self::Text(text) => json::decode(text),
            Self::Binary(bytes) => msgpack::decode(bytes),
        }
    }

    /// Reads a frame that a stranger sent, with `most` messages or presence messages.
    ///
    /// # Errors
    /// As [`json::decode_checked`] and [`msgpack::decode_checked`].
    pub fn decode_checked(&self, most: usize) -> Result<Frame, Unreadable> {
        match self {
            Self::Text(text) => json::decode_checked(text, most),
            Self::Binary(bytes) => msgpack::decode_checked(bytes, most),
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it, which is no frame.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a frame could not be read. Tell the other side, drop the frame, go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The text is no JSON, is cut short, or a field has a type that does not fit.
    #[error("the frame is not valid: {0}; check that both ends speak the realtime protocol in JSON")]
    Json(#[from] serde_json::Error),
    /// The bytes are no MessagePack, are cut short, or a field has a type that does not fit.
    #[error("the frame is not valid: {0}; check that both ends speak the realtime protocol in MessagePack")]
    MsgPack(#[from] rmp_serde::decode::Error),
    /// More came than one frame.
    #[error("something follows the frame; send one frame per WebSocket message")]
    TrailingBytes,
    /// It holds more messages than the server takes.
    #[error("a frame may hold {most} messages, not {count}; send them in several")]
    TooManyMessages {
        /// How many it holds.
        count: usize,
        /// How many it may hold.
        most: usize,
    },
    /// It has so many empty parts that it would be far larger in memory than on the wire.
    #[error("the frame has too many parts for its size; leave out those that are empty")]
    OutOfProportion,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Message};

    #[test]
    fn the_kind_of_message_says_how_it_is_read() {
        for format in [Format::Json, Format::MsgPack] {
            let wire = format.encode(Frame::new(Action::Heartbeat));
            assert_eq!(matches!(wire, WireFrame::Text(_)), format == Format::Json);
            assert_eq!(wire.decode().unwrap(), Frame::new(Action::Heartbeat));
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
        assert_eq!(Format::from_name("xml"), None);
        assert!(WireFrame::Binary(b"{\"action\":0}".to_vec()).decode().is_err());
    }

    #[test]
    fn a_frame_is_the_same_under_another_name_of_its_channel() {
        let long = "x".repeat(300);
        for (name, other) in [("c", "[?rewind=1]c"), ("quo\"te\\", "c"), ("é{}", "quo\"te"), ("c", &long), (&long, "")]
        {
            let mut frame = Frame::for_channel(Action::Message, name.into());
            frame.id = Some("id".to_owned());
            frame.messages = vec![Message::new("channel", "\"channel\":\"c\"")];
            for format in [Format::Json, Format::MsgPack] {
                let bytes = |frame: &Frame| match format.encode(frame.clone()) {
                    WireFrame::Text(text) => text.into_bytes(),
                    WireFrame::Binary(bytes) => bytes,
                };
                let renamed = Frame { channel: Some(other.into()), ..frame.clone() };
                assert_eq!(
                    format.renamed(&bytes(&frame), &other.into()),
                    Some(bytes(&renamed)),
                    "{format:?} {name} {other}"
                );
                let nameless = Frame { channel: None, ..frame.clone() };
                assert_eq!(format.renamed(&bytes(&nameless), &other.into()), None);
            }
        }
        for nonsense in
            [&b""[..], b"{", b"{\"action\":1,\"channel\":\"c", b"\x81", b"\x82\xa6action\x01\xa7channel\xa5c"]
        {
            assert_eq!(Format::Json.renamed(nonsense, &"d".into()), None);
            assert_eq!(Format::MsgPack.renamed(nonsense, &"d".into()), None);
        }
    }

    #[test]
    fn what_is_in_a_frame_does_not_show_in_debug_output() {
        let wire = WireFrame::Text(r#"{"action":17,"auth":{"accessToken":"hush"}}"#.to_owned());
        assert_eq!(format!("{wire:?}"), "Text(43 bytes)");
        let frame = wire.decode().unwrap();
        assert!(!format!("{frame:?}").contains("hush"));
    }
}
