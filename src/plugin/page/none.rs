//! No page is around the game.

use bevy::prelude::App;

use super::WhileHidden;

/// Nothing hides the game.
pub(in crate::plugin) fn build(_: &mut App, _: WhileHidden) {}

pub(super) fn address() -> Option<String> {
    None
}

pub(super) fn show_address(_: &str) {}

pub(super) fn end(_: &str) {}
