//! How long a room takes to go on after something went wrong, and what it costs on the wire: the tables of
//! `docs/reliability.md`.
//!
//! `cargo bench --bench reliability`, or with parts of it by name: `-- failover resume bytes`
//!
//! All times are simulated and all bytes are counted on the simulated wire, so that neither depends on the machine.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints figures, or fails")]

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    prelude::*,
    relay::HubConfig,
    session::MAX_PLAYERS,
    testing::{AppIndex, Fault, Rig},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Rooms that each figure of time is taken from.
const SEEDS: u64 = 50;

/// Players of the rooms that figures of time are taken from.
const PLAYERS: [&str; 4] = ["ada", "ben", "cy", "di"];

/// Longer than anything may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A frame of a game at 60 per second.
const FRAME: Duration = Duration::from_micros(16_667);

/// The sizes of rooms that bytes are counted in.
const SIZES: [usize; 4] = [2, 10, 100, 1000];

/// How many changes of state, and how many newcomers, the bytes of one are the average of.
const CHANGES: u32 = 20;
const NEWCOMERS: usize = 5;

#[derive(Resource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Score {
    points: u32,
}

fn game(app: &mut App) {
    app.share_resource::<Score>();
}

fn main() {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    if is_wanted("failover") {
        failover();
    }
    if is_wanted("resume") {
        resume();
    }
    if is_wanted("bytes") {
        bytes();
    }
}

/// A room of four whose state has been changed, at a moment that differs from seed to seed.
fn room(seed: u64) -> (Rig, [AppIndex; 4]) {
    let (mut rig, apps) = Rig::room(seed, PLAYERS, game);
    rig.set_frame_time(FRAME);
    rig.world_mut(apps[0]).resource_mut::<Score>().points = 7;
    rig.run_for(Duration::from_secs(2) + Duration::from_millis(seed * 37 % 1500));
    (rig, apps)
}

/// What goes wrong in a room whose host is the first.
type Trouble = fn(&mut Rig, [AppIndex; 4]);

fn failover() {
    println!("| the host | a new one leads: median | worst of {SEEDS} |\n| --- | ---: | ---: |");
    let troubles: [(&str, Trouble); 5] = [
        ("is killed", |rig, [host, ..]| rig.kill(host)),
        ("stands still", |rig, [host, ..]| rig.freeze(host)),
        ("is cut off from the relay", |rig, [host, ..]| rig.partition(&[host])),
        ("is closed", |rig, [host, ..]| rig.close(host)),
        ("leaves", |rig, [host, ..]| rig.command(host, |commands| commands.leave_room())),
    ];
    for (name, trouble) in troubles {
        row(name, |seed| {
            let (mut rig, apps) = room(seed);
            trouble(&mut rig, apps);
            let [old, others @ ..] = apps;
            let led = move |rig: &Rig| {
                let host = rig.host(others[0]);
                host.is_some_and(|host| host != rig.player(old))
                    && others.iter().all(|app| rig.state(*app) == RoomState::Joined && rig.host(*app) == host)
            };
            rig.run_until(LIMIT, led).ok()
        });
    }
    println!();
}

fn resume() {
    println!("| what happened | all are told that they are back: median | worst of {SEEDS} |\n| --- | ---: | ---: |");
    let troubles: [(&str, Trouble); 4] = [
        ("a peer's socket broke", |rig, [_, peer, ..]| rig.inflict(peer, Fault::Cut)),
        ("the host's socket broke", |rig, [host, ..]| rig.inflict(host, Fault::Cut)),
        ("a peer had no network for 5 s, counted from its end", |rig, [_, peer, ..]| {
            rig.cut(peer, Duration::from_secs(5));
            rig.run_for(Duration::from_secs(5));
        }),
        ("the relay was killed and started 2 s later, counted from its start", |rig, _| {
            rig.restart_relay(Duration::from_secs(2));
            rig.run_for(Duration::from_secs(2));
        }),
    ];
    for (name, trouble) in troubles {
        row(name, |seed| {
            let (mut rig, apps) = room(seed);
            trouble(&mut rig, apps);
            // An app that is not told of an interruption went on without one.
            let counts = |rig: &Rig, app: &AppIndex| {
                (rig.recorded::<RoomInterrupted>(*app).len(), rig.recorded::<RoomResumed>(*app).len())
            };
            let back = move |rig: &Rig| {
                let all: Vec<_> = apps.iter().map(|app| counts(rig, app)).collect();
                all.iter().any(|(interrupted, _)| *interrupted > 0) && all.iter().all(|(gone, back)| gone == back)
            };
            rig.run_until(LIMIT, back).ok()
        });
    }
    println!();
}

