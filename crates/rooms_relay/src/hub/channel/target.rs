//! Which channel a client wants to publish on or enter, and whether it may.

use super::{Channels, attach_request::Address, key::ChannelKey};
use crate::{auth::Principal, error::not_permitted, hub::output::LinkId};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Flags};

/// A channel that a client may publish on, or enter.
pub(crate) struct Target {
    pub(crate) key: ChannelKey,
    /// Whether the client is attached to it under the name that it used.
    pub(crate) is_attached: bool,
}

impl Channels {
    /// The channel that a client wants to publish on, or enter. The client need not be attached (transient publish). If it is,
    /// the attachment needs `mode`.
    ///
    /// # Errors
    /// 40010 without a name that is allowed, 40160 where the credentials do not allow it, 40165 where they do and the attachment
    /// does not.
    pub(crate) fn target(
        &self,
        link: LinkId,
        principal: &Principal,
        name: Option<&ChannelName>,
        mode: Flags,
    ) -> Result<Target, ErrorInfo> {
        let nameless = || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_NAME, 400, "the frame names no channel");
        let name = name.ok_or_else(nameless)?;
        let key = ChannelKey { app: principal.app.clone(), name: Address::parse(name)?.channel };
        let attachment = self.attachment(&key, link, name);
        let is_attached = attachment.is_some();
        // The credentials allowed the modes of an attachment when the link attached.
        if attachment.is_some_and(|attachment| attachment.modes.contains(mode)) {
            return Ok(Target { key, is_attached });
        }
        if !principal.capability.modes(&key.name).contains(mode) {
            return Err(not_permitted("the credentials do not allow this here"));
        }
        if is_attached {
            let why = "the channel is attached without the mode for this; attach it with PUBLISH to publish, with PRESENCE to enter";
            return Err(ErrorInfo::new(ErrorCode::MODE_NOT_REQUESTED, 401, why));
        }
        Ok(Target { key, is_attached })
    }
}
