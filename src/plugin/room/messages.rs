//! The Bevy messages of a room: the game's own typed ones, and those about what happens in the room.

use std::ops::Deref;

use bevy::prelude::*;

use crate::session::{CloseReason, Continuity, InterruptReason, LeaveReason, PlayerId, Target, Term};

/// A message of the game to others in the room. Write it with a `MessageWriter<ToRoom<T>>`.
///
/// The plugin sends it at the end of the frame, with everything else that the game sends and changes in it. Outside a
/// room it is dropped, and a [`RoomError::NotSent`](crate::plugin::RoomError::NotSent) says so.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ToRoom<T: Send + Sync + 'static> {
    /// The receivers.
    pub target: Target,
    /// The message.
    pub message: T,
}

impl<T: Send + Sync + 'static> ToRoom<T> {
    /// To everyone in the room, us too.
    pub fn everyone(message: T) -> Self {
        Self { target: Target::Everyone, message }
    }

    /// To everyone in the room but us.
    pub fn others(message: T) -> Self {
        Self { target: Target::Others, message }
    }

    /// To the host, exactly once: a request. The plugin keeps it and sends it again until the host has applied it.
    pub fn host(message: T) -> Self {
        Self { target: Target::Host, message }
    }

    /// To one player, over its inbox channel.
    pub fn player(player: &PlayerId, message: T) -> Self {
        Self { target: Target::Player(player.clone()), message }
    }
}

/// A message of the game from somebody in the room. Read it with a `MessageReader<FromRoom<T>>`.
///
/// Dereferences to the message.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct FromRoom<T: Send + Sync + 'static> {
    /// The sender, as the server stamped it. It may be us, for a message to everyone.
    pub sender: PlayerId,
    /// The message.
    pub message: T,
}

impl<T: Send + Sync + 'static> Deref for FromRoom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.message
    }
}

/// A player is in the room: it came, or it was there when we came.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerJoined {
    /// Who.
    pub player: PlayerId,
    /// The player's entity.
    pub entity: Entity,
}

/// The connection of a player is gone. The room keeps the seat and the entity for a while.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerLost {
    /// Who.
    pub player: PlayerId,
    /// The player's entity.
    pub entity: Entity,
}

/// A lost player is back on its seat, or a player restarted its game before anybody noticed. Send it again what only
/// its old process knew.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerReturned {
    /// Who.
    pub player: PlayerId,
    /// The player's entity.
    pub entity: Entity,
}

/// A player has no seat any more, and its entity is gone.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerLeft {
    /// Who.
    pub player: PlayerId,
    /// Why.
    pub reason: LeaveReason,
}

/// Another player is the host now.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct HostChanged {
    /// The host before; `None` when we join.
    pub from: Option<PlayerId>,
    /// The host now.
    pub to: PlayerId,
    /// The host's term.
    pub term: Term,
}

/// Nothing arrives for the moment: the connection dropped, the host is silent, or nobody receives what we send as host.
/// A host should stop its timers until [`RoomResumed`], as [`Room::interrupted`](crate::plugin::Room::interrupted)
/// shows: what it does now may be undone.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct RoomInterrupted {
    /// Why.
    pub reason: InterruptReason,
}

/// The connection, or the host, is back. It also comes without a [`RoomInterrupted`] before it, when something was
/// missed and nobody noticed at the time.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct RoomResumed {
    /// Whether anything was missed.
    pub continuity: Continuity,
}

/// We are not in the room any more, or were not admitted.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct RoomClosed {
    /// Why.
    pub reason: CloseReason,
}
