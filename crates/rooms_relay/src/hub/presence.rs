//! How members come to channels and leave them.

use std::collections::BTreeSet;

use web_time::Instant;

use crate::{
    Identity,
    hub::{
        Caller, Hub,
        channel::{
            key::ChannelKey,
            members::{pages, wire_size},
        },
        connection::ack_log::Answer,
        delivering::keep_share,
        publishing::normalize,
        timer::Timer,
    },
};
use rooms_protocol::{
    Action, ClientId, ConnectionId, ErrorCode, ErrorInfo, Flags, Frame, MsgSerial, PresenceAction, PresenceMessage,
};

/// First index in the ids of leaves that follow from DETACH and CLOSE. It is larger than any place in a frame, so that
/// they are newer than all that the latest frame said.
const LEAVE_INDEX: usize = 1_000_000;

/// Why a leave is told, which decides what its id looks like.
#[derive(Clone, Copy)]
enum Farewell {
    /// The client went on purpose: an id of its own connection.
    Meant,
    /// The client was not seen for too long: an id of the relay (`RTP2b1`).
    MadeUp,
}

impl Hub {
    /// Takes a PRESENCE frame, all of it or nothing.
    pub(super) fn enter_or_leave(
        &mut self,
        caller: &Caller,
        serial: MsgSerial,
        frame: Frame,
        now: Instant,
    ) -> Result<Answer, ErrorInfo> {
        let key = self.target(caller, frame.channel.as_ref(), Flags::PRESENCE)?;
        let (id, mut words) = (&caller.id, frame.presence);
        let mut limits = self.config.limits.clone();
        limits.members_per_channel = self.apps.max_members(&key.app).unwrap_or(limits.members_per_channel);
        limits.check_count(words.len())?;
        for word in &mut words {
            normalize(&mut word.data, &mut word.encoding);
        }
        limits.check_size(words.iter().fold(0, |sum, word| sum.saturating_add(wire_size(word))))?;
        for word in &mut words {
            stamp(word, &caller.principal.identity)?;
        }
        let wall = self.clock.at(now);
        let channel = self.channel_mut(&key, now)?;
        let is_new = |client: &&ClientId| channel.members.get(id, client).is_none();
        let entering = words.iter().filter(|word| word.action != PresenceAction::Leave);
        let newcomers: BTreeSet<&ClientId> =
            entering.filter_map(|word| word.client_id.as_ref()).filter(is_new).collect();
        if !newcomers.is_empty() {
            limits.check_members(channel.members.len() + newcomers.len())?;
        }

        let mut told = Vec::with_capacity(words.len());
        for (index, mut word) in words.into_iter().enumerate() {
            let known = word.client_id.as_ref().and_then(|client| channel.members.get(id, client));
            let is_reentry = word.action == PresenceAction::Enter
                && word.id.is_some()
                && known.is_some_and(|known| known.id == word.id);
            if is_reentry {
                continue;
            }
            word.id = Some(format!("{id}:{}:{index}", serial.0));
            word.connection_id = Some(id.clone());
            word.timestamp = Some(wall);
            told.extend(channel.members.apply(word));
        }
        let is_attached = channel.has_link(caller.link);
        let is_present = !channel.members.of_connection(id).is_empty();
        self.note_presence(id, &key, is_present, is_attached, now);
        self.tell_presence(id, &key, told, now);
        Ok(Answer::Taken)
    }

    /// Remembers where a connection has members. Those on a channel it is not attached to leave in a while.
    fn note_presence(
        &mut self,
        id: &ConnectionId,
        key: &ChannelKey,
        is_present: bool,
        is_attached: bool,
        now: Instant,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if !is_present {
            connection.present_on.remove(key);
            return;
        }
        connection.present_on.insert(key.clone());
        if !is_attached {
            let at = now + connection.remain_present_for;
            self.timers.set_if_stopped(Timer::LeaveMembers(id.clone()), at);
        }
    }

