//! Presence: entering, staying entered over reconnects, and what the server tells of the members (`RTP`).

use super::{ChannelContext, Channels, cipher};
use crate::{
    command::{Lifetime, MemberQuery, OperationId, PresenceCommand},
    connection::connectivity::check_data,
    error::unusable_channel,
    event::{ChannelState, Event},
    outbox::{Entry, EntryPurpose},
};
use rooms_protocol::{
    Action, ChannelName, ErrorCode, ErrorInfo, Flags, Frame, PresenceAction, PresenceMessage, Timestamp,
};

/// What a presence operation or a question for members needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Needs {
    /// Nothing more.
    Nothing,
    /// Attach the channel, with the options that it has.
    Attach,
}

impl Channels {
    /// Publishes a presence message, or keeps it until the channel is attached (`RTP8`, `RTP16`).
    pub(crate) fn publish_presence(
        &mut self,
        operation: OperationId,
        name: &ChannelName,
        mut message: PresenceMessage,
        cx: &mut ChannelContext<'_>,
    ) -> Needs {
        let checked = self.check_presence(name, &message, cx).and_then(|()| {
            cipher::encrypt(self.cipher(name), &mut message, cx.base.rng);
            cx.connectivity.check_size(message.size())
        });
        if let Err(error) = checked {
            cx.base.effects.emit(Event::Published { operation, outcome: Err(error) });
            return Needs::Nothing;
        }
        let entry = presence_entry(EntryPurpose::Operation(operation), name.clone(), message);
        match self.state(name) {
            ChannelState::Attached if cx.connectivity.is_connected() => {
                let frame = cx.outbox.send(entry);
                cx.base.effects.send(frame);
                Needs::Nothing
            }
            ChannelState::Initialized => {
                cx.outbox.hold(entry);
                Needs::Attach
            }
            _ => {
                cx.outbox.hold(entry);
                Needs::Nothing
            }
        }
    }

    fn check_presence(
        &self,
        name: &ChannelName,
        message: &PresenceMessage,
        cx: &ChannelContext<'_>,
    ) -> Result<(), ErrorInfo> {
        cx.connectivity.check_member(message.client_id.as_ref())?;
        match self.state(name) {
            ChannelState::Attached => {}
            // Without queueing nothing waits for a channel either (`RTP16b`).
            ChannelState::Initialized | ChannelState::Attaching if cx.base.options.queue_messages => {}
            state => return Err(unusable_channel(state)),
        }
        check_data(message.data.as_ref())?;
        cx.outbox.check_capacity(&cx.connectivity, cx.base.options, Lifetime::Durable)
    }

    /// Answers who is on a channel, now or once that is known (`RTP11`).
    pub(crate) fn query_members(
        &mut self,
        operation: OperationId,
        name: &ChannelName,
        query: MemberQuery,
        cx: &mut ChannelContext<'_>,
    ) -> Needs {
        if let Err(error) = self.check_query(name, &query, cx.base.options.outbox_limit) {
            cx.base.effects.emit(Event::Members { operation, outcome: Err(error) });
            return Needs::Nothing;
        }
        let channel = self.known.entry(name.clone()).or_default();
        match channel.state {
            // The members are the ones that were known before the channel was suspended.
            ChannelState::Suspended => {
                query.answer(operation, &channel.members, cx.base.effects);
                Needs::Nothing
            }
            state => {
                channel.queries.push(operation, query);
                self.answer_queries(name, cx);
                match state {
                    ChannelState::Initialized | ChannelState::Detached | ChannelState::Detaching => Needs::Attach,
                    _ => Needs::Nothing,
                }
            }
        }
    }

