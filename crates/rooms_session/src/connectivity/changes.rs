//! What a change of the connection or of a channel means.
//!
//! Notes the change among the facts and returns a verdict. The session applies the verdict: only it knows which role the
//! player has.

use rooms_client::{ChannelChange, ChannelState, ConnectionChange, ConnectionState};
use rooms_protocol::{ErrorCode, ErrorInfo};

use super::facts::ConnectionFacts;
use crate::id::PlayerId;

/// What a change of the connection means.
#[derive(Debug, PartialEq)]
#[must_use]
pub(crate) enum ConnectionVerdict {
    /// The client is connected.
    Connected {
        /// Whether the connection before it is gone for good, with all that waited to be sent over it.
        unsent_lost: bool,
    },
    /// Nothing goes out or comes in for the moment.
    Down(Option<ErrorInfo>),
    /// The session cannot go on.
    Failed(ErrorInfo),
}

/// What a change of one of the room's channels means.
#[derive(Debug, PartialEq)]
#[must_use]
pub(crate) enum ChannelVerdict {
    /// The channel is attached.
    Attached {
        /// Whether messages may be missing.
        missed: bool,
        /// Why the server did not show this player to the others again.
        presence_refused: Option<ErrorInfo>,
    },
    /// Nothing goes out or comes in for the moment.
    Down(Option<ErrorInfo>),
    /// The session cannot go on.
    Failed(ErrorInfo),
}

