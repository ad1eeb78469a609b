//! The public list of rooms, as a game reads it.

use bevy::prelude::*;

use crate::{
    plugin::{
        engine::RoomsEngine,
        error::{RoomError, report},
    },
    protocol::ErrorInfo,
    session::{ListedRoom, RoomName},
};

/// The public list of rooms, while it is [watched](crate::plugin::RoomsCommandsExt::watch_rooms).
///
/// Everybody who may enter presence on the list's channel can show anything there. Only a host's id is reliable: the
/// server stamps it.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct RoomList {
    rooms: Vec<ListedRoom>,
    /// Whether the list is watched.
    pub watching: bool,
    /// Whether the list is complete; false while rooms are still arriving, and while there is no connection.
    pub complete: bool,
    /// Why there is no list. To try again, watch it again.
    pub trouble: Option<ErrorInfo>,
}

impl RoomList {
    /// The rooms, by title.
    pub fn iter(&self) -> std::slice::Iter<'_, ListedRoom> {
        self.rooms.iter()
    }

    /// The number of rooms, at most 1,000.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether no room is listed.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// One room.
    pub fn get(&self, room: &RoomName) -> Option<&ListedRoom> {
        self.rooms.iter().find(|listed| listed.room == *room)
    }
}

impl<'a> IntoIterator for &'a RoomList {
    type Item = &'a ListedRoom;
    type IntoIter = std::slice::Iter<'a, ListedRoom>;

    fn into_iter(self) -> Self::IntoIter {
        self.rooms.iter()
    }
}

/// Begins to watch the list, or stops watching it.
pub(super) fn watch(world: &mut World, watching: bool) {
    let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() else {
        log::error!("cannot watch the list of rooms without RoomsPlugin; add the plugin to the app");
        return;
    };
    if watching && let Err(error) = engine.connect() {
        return report(world, error);
    }
    engine.directory.watch(watching);
}

/// Tries again to list our room after a failure.
pub(super) fn try_again(world: &mut World) {
    if let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() {
        engine.directory.try_again();
    }
}

/// Updates the resource.
pub(super) fn show(world: &mut World) {
    let directory = &world.resource::<RoomsEngine>().directory;
    let list = RoomList {
        rooms: directory.rooms().to_vec(),
        watching: directory.is_watching(),
        complete: directory.is_complete(),
        trouble: directory.trouble().cloned(),
    };
    let is_news = |trouble: &&ErrorInfo| world.resource::<RoomList>().trouble.as_ref() != Some(*trouble);
    if let Some(trouble) = list.trouble.as_ref().filter(is_news) {
        let why = trouble.to_string();
        report(world, RoomError::NoList { why });
    }
    world.resource_mut::<RoomList>().set_if_neq(list);
}
