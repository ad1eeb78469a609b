//! The identity of this process, and what the stores of ids have in common.

use std::{any::Any, fmt};

use crate::{
    plugin::entropy::{random_player, unix_millis},
    session::{Generation, PlayerId},
};

/// The most instances of a game that one machine remembers.
pub(super) const SLOTS: u32 = 64;

/// The generations that one process may use: each room that it enters takes one. The next process begins above them,
/// even if the clock was set back.
pub(super) const RESERVED: u64 = 1000;

/// The longest name of a game, in bytes. File systems allow 255.
const MAX_GAME: usize = 100;

/// Holds a slot until it is dropped.
pub(in crate::plugin) struct Hold(#[expect(dead_code, reason = "it is held, and dropped")] Box<dyn Any + Send + Sync>);

impl Hold {
    /// Holds the slot while `keeper` lives.
    pub(super) fn while_alive(keeper: impl Any + Send + Sync) -> Self {
        Self(Box::new(keeper))
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// The player id and generation of this process.
#[derive(Debug)]
pub(in crate::plugin) struct OwnIdentity {
    pub(in crate::plugin) player: PlayerId,
    pub(in crate::plugin) generation: Generation,
    /// Prevents other instances on this machine from being the same player. Held while the app lives.
    pub(in crate::plugin) hold: Option<Hold>,
}

impl OwnIdentity {
    /// A new player.
    pub(super) fn fresh() -> Self {
        Self { player: random_player(), generation: generation_by_the_clock(), hold: None }
    }
}

/// Whether a game's name can be part of a path and of a key.
pub(super) fn is_plain_name(game: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&letter);
    !game.is_empty() && game.len() <= MAX_GAME && game.chars().all(is_plain) && !game.starts_with('.')
}

/// The generation of a player that remembers none: a process that starts later has a higher one.
pub(in crate::plugin) fn generation_by_the_clock() -> Generation {
    Generation(unix_millis())
}
