//! The commands to enter and leave rooms, and to watch the public list.

use bevy::prelude::*;

use super::{
    list,
    resources::{LocalPlayer, Room, RoomState, set_state},
};
use crate::{
    plugin::{
        engine::{NextRoom, RoomsEngine},
        error::{RoomError, report},
        registry::Registry,
    },
    session::{Profile, RoomName, Wish},
};

/// The commands of rooms, on [`Commands`].
///
/// [`RoomState`] shows the outcome. [`RoomClosed`](crate::plugin::RoomClosed) says why we are not admitted, and [`RoomError`] says
/// why a command makes no sense.
pub trait RoomsCommandsExt {
    /// Joins a room that somebody hosts. After 10 s without a host it closes with
    /// [`CloseReason::NoHost`](crate::session::CloseReason::NoHost).
    fn join_room(&mut self, room: impl Into<String>, profile: Profile);

    /// Hosts a room. If somebody hosts it already, it closes with
    /// [`Refusal::HostExists`](crate::session::Refusal::HostExists).
    fn host_room(&mut self, room: impl Into<String>, profile: Profile);

    /// Joins a room, or hosts it if nobody does.
    fn join_or_host(&mut self, room: impl Into<String>, profile: Profile);

    /// Leaves the room, or cancels entering it.
    ///
    /// What the game sends and changes in the same frame still reaches the room. If the game enters another room in
    /// that frame, it enters that one afterwards.
    fn leave_room(&mut self);

    /// Watches the public list of rooms, in a room or outside. The resource [`RoomList`](crate::plugin::RoomList) shows
    /// it. Connects if there is no connection yet.
    fn watch_rooms(&mut self);

    /// Stops watching the list. [`RoomList`](crate::plugin::RoomList) is empty then.
    fn unwatch_rooms(&mut self);
}

impl RoomsCommandsExt for Commands<'_, '_> {
    fn join_room(&mut self, room: impl Into<String>, profile: Profile) {
        let room = room.into();
        self.queue(move |world: &mut World| enter(world, &room, profile, Wish::Join));
    }

    fn host_room(&mut self, room: impl Into<String>, profile: Profile) {
        let room = room.into();
        self.queue(move |world: &mut World| enter(world, &room, profile, Wish::Host));
    }

    fn join_or_host(&mut self, room: impl Into<String>, profile: Profile) {
        let room = room.into();
        self.queue(move |world: &mut World| enter(world, &room, profile, Wish::JoinOrHost));
    }

    fn leave_room(&mut self) {
        self.queue(leave);
    }

    fn watch_rooms(&mut self) {
        self.queue(|world: &mut World| list::watch(world, true));
    }

    fn unwatch_rooms(&mut self) {
        self.queue(|world: &mut World| list::watch(world, false));
    }
}

pub(super) fn enter(world: &mut World, room: &str, profile: Profile, wish: Wish) {
    let registry = world.get_resource::<Registry>();
    let fingerprint = registry.map(Registry::fingerprint).unwrap_or_default();
    let asks_game = registry.is_some_and(|registry| !registry.admission_rules.is_empty());
    let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() else {
        log::error!("cannot enter a room without RoomsPlugin; add the plugin to the app");
        return;
    };
    let named = RoomName::new(room).map_err(RoomError::from);
    if engine.is_on_the_way_out()
        && let Ok(room) = named
    {
        engine.next = Some(NextRoom { room, profile, wish });
        return;
    }
    let entered = named.and_then(|room| engine.enter(room.clone(), profile.clone(), wish, fingerprint).map(|()| room));
    if let Some(session) = &mut engine.session {
        session.ask_before_admitting(asks_game);
    }
    match entered {
        Ok(room) => {
            world.resource_mut::<LocalPlayer>().profile = profile;
            let mut resource = world.resource_mut::<Room>();
            resource.name = Some(room);
            (resource.interrupted, resource.interruption) = (false, None);
            resource.waiting = false;
            set_state(world, RoomState::Arriving);
        }
        Err(error) => report(world, error),
    }
}

fn leave(world: &mut World) {
    if !world.get_resource_mut::<RoomsEngine>().is_some_and(|mut engine| engine.leave()) {
        report(world, RoomError::NotInRoom);
    }
}
