//! What is known of the line: connection, the room's two channels, and who presence shows.
//!
//! Owns facts alone, as the client told them. What follows from them is decided elsewhere.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Generation, PlayerId};
use rooms_protocol::{ConnectionId, Data, PresenceAction, PresenceMessage};

/// How many of its connections a player recognises as its own: late echoes are a few seconds old.
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

/// What is known of the line.
#[derive(Debug, Default)]
pub(crate) struct Connectivity {
    pub connected: bool,
    pub room_attached: bool,
    pub inbox_attached: bool,
    /// Whether each channel was attached before, so that attaching anew may have missed something.
    pub room_known: bool,
    pub inbox_known: bool,
    own: VecDeque<ConnectionId>,
    members: BTreeMap<(ConnectionId, SmolStr), MemberData>,
    /// Whether presence is complete.
    pub synced: bool,
}

impl Connectivity {
    /// Whether messages go out and come in.
    pub(crate) fn is_up(&self) -> bool {
        self.connected && self.room_attached && self.inbox_attached
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

    /// Notes that nothing goes out or comes in for the moment.
    pub(crate) fn drop_line(&mut self) {
        self.connected = false;
        self.room_attached = false;
        self.inbox_attached = false;
        self.synced = false;
    }

    /// Takes a word about a member.
    pub(crate) fn hear_presence(&mut self, word: &PresenceMessage) {
        let (Some(connection), Some(client)) = (&word.connection_id, &word.client_id) else { return };
        let key = (connection.clone(), SmolStr::new(client.as_str()));
        match word.action {
            PresenceAction::Leave | PresenceAction::Absent => {
                self.members.remove(&key);
            }
            PresenceAction::Enter | PresenceAction::Present | PresenceAction::Update => {
                if self.members.len() < MAX_MEMBERS || self.members.contains_key(&key) {
                    self.members.insert(key, member_data(word));
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

    /// Whether presence is complete and shows nobody who could be in the room already.
    pub(crate) fn is_alone(&self) -> bool {
        self.synced && self.members.iter().all(|((connection, _), data)| data.arriving || self.is_own(connection))
    }
}

/// What a member says about itself; nothing where it is no player of ours.
pub(crate) fn member_data(word: &PresenceMessage) -> MemberData {
    let json = word.data.as_ref().and_then(Data::as_json);
    json.and_then(|value| MemberData::deserialize(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn word(action: PresenceAction, connection: &str, client: &str, data: serde_json::Value) -> PresenceMessage {
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
        let mut line = Connectivity { synced: true, ..Connectivity::default() };
        line.set_connection("own".into());
        line.hear_presence(&word(PresenceAction::Enter, "own", "ada", json!({ "generation": 1 })));
        line.hear_presence(&word(PresenceAction::Enter, "c", "bob", json!({ "generation": 1, "arriving": true })));
        assert!(line.is_alone());
        line.hear_presence(&word(PresenceAction::Update, "c", "bob", json!({ "generation": 1 })));
        assert!(!line.is_alone());
        line.hear_presence(&word(PresenceAction::Leave, "c", "bob", json!(null)));
        assert!(line.is_alone());
        line.hear_presence(&word(PresenceAction::Present, "d", "a page", json!("hello")));
        assert!(!line.is_alone(), "a member that says nothing may be anybody");
    }

    #[test]
    fn members_and_own_connections_are_bounded() {
        let mut line = Connectivity::default();
        for number in 0..3000 {
            let connection = format!("c{number}");
            line.set_connection(connection.as_str().into());
            line.hear_presence(&word(PresenceAction::Enter, &connection, "x", json!(null)));
        }
        assert_eq!((line.members.len(), line.own.len()), (MAX_MEMBERS, MAX_OWN_CONNECTIONS));
    }
}
