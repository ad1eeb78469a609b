//! Who we are: a player id that stays the same over restarts and crashes, and the number that says which of its processes
//! is the latest.
//!
//! Owns the choice, and what comes of it. Where an id is kept is a store's part: `slots` on a machine with files,
//! `storage` in a browser.

mod own;
#[cfg(not(target_arch = "wasm32"))]
mod slots;
#[cfg(target_arch = "wasm32")]
mod storage;

use std::path::PathBuf;

pub(super) use self::own::{Hold, OwnIdentity, generation_by_the_clock};
#[cfg(not(target_arch = "wasm32"))]
use self::slots as store;
#[cfg(target_arch = "wasm32")]
use self::storage as store;

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
    pub(super) fn take(&self) -> OwnIdentity {
        match self {
            Self::Fresh => OwnIdentity::fresh(),
            Self::Remembered { game, folder } => store::take(game, folder.as_deref()).unwrap_or_else(|error| {
                log::warn!("{error}; you are a new player this time");
                OwnIdentity::fresh()
            }),
        }
    }
}
