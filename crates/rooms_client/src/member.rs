//! Presence: entering, staying entered over reconnects, and what the server tells of the members (`RTP`).

use web_time::Instant;

use super::{
    Client,
    attach::unusable_channel,
    cipher,
    event::{ChannelOptions, ChannelState, ConnectionState, Event, Lifetime, OperationId, PresenceCommand},
    outbox::{Entry, Purpose},
    publish::check_data,
};
use rooms_protocol::{
    Action, ChannelName, ClientId, Data, ErrorCode, ErrorInfo, Frame, PresenceAction, PresenceMessage, Timestamp,
};

impl Client {
    pub(super) fn presence(
        &mut self,
        operation: OperationId,
        channel: ChannelName,
        action: PresenceCommand,
        data: Option<Data>,
        now: Instant,
    ) {
        let action = action.into();
        // The server knows who this client is; naming it would be entering for somebody else (`RTP8c`).
        self.say(operation, channel, PresenceMessage { action, data, ..PresenceMessage::default() }, now);
    }

    pub(super) fn presence_for(
        &mut self,
        operation: OperationId,
        channel: ChannelName,
        client_id: ClientId,
        action: PresenceCommand,
        data: Option<Data>,
        now: Instant,
    ) {
        let (action, client_id) = (action.into(), Some(client_id));
        self.say(operation, channel, PresenceMessage { action, client_id, data, ..PresenceMessage::default() }, now);
    }

    fn say(&mut self, operation: OperationId, channel: ChannelName, mut word: PresenceMessage, now: Instant) {
        let checked = self.check_presence(&channel, &word).and_then(|()| {
            let cipher = self.ciphers.get(&channel);
            cipher::encrypt(cipher, &mut word, &mut self.rng);
            self.check_size(word.size())
        });
        if let Err(error) = checked {
            return self.emit(Event::Published { operation, outcome: Err(error) });
        }
        let entry = presence_entry(Purpose::Operation(operation), channel.clone(), word);
        match (self.channel_state(&channel), self.state()) {
            (ChannelState::Attached, ConnectionState::Connected) => {
                let frame = self.outbox.send(entry);
                self.send(frame);
            }
            (ChannelState::Initialized, _) => {
                self.outbox.hold(entry);
                self.attach(channel, ChannelOptions::default(), now);
            }
            _ => self.outbox.hold(entry),
        }
    }

    fn check_presence(&self, channel: &ChannelName, word: &PresenceMessage) -> Result<(), ErrorInfo> {
        self.check_member(word.client_id.as_ref())?;
        match self.channel_state(channel) {
            ChannelState::Attached => {}
            // Without queueing nothing waits for a channel either (`RTP16b`).
            ChannelState::Initialized | ChannelState::Attaching if self.options.queue_messages => {}
            state => return Err(unusable_channel(state)),
        }
        check_data(word.data.as_ref())?;
        self.check_room(Lifetime::Durable)
    }

