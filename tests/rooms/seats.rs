//! A player's seat and entity over a crash, a restart, and the end of the grace period.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::prelude::*;

use crate::table::{LONG, Table, command, messages, state};

/// What a game gives a player of its own.
#[derive(Component, Debug, PartialEq)]
struct Coins(u32);

fn enter(table: &mut Table, seat: usize) {
    command(&mut table.apps[seat], |commands| commands.join_or_host("den", Profile::named("x")));
    assert!(table.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined));
}

/// A room of two, where the host gave the peer something. Returns the peer's entity in the host's app.
fn room() -> (Table, Entity) {
    let mut table = Table::new();
    for player in ["ada", "ben"] {
        let seat = table.seat(player, |_| {});
        enter(&mut table, seat);
    }
    let entity = entry(&table).unwrap().entity;
    table.apps[0].world_mut().entity_mut(entity).insert(Coins(7));
    (table, entity)
}

/// The peer as the host sees it.
fn entry(table: &Table) -> Option<RosterEntry> {
    table.apps[0].world().resource::<Roster>().get(&PlayerId::new("ben").unwrap()).cloned()
}

fn coins(table: &Table, entity: Entity) -> Option<&Coins> {
    table.apps[0].world().get::<Coins>(entity)
}

#[test]
fn a_player_whose_app_crashed_keeps_seat_entity_and_components_until_it_is_back() {
    let (mut table, entity) = room();
    drop(table.apps.pop());
    assert!(table.until(LONG, |apps| !messages::<PlayerLost>(&apps[0]).is_empty()));
    assert_eq!(table.apps[0].world().get::<PlayerStatus>(entity), Some(&PlayerStatus::Lost));
    table.until(Duration::from_secs(28), |_| false);
    assert_eq!(coins(&table, entity), Some(&Coins(7)), "for as long as the grace lasts");
    let plugin = RoomsPlugin { generation: Some(bevy_rooms::session::Generation(u64::MAX / 2)), ..table.plugin("ben") };
    let again = table.seat_plugin(plugin, |_| {});
    command(&mut table.apps[again], |commands| commands.join_room("den", Profile::named("Ben")));
    let mut returned = Vec::new();
    assert!(table.until(LONG, |apps| {
        returned.extend(messages::<PlayerReturned>(&apps[0]).into_iter().map(|back| back.entity));
        !returned.is_empty()
    }));
    assert_eq!(returned[0], entity);
    assert_eq!(coins(&table, entity), Some(&Coins(7)));
    assert_eq!(entry(&table).unwrap().status, PlayerStatus::Present);
    assert!(table.until(LONG, |apps| state(&apps[again]) == RoomState::Joined));
}

#[test]
fn after_the_grace_period_the_player_has_left_and_its_entity_is_gone() {
    let (mut table, entity) = room();
    drop(table.apps.pop());
    let mut left = Vec::new();
    assert!(table.until(LONG, |apps| {
        left.extend(messages::<PlayerLeft>(&apps[0]).into_iter().map(|left| left.reason));
        !left.is_empty()
    }));
    assert_eq!(left[0], LeaveReason::Vanished);
    assert_eq!((coins(&table, entity), entry(&table)), (None, None));
}

#[test]
fn a_line_that_drops_for_a_moment_costs_nobody_its_entity() {
    let (mut table, entity) = room();
    table.cut_all();
    table.until(Duration::from_secs(5), |_| false);
    assert_eq!(coins(&table, entity), Some(&Coins(7)));
    assert_eq!(entry(&table).unwrap().status, PlayerStatus::Present);
}
