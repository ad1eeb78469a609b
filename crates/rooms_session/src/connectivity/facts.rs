//! The facts about the connection: whether it is up, the room's two channels, and the members that presence shows.
//!
//! Owns facts alone, as the client reported them. Other parts decide what follows from them.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    id::{Generation, PlayerId},
    state::roster::Seat,
};
use rooms_protocol::{ChannelName, ConnectionId, Data, PresenceAction, PresenceMessage};

/// How many of its connections a player recognises as its own: an echo that comes later than 3.5 s no longer matters to a host.
const MAX_OWN_CONNECTIONS: usize = 8;

/// Most members that are tracked; a room has fewer players.
const MAX_MEMBERS: usize = 2000;

/// What a player says about itself in presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberData {
    /// Which process of the player it is.
    #[serde(default)]
    pub generation: Option<Generation>,
    /// Set until the player was admitted or founded the room: such a member cannot be the host.
    #[serde(default)]
    pub arriving: bool,
}

/// One of the room's two channels, and what is known of it.
#[derive(Debug)]
pub(super) struct ChannelFacts {
    pub(super) name: ChannelName,
    pub(super) attached: bool,
    /// Whether the channel was attached before. Then attaching it again may have missed something.
    pub(super) known: bool,
    /// Whether the client took this session's request for the channel. A failure before concerns an earlier session.
    pub(super) requested: bool,
}

impl ChannelFacts {
    fn new(name: ChannelName) -> Self {
        Self { name, attached: false, known: false, requested: false }
    }
}

/// What is known of the connection, of the room's two channels, and of the members in presence.
#[derive(Debug)]
pub(crate) struct ConnectionFacts {
    pub(super) connected: bool,
    pub(super) room: ChannelFacts,
    pub(super) inbox: ChannelFacts,
    own: VecDeque<ConnectionId>,
    members: BTreeMap<(ConnectionId, SmolStr), MemberData>,
    /// Whether all members are known.
    pub(super) synced: bool,
    /// When the server was last heard to send anything.
    heard_at: Option<Instant>,
}

impl ConnectionFacts {
    /// Nothing is known yet.
    pub(crate) fn new(room: ChannelName, inbox: ChannelName) -> Self {
        let (own, members) = (VecDeque::new(), BTreeMap::new());
        let (room, inbox) = (ChannelFacts::new(room), ChannelFacts::new(inbox));
        Self { connected: false, room, inbox, own, members, synced: false, heard_at: None }
    }

    /// Notes that the server sent something: the line carries what it sends.
    pub(crate) fn note_heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// Whether the server has sent anything since this time.
    pub(crate) fn heard_since(&self, since: Instant) -> bool {
        self.heard_at.is_some_and(|at| at >= since)
    }

    /// The channel that everyone in the room is attached to.
    pub(crate) fn room_channel(&self) -> &ChannelName {
        &self.room.name
    }

    /// The channel that only this player listens on.
    pub(crate) fn inbox_channel(&self) -> &ChannelName {
        &self.inbox.name
    }

    /// Notes that events of the client are lost: any of them may have come.
    pub(crate) fn lose_events(&mut self) {
        (self.room.requested, self.inbox.requested) = (true, true);
    }

    /// Whether messages go out and come in.
    pub(crate) fn is_up(&self) -> bool {
        self.connected && self.room.attached && self.inbox.attached
    }

    /// Whether the client is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Sets all that makes messages go out and come in.
    #[cfg(test)]
    pub(crate) fn set_up(&mut self) {
        (self.connected, self.room.attached, self.inbox.attached) = (true, true, true);
    }

    /// Whether all members are known.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    /// Notes that all members are known.
    pub(crate) fn set_synced(&mut self) {
        self.synced = true;
    }

    /// The connection in use, or used last.
    pub(crate) fn connection(&self) -> Option<&ConnectionId> {
        self.own.back()
    }

    /// Whether a connection is, or lately was, this session's own.
    pub(crate) fn is_own(&self, connection: &ConnectionId) -> bool {
        self.own.contains(connection)
    }

    /// Notes the connection in use.
    pub(crate) fn set_connection(&mut self, connection: ConnectionId) {
        self.own.retain(|own| *own != connection);
        if self.own.len() >= MAX_OWN_CONNECTIONS {
            self.own.pop_front();
        }
        self.own.push_back(connection);
    }

