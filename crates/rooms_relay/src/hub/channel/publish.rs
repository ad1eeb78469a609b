//! A publish before it is on its channel: the checks of its messages, and the form in which they are delivered.

use std::sync::Arc;

use super::{key::ChannelKey, replay::OwnId, serial::Position};
use crate::{
    auth::Identity,
    hub::kept_frame::KeptFrame,
    limits::{Limits, MAX_MESSAGE_ID},
};
use rooms_protocol::{ConnectionId, Data, ErrorCode, ErrorInfo, Message, MessageAction, MessageSerial};

/// What a publish counts towards rates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Messages for a channel.
pub(crate) struct Publish {
    pub(crate) key: ChannelKey,
    /// The first part of the ids of messages that have none of their own.
    pub(crate) base: String,
    /// The connection that they come from. Messages that came over HTTP may have none.
    pub(crate) publisher: Option<ConnectionId>,
    pub(crate) messages: Vec<Message>,
}

impl Publish {
    /// Checks the messages, and puts them into the form in which they are delivered on behalf of `identity`.
    ///
    /// # Errors
    /// 40034 and 40009 for too many messages or bytes, 40031 for wrong ids, 40030 where some of them are ephemeral and some are
    /// not, 40012 for a client id that is not allowed, 93002 for an update or deletion.
    pub(crate) fn prepare(&mut self, identity: &Identity, limits: &Limits) -> Result<Load, ErrorInfo> {
        limits.check_count(self.messages.len())?;
        for message in &mut self.messages {
            normalize(&mut message.data, &mut message.encoding);
        }
        let load = Load::of(&self.messages);
        limits.check_size(load.bytes)?;
        check_ids(&self.messages)?;
        check_kinds(&self.messages)?;
        for message in &mut self.messages {
            stamp(message, identity)?;
        }
        Ok(load)
    }
}

/// What became of a publish.
pub(crate) struct Published {
    /// The serials of its messages, in order.
    pub(crate) serials: Vec<Option<MessageSerial>>,
    /// Where those of them are that are new. `None` where the channel had all of them already.
    pub(crate) position: Option<Position>,
    /// How many are new.
    pub(crate) new: usize,
}

/// What a channel made of a publish.
pub(crate) struct Accepted {
    /// The serials of its messages, in order.
    pub(crate) serials: Vec<Option<MessageSerial>>,
    /// What is to be delivered. `None` where the channel had all of the messages already.
    pub(crate) delivery: Option<Delivery>,
}

/// A MESSAGE frame that is to be delivered.
pub(crate) struct Delivery {
    pub(crate) position: Position,
    pub(crate) frame: Arc<KeptFrame>,
    /// The ids that clients gave its messages.
    pub(crate) ids: Vec<(OwnId, MessageSerial)>,
    /// Whether the channel does not keep it.
    pub(crate) is_ephemeral: bool,
    /// What it counts towards rates.
    pub(crate) load: Load,
}

impl Load {
    /// What these messages count.
    pub(crate) fn of(messages: &[Message]) -> Self {
        Self { messages: messages.len(), bytes: messages.iter().map(size).fold(0, usize::saturating_add) }
    }
}

/// What a message counts towards the limit: its size as the protocol defines it, and its encoding, which is sent on too.
pub(crate) fn size(message: &Message) -> usize {
    message.size().saturating_add(message.encoding.as_ref().map_or(0, String::len))
}

