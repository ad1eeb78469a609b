//! A frame that many receive and that its channel may keep: its text, made once, for whatever names they use.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::channel::publish::normalize;
use crate::budget::{Charge, MemoryBudget, Purpose};
use rooms_protocol::{Action, ChannelName, ConnectionId, Format, Frame, Message, Timestamp, WireFrame, json};

/// What a kept frame takes beside its text, in bytes: itself, its counts, and what an allocator and shared bytes add.
const OVERHEAD: usize = size_of::<KeptFrame>() + 4 * 32;

/// A frame of a channel as it goes over the wire. It is JSON first, since most clients read that, and becomes MessagePack when
/// somebody needs that. What it holds is charged once, however many queues and histories hold it.
#[derive(Debug)]
pub(crate) struct KeptFrame {
    json: Bytes,
    msgpack: OnceLock<Bytes>,
    /// The connection that published it.
    publisher: Option<ConnectionId>,
    timestamp: Option<Timestamp>,
    /// How many messages it carries.
    messages: usize,
    charge: Charge,
}

impl KeptFrame {
    /// Keeps a frame under its channel's own name.
    pub(crate) fn new(frame: Frame, budget: &MemoryBudget) -> Self {
        let publisher = frame.connection_id.clone();
        let (timestamp, messages) = (frame.timestamp, frame.messages.len());
        Self { publisher, timestamp, messages, ..Self::of_text(json::encode(frame), budget) }
    }

    /// Keeps a frame whose presence messages are texts already. `head` is the frame without them.
    pub(crate) fn of_presence<'a>(head: Frame, presence: impl Iterator<Item = &'a str>, budget: &MemoryBudget) -> Self {
        let publisher = head.connection_id.clone();
        let timestamp = head.timestamp;
        let mut messages = 0;
        let presence = presence.inspect(|_| messages += 1).map(|text| ["", text]);
        let text = with_presence(head, presence);
        Self { publisher, timestamp, messages, ..Self::of_text(text, budget) }
    }

    fn of_text(text: String, budget: &MemoryBudget) -> Self {
        // Exactly as long as it is: what grew to its length has room for as much again.
        let json = Bytes::from(text.into_boxed_str().into_boxed_bytes());
        let charge = budget.charge(Purpose::Messages, OVERHEAD + json.len());
        Self { json, msgpack: OnceLock::new(), publisher: None, timestamp: None, messages: 0, charge }
    }

    /// The connection that published it.
    pub(crate) fn publisher(&self) -> Option<&ConnectionId> {
        self.publisher.as_ref()
    }

    /// When it was published.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// How many messages, or presence messages, it carries.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// The length of its JSON text, which counts towards limits, whoever receives it.
    pub(crate) fn len(&self) -> usize {
        self.json.len()
    }

    /// Whether it is there in `format` already.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn is_made(&self, format: Format) -> bool {
        format == Format::Json || self.msgpack.get().is_some()
    }

    /// The bytes that it holds in memory, about.
    pub(crate) fn held_bytes(&self) -> usize {
        self.charge.bytes()
    }

    /// The frame, with its payloads in the form in which the relay has them.
    pub(crate) fn frame(&self) -> Frame {
        // The relay wrote the text, so that it can be read.
        let text = str::from_utf8(&self.json).unwrap_or_default();
        let mut frame = json::decode(text).unwrap_or_else(|_| Frame::new(Action::Heartbeat));
        normalize_payloads(&mut frame);
        frame
    }

    /// The frame with its last `count` messages alone. They keep the ids that they had by their index.
    pub(crate) fn last_messages(&self, count: usize) -> Frame {
        let mut frame = self.frame();
        frame.inherit();
        frame.messages.drain(..frame.messages.len().saturating_sub(count));
        frame
    }

    /// The frame as it is sent in `format`, to somebody who calls its channel `name`: the channel's own name unless there is
    /// another.
    pub(crate) fn bytes(&self, format: Format, name: Option<&ChannelName>) -> Bytes {
        let own = match format {
            Format::Json => &self.json,
            Format::MsgPack => self.msgpack.get_or_init(|| {
                let bytes = encode(Format::MsgPack, self.frame());
                self.charge.grow(bytes.len());
                bytes
            }),
        };
        let renamed = name.and_then(|name| format.renamed(own, name));
        renamed.map_or_else(|| own.clone(), Bytes::from)
    }
}

