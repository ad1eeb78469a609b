//! A player in a process of its own that sends the host a numbered request each 300 ms; as host it writes them into a ledger that all
//! share.

use std::{collections::BTreeMap, time::Duration};

use bevy::{app::ScheduleRunnerPlugin, prelude::*, time::common_conditions::on_timer};
use bevy_rooms::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    net::{KEY, Net},
    shared::program::Program,
};

/// Who the player is, and where the relay is: the environment of its process.
const PLAYER: &str = "LINES_PLAYER";
const RELAY: &str = "LINES_RELAY";

/// The time between two requests of a player.
const EVERY: Duration = Duration::from_millis(300);

/// The players' ids; the first hosts.
const IDS: [&str; 3] = ["ada", "ben", "cy"];

/// The numbers that the hosts wrote down, by player, in the order in which they came.
#[derive(Resource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger(BTreeMap<String, Vec<u64>>);

/// A request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry(u64);

/// How many requests this player sent.
#[derive(Resource, Debug, Default)]
struct Sent {
    count: u64,
    stopped: bool,
}

impl Ledger {
    /// The ledger that an event tells of, if it does.
    pub fn read(event: &Value) -> Option<Self> {
        serde_json::from_value(event.get("ledger")?.clone()).ok()
    }

    /// Whether each player has so many entries.
    pub fn have(&self, least: u64) -> bool {
        self.0.len() == IDS.len() && self.0.values().all(|numbers| numbers.len() as u64 >= least)
    }

    /// How many entries there are.
    pub fn total(&self) -> u64 {
        self.0.values().map(|numbers| numbers.len() as u64).sum()
    }

    /// What is not as if each player's requests had come once and in order, where each sent so many.
    pub fn flaws(&self, sent: &[u64; 3]) -> Vec<String> {
        let numbers = |id| self.0.get(id).map(Vec::as_slice).unwrap_or_default();
        let wrong = IDS.iter().zip(sent).filter(|(id, sent)| numbers(**id) != Vec::from_iter(0..**sent));
        wrong.map(|(id, sent)| format!("of {id}'s {sent} requests there are {:?}", numbers(id))).collect()
    }
}

/// Starts the player of a place in the network.
pub fn start(net: &Net, place: usize) -> Program {
    let id = IDS[place - 1];
    let mut command = std::process::Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["--exact", "ledger::player", "--ignored", "--nocapture"]).env(PLAYER, id).env(RELAY, net.url());
    let mut player = Program::spawn(id, &mut net.at(place, &command));
    player.wait_for("way into the room", |event| event["event"] == "joined");
    player
}

/// The process of one player. It ends with its input.
#[test]
#[ignore = "is no test: a player in a process of its own"]
fn player() {
    let (Ok(id), Ok(relay)) = (std::env::var(PLAYER), std::env::var(RELAY)) else { return };
    let connect = Connect::Relay { url: relay, key: KEY.to_owned() };
    let hosts = id == IDS[0];
    App::new()
        .add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16))))
        .add_plugins((RoomsPlugin { connect, player: PlayerId::new(&id).ok(), ..default() }, TerminalPlugin))
        .share_resource::<Ledger>()
        .add_room_message::<Entry>()
        .init_resource::<Sent>()
        .add_systems(Startup, move |mut commands: Commands| {
            let profile = Profile::named(id.clone());
            if hosts { commands.host_room("den", profile) } else { commands.join_room("den", profile) }
        })
        .add_systems(OnEnter(RoomState::Joined), || println!("{}", json!({ "event": "joined" })))
        .add_systems(Update, tell_host)
        .add_systems(
            Update,
            (write.run_if(is_host), (send, tell).run_if(in_room.and_then(on_timer(EVERY))), obey).chain(),
        )
        .run();
}

fn write(mut entries: MessageReader<FromRoom<Entry>>, mut ledger: ResMut<Ledger>) {
    for entry in entries.read() {
        ledger.0.entry(entry.sender.to_string()).or_default().push(entry.0);
    }
}

fn send(mut sent: ResMut<Sent>, mut send: MessageWriter<ToRoom<Entry>>) {
    if !sent.stopped {
        send.write(ToRoom::host(Entry(sent.count)));
        println!("{}", json!({ "event": "sent", "number": sent.count }));
        sent.count += 1;
    }
}

fn tell(ledger: Res<Ledger>) {
    println!("{}", json!({ "event": "ledger", "ledger": &*ledger }));
}

fn tell_host(mut changes: MessageReader<HostChanged>) {
    for change in changes.read().filter(|change| change.from.is_some()) {
        println!("{}", json!({ "event": "host", "to": change.to }));
    }
}

fn obey(mut input: MessageReader<TerminalInput>, mut sent: ResMut<Sent>, mut exit: MessageWriter<AppExit>) {
    for input in input.read() {
        match input {
            TerminalInput::Line(line) if line == "stop" => {
                sent.stopped = true;
                println!("{}", json!({ "event": "stopped", "sent": sent.count }));
            }
            TerminalInput::Line(_) => {}
            TerminalInput::End => drop(exit.write(AppExit::Success)),
        }
    }
}