/// Checks the ids that clients give: short ones, and `<base>:<index>` with one base where there are several messages.
fn check_ids(messages: &[Message]) -> Result<(), ErrorInfo> {
    let refuse = |message| Err(ErrorInfo::new(ErrorCode::INVALID_MESSAGE_ID, 400, message));
    let ids: Vec<&str> = messages.iter().filter_map(|message| message.id.as_deref()).collect();
    if ids.iter().any(|id| id.is_empty() || id.len() > MAX_MESSAGE_ID) {
        return refuse("a message's id must be 1 to 256 bytes");
    }
    if messages.len() < 2 || ids.is_empty() {
        return Ok(());
    }
    let base = ids[0].rsplit_once(':').map_or("", |(base, _)| base);
    let fits = |(index, id): (usize, &&str)| id.rsplit_once(':') == Some((base, index.to_string().as_str()));
    if ids.len() == messages.len() && !base.is_empty() && ids.iter().enumerate().all(fits) {
        Ok(())
    } else {
        refuse("of several messages in one publish, all ids must be one base with :0, :1 and so on")
    }
}

/// Refuses a publish of messages of which some are ephemeral: it has one place in the channel, which is kept or not.
fn check_kinds(messages: &[Message]) -> Result<(), ErrorInfo> {
    let ephemeral = messages.iter().filter(|message| message.is_ephemeral()).count();
    if ephemeral == 0 || ephemeral == messages.len() {
        return Ok(());
    }
    let why = "of several messages in one publish, all must be ephemeral or none; publish them apart";
    Err(ErrorInfo::new(ErrorCode::INVALID_PUBLISH, 400, why))
}

/// Puts a message into the form in which it is delivered: only the server says who sent it, when, and as what.
fn stamp(message: &mut Message, identity: &Identity) -> Result<(), ErrorInfo> {
    if !matches!(message.action, None | Some(MessageAction::Create)) {
        let why = "messages on this channel cannot be updated, deleted or appended to";
        return Err(ErrorInfo::new(ErrorCode::MESSAGE_UPDATES_DISABLED, 400, why));
    }
    message.client_id = identity.stamp(message.client_id.as_ref())?;
    message.connection_id = None;
    message.connection_key = None;
    message.timestamp = None;
    message.version = None;
    Ok(())
}

/// Brings a payload into the form in which the relay keeps it, in whichever frame it came: bytes as bytes, and raw JSON as
/// text. The encoding of objects and arrays says that they are JSON, as in Ably's cloud. Other JSON becomes a plain string.
pub(crate) fn normalize(data: &mut Option<Data>, encoding: &mut Option<String>) {
    match data.take() {
        Some(Data::Json(value)) if !value.is_object() && !value.is_array() => {
            *data = Some(Data::Text(value.to_string()))
        }
        Some(other) => {
            let (kept, steps) = other.into_canonical(encoding.take());
            *data = Some(kept);
            *encoding = steps;
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(messages: Vec<Message>) -> Publish {
        let key = ChannelKey { app: crate::ApiKey::development().app().clone(), name: "c".into() };
        Publish { key, base: "b".to_owned(), publisher: None, messages }
    }

    fn code(messages: Vec<Message>, limits: &Limits) -> Option<u32> {
        publish(messages).prepare(&Identity::Anonymous, limits).err().map(|error| error.code.0)
    }

    #[test]
    fn a_load_counts_messages_and_their_bytes() {
        let mut publish = publish(vec![Message::new("ab", "cde"), Message::new("f", "g")]);
        let load = publish.prepare(&Identity::Anonymous, &Limits::default()).unwrap();
        assert_eq!((load.messages, load.bytes), (2, 7));
    }

    #[test]
    fn too_much_is_refused_before_wrong_ids_and_claims() {
        let message =
            || Message { id: Some(String::new()), client_id: Some("ada".into()), ..Message::new("ab", "cde") };
        let limits = |count, size| Limits { messages_per_frame: count, max_message_size: size, ..Limits::default() };
        assert_eq!(code(vec![message(), message()], &limits(1, 1)), Some(40034));
        assert_eq!(code(vec![message()], &limits(1, 1)), Some(40009));
        assert_eq!(code(vec![message()], &limits(1, 99)), Some(ErrorCode::INVALID_MESSAGE_ID.0));
        assert_eq!(code(vec![Message { id: None, ..message() }], &limits(1, 99)), Some(40012));
    }
}
