//! The members of one connection that are about to leave a channel.

use std::{sync::Arc, vec};

use super::{Channels, kept_presence::KeptPresence, key::ChannelKey, presence::LeaveReason};
use crate::{
    hub::{batch::page_length, effects::Effects},
    moment::Moment,
};
use rooms_protocol::{ClientId, ConnectionId};

/// Members that leave one page after the other.
pub(crate) struct Departure {
    pub(crate) key: ChannelKey,
    /// The connection that entered them.
    pub(crate) owner: ConnectionId,
    pub(crate) reason: LeaveReason,
    /// Makes the ids of the leaves differ from others that the relay makes up.
    pub(crate) sequence: u64,
    /// How many have left.
    pub(crate) count: usize,
    /// Who is still to leave, as it was when this began. Whoever enters again meanwhile stays.
    pub(crate) members: vec::IntoIter<(ClientId, Arc<KeptPresence>)>,
}

impl Channels {
    /// The members that a connection has on a channel, for them to leave. `None` where there are none.
    pub(crate) fn depart(&mut self, id: &ConnectionId, key: &ChannelKey, reason: LeaveReason) -> Option<Departure> {
        let members = self.registry.get(key)?.members.of_connection(id);
        if members.is_empty() {
            return None;
        }
        let (owner, key, sequence) = (id.clone(), key.clone(), self.next_sequence());
        Some(Departure { key, owner, reason, sequence, count: 0, members: members.into_iter() })
    }

    /// Has members leave, as many as go into one frame. Returns whether there are more.
    pub(crate) fn leave_page(&mut self, departure: &mut Departure, moment: Moment, effects: &mut Effects) -> bool {
        let Departure { key, owner, reason, sequence, count, members } = departure;
        let Some(channel) = self.registry.get_mut(key) else { return false };
        let page = page_length(members.as_slice().iter().map(|(_, member)| member.len()));
        let id = |index| reason.id(owner, &self.node, *sequence, index);
        let leaves: Vec<Arc<KeptPresence>> = members
            .by_ref()
            .take(page)
            .filter_map(|(client, member)| {
                if !channel.members.is_still(owner, &client, &member) {
                    return None;
                }
                *count += 1;
                channel.members.leave(owner, client, id(*count - 1), &self.budget, moment.wall)
            })
            .collect();
        let has_more = !members.as_slice().is_empty();
        let (owner, key) = (owner.clone(), key.clone());
        self.send_presence(&owner, &key, &leaves, moment, effects);
        has_more
    }
}
