//! How messages get onto a channel.

use std::sync::Arc;

use web_time::Instant;

use super::{Caller, Hub};
use crate::{
    protocol::{
        Action, ChannelName, ConnectionId, Data, ErrorCode, ErrorInfo, Flags, Frame, Message, MessageAction,
        MessageSerial, MsgSerial, PublishResult,
    },
    relay::{
        Identity, SharedFrame,
        answers::Answer,
        attach::Address,
        channel::{Channel, ChannelKey},
        limits::MAX_MESSAGE_ID,
        serial::Position,
    },
};

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
        let mut messages = frame.messages;
        let limits = &self.config.limits;
        limits.check_count(messages.len())?;
        limits.check_size(messages.iter().fold(0, |sum, message| sum.saturating_add(size(message))))?;
        check_ids(&messages)?;
        for message in &mut messages {
            stamp(message, &caller.principal.identity)?;
        }
        self.check_rates(&caller.id, &key, messages.len(), now)?;

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
                id: Some(format!("{}:{}", caller.id, serial.0)),
                channel_serial: Some(position.channel_serial(&node)),
                connection_id: Some(caller.id.clone()),
                messages,
                timestamp: Some(wall),
                ..Frame::for_channel(Action::Message, key.name.clone())
            };
            let frame = Arc::new(SharedFrame::from(frame));
            // Ids, serials and escapes may make a small publish a large frame.
            self.config.limits.check_frame(frame.json().len())?;
            self.deliver(&caller.id, &key, position, frame, now);
        }
        Ok(Answer::Published(PublishResult { serials }))
    }

    fn deliver(
        &mut self,
        id: &ConnectionId,
        key: &ChannelKey,
        position: Position,
        frame: Arc<SharedFrame>,
        now: Instant,
    ) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let count = frame.frame().messages.len();
        let before = channel.log.bytes();
        channel.publish(position, frame, now, &self.config.limits, &mut self.out);
        channel.rate.count(count, now);
        // What all keep together is bounded by letting this one keep less: the others' clients did nothing for it.
        let others = self.kept_bytes.saturating_sub(before);
        channel.log.shrink_to(usize::MAX, self.config.limits.replay_bytes_total.saturating_sub(others));
        self.kept_bytes = others.saturating_add(channel.log.bytes());
        if let Some(connection) = self.connections.get_mut(id) {
            connection.rate.count(count, now);
        }
        self.watch(key, now);
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
        if attachment.is_some_and(|attachment| !attachment.modes.contains(mode)) {
            let why = "the channel is attached without the mode that this needs; attach with it";
            return Err(ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, why));
        }
        Ok(key)
    }

    fn check_rates(&self, id: &ConnectionId, key: &ChannelKey, count: usize, now: Instant) -> Result<(), ErrorInfo> {
        let limits = &self.config.limits;
        let refuse = |code, what: &str| {
            Err(ErrorInfo::new(code, 429, format!("the {what} carries more messages a second than it may; send fewer")))
        };
        let of_connection = self.connections.get(id).map(|connection| connection.rate).unwrap_or_default();
        if !of_connection.has_room(count, limits.connection_rate, now) {
            return refuse(ErrorCode::CONNECTION_RATE_EXCEEDED, "connection");
        }
        let of_channel = self.channels.get(key).map(|channel| channel.rate).unwrap_or_default();
        if !of_channel.has_room(count, limits.channel_rate, now) {
            return refuse(ErrorCode::CHANNEL_RATE_EXCEEDED, "channel");
        }
        Ok(())
    }
}

/// What a message counts towards the limit: by the letter of the protocol, and its encoding, which is sent on too.
fn size(message: &Message) -> usize {
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
    normalize(&mut message.data, &mut message.encoding);
    Ok(())
}

/// Turns raw JSON in place of a payload into text, as the cloud does: objects and arrays say so, the rest is a string.
pub(super) fn normalize(data: &mut Option<Data>, encoding: &mut Option<String>) {
    match data.take() {
        Some(Data::Json(value)) if !value.is_object() && !value.is_array() => {
            *data = Some(Data::Text(value.to_string()))
        }
        Some(other) => {
            let (wire, steps) = other.into_json_frame(encoding.take());
            *data = Some(wire);
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