    /// Takes in a presence message about a member.
    pub(crate) fn on_presence(&mut self, message: &PresenceMessage) {
        let (Some(connection), Some(client)) = (&message.connection_id, &message.client_id) else { return };
        let key = (connection.clone(), SmolStr::new(client.as_str()));
        match message.action {
            PresenceAction::Leave | PresenceAction::Absent => {
                self.members.remove(&key);
            }
            PresenceAction::Enter | PresenceAction::Present | PresenceAction::Update => {
                if self.members.len() < MAX_MEMBERS || self.members.contains_key(&key) {
                    self.members.insert(key, member_data(message));
                }
            }
            PresenceAction::Unknown(_) => {}
        }
    }

    /// Whether presence shows a connection at all.
    pub(crate) fn shows_connection(&self, connection: &ConnectionId, player: &PlayerId) -> bool {
        self.members.contains_key(&(connection.clone(), SmolStr::new(player.as_str())))
    }

    /// Whether presence shows a process of a player, on whatever connection.
    pub(crate) fn shows_process(&self, player: &PlayerId, generation: Generation) -> bool {
        let same = |data: &MemberData| data.generation.is_none_or(|shown| shown == generation);
        self.members.iter().any(|((_, client), data)| client == player.as_str() && same(data))
    }

    /// Whether presence shows a newer process of a player than this.
    pub(crate) fn shows_newer_process(&self, player: &PlayerId, generation: Generation) -> bool {
        let newer = |data: &MemberData| data.generation.is_some_and(|shown| shown > generation);
        self.members.iter().any(|((_, client), data)| client == player.as_str() && newer(data))
    }

    /// Whether presence shows the player of a seat: its process, or at least its connection.
    pub(crate) fn shows_seat(&self, seat: &Seat) -> bool {
        self.shows_process(&seat.player, seat.generation) || self.shows_connection(&seat.connection, &seat.player)
    }

    /// How many members presence shows.
    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether presence is complete and shows nobody who could be in the room already.
    pub(crate) fn is_alone(&self) -> bool {
        self.synced && self.members.iter().all(|((connection, _), data)| data.arriving || self.is_own(connection))
    }
}

/// What a member says about itself. The default if it is not a player of this game.
pub(crate) fn member_data(message: &PresenceMessage) -> MemberData {
    let json = message.data.as_ref().and_then(Data::as_json);
    json.and_then(|value| MemberData::deserialize(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connectivity() -> ConnectionFacts {
        ConnectionFacts::new("room:den".into(), "room:den:to:ada".into())
    }

    fn message(action: PresenceAction, connection: &str, client: &str, data: serde_json::Value) -> PresenceMessage {
        PresenceMessage {
            action,
            connection_id: Some(connection.into()),
            client_id: Some(client.into()),
            data: Some(data.into()),
            ..PresenceMessage::default()
        }
    }

    #[test]
    fn those_who_are_arriving_themselves_do_not_count_as_company() {
        let mut connectivity = connectivity();
        connectivity.set_synced();
        connectivity.set_connection("own".into());
        connectivity.on_presence(&message(PresenceAction::Enter, "own", "ada", json!({ "generation": 1 })));
        connectivity.on_presence(&message(
            PresenceAction::Enter,
            "c",
            "bob",
            json!({ "generation": 1, "arriving": true }),
        ));
        assert!(connectivity.is_alone());
        connectivity.on_presence(&message(PresenceAction::Update, "c", "bob", json!({ "generation": 1 })));
        assert!(!connectivity.is_alone());
        connectivity.on_presence(&message(PresenceAction::Leave, "c", "bob", json!(null)));
        assert!(connectivity.is_alone());
        connectivity.on_presence(&message(PresenceAction::Present, "d", "a page", json!("hello")));
        assert!(!connectivity.is_alone(), "a member that says nothing may be anybody");
    }

    #[test]
    fn members_and_own_connections_are_bounded() {
        let mut connectivity = connectivity();
        for number in 0..3000 {
            let connection = format!("c{number}");
            connectivity.set_connection(connection.as_str().into());
            connectivity.on_presence(&message(PresenceAction::Enter, &connection, "x", json!(null)));
        }
        assert_eq!((connectivity.members.len(), connectivity.own.len()), (MAX_MEMBERS, MAX_OWN_CONNECTIONS));
    }
}