    fn check_query(&self, name: &ChannelName, query: &MemberQuery, limit: usize) -> Result<(), ErrorInfo> {
        match self.state(name) {
            ChannelState::Suspended if query.wait_for_sync => {
                let text = "the channel is suspended, so its members are out of sync; ask without waiting for the sync";
                return Err(ErrorInfo::new(ErrorCode::PRESENCE_OUT_OF_SYNC, 400, text));
            }
            ChannelState::Failed => return Err(unusable_channel(ChannelState::Failed)),
            _ => {}
        }
        let waiting: usize = self.known.values().map(|channel| channel.queries.len()).sum();
        if waiting >= limit {
            let text = format!("{limit} questions for members already wait for an answer; ask less often");
            return Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text));
        }
        Ok(())
    }

    /// Answers the questions that can be answered now: those of an attached channel, once its members are known.
    fn answer_queries(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        let Some(channel) = self.known.get_mut(name).filter(|channel| channel.is_attached()) else { return };
        let synced = !channel.members.is_syncing();
        let answered = channel.queries.answer_ready(&channel.members, synced, cx.base.effects);
        if answered > 0 && !channel.modes.contains(Flags::PRESENCE_SUBSCRIBE) {
            // The answer may lack members (`RTP11f2`).
            log::error!(
                "{name}: attached without the mode presence_subscribe, so the server does not tell its members"
            );
        }
    }

    /// The channel was attached: asks who is there, enters the own members again, and sends the presence messages that waited
    /// (`RTP1`, `RTP17i`, `RTP5b`).
    pub(super) fn begin_presence(
        &mut self,
        name: &ChannelName,
        has_presence: bool,
        time: Option<Timestamp>,
        cx: &mut ChannelContext<'_>,
    ) {
        let Some(channel) = self.known.get_mut(name) else { return };
        if has_presence {
            channel.members.start_sync();
        } else {
            let left = channel.members.clear_with_leaves(time);
            emit_members(name, left, cx);
            cx.base.effects.emit(Event::PresenceSynced { channel: name.clone() });
        }
        self.answer_queries(name, cx);
        self.enter_again(name, cx);
        for frame in cx.outbox.release_held(name) {
            cx.base.effects.send(frame);
        }
    }

    /// Enters again all that were entered before (`RTP17g`).
    fn enter_again(&self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        let Some(channel) = self.known.get(name) else { return };
        let implied = cx.connectivity.client_id;
        let outbox = &*cx.outbox;
        let messages = channel.own.to_enter_again(cx.connectivity.connection_id, |member| {
            // A presence message that is on its way is newer, so it decides about this member.
            outbox.has_presence(name, |named| named.or(implied) == Some(member))
        });
        for mut message in messages {
            cipher::encrypt(self.cipher(name), &mut message, cx.base.rng);
            let frame = cx.outbox.send(presence_entry(EntryPurpose::Reentry, name.clone(), message));
            cx.base.effects.send(frame);
        }
    }

    /// The server took a presence message of this client. Its echo says the same, but may be lost with the socket.
    pub(super) fn on_presence_acknowledged(&mut self, entry: &Entry, cx: &ChannelContext<'_>) {
        let (Some(name), Some(message)) = (&entry.frame.channel, entry.frame.presence.first()) else { return };
        let (current, implied) = (cx.connectivity.connection_id, cx.connectivity.client_id);
        let (Some(connection), Some(serial)) = (current, entry.frame.msg_serial) else { return };
        let message = PresenceMessage {
            id: message.id.clone().or_else(|| Some(format!("{connection}:{}:0", serial.0))),
            client_id: message.client_id.clone().or(implied.cloned()),
            connection_id: current.cloned(),
            ..message.clone()
        };
        if let Some(channel) = self.known.get_mut(name).filter(|channel| channel.is_attached()) {
            channel.own.apply(&message, current);
        }
    }

    /// Members of a channel came, went or changed.
    pub(crate) fn on_presence(&mut self, frame: Frame, cx: &mut ChannelContext<'_>) {
        let Some((name, frame)) = self.decode_presence(frame, cx) else { return };
        let Some(channel) = self.known.get_mut(&name) else { return };
        channel.advance(&frame);
        let news = channel.members.apply(frame.presence);
        emit_members(&name, news, cx);
    }

    /// A page of all members of a channel came. Its serial is the cursor of the sync, not the place in the stream.
    pub(crate) fn on_sync(&mut self, frame: Frame, cx: &mut ChannelContext<'_>) {
        let Some((name, frame)) = self.decode_presence(frame, cx) else { return };
        let Some(channel) = self.known.get_mut(&name) else { return };
        let page = channel.members.apply_page(frame.channel_serial.as_ref(), frame.presence, frame.timestamp);
        emit_members(&name, page.news, cx);
        if page.complete {
            cx.base.effects.emit(Event::PresenceSynced { channel: name.clone() });
            self.answer_queries(&name, cx);
        }
    }

    /// The frame with its presence messages decoded, and noted where they are about this client; `None` unless the channel
    /// is attached.
    fn decode_presence(&mut self, mut frame: Frame, cx: &ChannelContext<'_>) -> Option<(ChannelName, Frame)> {
        let name = frame.channel.clone()?;
        let channel = self.known.get_mut(&name).filter(|channel| channel.is_attached())?;
        frame.inherit();
        let cipher = self.ciphers.get(&name);
        for message in &mut frame.presence {
            if let Err(error) = cipher::decode(cipher, &mut *message) {
                log::warn!("{name}: a member's data is delivered as it came: {error}");
            }
            channel.own.apply(message, cx.connectivity.connection_id);
        }
        Some((name, frame))
    }
}

fn emit_members(name: &ChannelName, members: Vec<PresenceMessage>, cx: &mut ChannelContext<'_>) {
    if !members.is_empty() {
        cx.base.effects.emit(Event::Presence { channel: name.clone(), members });
    }
}

impl From<PresenceCommand> for PresenceAction {
    fn from(command: PresenceCommand) -> Self {
        match command {
            PresenceCommand::Enter => Self::Enter,
            PresenceCommand::Update => Self::Update,
            PresenceCommand::Leave => Self::Leave,
        }
    }
}

fn presence_entry(purpose: EntryPurpose, channel: ChannelName, message: PresenceMessage) -> Entry {
    let frame = Frame { presence: vec![message], ..Frame::for_channel(Action::Presence, channel) };
    Entry { purpose, lifetime: Lifetime::Durable, frame }
}
