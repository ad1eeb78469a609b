//! Which windows are shown.

use bevy::prelude::Resource;

/// Which windows are shown. The player closes them, and a game changes them as it likes.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomsWindows {
    /// The lobby. Defaults to true.
    pub lobby: bool,
    /// Who is here. Defaults to true.
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
    /// None: the game shows the parts in panels of its own, or the player brings the inspector with its key.
    pub const NONE: Self = Self { lobby: false, roster: false, connection: false, inspector: false };
}

impl Default for RoomsWindows {
    fn default() -> Self {
        Self { lobby: true, roster: true, connection: true, inspector: false }
    }
}
