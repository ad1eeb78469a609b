//! The roster in the ECS: one entity for each player, and the resources about them.

use bevy::prelude::*;

use super::resources::{
    Host, HostPlayer, LocalPlayer, OwnPlayer, Player, PlayerStatus, Roster, RosterEntry, Spectator,
};
use crate::{
    plugin::engine::RoomsEngine,
    session::{PlayerId, SeatStatus},
};

/// The entity of a player on the roster.
pub(super) fn entity(world: &World, player: &PlayerId) -> Option<Entity> {
    world.resource::<Roster>().get(player).map(|entry| entry.entity)
}

/// Spawns an entity for every player without one. Entities of players that left stay until [`sync`].
pub(super) fn spawn_missing(world: &mut World) {
    for seat in seats(world) {
        if entity(world, &seat.id).is_none() {
            let entity = world.spawn(Player { id: seat.id.clone() }).id();
            world.resource_mut::<Roster>().players.push(RosterEntry { entity, ..seat });
        }
    }
}

/// Updates the resources and entities from the session. Writes only what differs, so that change detection
/// shows what changed.
pub(super) fn sync(world: &mut World) {
    let mut players = seats(world);
    for entry in &mut players {
        entry.entity = match entity(world, &entry.id) {
            // A game may have despawned it, or cleared the world.
            Some(entity) if world.get_entity(entity).is_ok() => entity,
            _ => world.spawn(Player { id: entry.id.clone() }).id(),
        };
        show(world, entry);
    }
    let gone: Vec<Entity> = world
        .resource::<Roster>()
        .iter()
        .map(|entry| entry.entity)
        .filter(|entity| !players.iter().any(|entry| entry.entity == *entity))
        .collect();
    for entity in gone {
        world.try_despawn(entity).ok();
    }
    set_if_different(world, Roster { players });
    sync_host(world);
}

/// The session's roster, with placeholders for the entities.
fn seats(world: &World) -> Vec<RosterEntry> {
    let Some(session) = &world.resource::<RoomsEngine>().session else { return Vec::new() };
    let host = session.host();
    session
        .roster()
        .iter()
        .map(|seat| RosterEntry {
            id: seat.player.clone(),
            profile: seat.profile.clone(),
            status: match seat.status {
                SeatStatus::Present => PlayerStatus::Present,
                SeatStatus::Lost => PlayerStatus::Lost,
            },
            is_host: host == Some(&seat.player),
            is_spectator: seat.spectator,
            entity: Entity::PLACEHOLDER,
        })
        .collect()
}

/// Writes one player's components.
fn show(world: &mut World, entry: &RosterEntry) {
    let is_us = world.resource::<LocalPlayer>().id == entry.id;
    let mut entity = world.entity_mut(entry.entity);
    if entity.get::<Name>().is_none_or(|name| name.as_str() != entry.profile.name) {
        entity.insert(Name::new(entry.profile.name.clone()));
    }
    if entity.get::<PlayerStatus>() != Some(&entry.status) {
        entity.insert(entry.status);
    }
    match (entry.is_host, entity.contains::<HostPlayer>()) {
        (true, false) => drop(entity.insert(HostPlayer)),
        (false, true) => drop(entity.remove::<HostPlayer>()),
        _ => {}
    }
    match (entry.is_spectator, entity.contains::<Spectator>()) {
        (true, false) => drop(entity.insert(Spectator)),
        (false, true) => drop(entity.remove::<Spectator>()),
        _ => {}
    }
    if is_us && !entity.contains::<OwnPlayer>() {
        entity.insert(OwnPlayer);
    }
}

fn sync_host(world: &mut World) {
    let local = world.resource::<LocalPlayer>().clone();
    let roster = world.resource::<Roster>();
    let player = roster.iter().find(|entry| entry.is_host).map(|entry| entry.id.clone());
    let own_entity = roster.get(&local.id).map(|entry| entry.entity);
    set_if_different(world, Host { is_us: player.as_ref() == Some(&local.id), player });
    if local.entity != own_entity {
        world.resource_mut::<LocalPlayer>().entity = own_entity;
    }
}

fn set_if_different<R: Resource<Mutability = bevy::ecs::component::Mutable> + PartialEq>(world: &mut World, value: R) {
    world.resource_mut::<R>().set_if_neq(value);
}
