//! What can go wrong with a channel.

use crate::{
    client::PresenceCommand,
    protocol::{ClientId, ErrorInfo},
};

/// Why something did not work on a channel. It affects that channel only.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The server refused, or the client before it did.
    #[error("refused: {0}")]
    Refused(#[from] ErrorInfo),
    /// A presence command was refused.
    #[error("could not {} presence: {error}", verb(*action))]
    PresenceRefused {
        /// The command.
        action: PresenceCommand,
        /// Why not.
        error: ErrorInfo,
    },
    /// The channel belongs to rooms.
    #[error("the channel {channel:?} belongs to rooms; enter the room instead, or choose another name")]
    Reserved {
        /// Its name.
        channel: String,
    },
    /// Two entities have the same channel.
    #[error("the channel {channel:?} is already attached by another entity; use that one, or despawn it first")]
    AttachedTwice {
        /// Its name.
        channel: String,
    },
    /// The entity has no channel, or its channel was never attached.
    #[error("the entity has no attached channel; insert a `Channel` first, and see the reason in its `ChannelStatus`")]
    NotAttached,
    /// Too many requests wait for an answer.
    #[error("{limit} requests to channels wait for an answer; ask less often, or wait for answers")]
    TooMuchAsked {
        /// The most that may wait.
        limit: usize,
    },
    /// More messages were missed than are recovered.
    #[error("more than {limit} messages were missed, which is the most that can be recovered; read the history")]
    TooMuchMissed {
        /// The most that are recovered.
        limit: usize,
    },
    /// A value cannot be written as JSON.
    #[error("{name:?} cannot be written as JSON: {why}; maps need string keys")]
    NotSerializable {
        /// The message's name; for presence, `presence`.
        name: String,
        /// The error from the serializer.
        why: String,
    },
    /// A message does not fit the type that is registered for its name. The raw message is delivered too.
    #[error("{name:?} does not fit its type: {why}; give the type another name, or fix the sender")]
    Undecodable {
        /// The message's name.
        name: String,
        /// The sender, as the server stamped it.
        sender: Option<ClientId>,
        /// The error from the deserializer.
        why: String,
    },
    /// The connection's background task could not be started, or ended by itself.
    #[error("the connection's background task does not run: {why}; attach again to restart it")]
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
