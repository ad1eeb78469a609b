//! The open windows.

use bevy::prelude::Resource;

/// The open windows. The player closes them, and a game opens and closes them as it likes.
///
/// Fill in what you need and end with `..default()`: then a new field breaks nothing.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomsWindows {
    /// The lobby. Defaults to true.
    pub lobby: bool,
    /// The players. Defaults to true.
    pub roster: bool,
    /// The connection. Defaults to true.
    pub connection: bool,
    /// The network inspector. Defaults to false; see
    /// [`RoomsUiPlugin::inspector_key`](super::RoomsUiPlugin::inspector_key).
    pub inspector: bool,
}

impl RoomsWindows {
    /// All of them.
    pub const ALL: Self = Self { lobby: true, roster: true, connection: true, inspector: true };
    /// None: the game shows the parts in panels of its own. The key still opens the inspector.
    pub const NONE: Self = Self { lobby: false, roster: false, connection: false, inspector: false };
}

impl Default for RoomsWindows {
    fn default() -> Self {
        Self { lobby: true, roster: true, connection: true, inspector: false }
    }
}
