//! A game's room in the ECS: what a game registers, asks for, reads and writes.
//!
//! Owns the components, resources, messages, commands and run conditions of a room. The session in the
//! [`RoomsEngine`](super::engine::RoomsEngine) decides what they show. Driven by Bevy's schedules.

mod app_ext;
mod clock;
mod commands;
mod conditions;
mod confirmed;
mod control;
mod list;
mod messages;
mod names;
pub(super) mod newcomer;
mod players;
mod receive;
mod resources;
mod send;
mod shared_resources;

use bevy::prelude::*;

pub use self::{
    app_ext::RoomsAppExt,
    clock::{Deadline, RoomClock, deadline_is_over},
    commands::RoomsCommandsExt,
    conditions::{host_changed, in_room, is_host, is_peer},
    confirmed::Confirmed,
    control::RoomControlExt,
    list::RoomList,
    messages::{
        FromRoom, HostChanged, PlayerJoined, PlayerLeft, PlayerLost, PlayerReturned, RoomClosed, RoomInterrupted,
        RoomResumed, ToRoom,
    },
    names::{random_code, random_name, random_room},
    newcomer::Newcomer,
    resources::{
        Host, HostPlayer, LocalPlayer, OwnPlayer, Player, PlayerStatus, Room, RoomState, Roster, RosterEntry, Spectator,
    },
};
pub(super) use self::{
    receive::{apply, something_came, take_in},
    send::{LeftOut, flush},
};
use super::error::RoomError;

pub(super) fn build(app: &mut App) {
    app.init_state::<RoomState>()
        .init_resource::<Room>()
        .init_resource::<RoomClock>()
        .init_resource::<send::LeftOut>()
        .init_resource::<Host>()
        .init_resource::<Roster>()
        .init_resource::<RoomList>()
        .register_type::<Deadline>()
        .register_type::<Player>()
        .register_type::<PlayerStatus>()
        .register_type::<HostPlayer>()
        .register_type::<Spectator>()
        .register_type::<OwnPlayer>()
        .add_message::<PlayerJoined>()
        .add_message::<PlayerLost>()
        .add_message::<PlayerReturned>()
        .add_message::<PlayerLeft>()
        .add_message::<HostChanged>()
        .add_message::<RoomInterrupted>()
        .add_message::<RoomResumed>()
        .add_message::<RoomClosed>()
        .add_message::<RoomError>();
}
