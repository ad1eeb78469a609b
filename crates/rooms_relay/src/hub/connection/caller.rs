//! Who sent the frame that the hub handles.

use crate::{LinkId, Principal, hub::channel::key::ChannelKey};
use rooms_protocol::{ChannelName, ConnectionId};

/// The sender of a frame.
pub(crate) struct Caller {
    /// The link that the frame came over.
    pub(crate) link: LinkId,
    /// The connection that the link carries.
    pub(crate) id: ConnectionId,
    /// On whose behalf the connection acts.
    pub(crate) principal: Principal,
}

impl Caller {
    /// The channel that `name` is for the caller.
    pub(crate) fn key(&self, name: ChannelName) -> ChannelKey {
        ChannelKey { app: self.principal.app.clone(), name }
    }
}
