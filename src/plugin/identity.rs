//! The player's identity: an id that survives restarts and crashes, and the number that says which of its processes
//! is the latest.
//!
//! Chooses where the id comes from. A store keeps it: `slots` on a machine with files, `storage` in a browser.

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

/// Where [`RoomsPlugin`](super::RoomsPlugin) gets its player id, unless the game gives one.
///
/// A player that comes back with the same id has its seat again, and within the grace period everything that belongs to
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// A new random id for each run: a player that restarts the game is a new player. This is the default, because only
    /// the game knows under which name to remember a player, and the plugin writes nothing to a disk unasked.
    ///
    /// With Ably's cloud this can cost money. An account that is priced by monthly active users counts each player id that
    /// connects in a month as one user. So somebody who starts the game thirty times is thirty users. The plugin warns about
    /// it once, when it is added. Use [`Identity::remembered`], or [`RoomsPlugin::player`](super::RoomsPlugin::player) in a
    /// game with accounts.
    #[default]
    Fresh,
    /// An id that this machine remembers; see [`Identity::remembered`].
    Remembered {
        /// The game's name, always spelled the same: letters, digits, `-`, `_` and `.`.
        game: String,
        /// The folder that keeps it. `None`: the user's data folder. A browser has no folders.
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
    /// Each instance on one machine has an id of its own, and gets the same id when it starts again. The ids are in
    /// numbered slots. An instance takes the first slot that no other instance holds, and holds it while its app lives.
    /// The file is `bevy_rooms/GAME/player-N.json`; delete it to make a new player. In a browser each tab is an
    /// instance, and a refreshed tab stays the same player. If the id cannot be kept, because the folder cannot be
    /// written or a file cannot be read, the plugin logs a warning and the id is a new one.
    pub fn remembered(game: impl Into<String>) -> Self {
        Self::Remembered { game: game.into(), folder: None }
    }

    /// The same, in this folder instead of the user's data folder.
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        match self {
            Self::Remembered { game, .. } => Self::Remembered { game, folder: Some(folder.into()) },
            Self::Fresh => Self::Fresh,
        }
    }

    /// Takes the id. This never fails: in the worst case the id is a new one.
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
