//! Who we are: a player id that stays the same over restarts and crashes, and the number that says which of its processes
//! is the latest.
//!
//! Owns the choice, and what comes of it. Where an id is kept is a store's part: `slots` on a machine with files,
//! `storage` in a browser.

#[cfg(not(target_arch = "wasm32"))]
mod slots;
#[cfg(target_arch = "wasm32")]
mod storage;

use std::path::PathBuf;

#[cfg(not(target_arch = "wasm32"))]
use self::slots as store;
#[cfg(target_arch = "wasm32")]
use self::storage as store;
pub(super) use self::store::Hold;
use crate::session::{Generation, PlayerId};

/// Most instances of a game on one machine that are remembered.
const SLOTS: u32 = 64;

/// Generations that one process may use up: each room that it enters takes one, and the next process begins above them,
/// also where the clock was set back.
const RESERVED: u64 = 1000;

/// Longest name of a game, in bytes; file systems take 255.
const MAX_GAME: usize = 100;

/// Where the player id comes from that [`RoomsPlugin`](super::RoomsPlugin) connects with, unless the game gives one.
///
/// With the same id a player who was away has its seat again: within the grace period with everything on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// A new random id for each run: a player who restarts the game is somebody new. The default, since only the game
    /// knows under which name to remember a player, and nothing is written to a disk unasked.
    #[default]
    Fresh,
    /// One that this machine remembers; see [`Identity::remembered`].
    Remembered {
        /// The game's name, in the same letters always: letters, digits, `-`, `_` and `.`.
        game: String,
        /// Where to keep it. `None`: in the user's data folder. A browser has no folders.
        folder: Option<PathBuf>,
    },
}

impl Identity {
    /// An id that is kept in the user's data folder, the same for all rooms of this game; in a browser, in the local
    /// storage of the page's origin.
    ///
    /// ```
    /// use bevy_rooms::prelude::*;
    /// # use bevy::prelude::default;
    ///
    /// let plugin = RoomsPlugin { identity: Identity::remembered("space-bingo"), ..default() };
    /// # let _ = plugin;
    /// ```
    ///
    /// Of several instances on one machine each has an id of its own, and the same again when it is started again: the
    /// ids are in numbered slots, and an instance takes the first that no other holds, for as long as its app lives.
    /// The file is `bevy_rooms/GAME/player-N.json`; deleting it makes a new player. In a browser an instance is a tab, and
    /// one that is refreshed stays the same player. Where nothing can be kept, since the
    /// folder cannot be written or a file cannot be read, a warning is logged and the id is a new one.
    pub fn remembered(game: impl Into<String>) -> Self {
        Self::Remembered { game: game.into(), folder: None }
    }

    /// The same, kept in this folder instead of the user's.
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        match self {
            Self::Remembered { game, .. } => Self::Remembered { game, folder: Some(folder.into()) },
            Self::Fresh => Self::Fresh,
        }
    }

    /// Takes the id. Never fails: in the worst case it is a new one.
    pub(super) fn take(&self) -> Own {
        match self {
            Self::Fresh => Own::fresh(),
            Self::Remembered { game, folder } => store::take(game, folder.as_deref()).unwrap_or_else(|error| {
                log::warn!("{error}; you are a new player this time");
                Own::fresh()
            }),
        }
    }
}

/// Who we are in this process.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) player: PlayerId,
    pub(super) generation: Generation,
    /// Keeps others on this machine from being the same player. Held for as long as the app lives.
    pub(super) hold: Option<Hold>,
}

impl Own {
    /// Somebody new.
    pub(super) fn fresh() -> Self {
        Self { player: super::commands::random_player(), generation: by_the_clock(), hold: None }
    }
}

/// Whether a game's name can be part of a path and of a key.
fn is_plain_name(game: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&letter);
    !game.is_empty() && game.len() <= MAX_GAME && game.chars().all(is_plain) && !game.starts_with('.')
}

/// A generation for whoever remembers none: a process that was started later has a higher one.
pub(super) fn by_the_clock() -> Generation {
    Generation(super::link::unix_millis())
}
