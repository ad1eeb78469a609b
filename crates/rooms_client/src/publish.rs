//! Publishing, and what becomes of it (`RTL6`, `RTN7`, `RTN19`).

use super::{
    Client,
    attach::unusable_channel,
    cipher,
    event::{ChannelChange, ChannelState, ConnectionState, Event, Lifetime, OperationId},
    outbox::{Entry, Purpose},
};
use rooms_protocol::{
    Action, ChannelName, ClientId, Data, ErrorCode, ErrorInfo, Flags, Frame, Message, MessageSerial, MsgSerial,
};

type Outcome = Result<Vec<Option<MessageSerial>>, ErrorInfo>;

impl Client {
    pub(super) fn publish(
        &mut self,
        operation: OperationId,
        channel: ChannelName,
        mut messages: Vec<Message>,
        lifetime: Lifetime,
    ) {
        if messages.is_empty() {
            return self.emit(Event::Published { operation, outcome: Ok(Vec::new()) });
        }
        let checked = self.check_publish(&channel, &messages).and_then(|()| {
            let cipher = self.ciphers.get(&channel);
            messages.iter_mut().for_each(|message| cipher::encrypt(cipher, message, &mut self.rng));
            self.check_size(messages.iter().map(Message::size).fold(0, usize::saturating_add))?;
            self.check_room(lifetime)
        });
        if let Err(error) = checked {
            return self.emit(Event::Published { operation, outcome: Err(error) });
        }
        let frame = Frame { messages, ..Frame::for_channel(Action::Message, channel) };
        let entry = Entry { purpose: Purpose::Operation(operation), lifetime, frame };
        if self.state() == ConnectionState::Connected {
            let frame = self.outbox.send(entry);
            self.send(frame);
        } else {
            self.outbox.queue(entry);
        }
    }

    fn check_publish(&self, channel: &ChannelName, messages: &[Message]) -> Result<(), ErrorInfo> {
        let state = self.channel_state(channel);
        if matches!(state, ChannelState::Suspended | ChannelState::Failed) {
            return Err(unusable_channel(state));
        }
        self.check_messages(messages)
    }