/// Brings the payloads of a frame that was read into the form in which the relay has them.
pub(crate) fn normalize_payloads(frame: &mut Frame) {
    frame.messages.iter_mut().for_each(|message| normalize(&mut message.data, &mut message.encoding));
    frame.presence.iter_mut().for_each(|message| normalize(&mut message.data, &mut message.encoding));
}

/// A frame as it is sent in `format`.
pub(crate) fn encode(format: Format, frame: Frame) -> Bytes {
    match format.encode(frame) {
        WireFrame::Text(text) => text.into_boxed_str().into_boxed_bytes().into(),
        WireFrame::Binary(bytes) => bytes.into_boxed_slice().into(),
    }
}

/// The JSON text of a frame with presence messages, each of which comes in two parts. `head` is the frame without them.
pub(crate) fn with_presence<'a>(head: Frame, presence: impl Iterator<Item = [&'a str; 2]>) -> String {
    let mut text = json::encode(head);
    // The end of the object.
    text.pop();
    text.push_str(",\"presence\":[");
    for (index, parts) in presence.enumerate() {
        if index > 0 {
            text.push(',');
        }
        parts.into_iter().for_each(|part| text.push_str(part));
    }
    text.push_str("]}");
    text
}

/// One message of a kept frame.
#[derive(Clone, Debug)]
pub(crate) struct KeptMessage {
    pub(crate) frame: Arc<KeptFrame>,
    pub(crate) index: usize,
}

impl KeptMessage {
    /// The length of its JSON text, about.
    pub(crate) fn len(&self) -> usize {
        self.frame.len() / self.frame.messages().max(1)
    }

    /// The messages, complete. Each frame is read once where its messages follow each other.
    pub(crate) fn read(messages: &[Self]) -> Vec<Message> {
        let mut latest: Option<(&Arc<KeptFrame>, Frame)> = None;
        let mut read = Vec::with_capacity(messages.len());
        for Self { frame, index } in messages {
            let known = latest.take().filter(|(known, _)| Arc::ptr_eq(known, frame));
            let (_, decoded) = latest.insert(known.unwrap_or_else(|| (frame, frame.frame())));
            read.extend(decoded.complete_message(*index));
        }
        read
    }
}

/// Frames of the past, oldest first.
pub(crate) type KeptFrames = Vec<Arc<KeptFrame>>;

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Data, PresenceMessage};

    fn budget() -> MemoryBudget {
        MemoryBudget::new(1_000_000)
    }

    #[test]
    fn a_kept_frame_is_what_it_was_in_both_formats_and_under_all_names() {
        let mut frame = Frame::for_channel(Action::Message, "c".into());
        frame.messages = vec![Message::new("a", Data::Binary(vec![0, 255])), Message::new("b", "text")];
        let kept = KeptFrame::new(frame.clone(), &budget());
        assert_eq!((kept.frame(), kept.messages()), (frame.clone(), 2));
        for format in [Format::Json, Format::MsgPack] {
            assert_eq!(kept.bytes(format, None), encode(format, frame.clone()));
            let renamed = Frame { channel: Some("[?x]c".into()), ..frame.clone() };
            assert_eq!(kept.bytes(format, Some(&"[?x]c".into())), encode(format, renamed));
            assert!(std::ptr::eq(&*kept.bytes(format, None), &*kept.bytes(format, None)), "made once");
        }
    }

    #[test]
    fn presence_that_is_text_already_is_put_in_as_it_is() {
        let word = PresenceMessage { client_id: Some("ada".into()), ..PresenceMessage::default() };
        let text = serde_json::to_string(&word).unwrap();
        let head = Frame::for_channel(Action::Presence, "c".into());
        let kept = KeptFrame::of_presence(head.clone(), [&*text, &*text].into_iter(), &budget());
        assert_eq!(kept.frame(), Frame { presence: vec![word.clone(), word], ..head });
    }

    #[test]
    fn a_frame_is_charged_once_and_as_long_as_somebody_has_it() {
        let budget = budget();
        let frame = Frame { messages: vec![Message::new("a", "x".repeat(1_000))], ..Frame::new(Action::Message) };
        let kept = Arc::new(KeptFrame::new(frame, &budget));
        let (other, json) = (Arc::clone(&kept), budget.used());
        assert!((1_000..2_000).contains(&json) && json == kept.held_bytes());
        kept.bytes(Format::MsgPack, None);
        assert!(budget.used() > json + 1_000);
        drop(kept);
        assert!(budget.used() > json);
        drop(other);
        assert_eq!(budget.used(), 0);
    }
}
