//! How much memory frames hold: their structures and all that these own, as an allocator sees it.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::{Data, ErrorInfo, Frame, Message, PresenceMessage, PublishResult};

/// What an allocator adds to a block, about, in bytes.
const BLOCK: usize = 16;

/// The longest text that a [`SmolStr`] holds without memory of its own, in bytes.
const INLINE: usize = 23;

/// What a counted text has beside its bytes.
const COUNTS: usize = 16;

/// What an entry of a map holds beside its text, about, in bytes: the nodes of a map are half full, or less.
const ENTRY: usize = 5 * size_of::<(SmolStr, String)>() / 2;

/// What a map holds as soon as it has an entry: a node.
const NODE: usize = 11 * size_of::<(SmolStr, String)>() + 2 * BLOCK;

impl Frame {
    /// The bytes that the frame holds in memory, about, itself included.
    pub fn held_bytes(&self) -> usize {
        let ids = [
            self.channel.as_ref().map(|name| name.as_str()),
            self.channel_serial.as_ref().map(|serial| serial.as_str()),
            self.connection_id.as_ref().map(|id| id.as_str()),
        ];
        size_of::<Self>()
            + string(self.id.as_ref())
            + ids.into_iter().flatten().map(shared).sum::<usize>()
            + self.connection_details.as_ref().map_or(0, |details| {
                let key = details.connection_key.as_ref().map_or(0, |key| shared(key.as_str()));
                let client = details.client_id.as_ref().map_or(0, |id| shared(id.as_str()));
                block(size_of_val(&**details)) + key + client + string(details.server_id.as_ref())
            })
            + list(&self.res, PublishResult::owned_bytes)
            + self.error.as_ref().map_or(0, |error| block(size_of_val(&**error)) + error.owned_bytes())
            + map(&self.params)
            + list(&self.messages, Message::owned_bytes)
            + list(&self.presence, PresenceMessage::owned_bytes)
            + self.auth.as_ref().map_or(0, |auth| block(size_of_val(&**auth)) + string(auth.access_token.as_ref()))
    }
}

impl Message {
    /// The bytes that the message holds in memory, about, itself included.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.owned_bytes()
    }

    fn owned_bytes(&self) -> usize {
        let ids = [
            self.client_id.as_ref().map(|id| id.as_str()),
            self.connection_id.as_ref().map(|id| id.as_str()),
            self.connection_key.as_ref().map(|key| key.as_str()),
            self.serial.as_ref().map(|serial| serial.as_str()),
        ];
        string(self.id.as_ref())
            + string(self.name.as_ref())
            + ids.into_iter().flatten().map(shared).sum::<usize>()
            + self.data.as_ref().map_or(0, Data::owned_bytes)
            + string(self.encoding.as_ref())
            + self.extras.as_ref().map_or(0, |extras| block(extras.as_str().len()))
            + self.version.as_ref().map_or(0, |version| {
                let ids = [
                    version.serial.as_ref().map(|serial| serial.as_str()),
                    version.client_id.as_ref().map(|id| id.as_str()),
                ];
                block(size_of_val(&**version)) + ids.into_iter().flatten().map(shared).sum::<usize>()
            })
    }
}

impl PresenceMessage {
    /// The bytes that the message holds in memory, about, itself included.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.owned_bytes()
    }

    fn owned_bytes(&self) -> usize {
        string(self.id.as_ref())
            + self.client_id.as_ref().map_or(0, |id| shared(id.as_str()))
            + self.connection_id.as_ref().map_or(0, |id| shared(id.as_str()))
            + self.data.as_ref().map_or(0, Data::owned_bytes)
            + string(self.encoding.as_ref())
            + self.extras.as_ref().map_or(0, |extras| block(extras.as_str().len()))
    }
}

impl Data {
    fn owned_bytes(&self) -> usize {
        match self {
            Self::Text(text) => block(text.capacity()),
            Self::Binary(bytes) => block(bytes.capacity()),
            // A tree of small values holds up to so much for each byte of its text. Nothing that came over a wire is one.
            Self::Json(_) => self.size() * 32,
        }
    }
}

impl PublishResult {
    fn owned_bytes(&self) -> usize {
        list(&self.serials, |serial| serial.as_ref().map_or(0, |serial| shared(serial.as_str())))
    }
}

impl ErrorInfo {
    fn owned_bytes(&self) -> usize {
        let cause = self.cause.as_ref().map_or(0, |cause| block(size_of_val(&**cause)) + cause.owned_bytes());
        block(self.message.capacity()) + string(self.href.as_ref()) + cause
    }
}

fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + BLOCK }
}

fn string(text: Option<&String>) -> usize {
    text.map_or(0, |text| block(text.capacity()))
}

fn shared(text: &str) -> usize {
    if text.len() > INLINE { block(COUNTS + text.len()) } else { 0 }
}

fn list<T>(list: &Vec<T>, owned: impl Fn(&T) -> usize) -> usize {
    block(list.capacity() * size_of::<T>()) + list.iter().map(owned).sum::<usize>()
}

fn map(map: &BTreeMap<SmolStr, String>) -> usize {
    let entries = map.iter().map(|(name, value)| ENTRY + shared(name) + block(value.capacity())).sum::<usize>();
    entries + if map.is_empty() { 0 } else { NODE }
}
