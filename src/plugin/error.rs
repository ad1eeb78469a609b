//! What can go wrong with a room.

use bevy::prelude::*;

use crate::session::{InvalidName, PlayerId, SessionError};

/// Something that the game did, or that arrived, cannot work. It is also logged.
#[derive(Message, Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// A name is not valid.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The game entered a room while in another one.
    #[error("already in the room {room:?}; leave it first")]
    AlreadyInRoom {
        /// The room.
        room: String,
    },
    /// The game left a room while in none.
    #[error("there is no room to leave; join one first")]
    NotInRoom,
    /// A message was not sent.
    #[error("the message {kind:?} was not sent: {error}")]
    NotSent {
        /// Its kind.
        kind: String,
        /// Why.
        error: SessionError,
    },
    /// Messages were not sent, because as many wait already as may: the game sends more than the line or the server's limits
    /// let through. It comes once a second at most for each kind.
    #[error(
        "{messages} messages {kind:?} were not sent in the last second: {waiting} wait to be sent already; send less often"
    )]
    LeftOut {
        /// Their kind.
        kind: String,
        /// How many.
        messages: u64,
        /// How many messages wait to be sent, or to be confirmed by the host.
        waiting: usize,
    },
    /// A message was sent, and the server did not take it.
    #[error("the message {kind:?} did not reach the room: {why}")]
    NotDelivered {
        /// Its kind.
        kind: String,
        /// Why.
        why: String,
    },
    /// The game asked for something about a type that it did not share before.
    #[error("{name} is not shared: call share_resource::<{name}>() first")]
    NotRegistered {
        /// The type's name, without its module.
        name: String,
    },
    /// The game asked for something that only the host may do, or that is not possible.
    #[error("could not {action}: {error}")]
    NotControlled {
        /// What the game asked for, such as `kick ada`.
        action: String,
        /// Why not.
        error: SessionError,
    },
    /// The public list of rooms is not available.
    #[error("the list of rooms is not available: {why}")]
    NoList {
        /// Why.
        why: String,
    },
    /// A rule of [`add_admission_rule`](super::RoomsAppExt::add_admission_rule) could not run.
    #[error("an admission rule could not run, and {player} has to wait: {why}")]
    RuleFailed {
        /// The player that the rule is about.
        player: PlayerId,
        /// The error from Bevy.
        why: String,
    },
    /// A message or shared resource cannot be written as JSON.
    #[error("{kind:?} cannot be written as JSON: {why}; maps need string keys")]
    NotSerializable {
        /// The kind of the message, or the key of the resource.
        kind: String,
        /// The error from the serializer.
        why: String,
    },
    /// A shared resource could not be published.
    #[error("the shared resource {key:?} was not published: {error}")]
    NotShared {
        /// Its key.
        key: String,
        /// Why.
        error: SessionError,
    },
    /// A message or value arrived that does not fit the type registered for it.
    #[error("{kind:?} does not fit its type: {why}; do all players run the same version of the game?")]
    Undecodable {
        /// The kind of the message, or the key of the shared resource.
        kind: String,
        /// Who sent it; `None` for shared state.
        sender: Option<PlayerId>,
        /// The error from the deserializer.
        why: String,
    },
    /// The name of a message type or shared resource is taken.
    #[error("the name {name:?} is registered twice; register each type once, or give one of them a name of its own")]
    RegisteredTwice {
        /// The name.
        name: String,
    },
    /// The background task could not be started, or ended by itself.
    #[error("the connection's background task does not run: {why}")]
    NoBackgroundTask {
        /// What went wrong.
        why: String,
    },
}

/// Reports an error to the game and to the log.
pub(super) fn report(world: &mut World, error: RoomError) {
    log::warn!("{error}");
    world.write_message(error);
}
