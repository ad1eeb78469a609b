//! Publishing, what becomes of it, and receiving (`RTL6`, `RTL17`, `RTN7`).

use super::{ChannelContext, Channels, cipher};
use crate::{
    command::{Lifetime, OperationId},
    error::unusable_channel,
    event::{ChannelChange, ChannelState, Event},
    outbox::{Entry, EntryPurpose},
};
use rooms_protocol::{Action, ChannelName, ClientId, ErrorCode, ErrorInfo, Flags, Frame, Message, MsgSerial};

impl Channels {
    /// Publishes messages as one frame, now or once there is a connection (`RTL6`).
    pub(crate) fn publish(
        &self,
        operation: OperationId,
        name: ChannelName,
        mut messages: Vec<Message>,
        lifetime: Lifetime,
        cx: &mut ChannelContext<'_>,
    ) {
        if messages.is_empty() {
            return cx.base.effects.emit(Event::Published { operation, outcome: Ok(Vec::new()) });
        }
        let checked = self.check_publish(&name, &messages, cx).and_then(|()| {
            let cipher = self.cipher(&name);
            messages.iter_mut().for_each(|message| cipher::encrypt(cipher, message, cx.base.rng));
            cx.connectivity.check_size(messages.iter().map(Message::size).fold(0, usize::saturating_add))?;
            cx.outbox.check_capacity(&cx.connectivity, cx.base.options, lifetime)
        });
        if let Err(error) = checked {
            return cx.base.effects.emit(Event::Published { operation, outcome: Err(error) });
        }
        let frame = Frame { messages, ..Frame::for_channel(Action::Message, name) };
        let entry = Entry { purpose: EntryPurpose::Operation(operation), lifetime, frame };
        if cx.connectivity.is_connected() {
            let frame = cx.outbox.send(entry);
            cx.base.effects.send(frame);
        } else {
            cx.outbox.queue(entry);
        }
    }

    fn check_publish(
        &self,
        name: &ChannelName,
        messages: &[Message],
        cx: &ChannelContext<'_>,
    ) -> Result<(), ErrorInfo> {
        let state = self.state(name);
        if matches!(state, ChannelState::Suspended | ChannelState::Failed) {
            return Err(unusable_channel(state));
        }
        cx.connectivity.check_messages(messages)
    }

    /// The server took publishes and presence messages (`RTN7a`).
    pub(crate) fn on_ack(&mut self, frame: Frame, cx: &mut ChannelContext<'_>) {
        // A number that is left out is 0, and a count that is left out is 1.
        let (first, count) = (frame.msg_serial.unwrap_or(MsgSerial(0)), frame.count.unwrap_or(1));
        for taken in cx.outbox.acknowledge(first, count, frame.res) {
            if taken.entry.is_presence() {
                self.on_presence_acknowledged(&taken.entry, cx);
            }
            taken.entry.purpose.end(Ok(taken.serials), cx.base.effects);
        }
    }

    /// The server refused publishes and presence messages (`RTN7a`).
    pub(crate) fn on_nack(&self, frame: Frame, cx: &mut ChannelContext<'_>) {
        let (first, count) = (frame.msg_serial.unwrap_or(MsgSerial(0)), frame.count.unwrap_or(1));
        let reason = frame.error.map_or_else(
            || ErrorInfo::new(ErrorCode::INTERNAL, 500, "the server refused it without a reason"),
            |error| *error,
        );
        for entry in cx.outbox.refuse(first, count) {
            match (&entry.purpose, &entry.frame.channel) {
                (EntryPurpose::Reentry, Some(channel)) => {
                    let member = entry.frame.presence.first().and_then(|message| message.client_id.clone());
                    let change = self.reentry_refused(channel.clone(), member, reason.clone());
                    cx.base.effects.emit(Event::Channel(change));
                }
                _ => entry.purpose.end(Err(reason.clone()), cx.base.effects),
            }
        }
    }

    /// Presence could not be entered again (`RTP17e`).
    fn reentry_refused(&self, channel: ChannelName, member: Option<ClientId>, cause: ErrorInfo) -> ChannelChange {
        let name = member.map_or_else(|| "nobody".to_owned(), |member| member.to_string());
        let text = format!("{name} could not be entered again as a member: {}", cause.message);
        log::warn!("{channel}: {text}");
        let mut reason = ErrorInfo::new(ErrorCode::REENTRY_FAILED, 400, text);
        reason.cause = Some(Box::new(cause));
        let state = self.state(&channel);
        ChannelChange {
            channel,
            previous: state,
            current: state,
            resumed: true,
            has_backlog: false,
            modes: Flags::empty(),
            reason: Some(reason),
        }
    }

    /// Messages of a channel came (`RTL17`).
    pub(crate) fn on_messages(&mut self, mut frame: Frame, cx: &mut ChannelContext<'_>) {
        frame.inherit();
        let Some(name) = frame.channel.clone() else { return };
        let Some(channel) = self.known.get_mut(&name).filter(|channel| channel.is_attached()) else { return };
        channel.advance(&frame);
        let cipher = self.ciphers.get(&name);
        for message in &mut frame.messages {
            if let Err(error) = cipher::decode(cipher, &mut *message) {
                log::warn!("{name}: a message is delivered as it came: {error}");
            }
        }
        if !frame.messages.is_empty() {
            cx.base.effects.emit(Event::Messages { channel: name, messages: frame.messages });
        }
    }
}
