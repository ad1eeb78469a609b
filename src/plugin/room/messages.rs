//! The Bevy messages of a room: the game's own, typed, and what happens in the room.

use std::ops::Deref;

use bevy::prelude::*;

use crate::session::{CloseReason, Continuity, InterruptReason, LeaveReason, PlayerId, Target, Term};

/// A message of the game to others in the room. Write it with a `MessageWriter<ToRoom<T>>`.
///
/// It goes out at the end of the frame, together with what else was said and changed in it. Outside a room it is
/// dropped, and a [`RoomError::NotSent`](crate::plugin::RoomError::NotSent) says so.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ToRoom<T: Send + Sync + 'static> {
    /// Who it is for.
    pub target: Target,
    /// The message.
    pub message: T,
}

impl<T: Send + Sync + 'static> ToRoom<T> {
    /// To everyone in the room, ourselves too.
    pub fn everyone(message: T) -> Self {
        Self { target: Target::Everyone, message }
    }

    /// To everyone in the room but ourselves.
    pub fn others(message: T) -> Self {
        Self { target: Target::Others, message }
    }

    /// To the host, exactly once: a request. It is kept and sent again until the host has applied it.
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
    /// Who sent it, as the server stamped it. Ourselves, where it was for everyone.
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

/// Somebody is in the room: came, or was there when we came.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerJoined {
    /// Who.
    pub player: PlayerId,
    /// The player's entity.
    pub entity: Entity,
}

/// Somebody's connection is gone. The seat and the entity are kept for a while.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerLost {
    /// Who.
    pub player: PlayerId,
    /// The player's entity.
    pub entity: Entity,
}

/// Somebody who was lost is back on the same seat, or restarted its game before it was missed: what only its process knew
/// has to be told again.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerReturned {
    /// Who.
    pub player: PlayerId,
    /// The player's entity.
    pub entity: Entity,
}

/// Somebody's seat was given up; the entity is gone.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct PlayerLeft {
    /// Who.
    pub player: PlayerId,
    /// Why.
    pub reason: LeaveReason,
}

/// Another player leads the room.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct HostChanged {
    /// Who led before; `None` on joining.
    pub from: Option<PlayerId>,
    /// Who leads now.
    pub to: PlayerId,
    /// The host's term.
    pub term: Term,
}

/// Nothing comes in for the moment: the line dropped, the host is silent, or this host is not heard. A host should stop what it does
/// by the clock until [`RoomResumed`], as [`Room::interrupted`](crate::plugin::Room::interrupted) tells: it may be undone.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct RoomInterrupted {
    /// Why.
    pub reason: InterruptReason,
}

/// The line, or the host, is back. It comes without a [`RoomInterrupted`] before it where something was missed that was not noticed
/// at the time.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct RoomResumed {
    /// Whether anything was missed.
    pub continuity: Continuity,
}

/// We are not in the room any more, or were never let in.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct RoomClosed {
    /// Why.
    pub reason: CloseReason,
}