    /// Tells words about members of `owner`, in several frames where one would be too large: a leave has the data of its
    /// member.
    pub(super) fn tell_presence(
        &mut self,
        owner: &ConnectionId,
        key: &ChannelKey,
        words: Vec<PresenceMessage>,
        now: Instant,
    ) {
        let wall = self.clock.at(now);
        let channels = self.channels.len();
        if let Some(channel) = self.channels.get_mut(key) {
            let before = channel.kept_bytes();
            channel.remember(&words, now, &self.config.limits);
            let total = self.config.limits.replay_bytes_total;
            self.kept_bytes = keep_share(channel, before, self.kept_bytes, total, channels);
            for presence in pages(words) {
                let position = channel.advance(wall);
                let frame = Frame {
                    channel_serial: Some(position.channel_serial(&self.node)),
                    connection_id: Some(owner.clone()),
                    presence,
                    timestamp: Some(wall),
                    ..Frame::for_channel(Action::Presence, key.name.clone())
                };
                channel.tell_presence(owner, frame, &mut self.out);
            }
        }
        self.watch(key, now);
    }

    /// All members of a connection leave a channel, since the client detached.
    pub(super) fn leave_channel(&mut self, id: &ConnectionId, key: &ChannelKey, now: Instant) {
        self.say_farewell(id, key, Farewell::Meant, now);
    }

    /// All members of a connection leave, since it ended.
    pub(super) fn leave_all(&mut self, id: &ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get(id) else { return };
        // Without a link it ends because it was not seen for too long.
        let farewell = if connection.link.is_some() { Farewell::Meant } else { Farewell::MadeUp };
        for key in connection.present_on.clone() {
            self.say_farewell(id, &key, farewell, now);
        }
    }

    /// The members leave of a connection that did not come back for their channels in time.
    pub(super) fn leave_abandoned(&mut self, id: &ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get(id) else { return };
        let link = connection.link;
        for key in connection.present_on.clone() {
            let came_back =
                link.is_some_and(|link| self.channels.get(&key).is_some_and(|channel| channel.has_link(link)));
            if !came_back {
                self.say_farewell(id, &key, Farewell::MadeUp, now);
            }
        }
    }

    fn say_farewell(&mut self, id: &ConnectionId, key: &ChannelKey, farewell: Farewell, now: Instant) {
        let sequence = self.next_sequence();
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.present_on.remove(key);
        let (base, first) = match farewell {
            Farewell::Meant => (format!("{id}:{}", connection.answers.latest().0), LEAVE_INDEX),
            Farewell::MadeUp => (format!("{}-{sequence}:0", self.node), 0),
        };
        let wall = self.clock.at(now);
        let Some(channel) = self.channels.get_mut(key) else { return };
        let mut told = Vec::new();
        for (index, client) in channel.members.of_connection(id).into_iter().enumerate() {
            told.extend(channel.members.apply(PresenceMessage {
                id: Some(format!("{base}:{}", first + index)),
                action: PresenceAction::Leave,
                client_id: Some(client),
                connection_id: Some(id.clone()),
                timestamp: Some(wall),
                ..PresenceMessage::default()
            }));
        }
        self.tell_presence(id, key, told, now);
    }
}

/// Puts a word into the form in which it is told, and refuses one that is about nobody or says nothing.
fn stamp(word: &mut PresenceMessage, identity: &Identity) -> Result<(), ErrorInfo> {
    word.action = match word.action {
        PresenceAction::Present | PresenceAction::Enter => PresenceAction::Enter,
        action @ (PresenceAction::Update | PresenceAction::Leave) => action,
        PresenceAction::Absent | PresenceAction::Unknown(_) => {
            return Err(ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "presence is entered, updated or left"));
        }
    };
    word.client_id = identity.stamp(word.client_id.as_ref())?;
    if word.client_id.is_none() {
        let why = "presence needs a client id; connect with one, or name one";
        return Err(ErrorInfo::new(ErrorCode::PRESENCE_WITHOUT_CLIENT_ID, 400, why));
    }
    Ok(())
}