impl ConnectionFacts {
    /// Notes a change of the connection of `player`.
    pub(crate) fn on_connection(&mut self, change: ConnectionChange, player: &PlayerId) -> ConnectionVerdict {
        match change.current {
            ConnectionState::Connected => {
                let other = change.client_id.filter(|id| !["*", player.as_str()].contains(&id.as_str()));
                if let Some(client) = other {
                    let what = format!("connected as {client}, not as {player}; connect with the player's id");
                    return ConnectionVerdict::Failed(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, what));
                }
                let was_connected = self.connection().is_some();
                self.connected = true;
                if let Some(connection) = change.connection_id {
                    self.set_connection(connection);
                }
                let is_new = !change.resumed && change.previous != ConnectionState::Connected;
                ConnectionVerdict::Connected { unsent_lost: was_connected && is_new }
            }
            ConnectionState::Failed | ConnectionState::Closed | ConnectionState::Closing => {
                let closed = || ErrorInfo::new(ErrorCode::CONNECTION_CLOSED, 400, "the connection was closed");
                ConnectionVerdict::Failed(change.reason.unwrap_or_else(closed))
            }
            ConnectionState::Initialized
            | ConnectionState::Connecting
            | ConnectionState::Disconnected
            | ConnectionState::Suspended => {
                self.connected = false;
                self.room.attached = false;
                self.inbox.attached = false;
                self.synced = false;
                ConnectionVerdict::Down(change.reason)
            }
        }
    }

    /// Notes a change of a channel. Returns `None` if it does not concern this session.
    pub(crate) fn on_channel(&mut self, change: ChannelChange) -> Option<ChannelVerdict> {
        let is_inbox = change.channel == self.inbox.name;
        if !is_inbox && change.channel != self.room.name {
            return None;
        }
        let channel = if is_inbox { &mut self.inbox } else { &mut self.room };
        channel.requested |=
            matches!(change.current, ChannelState::Attaching | ChannelState::Attached | ChannelState::Suspended);
        Some(match change.current {
            ChannelState::Attached => {
                channel.attached = true;
                let missed = std::mem::replace(&mut channel.known, true) && !change.resumed;
                self.connected = true;
                let refused = change.reason.filter(|reason| !is_inbox && reason.code == ErrorCode::REENTRY_FAILED);
                let presence_refused = refused.map(|reason| reason.cause.as_deref().unwrap_or(&reason).clone());
                ChannelVerdict::Attached { missed, presence_refused }
            }
            // An earlier session in this room asked too late, when its connection had failed already.
            ChannelState::Failed if !channel.requested => return None,
            ChannelState::Failed => {
                let unknown = || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, "the channel failed");
                ChannelVerdict::Failed(change.reason.unwrap_or_else(unknown))
            }
            _ => {
                channel.attached = false;
                self.synced &= is_inbox;
                ChannelVerdict::Down(change.reason)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rooms_protocol::Flags;

    use super::*;

    fn ada() -> PlayerId {
        PlayerId::new("ada").unwrap()
    }

    fn connectivity() -> ConnectionFacts {
        ConnectionFacts::new("room:den".into(), "room:den:to:ada".into())
    }

    fn connection(current: ConnectionState, client: &str, resumed: bool) -> ConnectionChange {
        ConnectionChange {
            previous: ConnectionState::Connecting,
            current,
            reason: None,
            retry_in: None,
            connection_id: Some("c".into()),
            client_id: Some(client.into()),
            resumed,
            max_inbound_rate: None,
            attempt: 0,
        }
    }

    fn channel(name: &str, current: ChannelState, resumed: bool) -> ChannelChange {
        ChannelChange {
            channel: name.into(),
            previous: ChannelState::Attaching,
            current,
            resumed,
            has_backlog: false,
            modes: Flags::MODES,
            reason: None,
        }
    }

    #[test]
    fn what_waits_is_lost_with_a_connection_that_is_not_resumed() {
        let mut facts = connectivity();
        let connected = |resumed| connection(ConnectionState::Connected, "ada", resumed);
        let verdict = |unsent_lost| ConnectionVerdict::Connected { unsent_lost };
        assert_eq!(facts.on_connection(connected(false), &ada()), verdict(false), "nothing was sent before the first");
        assert_eq!(facts.on_connection(connected(true), &ada()), verdict(false));
        assert_eq!(facts.on_connection(connected(false), &ada()), verdict(true));
    }

    #[test]
    fn a_connection_with_the_id_of_somebody_else_is_of_no_use() {
        let connected = connection(ConnectionState::Connected, "bob", false);
        let ConnectionVerdict::Failed(error) = connectivity().on_connection(connected, &ada()) else { panic!() };
        assert_eq!(error.code, ErrorCode::INVALID_CLIENT_ID);
    }

    #[test]
    fn a_channel_that_is_attached_again_without_resume_has_missed_messages() {
        let mut facts = connectivity();
        let mut missed = |resumed| match facts.on_channel(channel("room:den", ChannelState::Attached, resumed)) {
            Some(ChannelVerdict::Attached { missed, .. }) => missed,
            other => panic!("{other:?}"),
        };
        assert_eq!([missed(false), missed(true), missed(false)], [false, false, true]);
        assert_eq!(facts.on_channel(channel("room:other", ChannelState::Attached, false)), None);
    }

    #[test]
    fn a_channel_that_fails_before_it_is_requested_failed_for_an_earlier_session() {
        let mut facts = connectivity();
        let failed = |facts: &mut ConnectionFacts, name| {
            matches!(facts.on_channel(channel(name, ChannelState::Failed, false)), Some(ChannelVerdict::Failed(_)))
        };
        assert!(!failed(&mut facts, "room:den"));
        facts.on_channel(channel("room:den", ChannelState::Attaching, false));
        assert!(failed(&mut facts, "room:den"));
        assert!(!failed(&mut facts, "room:den:to:ada"));
        facts.lose_events();
        assert!(failed(&mut facts, "room:den:to:ada"));
    }

    #[test]
    fn the_session_is_up_once_both_channels_are_attached_and_down_with_either() {
        let mut facts = connectivity();
        let _ = facts.on_connection(connection(ConnectionState::Connected, "ada", false), &ada());
        facts.on_channel(channel("room:den", ChannelState::Attached, false));
        assert!(!facts.is_up());
        facts.on_channel(channel("room:den:to:ada", ChannelState::Attached, false));
        facts.set_synced();
        assert!(facts.is_up());
        facts.on_channel(channel("room:den:to:ada", ChannelState::Detached, false));
        assert!(!facts.is_up() && facts.is_connected() && facts.is_synced());
        let _ = facts.on_connection(connection(ConnectionState::Disconnected, "ada", false), &ada());
        assert!(!facts.is_connected() && !facts.is_synced());
    }
}
