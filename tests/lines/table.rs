//! A table of bingo on a network: who plays, and what they told of the line.

use std::time::Duration;

use serde_json::Value;

use crate::{
    net::{KEY, Net},
    shared::{
        player::{Player, bingo},
        referee::{Summary, Transcript, judge},
    },
};

/// The players' names; the first hosts, at place 1.
pub const NAMES: [&str; 3] = ["Ada", "Ben", "Cy"];

/// Numbers that are called before something goes wrong: in the middle of the round, and before anybody can have won it.
pub const CALLED_BEFORE: u64 = 8;

/// Starts a player of a round of three, at its place of the network.
pub fn player(net: &Net, place: usize, interval: Duration) -> Player {
    let name = NAMES[place - 1];
    let interval = format!("{}ms", interval.as_millis());
    let mut command = bingo();
    command.args(["--room", "den", "--relay", &net.url(), "--key", KEY, "--seed", "5"]);
    // All have the same, since any of them may have to host.
    command.args(["--interval", &interval, "--players", "3"]);
    command.arg(if place == 1 { "--host" } else { "--join" });
    Player::start(name, &mut net.at(place, &command))
}

/// Starts all of them, the host first, and waits until each is in the room.
pub fn sit_down(net: &Net, interval: Duration) -> [Player; 3] {
    [1, 2, 3].map(|place| {
        let mut player = player(net, place, interval);
        player.wait_for("joined", |_| true);
        player
    })
}

/// Waits until all have heard the first numbers of the round.
pub fn play_a_while(players: &mut [Player]) {
    for player in players {
        player.wait_for("called", |call| call["index"] == CALLED_BEFORE);
    }
}

/// The rest of the one round, which has to be fair; and what was told of it.
pub fn finish(players: impl IntoIterator<Item = Player>) -> (Summary, Vec<Transcript>) {
    let transcripts: Vec<Transcript> = players.into_iter().flat_map(Player::finish).collect();
    let summary = judge(&transcripts).unwrap_or_else(|findings| panic!("the referee found: {findings:#?}"));
    assert_eq!((summary.players.len(), summary.rounds.len()), (NAMES.len(), 1));
    assert!(summary.rounds[0].called.len() as u64 > CALLED_BEFORE, "it went on");
    (summary, transcripts)
}

/// The events of this kind that a player told.
pub fn told<'a>(transcript: &'a Transcript, event: &str) -> Vec<&'a Value> {
    transcript.events.iter().filter(|told| told["event"] == event).collect()
}
