//! Run conditions. Without the plugin's resources each is false; it does not panic.

use bevy::prelude::*;

use super::{
    messages::HostChanged,
    resources::{Host, RoomState},
};

/// Runs a system while we are in a room and host it.
pub fn is_host(state: Option<Res<State<RoomState>>>, host: Option<Res<Host>>) -> bool {
    joined(state) && host.is_some_and(|host| host.is_us)
}

/// Runs a system while we are in a room that another player hosts.
pub fn is_peer(state: Option<Res<State<RoomState>>>, host: Option<Res<Host>>) -> bool {
    joined(state) && host.is_some_and(|host| !host.is_us)
}

/// Runs a system while we are in a room.
pub fn in_room(state: Option<Res<State<RoomState>>>) -> bool {
    joined(state)
}

/// Runs a system once when the host changes, also to us, and when we join.
pub fn host_changed(mut changes: Option<MessageReader<HostChanged>>) -> bool {
    changes.as_mut().is_some_and(|changes| changes.read().count() > 0)
}

fn joined(state: Option<Res<State<RoomState>>>) -> bool {
    state.is_some_and(|state| *state.get() == RoomState::Joined)
}
