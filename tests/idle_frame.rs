//! A frame in which nothing happens costs no allocation.

#[path = "support/table.rs"]
#[expect(dead_code, reason = "the table offers more than this test needs")]
mod table;

use bevy::{ecs::schedule::SingleThreadedExecutor, prelude::*, time::TimeUpdateStrategy};
use bevy_rooms::prelude::*;
use serde::{Deserialize, Serialize};
use table::{FRAME, LONG, Table, command, state};

#[derive(Clone, Serialize, Deserialize)]
struct Wave(String);

#[derive(Resource, Clone, Default, Serialize, Deserialize)]
struct Score(u32);

/// Systems run on this thread, where allocations are counted.
fn single_threaded(app: &mut App) {
    let mut schedules = app.world_mut().resource_mut::<Schedules>();
    for (_, schedule) in schedules.iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
}

fn game(app: &mut App) {
    app.add_room_message::<Wave>().share_resource::<Score>();
}

/// The usual number of allocations of a frame in which nothing happens. Now and then Bevy itself makes one, without the
/// plugin too, when a thread of its pools happened to have just woken.
fn allocations_of_a_frame(app: &mut App) -> u64 {
    // The first frames grow what later ones use again.
    (0..100).for_each(|_| app.update());
    let mut counts: Vec<u64> = (0..100).map(|_| allocation_counter::measure(|| app.update()).count_total).collect();
    counts.sort_unstable();
    counts[counts.len() / 2]
}

#[test]
fn an_idle_frame_allocates_no_more_with_the_plugin_than_without() {
    let mut table = Table::new();
    for player in ["ada", "ben", "cy"] {
        let seat = table.seat(player, game);
        command(&mut table.apps[seat], |commands| commands.join_or_host("den", Profile::named(player)));
        assert!(table.until(LONG, |apps| apps.iter().all(|app| state(app) == RoomState::Joined)));
    }
    let mut bare = App::new();
    // By the machine's clock the first fixed update, which allocates, may come late.
    bare.add_plugins(MinimalPlugins).insert_resource(TimeUpdateStrategy::ManualDuration(FRAME));
    single_threaded(&mut bare);
    let without = allocations_of_a_frame(&mut bare);
    for app in &mut table.apps {
        single_threaded(app);
        assert_eq!(allocations_of_a_frame(app), without);
    }
}
