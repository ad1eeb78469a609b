//! The members of one connection that are about to leave a channel.

use std::{sync::Arc, vec};

use super::{kept_presence::KeptPresence, key::ChannelKey, presence::LeaveReason};
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
