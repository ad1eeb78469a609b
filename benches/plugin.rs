//! What the plugin costs a game: an idle frame in a full room, and a message on its way from the socket to the ECS.
//!
//! `cargo bench --bench plugin`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../tests/support/table.rs"]
#[expect(dead_code, reason = "the table offers more than the benchmarks need")]
mod table;

use std::time::{Duration, Instant};

use bevy::{ecs::schedule::SingleThreadedExecutor, prelude::*};
use bevy_rooms::prelude::*;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use table::{LONG, Table, command, state};

/// Players in the room of the idle frame.
const PLAYERS: usize = 100;

/// Messages on their way at once.
const MESSAGES: u64 = 200;

#[derive(Clone, Serialize, Deserialize)]
struct Wave(u64);

#[derive(Resource, Clone, Default, Serialize, Deserialize)]
struct Score(u64);

#[derive(Resource, Default)]
struct Received(u64);

fn game(app: &mut App) {
    app.add_room_message::<Wave>().share_resource::<Score>().init_resource::<Received>().add_systems(
        Update,
        |mut waves: MessageReader<FromRoom<Wave>>, mut received: ResMut<Received>| {
            let count = waves.read().count() as u64;
            if count > 0 {
                received.0 += count;
            }
        },
    );
}

fn idle_frame(c: &mut Criterion) {
    let mut table = Table::new();
    for player in 0..PLAYERS {
        let seat = table.seat(&format!("player-{player}"), game);
        let name = Profile::named(format!("Player {player}"));
        command(&mut table.apps[seat], |commands| commands.join_or_host("den", name));
        // The first hosts; the others may come in a crowd.
        if player == 0 {
            assert!(table.until(LONG, |apps| state(&apps[0]) == RoomState::Joined));
        }
    }
    let all_in = |apps: &mut Vec<App>| apps.iter().all(|app| app.world().resource::<Roster>().len() == PLAYERS);
    assert!(table.until(LONG, all_in));
    let mut bare = App::new();
    bare.add_plugins((MinimalPlugins, bevy::state::app::StatesPlugin)).init_state::<Unrelated>();
    // Handing a system to another thread costs more than any of these do, and no less without the plugin.
    single_threaded(&mut bare);
    let mut group = c.benchmark_group("frame");
    group.bench_function("without the plugin", |b| b.iter(|| bare.update()));
    for (name, seat) in [("idle, as host of 100 players", 0), ("idle, as one of 100 players", 1)] {
        let app = &mut table.apps[seat];
        single_threaded(app);
        group.bench_function(name, |b| b.iter(|| app.update()));
    }
    group.finish();
}

/// A state of the game's own, which Bevy looks at every frame.
#[derive(States, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Unrelated {
    #[default]
    Only,
}

fn single_threaded(app: &mut App) {
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
}

/// Over a real socket: a relay on its own thread, a sender and a receiver, each with its own background thread.
fn socket_to_ecs(c: &mut Criterion) {
    let relay = bevy_rooms::relay::spawn(bevy_rooms::relay::RelayConfig::default()).unwrap();
    let mut apps: Vec<App> = Vec::new();
    for name in ["receiver", "sender"] {
        let mut app = App::new();
        let timing = bevy_rooms::session::SessionTiming { publish_interval: Duration::ZERO, ..Default::default() };
        let plugin = RoomsPlugin { connect: Connect::relay(relay.url()), timing, ..default() };
        app.add_plugins((MinimalPlugins, plugin));
        game(&mut app);
        command(&mut app, |commands| commands.join_or_host("den", Profile::named(name)));
        apps.push(app);
        let start = Instant::now();
        while apps.iter().any(|app| state(app) != RoomState::Joined) {
            assert!(start.elapsed() < LONG, "{name} did not get in");
            apps.iter_mut().for_each(App::update);
            std::thread::yield_now();
        }
    }
    let [receiver, sender] = &mut apps[..] else { unreachable!("two apps") };
    let mut group = c.benchmark_group("socket to ECS");
    group.throughput(Throughput::Elements(MESSAGES)).sample_size(20);
    group.bench_function("200 messages in one frame", |b| {
        b.iter(|| {
            let before = receiver.world().resource::<Received>().0;
            for number in 0..MESSAGES {
                sender.world_mut().write_message(ToRoom::others(Wave(number)));
            }
            while receiver.world().resource::<Received>().0 < before + MESSAGES {
                sender.update();
                receiver.update();
            }
        });
    });
    group.finish();
}

criterion_group!(benches, idle_frame, socket_to_ecs);
criterion_main!(benches);
