//! The empty half for native programs: there is no page.

use bevy::prelude::App;

pub(super) fn build(_: &mut App, _goes_on_hidden: bool) {}

pub(super) fn address() -> Option<String> {
    None
}

pub(super) fn show_address(_: &str) {}

pub(super) fn end(_: &str) {}
