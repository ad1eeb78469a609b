//! Two players in one room, who see each other and wave. Run it in two terminals:
//!
//! ```sh
//! cargo run --example quickstart -- Ada
//! cargo run --example quickstart -- Grace
//! ```

use std::time::Duration;

use bevy::{app::ScheduleRunnerPlugin, prelude::*};
use bevy_rooms::prelude::*;
use serde::{Deserialize, Serialize};

/// A message: anything that serde can write.
#[derive(Clone, Serialize, Deserialize)]
struct Wave(String);

/// Shared state: the host writes it, everyone has it.
#[derive(Resource, Clone, Default, Serialize, Deserialize)]
struct Visitors(u32);

fn main() {
    App::new()
        .add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16))))
        .add_plugins(RoomsPlugin::default())
        .add_room_message::<Wave>()
        .share_resource::<Visitors>()
        .add_systems(Startup, enter)
        .add_systems(Update, (greet, read_waves, count.run_if(is_host)).run_if(in_room))
        .run();
}

fn enter(mut commands: Commands) {
    let name = std::env::args().nth(1).unwrap_or_else(|| "Somebody".to_owned());
    commands.join_or_host("otter-badger-fox", Profile::named(name));
}

/// Waves at everyone who comes.
fn greet(mut joined: MessageReader<PlayerJoined>, us: Res<LocalPlayer>, mut send: MessageWriter<ToRoom<Wave>>) {
    for newcomer in joined.read().filter(|joined| joined.player != us.id) {
        send.write(ToRoom::player(&newcomer.player, Wave(format!("{} waves at you", us.profile.name))));
    }
}

fn read_waves(mut waves: MessageReader<FromRoom<Wave>>, visitors: Res<Visitors>, roster: Res<Roster>) {
    for wave in waves.read() {
        println!("{} ({} players, {} came so far)", wave.0, roster.len(), visitors.0);
    }
}

/// Only the host runs this; the number reaches everyone by itself.
fn count(mut joined: MessageReader<PlayerJoined>, mut visitors: ResMut<Visitors>) {
    for _ in joined.read() {
        visitors.0 += 1;
    }
}