    /// Whether this client may speak of the member `named`, or of itself (`RTP8j`, `RTP15f`).
    fn check_member(&self, named: Option<&ClientId>) -> Result<(), ErrorInfo> {
        let text = match (named, self.client_id()) {
            // Before the server has spoken it may still turn out who this client is.
            (None, None) if self.state() == ConnectionState::Connected => {
                "a member needs a name: set ClientOptions::client_id".to_owned()
            }
            (Some(named), _) if named.as_str().is_empty() || named.as_str() == "*" => {
                format!("{:?} cannot be the name of a member; give the member a name of its own", named.as_str())
            }
            (Some(named), Some(own)) if named != own => {
                format!("{own} cannot speak for the member {named}; connect as a client that may be anybody")
            }
            _ => return Ok(()),
        };
        Err(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, text))
    }

    /// The channel was attached anew: begins to learn who is there, enters again, and sends what waited for this
    /// (`RTP1`, `RTP17i`, `RTP5b`).
    pub(super) fn presence_attached(&mut self, name: &ChannelName, has_presence: bool, time: Option<Timestamp>) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if has_presence {
            channel.members.start_sync();
        } else {
            let left = channel.members.clear_with_leaves(time);
            self.tell_members(name, left);
            self.emit(Event::PresenceSynced { channel: name.clone() });
        }
        self.answer_gets(name);
        self.enter_again(name);
        for frame in self.outbox.release_held(name) {
            self.send(frame);
        }
    }

    /// Enters again all that were entered before (`RTP17g`).
    fn enter_again(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get(name) else { return };
        let implied = self.client_id();
        let again = channel.own.iter().filter(|(member, _)| {
            // What is on its way is newer, and makes a member of its own or ends the membership.
            !self.outbox.has_presence(name, |named| named.or(implied) == Some(*member))
        });
        let words: Vec<PresenceMessage> = again
            .map(|(_, own)| PresenceMessage {
                // With its id the server knows that it has this member already (`RTP17g1`).
                id: own.id.clone().filter(|_| own.connection_id == self.connection.id),
                action: PresenceAction::Enter,
                client_id: own.client_id.clone(),
                data: own.data.clone(),
                encoding: own.encoding.clone(),
                ..PresenceMessage::default()
            })
            .collect();
        for mut word in words {
            let cipher = self.ciphers.get(name);
            cipher::encrypt(cipher, &mut word, &mut self.rng);
            let frame = self.outbox.send(presence_entry(Purpose::Reentry, name.clone(), word));
            self.send(frame);
        }
    }

    /// The server took a word about this client. Its echo says the same, but may be lost with the line.
    pub(super) fn presence_taken(&mut self, entry: &Entry) {
        let (Some(name), Some(word)) = (&entry.frame.channel, entry.frame.presence.first()) else { return };
        let (current, implied) = (self.connection.id.clone(), self.client_id().cloned());
        let (Some(connection), Some(serial)) = (&current, entry.frame.msg_serial) else { return };
        let word = PresenceMessage {
            id: word.id.clone().or_else(|| Some(format!("{connection}:{}:0", serial.0))),
            client_id: word.client_id.clone().or(implied),
            connection_id: current.clone(),
            ..word.clone()
        };
        if let Some(channel) = self.channels.get_mut(name).filter(|channel| channel.state == ChannelState::Attached) {
            channel.note_own(&word, current.as_ref());
        }
    }

    /// Members of a channel came, went or changed.
    pub(super) fn presence_words(&mut self, frame: Frame) {
        let Some((name, frame)) = self.words_of_attached(frame) else { return };
        let Some(channel) = self.channels.get_mut(&name) else { return };
        channel.advance(&frame);
        let news = channel.members.apply(frame.presence);
        self.tell_members(&name, news);
    }

    /// A page of all members of a channel came. Its serial is the cursor of the sync, not the place in the stream.
    pub(super) fn presence_page(&mut self, frame: Frame) {
        let Some((name, frame)) = self.words_of_attached(frame) else { return };
        let Some(channel) = self.channels.get_mut(&name) else { return };
        let page = channel.members.apply_page(frame.channel_serial.as_ref(), frame.presence, frame.timestamp);
        self.tell_members(&name, page.news);
        if page.complete {
            self.emit(Event::PresenceSynced { channel: name.clone() });
            self.answer_gets(&name);
        }
    }

    /// The frame with its words made whole, and noted where they are about this client; `None` unless the channel is
    /// attached.
    fn words_of_attached(&mut self, mut frame: Frame) -> Option<(ChannelName, Frame)> {
        let name = frame.channel.clone()?;
        let channel = self.channels.get_mut(&name).filter(|channel| channel.state == ChannelState::Attached)?;
        frame.inherit();
        let cipher = self.ciphers.get(&name);
        for word in &mut frame.presence {
            if let Err(error) = cipher::decode(cipher, &mut *word) {
                log::warn!("{name}: a member's data is delivered as it came: {error}");
            }
            channel.note_own(word, self.connection.id.as_ref());
        }
        Some((name, frame))
    }

    fn tell_members(&mut self, name: &ChannelName, members: Vec<PresenceMessage>) {
        if !members.is_empty() {
            self.emit(Event::Presence { channel: name.clone(), members });
        }
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

fn presence_entry(purpose: Purpose, channel: ChannelName, word: PresenceMessage) -> Entry {
    let frame = Frame { presence: vec![word], ..Frame::for_channel(Action::Presence, channel) };
    Entry { purpose, lifetime: Lifetime::Durable, frame }
}
