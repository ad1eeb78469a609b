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

/// In a page the ids are in the browser's storage, and come free between frames: `tests/web/games.rs`.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_game_that_remembers_its_player_has_the_seat_again_without_giving_an_id() {
    let folder = std::env::temp_dir().join(format!("bevy_rooms-{}-seats", std::process::id()));
    let identity = Identity::remembered("seats").in_folder(&folder);
    let mut table = Table::new();
    let host = table.seat("ada", |_| {});
    enter(&mut table, host);
    let remembered = |table: &Table| RoomsPlugin { player: None, identity: identity.clone(), ..table.plugin("x") };
    for _ in 0..2 {
        let plugin = remembered(&table);
        let seat = table.seat_plugin(plugin, |_| {});
        enter(&mut table, seat);
    }
    let id = |app: &App| app.world().resource::<LocalPlayer>().id.clone();
    let before = [id(&table.apps[1]), id(&table.apps[2])];
    let seats = |apps: &[App]| apps[0].world().resource::<Roster>().iter().map(|p| p.entity).collect::<Vec<_>>();
    assert!(table.until(LONG, |apps| seats(apps).len() == 3), "two instances are two players");
    let entities = seats(&table.apps);
    table.apps.truncate(1);
    assert!(table.until(LONG, |apps| {
        apps[0].world().resource::<Roster>().iter().skip(1).all(|player| player.status == PlayerStatus::Lost)
    }));
    for _ in 0..2 {
        let plugin = remembered(&table);
        let seat = table.seat_plugin(plugin, |_| {});
        enter(&mut table, seat);
    }
    assert_eq!([id(&table.apps[1]), id(&table.apps[2])], before);
    assert!(table.until(LONG, |apps| {
        apps[0].world().resource::<Roster>().iter().all(|player| player.status == PlayerStatus::Present)
    }));
    assert_eq!(seats(&table.apps), entities);
    drop(table);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Between processes: the lock ends with its process, however that ends.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_process_that_is_killed_gives_its_player_id_free_and_no_sooner() {
    use std::io::{BufRead, BufReader};
    const FOLDER: &str = "ROOMS_TEST_FOLDER";
    let own_id = |folder: &str| {
        let mut app = App::new();
        let identity = Identity::remembered("killed").in_folder(folder);
        app.add_plugins((MinimalPlugins, RoomsPlugin { identity, ..default() }));
        let id = app.world().resource::<LocalPlayer>().id.to_string();
        (id, app)
    };
    if let Ok(folder) = std::env::var(FOLDER) {
        let (id, _app) = own_id(&folder);
        println!("id={id}");
        // Until the other side ends, which it does by killing this process.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let folder = std::env::temp_dir().join(format!("bevy_rooms-{}-killed", std::process::id()));
    let path = folder.to_str().unwrap();
    let test = "rooms::seats::a_process_that_is_killed_gives_its_player_id_free_and_no_sooner";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let theirs = lines.find_map(|line| line.unwrap().split_once("id=").map(|(_, id)| id.to_owned())).unwrap();
    let (ours, app) = own_id(path);
    assert_ne!(ours, theirs, "an id that is in use is nobody else's");
    drop(app);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(own_id(path).0, theirs);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_line_that_drops_for_a_moment_costs_nobody_its_entity() {
    let (mut table, entity) = room();
    table.cut_all();
    table.until(Duration::from_secs(5), |_| false);
    assert_eq!(coins(&table, entity), Some(&Coins(7)));
    assert_eq!(entry(&table).unwrap().status, PlayerStatus::Present);
}
