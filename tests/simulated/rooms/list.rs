//! Finding rooms: what hosts show on the public list, and what those see who watch it.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::prelude::*;
use serde_json::json;

use crate::table::{LONG, Table, command, messages, state};

/// Seats a player who hosts a room of its own.
fn host(table: &mut Table, player: &str, room: &str) -> usize {
    let seat = table.seat(player, |_| {});
    command(&mut table.apps[seat], |commands| commands.host_room(room, Profile::named(player.to_uppercase())));
    assert!(table.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined));
    seat
}

fn watcher(table: &mut Table) -> usize {
    let seat = table.seat("eye", |_| {});
    command(&mut table.apps[seat], |commands| commands.watch_rooms());
    seat
}

fn list(app: &App) -> &RoomList {
    app.world().resource::<RoomList>()
}

fn titles(app: &App) -> Vec<&str> {
    list(app).iter().map(|room| room.title.as_str()).collect()
}

#[test]
fn a_listed_room_shows_to_who_watches_the_list_outside_any_room() {
    let mut table = Table::new();
    let ada = host(&mut table, "ada", "den");
    host(&mut table, "ben", "private");
    command(&mut table.apps[ada], |commands| {
        commands.set_capacity(4);
        commands.list_room(Listing::titled("Ada's den").with_data(json!({ "map": "hills" })));
    });
    let eye = watcher(&mut table);
    assert!(table.until(LONG, |apps| list(&apps[eye]).complete && !list(&apps[eye]).is_empty()));
    assert_eq!(titles(&table.apps[eye]), ["Ada's den"], "who does not list its room is not on it");
    let room = list(&table.apps[eye]).iter().next().unwrap().clone();
    assert_eq!((room.room.as_str(), room.host.as_str(), room.host_name.as_str()), ("den", "ada", "ADA"));
    assert_eq!((room.players, room.capacity, room.locked), (1, 4, false));
    assert_eq!(room.data, json!({ "map": "hills" }));
    assert_eq!(state(&table.apps[eye]), RoomState::Outside);

    let joined = room.room.clone();
    command(&mut table.apps[eye], move |commands| commands.join_room(joined, Profile::named("Eye")));
    let shown = |app: &App| list(app).get(&room.room).map(|room| (room.players, room.locked));
    assert!(table.until(LONG, |apps| shown(&apps[eye]) == Some((2, false))), "and it can be joined from there");
    command(&mut table.apps[ada], |commands| commands.lock_room());
    assert!(table.until(Duration::from_secs(3), |apps| shown(&apps[eye]) == Some((2, true))));
}

#[test]
fn a_room_is_off_the_list_when_its_host_wants_it_or_is_gone() {
    let mut table = Table::new();
    let eye = watcher(&mut table);
    assert!(table.until(LONG, |apps| list(&apps[eye]).complete), "an empty list is complete too");
    for (player, title) in [("ada", "A"), ("ben", "B"), ("cy", "C")] {
        let seat = host(&mut table, player, player);
        command(&mut table.apps[seat], |commands| commands.list_room(Listing::titled(title)));
    }
    assert!(table.until(LONG, |apps| titles(&apps[eye]) == ["A", "B", "C"]));
    command(&mut table.apps[1], |commands| commands.unlist_room());
    assert!(table.until(Duration::from_secs(3), |apps| titles(&apps[eye]) == ["B", "C"]));
    command(&mut table.apps[2], |commands| commands.leave_room());
    assert!(table.until(Duration::from_secs(3), |apps| titles(&apps[eye]) == ["C"]));
    drop(table.apps.pop());
    assert!(table.until(Duration::from_secs(3), |apps| titles(&apps[eye]).is_empty()), "its app ended");
}

#[test]
fn who_stops_watching_has_no_list_and_has_it_whole_when_it_starts_again() {
    let mut table = Table::new();
    let ada = host(&mut table, "ada", "den");
    command(&mut table.apps[ada], |commands| commands.list_room(Listing::titled("A")));
    // One who hosts a listed room itself, so that its channel stays attached.
    let ben = host(&mut table, "ben", "hut");
    command(&mut table.apps[ben], |commands| {
        commands.list_room(Listing::titled("B"));
        commands.watch_rooms();
    });
    assert!(table.until(LONG, |apps| titles(&apps[ben]) == ["A", "B"]));
    command(&mut table.apps[ben], |commands| commands.unwatch_rooms());
    assert!(table.until(LONG, |apps| !list(&apps[ben]).watching && list(&apps[ben]).is_empty()));
    command(&mut table.apps[ada], |commands| commands.unlist_room());
    let cy = host(&mut table, "cy", "cave");
    command(&mut table.apps[cy], |commands| commands.list_room(Listing::titled("C")));
    table.until(Duration::from_secs(2), |_| false);
    assert!(list(&table.apps[ben]).is_empty());
    command(&mut table.apps[ben], |commands| commands.watch_rooms());
    assert!(table.until(LONG, |apps| list(&apps[ben]).complete && titles(&apps[ben]) == ["B", "C"]));
}

#[test]
fn the_list_is_whole_again_after_the_line_dropped() {
    let mut table = Table::new();
    let ada = host(&mut table, "ada", "den");
    command(&mut table.apps[ada], |commands| commands.list_room(Listing::titled("A")));
    let eye = watcher(&mut table);
    assert!(table.until(LONG, |apps| titles(&apps[eye]) == ["A"]));
    table.cut_all();
    let mut was_down = false;
    table.until(Duration::from_secs(5), |apps| {
        was_down |= !apps[eye].world().resource::<Connection>().is_connected();
        was_down && list(&apps[eye]).complete
    });
    assert!(table.until(LONG, |apps| list(&apps[eye]).complete && titles(&apps[eye]) == ["A"]));
    command(&mut table.apps[ada], |commands| commands.list_room(Listing::titled("A again")));
    assert!(table.until(LONG, |apps| titles(&apps[eye]) == ["A again"]));
}

#[test]
fn only_a_host_lists_its_room() {
    let mut table = Table::new();
    host(&mut table, "ada", "den");
    let ben = table.seat("ben", |_| {});
    command(&mut table.apps[ben], |commands| commands.join_room("den", Profile::named("Ben")));
    assert!(table.until(LONG, |apps| state(&apps[ben]) == RoomState::Joined));
    command(&mut table.apps[ben], |commands| commands.list_room(Listing::titled("mine")));
    let refused =
        |error: &RoomError| matches!(error, RoomError::NotControlled { action, .. } if action == "list the room");
    assert!(messages::<RoomError>(&table.apps[ben]).iter().any(refused));
}