/// Prints a row: the median and the worst over all seeds.
fn row(name: &str, measure: impl Fn(u64) -> Option<Duration>) {
    let mut times: Vec<Duration> = (0..SEEDS).filter_map(measure).collect();
    times.sort_unstable();
    match (times.len() as u64 == SEEDS, times.get(times.len() / 2), times.last()) {
        (true, Some(median), Some(worst)) => {
            println!("| {name} | {:.2} s | {:.2} s |", median.as_secs_f64(), worst.as_secs_f64());
        }
        _ => println!("| {name} | in {} of {SEEDS} rooms not within {LIMIT:?} | |", SEEDS - times.len() as u64),
    }
}

fn bytes() {
    println!(
        "| players | a join, to the newcomer | a join, to each other | a change of state, to each | the full list |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: |");
    for size in SIZES {
        // A full room has no place for a newcomer.
        let size = size.min(MAX_PLAYERS - NEWCOMERS);
        let (mut rig, apps) = crowd(size);
        let (host, peer) = (apps[0], apps[1]);
        let list = full_list(&rig, host);

        let before = rig.traffic(peer).bytes_in;
        for _ in 0..CHANGES {
            rig.world_mut(host).resource_mut::<Score>().points += 1;
            rig.run_for(Duration::from_millis(400));
        }
        let change = (rig.traffic(peer).bytes_in - before) / u64::from(CHANGES);

        let before = rig.traffic(peer).bytes_in;
        let mut own = 0;
        for number in 0..NEWCOMERS {
            let newcomer = arrive(&mut rig, &format!("newcomer-{number}"));
            rig.run_until(LIMIT, |rig| rig.state(newcomer) == RoomState::Joined).unwrap();
            own += rig.traffic(newcomer).bytes_in;
            rig.run_for(Duration::from_secs(1));
        }
        let join = (rig.traffic(peer).bytes_in - before) / NEWCOMERS as u64;
        let own = own / NEWCOMERS as u64;
        println!("| {size} | {own} B | {join} B | {change} B | {list} B |");
    }
    println!();
}

/// A room of so many players.
fn crowd(size: usize) -> (Rig, Vec<AppIndex>) {
    let mut config = HubConfig::default();
    config.limits.members_per_channel = 2 * size.max(100);
    let mut rig = Rig::with_relay(7, config);
    // Frames cost more than all the rest, and nothing here depends on them.
    rig.set_frame_time(Duration::from_millis(100));
    let mut apps = vec![arrive(&mut rig, "player-0")];
    rig.run_until(LIMIT, |rig| rig.state(apps[0]) == RoomState::Joined).unwrap();
    rig.command(apps[0], |commands| commands.set_capacity(MAX_PLAYERS));
    apps.extend((1..size).map(|number| arrive(&mut rig, &format!("player-{number}"))));
    let all = apps.clone();
    let all_in = |rig: &Rig| all.iter().all(|app| rig.resource::<Roster>(*app).len() == size);
    rig.run_until(10 * LIMIT, all_in).unwrap();
    rig.run_for(Duration::from_secs(5));
    (rig, apps)
}

fn arrive(rig: &mut Rig, player: &str) -> AppIndex {
    let app = rig.add(player, game);
    rig.command(app, |commands| commands.join_or_host("den", Profile::named(player)));
    app
}

/// The bytes of a list of all players with what an app shows of them: what a room without patches would send each time.
fn full_list(rig: &Rig, app: AppIndex) -> usize {
    let players: Vec<_> = rig.resource::<Roster>(app).iter().collect();
    let list: Vec<_> = players
        .into_iter()
        .map(|player| {
            let lost = player.status == PlayerStatus::Lost;
            json!({ "id": player.id, "name": player.profile.name, "lost": lost, "host": player.is_host })
        })
        .collect();
    json!({ "players": list }).to_string().len()
}
