//! Games over real sockets on this machine: background threads, a relay, and the platform's clock.

use std::{
    thread,
    time::{Duration, Instant},
};

use bevy::prelude::*;
use bevy_rooms::{
    bridge::Runtime,
    prelude::*,
    relay::{self, RelayConfig, RelayHandle},
};
use serde::{Deserialize, Serialize};

/// No machine is so slow that something which should happen takes longer.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Serialize, Deserialize)]
struct Wave(u32);

#[derive(Resource, Default)]
struct Waves(Vec<u32>);

fn relay() -> RelayHandle {
    relay::spawn(RelayConfig::default()).unwrap()
}

pub fn app(plugin: RoomsPlugin) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, plugin)).add_room_message::<Wave>().init_resource::<Waves>().add_systems(
        Update,
        |mut read: MessageReader<FromRoom<Wave>>, mut waves: ResMut<Waves>| {
            waves.0.extend(read.read().map(|wave| wave.message.0));
        },
    );
    app
}

pub fn enter(app: &mut App, name: &str) {
    app.world_mut().commands().join_or_host("den", Profile::named(name));
    app.world_mut().flush();
}

/// Frames of all apps until `done`.
pub fn until(apps: &mut [App], what: &str, mut done: impl FnMut(&mut [App]) -> bool) {
    let start = Instant::now();
    while !done(apps) {
        assert!(start.elapsed() < LIMIT, "it did not come to this: {what}");
        apps.iter_mut().for_each(App::update);
        thread::yield_now();
    }
}

pub fn joined(app: &App) -> bool {
    *app.world().resource::<State<RoomState>>().get() == RoomState::Joined
}

/// Apps in one room of this relay.
fn room(relay: &RelayHandle, players: &[&str], runtime: &Runtime) -> Vec<App> {
    let mut apps = Vec::new();
    for player in players {
        let plugin = RoomsPlugin { connect: Connect::relay(relay.url()), runtime: runtime.clone(), ..default() };
        let mut newcomer = app(plugin);
        enter(&mut newcomer, player);
        apps.push(newcomer);
        until(&mut apps, "all are in", |apps| apps.iter().all(joined));
    }
    apps
}

#[test]
fn messages_cross_real_sockets_in_order() {
    let relay = relay();
    let mut apps = room(&relay, &["Ada", "Ben"], &Runtime::OwnThread);
    for number in 0..100 {
        apps[1].world_mut().write_message(ToRoom::others(Wave(number)));
        apps[1].update();
    }
    until(&mut apps, "all waves came", |apps| apps[0].world().resource::<Waves>().0.len() == 100);
    assert_eq!(apps[0].world().resource::<Waves>().0, (0..100).collect::<Vec<_>>());
}

#[test]
fn the_game_may_give_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let relay = relay();
    let mut apps = room(&relay, &["Ada", "Ben"], &Runtime::Handle(runtime.handle().clone()));
    apps[0].world_mut().write_message(ToRoom::others(Wave(7)));
    until(&mut apps, "the wave came", |apps| apps[1].world().resource::<Waves>().0 == [7]);
}

#[test]
fn after_a_connection_that_failed_the_next_attempt_counts() {
    let mut config = RelayConfig::default();
    config.hub.limits.connections = 1;
    let relay = relay::spawn(config).unwrap();
    let mut first = room(&relay, &["Ada"], &Runtime::OwnThread);
    let mut apps = vec![app(RoomsPlugin { connect: Connect::relay(relay.url()), ..default() })];
    enter(&mut apps[0], "Ben");
    let outside = |app: &App| *app.world().resource::<State<RoomState>>().get() == RoomState::Outside;
    until(&mut apps, "there is no place", |apps| {
        outside(&apps[0]) && apps[0].world().resource::<Connection>().state == ConnectionState::Failed
    });
    drop(first.pop());
    enter(&mut apps[0], "Ben");
    until(&mut apps, "he is in at the first attempt", |apps| joined(&apps[0]));
}

/// How many background threads of the plugin this process has.
#[cfg(target_os = "linux")]
fn background_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "bevy_rooms")
        .count()
}

/// In a process of its own, so that no other test's threads are counted.
#[test]
#[cfg(target_os = "linux")]
fn the_background_thread_ends_with_the_app_and_says_goodbye() {
    const ALONE: &str = "ROOMS_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "loopback::the_background_thread_ends_with_the_app_and_says_goodbye"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("1 passed"), "{told}");
        return;
    }
    let relay = relay();
    let mut apps = room(&relay, &["Ada", "Ben"], &Runtime::OwnThread);
    assert_eq!(background_threads(), 2);
    drop(apps.pop());
    let start = Instant::now();
    // The thread was joined; the system may list it a moment longer.
    until(&mut apps, "the thread is gone", |_| background_threads() == 1);
    until(&mut apps, "Ben is seen to be gone", |apps| {
        let roster = apps[0].world().resource::<Roster>();
        roster.iter().all(|player| player.profile.name != "Ben" || player.status == PlayerStatus::Lost)
    });
    assert!(start.elapsed() < Duration::from_secs(10), "the relay was told, and did not have to wait for silence");
}

#[test]
fn a_relay_that_is_not_there_is_told_with_its_reason() {
    let url = {
        let gone = relay();
        gone.url().to_owned()
    };
    let mut apps = vec![app(RoomsPlugin { connect: Connect::relay(url), ..default() })];
    enter(&mut apps[0], "Ada");
    until(&mut apps, "the trouble is told", |apps| apps[0].world().resource::<Connection>().trouble.is_some());
    let trouble = apps[0].world().resource::<Connection>().trouble.clone().unwrap();
    assert!(trouble.message.contains("refused"), "{trouble}");
    assert!(!joined(&apps[0]));
}

#[test]
fn a_relay_that_starts_anew_has_its_players_back() {
    let relay = relay();
    let addr = relay.addr();
    let mut apps = room(&relay, &["Ada", "Ben"], &Runtime::OwnThread);
    drop(relay);
    until(&mut apps, "the line is seen to be gone", |apps| {
        apps.iter().all(|app| app.world().resource::<Room>().interrupted)
    });
    let _relay = relay::spawn(RelayConfig { listen: addr, ..RelayConfig::default() }).unwrap();
    until(&mut apps, "both are back", |apps| {
        apps.iter()
            .all(|app| !app.world().resource::<Room>().interrupted && app.world().resource::<Roster>().len() == 2)
    });
    apps[1].world_mut().write_message(ToRoom::host(Wave(9)));
    until(&mut apps, "the room works", |apps| apps[0].world().resource::<Waves>().0.ends_with(&[9]));
}
