//! The members of a channel.

use std::collections::BTreeMap;

use bevy::prelude::*;
use serde::de::DeserializeOwned;

use crate::protocol::{ClientId, ConnectionId, Data, PresenceAction, PresenceMessage, Timestamp};

/// The most members that are kept for one channel, as in the client.
const MAX_MEMBERS: usize = 10_000;

/// The members of a channel, by client id. A component beside [`Channel`](super::Channel); only the plugin writes it.
///
/// A client may be a member several times, once for each of its connections.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct ChannelMembers {
    members: BTreeMap<(ClientId, ConnectionId), Member>,
    /// Whether the list is complete; false while members are still arriving, and while the channel is not attached.
    pub complete: bool,
}

/// One member of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its client id, as the server stamped it.
    pub client_id: ClientId,
    /// Its connection.
    pub connection_id: ConnectionId,
    /// Its data.
    pub data: Option<Data>,
    /// The time of its last presence message.
    pub timestamp: Option<Timestamp>,
}

impl Member {
    /// Reads the data of the member.
    ///
    /// # Errors
    /// The error from the deserializer, if the data does not fit the type. No data is read as null.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.data.as_ref().map_or_else(|| T::deserialize(serde_json::Value::Null), Data::read)
    }

    /// The member that a presence message is about.
    pub(super) fn of(message: PresenceMessage) -> Option<Self> {
        let PresenceMessage { client_id, connection_id, data, timestamp, .. } = message;
        Some(Self { client_id: client_id?, connection_id: connection_id?, data, timestamp })
    }
}

impl ChannelMembers {
    /// The members, by client id.
    pub fn iter(&self) -> std::collections::btree_map::Values<'_, (ClientId, ConnectionId), Member> {
        self.members.values()
    }

    /// The number of members, at most 10,000.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One member by its client id: the first of its connections.
    pub fn get(&self, client_id: &ClientId) -> Option<&Member> {
        self.iter().find(|member| member.client_id == *client_id)
    }

    pub(super) fn note(&mut self, action: PresenceAction, member: &Member) {
        let key = (member.client_id.clone(), member.connection_id.clone());
        match action {
            PresenceAction::Leave | PresenceAction::Absent => {
                self.members.remove(&key);
            }
            _ if self.members.len() < MAX_MEMBERS || self.members.contains_key(&key) => {
                self.members.insert(key, member.clone());
            }
            _ => {}
        }
    }

    /// Replaces the members with those that the client knows. Returns the members that are gone.
    pub(super) fn replace(&mut self, present: Vec<PresenceMessage>) -> Vec<Member> {
        let members = present.into_iter().filter_map(Member::of).take(MAX_MEMBERS);
        let new = members.map(|member| ((member.client_id.clone(), member.connection_id.clone()), member)).collect();
        let mut old = std::mem::replace(&mut self.members, new);
        old.retain(|key, _| !self.members.contains_key(key));
        old.into_values().collect()
    }
}

impl<'a> IntoIterator for &'a ChannelMembers {
    type Item = &'a Member;
    type IntoIter = std::collections::btree_map::Values<'a, (ClientId, ConnectionId), Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
