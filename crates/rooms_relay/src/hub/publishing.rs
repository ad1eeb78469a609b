//! How messages get onto a channel.

use std::sync::Arc;

use web_time::Instant;

use crate::{
    Identity, SharedFrame,
    error::not_permitted,
    hub::{
        Caller, Hub,
        channel::{attach_request::Address, key::ChannelKey, state::Channel},
        connection::ack_log::Answer,
    },
    limits::MAX_MESSAGE_ID,
};
use rooms_protocol::{
    Action, ChannelName, ConnectionId, Data, ErrorCode, ErrorInfo, Flags, Frame, Message, MessageAction, MessageSerial,
    MsgSerial, PublishResult,
};

/// What a publish counts towards rates.
struct Load {
    messages: usize,
    bytes: usize,
}

/// Messages that somebody wants on a channel.
pub(super) struct Publish {
    pub(super) key: ChannelKey,
    /// What the ids begin with of messages that have none of their own.
    pub(super) base: String,
    /// The connection that they are said to come from; none where they came over HTTP.
    pub(super) publisher: Option<ConnectionId>,
    pub(super) messages: Vec<Message>,
}

impl Hub {
    /// Publishes a MESSAGE frame, all of it or nothing.
    pub(super) fn publish(
        &mut self,
        caller: &Caller,
        serial: MsgSerial,
        frame: Frame,
        now: Instant,
    ) -> Result<Answer, ErrorInfo> {
        let key = self.target(caller, frame.channel.as_ref(), Flags::PUBLISH)?;
        let publish = Publish {
            key,
            base: format!("{}:{}", caller.id, serial.0),
            publisher: Some(caller.id.clone()),
            messages: frame.messages,
        };
        let serials = self.put_on_channel(publish, &caller.principal.identity, now)?;
        Ok(Answer::Published(PublishResult { serials }))
    }

    /// Publishes messages on behalf of `identity`, all of them or none. Gives their serials, in order.
    pub(super) fn put_on_channel(
        &mut self,
        publish: Publish,
        identity: &Identity,
        now: Instant,
    ) -> Result<Vec<Option<MessageSerial>>, ErrorInfo> {
        let Publish { key, base, publisher, mut messages } = publish;
        let limits = &self.config.limits;
        limits.check_count(messages.len())?;
        // Which brings no channel into being either.
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        for message in &mut messages {
            normalize(&mut message.data, &mut message.encoding);
        }
        let bytes = messages.iter().fold(0, |sum: usize, message| sum.saturating_add(size(message)));
        limits.check_size(bytes)?;
        check_ids(&messages)?;
        for message in &mut messages {
            stamp(message, identity)?;
        }
        self.check_rates(publisher.as_ref(), &key, Load { messages: messages.len(), bytes }, now)?;

        let (wall, node) = (self.clock.at(now), self.node.clone());
        let channel = self.channel_mut(&key, now)?;
        let mut serials = take_repeats(channel, &mut messages);
        if !messages.is_empty() {
            let position = channel.advance(wall);
            let vacant = serials.iter_mut().filter(|serial| serial.is_none());
            for (index, (message, vacant)) in messages.iter_mut().zip(vacant).enumerate() {
                let serial = position.message_serial(&node, index);
                message.serial = Some(serial.clone());
                *vacant = Some(serial);
            }
            let frame = Frame {
                id: Some(base),
                channel_serial: Some(position.channel_serial(&node)),
                connection_id: publisher.clone(),
                messages,
                timestamp: Some(wall),
                ..Frame::for_channel(Action::Message, key.name.clone())
            };
            let frame = Arc::new(SharedFrame::from(frame));
            // Ids, serials and escapes may make a small publish a large frame.
            self.config.limits.check_frame(frame.size())?;
            self.deliver(publisher.as_ref(), &key, position, frame, now);
        }
        Ok(serials)
    }

    /// The channel that a connection means to publish on, or enter. It need not be attached (transient publish), but if
    /// it is, then with `mode`.
    pub(super) fn target(
        &self,
        caller: &Caller,
        name: Option<&ChannelName>,
        mode: Flags,
    ) -> Result<ChannelKey, ErrorInfo> {
        let nameless = || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_NAME, 400, "the frame names no channel");
        let name = name.ok_or_else(nameless)?;
        let key = caller.key(Address::parse(name)?.channel);
        let attachment = self.channels.get(&key).and_then(|channel| channel.attachment(caller.link, name));
        let is_allowed = match attachment {
            // The modes were held against the credentials.
            Some(attachment) => attachment.modes.contains(mode),
            None => caller.principal.capability.modes(&key.name).contains(mode),
        };
        if !is_allowed {
            let why = "the credentials do not allow this here, or the channel is attached without the mode for it";
            return Err(not_permitted(why));
        }
        Ok(key)
    }

    fn check_rates(
        &self,
        publisher: Option<&ConnectionId>,
        key: &ChannelKey,
        load: Load,
        now: Instant,
    ) -> Result<(), ErrorInfo> {
        let limits = &self.config.limits;
        let refuse = |code, what: &str| {
            Err(ErrorInfo::new(code, 429, format!("the {what} carries more messages a second than it may; send fewer")))
        };
        if !self.account.has_room(load.messages, limits.account_rate, now) {
            return refuse(ErrorCode::ACCOUNT_RATE_EXCEEDED, "relay");
        }
        let of_connection =
            publisher.and_then(|id| self.connections.get(id)).map(|connection| connection.rate).unwrap_or_default();
        if !of_connection.has_room(load.messages, limits.connection_rate, now) {
            return refuse(ErrorCode::CONNECTION_RATE_EXCEEDED, "connection");
        }
        let meters = self.channels.get(key).map(|channel| (channel.rate, channel.bandwidth));
        let (rate, bandwidth) = meters.unwrap_or_default();
        if !rate.has_room(load.messages, limits.channel_rate, now) {
            return refuse(ErrorCode::CHANNEL_RATE_EXCEEDED, "channel");
        }
        if !bandwidth.has_room(load.bytes, limits.channel_bandwidth, now) {
            let why = "the channel carries more bytes a second than it may; send less";
            return Err(ErrorInfo::new(ErrorCode::CHANNEL_BANDWIDTH_EXCEEDED, 429, why));
        }
        Ok(())
    }
}

/// What a message counts towards the limit: by the letter of the protocol, and its encoding, which is sent on too.
pub(super) fn size(message: &Message) -> usize {
    message.size().saturating_add(message.encoding.as_ref().map_or(0, String::len))
}

/// Ids that clients give: short ones, and `<base>:<index>` with one base where there are several messages.
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

/// Brings a payload into the form in which it is kept, whatever frame it came in: bytes as bytes, and raw JSON as text.
/// Of that, objects and arrays say so, as in the cloud, and the rest is a string.
pub(super) fn normalize(data: &mut Option<Data>, encoding: &mut Option<String>) {
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

/// Takes out the messages that the channel has already, by the id that their client gave.
///
/// Gives, for each message that came, the serial that it has, or `None` for one that is new.
fn take_repeats(channel: &Channel, messages: &mut Vec<Message>) -> Vec<Option<MessageSerial>> {
    let mut serials = Vec::with_capacity(messages.len());
    messages.retain(|message| {
        let earlier = message.id.as_deref().and_then(|id| channel.log.serial_of(id)).cloned();
        serials.push(earlier);
        serials.last().is_some_and(Option::is_none)
    });
    serials
}