    /// Whether this client may publish messages of these names and kinds of payload, on whatever way.
    pub(super) fn check_messages(&self, messages: &[Message]) -> Result<(), ErrorInfo> {
        for message in messages {
            check_data(message.data.as_ref())?;
            if let (Some(own), Some(named)) = (self.client_id(), &message.client_id)
                && own != named
            {
                let text = format!("a message of {named} cannot be published by {own}; leave its client_id out");
                return Err(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, text));
            }
        }
        Ok(())
    }

    pub(super) fn check_size(&self, size: usize) -> Result<(), ErrorInfo> {
        let most = self.connection.max_message_size;
        if size <= most {
            return Ok(());
        }
        let text =
            format!("{size} bytes are more than the {most} that the server takes at once; send less, or in parts");
        Err(ErrorInfo::new(ErrorCode::MESSAGE_TOO_LARGE, 400, text))
    }

    /// Whether the connection, or else the outbox, takes one more.
    pub(super) fn check_room(&self, lifetime: Lifetime) -> Result<(), ErrorInfo> {
        match self.state() {
            ConnectionState::Connected => {}
            ConnectionState::Initialized | ConnectionState::Connecting | ConnectionState::Disconnected => {
                if lifetime == Lifetime::Volatile || !self.options.queue_messages {
                    return Err(no_line(
                        "there is no connection at the moment, and the message is not to wait for one",
                    ));
                }
            }
            ConnectionState::Suspended
            | ConnectionState::Closing
            | ConnectionState::Closed
            | ConnectionState::Failed => return Err(self.unusable_connection()),
        }
        if self.outbox.is_full() {
            let limit = self.options.outbox_limit;
            let text =
                format!("{limit} operations already wait for the server; send less often, or raise outbox_limit");
            return Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text));
        }
        Ok(())
    }

    /// Why nothing goes over a connection in this state.
    pub(super) fn unusable_connection(&self) -> ErrorInfo {
        let (code, text) = match self.state() {
            ConnectionState::Suspended => (ErrorCode::CONNECTION_SUSPENDED, "the server is out of reach; trying on"),
            ConnectionState::Closing | ConnectionState::Closed => {
                (ErrorCode::CONNECTION_CLOSED, "the connection was closed; connect to use it again")
            }
            ConnectionState::Failed => {
                (ErrorCode::CONNECTION_FAILED, "the connection failed; mend the reason and connect again")
            }
            _ => (ErrorCode::DISCONNECTED, "there is no connection at the moment"),
        };
        ErrorInfo::new(code, 400, text)
    }

    /// There is a connection: sends again what was not acknowledged, and what waited (`RTN19a`, `RTL6c2`).
    pub(super) fn send_waiting(&mut self, resumed: bool, is_first: bool, reason: Option<&ErrorInfo>) {
        let mut frames = Vec::new();
        if resumed {
            frames = self.outbox.pending_frames();
        } else if !is_first {
            let reason = reason.cloned().unwrap_or_else(|| {
                let text = "a new connection took the place of the one that the message was meant for";
                ErrorInfo::new(ErrorCode::RECOVERY_FAILED, 400, text)
            });
            for entry in self.outbox.start_over() {
                self.end(entry.purpose, Err(reason.clone()));
            }
        }
        frames.extend(self.outbox.release_queued());
        for frame in frames {
            self.send(frame);
        }
    }

    pub(super) fn acknowledged(&mut self, frame: Frame) {
        // A number that is left out is 0, and so says a count of 1.
        let (first, count) = (frame.msg_serial.unwrap_or(MsgSerial(0)), frame.count.unwrap_or(1));
        for taken in self.outbox.acknowledge(first, count, frame.res) {
            if taken.entry.is_presence() {
                self.presence_taken(&taken.entry);
            }
            self.end(taken.entry.purpose, Ok(taken.serials));
        }
    }

    pub(super) fn refused(&mut self, frame: Frame) {
        let (first, count) = (frame.msg_serial.unwrap_or(MsgSerial(0)), frame.count.unwrap_or(1));
        let reason = frame.error.map_or_else(
            || ErrorInfo::new(ErrorCode::INTERNAL, 500, "the server refused it without a reason"),
            |error| *error,
        );
        for entry in self.outbox.refuse(first, count) {
            match (&entry.purpose, &entry.frame.channel) {
                (Purpose::Reentry, Some(channel)) => {
                    let member = entry.frame.presence.first().and_then(|word| word.client_id.clone());
                    self.reentry_refused(channel.clone(), member, reason.clone());
                }
                _ => self.end(entry.purpose, Err(reason.clone())),
            }
        }
    }

    /// What a re-entry came to is told to nobody; where it is refused, the channel tells.
    fn end(&mut self, purpose: Purpose, outcome: Outcome) {
        if let Purpose::Operation(operation) = purpose {
            self.emit(Event::Published { operation, outcome });
        }
    }

    /// Presence could not be entered again (`RTP17e`).
    fn reentry_refused(&mut self, channel: ChannelName, member: Option<ClientId>, cause: ErrorInfo) {
        let name = member.map_or_else(|| "nobody".to_owned(), |member| member.to_string());
        let text = format!("{name} could not be entered again as a member: {}", cause.message);
        log::warn!("{channel}: {text}");
        let mut reason = ErrorInfo::new(ErrorCode::REENTRY_FAILED, 400, text);
        reason.cause = Some(Box::new(cause));
        let state = self.channel_state(&channel);
        self.emit(Event::Channel(ChannelChange {
            channel,
            previous: state,
            current: state,
            resumed: true,
            has_backlog: false,
            modes: Flags::empty(),
            reason: Some(reason),
        }));
    }

    /// Everything that is on its way comes to its end (`RTN7e`).
    pub(super) fn end_all_operations(&mut self, reason: &ErrorInfo) {
        for entry in self.outbox.drain() {
            self.end(entry.purpose, Err(reason.clone()));
        }
    }

    /// The line is gone: what was not to wait for another one has failed (`RTN7d`).
    pub(super) fn fail_unqueued(&mut self) {
        if !self.options.queue_messages {
            self.end_all_operations(&no_line("the line broke, and messages are not to wait for another one"));
        }
    }

    /// The socket is gone: what was meant for it alone has failed.
    pub(super) fn fail_volatile(&mut self) {
        for entry in self.outbox.take_volatile() {
            self.end(entry.purpose, Err(no_line("the line broke before the server answered")));
        }
    }

    /// The channel will not be attached: what was held for it has failed (`RTL11`).
    pub(super) fn end_held(&mut self, channel: &ChannelName, reason: &ErrorInfo) {
        for entry in self.outbox.take_held(channel) {
            self.end(entry.purpose, Err(reason.clone()));
        }
    }

    /// Messages of a channel came (`RTL17`).
    pub(super) fn messages(&mut self, mut frame: Frame) {
        frame.inherit();
        let Some((name, channel)) = frame.channel.as_ref().and_then(|name| self.channels.get_key_value(name)) else {
            return;
        };
        if channel.state != ChannelState::Attached {
            return;
        }
        let name = name.clone();
        if let Some(channel) = self.channels.get_mut(&name) {
            channel.advance(&frame);
        }
        let cipher = self.ciphers.get(&name);
        for message in &mut frame.messages {
            if let Err(error) = cipher::decode(cipher, &mut *message) {
                log::warn!("{name}: a message is delivered as it came: {error}");
            }
        }
        if !frame.messages.is_empty() {
            self.emit(Event::Messages { channel: name, messages: frame.messages });
        }
    }
}

/// Whether the payload is of a kind that other SDKs can read (`RSL4a`).
pub(super) fn check_data(data: Option<&Data>) -> Result<(), ErrorInfo> {
    match data.and_then(Data::as_json) {
        Some(value) if !value.is_object() && !value.is_array() => {
            let text = "JSON data must be an object or an array; put the value into one, or send it as text";
            Err(ErrorInfo::new(ErrorCode::INVALID_DATA, 400, text))
        }
        _ => Ok(()),
    }
}

fn no_line(text: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, text)
}
