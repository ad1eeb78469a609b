//! Rounds of bingo that go on when processes are killed or stand still: the host's, and the relay's. Real processes over
//! real sockets, judged by the referee.

use std::{collections::BTreeSet, thread, time::Duration};

use super::{
    player::{Player, bingo},
    referee::{Summary, Transcript, judge},
    relay::Relay,
};

/// Who plays; the first hosts.
const NAMES: [&str; 4] = ["Ada", "Ben", "Cy", "Di"];

/// Numbers that are called before something goes wrong: in the middle of the round, and before anybody can have won it.
const CALLED_BEFORE: u64 = 12;

/// Four players in a round on this relay, at so many milliseconds from number to number, of which all have heard the
/// first ones. The next one is an interval away.
fn in_the_middle_of_a_round(relay: &Relay, interval: Duration) -> [Player; 4] {
    let interval = format!("{}ms", interval.as_millis());
    let mut players = NAMES.map(|name| {
        let mut command = bingo();
        // All have the same, since any of them may have to host.
        command.args([
            "--room",
            "den",
            "--relay",
            &relay.url,
            "--interval",
            &interval,
            "--players",
            "4",
            "--seed",
            "5",
        ]);
        command.arg(if name == NAMES[0] { "--host" } else { "--join" });
        Player::start(name, &mut command)
    });
    for player in &mut players {
        player.wait_for("called", |call| call["index"] == CALLED_BEFORE);
    }
    players
}

/// The one round that was played, which has to be fair.
fn the_round(transcripts: &[Transcript]) -> Summary {
    let summary = judge(transcripts).unwrap_or_else(|findings| panic!("the referee found: {findings:#?}"));
    assert_eq!((summary.players.len(), summary.rounds.len()), (4, 1));
    let round = &summary.rounds[0];
    assert_eq!(round.players.len(), 4, "everyone was dealt a strip");
    assert!(round.called.len() as u64 > CALLED_BEFORE, "it went on");
    summary
}

/// Which of these events a player told.
fn told<'a>(transcripts: &'a [Transcript], event: &str) -> Vec<&'a serde_json::Value> {
    transcripts.iter().flat_map(|transcript| &transcript.events).filter(|told| told["event"] == event).collect()
}

#[test]
fn a_round_goes_on_when_the_relay_is_killed_and_started_again() {
    let mut relay = Relay::start();
    let mut players = in_the_middle_of_a_round(&relay, Duration::from_millis(250));
    relay.kill();
    for player in &mut players {
        player.wait_for("interrupted", |_| true);
    }
    // The relay is away for this long: that is what happens, not what is waited for.
    thread::sleep(Duration::from_secs(2));
    relay.start_again();
    for player in &mut players {
        player.wait_for("resumed", |_| true);
    }
    let transcripts: Vec<Transcript> = players.into_iter().flat_map(Player::finish).collect();
    the_round(&transcripts);
    assert_eq!(told(&transcripts, "resumed").len(), 4, "each came back once");
}

#[test]
fn a_round_goes_on_when_its_host_is_killed() {
    let relay = Relay::start();
    let [host, mut others @ ..] = in_the_middle_of_a_round(&relay, Duration::from_millis(250));
    let mut transcripts = host.kill();
    let mut hosts = BTreeSet::new();
    for player in &mut others {
        let change = player.wait_for("host_changed", |_| true);
        hosts.insert((change["from"].to_string(), change["to"].to_string(), change["term"].as_u64()));
    }
    transcripts.extend(others.into_iter().flat_map(Player::finish));
    the_round(&transcripts);
    let [(from, to, _)] = &Vec::from_iter(hosts)[..] else { panic!("one host took over, and all know which") };
    assert!(from != to);
}

#[test]
fn a_host_that_stood_still_comes_back_as_a_peer() {
    let relay = Relay::start();
    let [mut host, mut others @ ..] = in_the_middle_of_a_round(&relay, Duration::from_millis(500));
    host.signal("STOP");
    for player in &mut others {
        player.wait_for("host_changed", |_| true);
    }
    // How long the process stands still: that is what happens, not what is waited for.
    thread::sleep(Duration::from_secs(20));
    host.signal("CONT");
    let change = host.wait_for("host_changed", |_| true);
    let own = host.wait_for("called", |_| true);
    assert!(own["index"].as_u64().expect("a number") > CALLED_BEFORE);
    let mut transcripts = host.finish();
    let id = told(&transcripts, "joined")[0]["player_id"].clone();
    assert!(change["from"] == id && change["to"] != id, "another leads: {change}");
    let shown = told(&transcripts, "roster").last().map(|roster| roster["players"].clone());
    let shown = shown.expect("it is in the room");
    let is_host = |player: &serde_json::Value| player["id"] == id && player["host"] == true;
    assert!(!shown.as_array().expect("a list").iter().any(is_host), "it leads no more: {shown}");
    transcripts.extend(others.into_iter().flat_map(Player::finish));
    the_round(&transcripts);
}
