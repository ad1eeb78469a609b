//! Presence messages before they are on their channel: the checks, and the form in which they are sent.

use super::{
    key::ChannelKey,
    members::wire_size,
    publish::{Load, normalize},
};
use crate::{auth::Identity, hub::output::LinkId, limits::Limits};
use rooms_protocol::{ConnectionId, ErrorCode, ErrorInfo, MsgSerial, PresenceAction, PresenceMessage};

/// The first index in the ids of leaves that follow from DETACH and CLOSE. It is larger than any index in a frame, so that these
/// leaves are newer than everything in the latest frame.
const LEAVE_INDEX: usize = 1_000_000;

/// The messages of a PRESENCE frame.
pub(crate) struct PresenceUpdate {
    pub(crate) key: ChannelKey,
    /// The connection whose members the messages are about.
    pub(crate) owner: ConnectionId,
    /// The link that the frame came over.
    pub(crate) link: LinkId,
    /// The frame's number, which the ids of the messages carry.
    pub(crate) serial: MsgSerial,
    pub(crate) messages: Vec<PresenceMessage>,
    /// How many members the channel may have.
    pub(crate) max_members: usize,
    /// How many of them the connection may have.
    pub(crate) max_own: usize,
}

impl PresenceUpdate {
    /// Whether it enters anybody, perhaps somebody who is there already.
    pub(crate) fn enters(&self) -> bool {
        self.messages.iter().any(|message| message.action != PresenceAction::Leave)
    }

    /// Checks the messages, and puts them into the form in which they are sent on behalf of `identity`.
    ///
    /// # Errors
    /// 40034 and 40009 for too many messages or bytes, 40000 for an action that makes no sense, 40012 for a client id that is
    /// not allowed, 91000 where there is none.
    pub(crate) fn prepare(&mut self, identity: &Identity, limits: &Limits) -> Result<Load, ErrorInfo> {
        limits.check_count(self.messages.len())?;
        for message in &mut self.messages {
            normalize(&mut message.data, &mut message.encoding);
        }
        let bytes = self.messages.iter().fold(0_usize, |sum, message| sum.saturating_add(wire_size(message)));
        limits.check_size(bytes)?;
        self.messages.iter_mut().try_for_each(|message| stamp(message, identity))?;
        Ok(Load { messages: self.messages.len(), bytes })
    }
}

/// What a presence update left behind.
pub(crate) struct PresenceVerdict {
    /// How many members the connection has on the channel now.
    pub(crate) members: usize,
    /// Whether its link is attached to the channel.
    pub(crate) is_attached: bool,
}

/// Why the members of a connection leave, which decides what the ids of the leaves look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaveReason {
    /// The client left on purpose. The ids are of its connection and newer than those of its latest frame.
    Meant {
        /// The number of that frame.
        latest: MsgSerial,
    },
    /// The client was gone for too long. The ids are the relay's own (`RTP2b1`).
    Gone,
}

impl LeaveReason {
    /// The id of the leave at `index`. `sequence` makes the relay's own ids differ.
    pub(crate) fn id(self, connection: &ConnectionId, node: &str, sequence: u64, index: usize) -> String {
        match self {
            Self::Meant { latest } => format!("{connection}:{}:{}", latest.0, LEAVE_INDEX + index),
            Self::Gone => format!("{node}-{sequence}:0:{index}"),
        }
    }
}

/// Puts a presence message into the form in which it is sent. Refuses one that is about nobody or has no meaning.
fn stamp(message: &mut PresenceMessage, identity: &Identity) -> Result<(), ErrorInfo> {
    message.action = match message.action {
        PresenceAction::Present | PresenceAction::Enter => PresenceAction::Enter,
        action @ (PresenceAction::Update | PresenceAction::Leave) => action,
        PresenceAction::Absent | PresenceAction::Unknown(_) => {
            return Err(ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "presence is entered, updated or left"));
        }
    };
    message.client_id = identity.stamp(message.client_id.as_ref())?;
    if message.client_id.is_none() {
        let why = "presence needs a client id; connect with one, or name one";
        return Err(ErrorInfo::new(ErrorCode::PRESENCE_WITHOUT_CLIENT_ID, 400, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leave_on_purpose_is_newer_than_the_latest_frame_and_the_relays_own_leave_is_not_the_clients() {
        let reason = LeaveReason::Meant { latest: MsgSerial(7) };
        assert_eq!(reason.id(&"c".into(), "node", 3, 1), "c:7:1000001");
        assert_eq!(LeaveReason::Gone.id(&"c".into(), "node", 3, 1), "node-3:0:1");
    }

    #[test]
    fn presence_needs_a_client_id_and_an_action_that_a_client_may_send() {
        let code = |action, identity: &Identity| {
            let mut message = PresenceMessage { action, ..PresenceMessage::default() };
            stamp(&mut message, identity).map(|()| message.action).map_err(|error| error.code.0)
        };
        let ada = Identity::Known("ada".into());
        assert_eq!(code(PresenceAction::Present, &ada), Ok(PresenceAction::Enter));
        assert_eq!(code(PresenceAction::Absent, &ada), Err(40000));
        assert_eq!(code(PresenceAction::Enter, &Identity::Any), Err(ErrorCode::PRESENCE_WITHOUT_CLIENT_ID.0));
    }
}
