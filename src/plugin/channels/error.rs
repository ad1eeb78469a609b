//! What can go wrong with a channel.

use crate::{
    client::PresenceCommand,
    protocol::{ClientId, ErrorInfo},
};

/// Why something did not work on a channel. Only that channel is concerned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The server, or the client in its place, said no.
    #[error("refused: {0}")]
    Refused(#[from] ErrorInfo),
    /// A word about oneself that was refused.
    #[error("could not {} presence: {error}", verb(*action))]
    PresenceRefused {
        /// What was asked for.
        action: PresenceCommand,
        /// Why not.
        error: ErrorInfo,
    },
    /// A channel that belongs to rooms.
    #[error("the channel {channel:?} belongs to rooms; enter the room instead, or name the channel otherwise")]
    Reserved {
        /// Its name.
        channel: String,
    },
    /// Two entities for one channel.
    #[error("the channel {channel:?} is attached by another entity already; use that one, or despawn it first")]
    AttachedTwice {
        /// Its name.
        channel: String,
    },
    /// An entity without a channel, or whose channel was never attached.
    #[error(
        "the entity is attached to no channel; give it a `Channel` first, and see in `ChannelStatus` why it is not"
    )]
    NotAttached,
    /// More is asked for than is answered.
    #[error("{limit} things that were asked of channels wait for an answer; ask less often, or wait for answers")]
    TooMuchAsked {
        /// How many may wait.
        limit: usize,
    },
    /// What was missed is more than is caught up with.
    #[error("more was missed than the {limit} messages that are caught up with; read the history")]
    TooMuchMissed {
        /// How many would be caught up with.
        limit: usize,
    },
    /// A value that cannot be written as JSON.
    #[error("{name:?} cannot be written as JSON: {why}; maps need string keys")]
    NotSerializable {
        /// The message's name; for presence, `presence`.
        name: String,
        /// What the serializer said.
        why: String,
    },
    /// A message that does not fit the type that is registered for its name. It is told as it came too.
    #[error(
        "{name:?} came in a form that does not fit its type: {why}; give the type another name, or mend the sender"
    )]
    Undecodable {
        /// The message's name.
        name: String,
        /// Who sent it, as the server stamped it.
        sender: Option<ClientId>,
        /// What the deserializer said.
        why: String,
    },
    /// The connection's background task could not be started, or ended by itself.
    #[error("the connection's background task does not run: {why}; attach again to start it anew")]
    NoBackgroundTask {
        /// What went wrong.
        why: String,
    },
}

fn verb(action: PresenceCommand) -> &'static str {
    match action {
        PresenceCommand::Enter => "enter",
        PresenceCommand::Update => "update",
        PresenceCommand::Leave => "leave",
    }
}
