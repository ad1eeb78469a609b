//! What is gone without a word: a host in a black hole, and a relay that nobody reaches for a while.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    net::{BOTH, Net, Rule},
    shared::{player::Player, referee::Transcript},
    table::{fair, finish, play_a_while, sit_down, told},
};

/// The time within which a host that is gone is replaced: its lease of 5 s, the wait for better claims, and a margin.
const REPLACED: Duration = Duration::from_secs(10);

/// How long the relay is away: that is what happens, not what is waited for.
const OUTAGE: Duration = Duration::from_secs(10);

/// What a host that was replaced told, without the numbers that it called when nobody heard it any more. It takes them back when it
/// learns of the next host, and then tells the numbers of that one.
fn without_what_nobody_saw(mut transcript: Transcript) -> Transcript {
    let index = |event: &Value| event["index"].as_u64().filter(|_| event["event"] == "called");
    let events = &transcript.events;
    let changed = events.iter().position(|event| event["event"] == "host_changed").expect("another took over");
    let next = events[changed..].iter().find_map(index).expect("the round goes on");
    let mut place = 0;
    transcript.events.retain(|event| {
        place += 1;
        place > changed || index(event).is_none_or(|index| index < next)
    });
    transcript
}

#[test]
fn a_host_in_a_black_hole_is_replaced_and_comes_back_as_a_peer() {
    let Some(mut net) = Net::new(3, 3) else { return };
    let mut players = sit_down(&net, Duration::from_millis(1000));
    play_a_while(&mut players);
    net.rule(1, &BOTH, Rule::CUT);
    let cut = Instant::now();
    for player in &mut players[1..] {
        player.wait_for("host_changed", |_| true);
    }
    let took = cut.elapsed();
    println!("replaced after {took:?}");
    assert!(took < REPLACED, "it took {took:?}");
    players[0].wait_for("connection", |event| event["state"] == "Disconnected" && event["attempt"] == 0);
    net.rule(1, &BOTH, Rule::default());
    let change = players[0].wait_for("host_changed", |_| true);
    let [host, others @ ..] = players;
    let host = host.finish().into_iter().map(without_what_nobody_saw);
    let (_, transcripts) = fair(host.chain(others.into_iter().flat_map(Player::finish)).collect());
    let own = told(&transcripts[0], "joined")[0]["player_id"].clone();
    assert!(change["from"] == own && change["to"] != own, "another leads: {change}");
}

#[test]
fn a_relay_that_nobody_reaches_for_ten_seconds_costs_nothing_but_the_time() {
    let Some(mut net) = Net::new(4, 3) else { return };
    let mut players = sit_down(&net, Duration::from_millis(500));
    play_a_while(&mut players);
    net.rule_of_relay(&BOTH, Rule::CUT);
    for player in &mut players {
        player.wait_for("connection", |event| event["state"] == "Disconnected");
    }
    thread::sleep(OUTAGE);
    net.rule_of_relay(&BOTH, Rule::default());
    for player in &mut players {
        player.wait_for("resumed", |_| true);
    }
    let (_, transcripts) = finish(players);
    for transcript in &transcripts {
        assert!(told(transcript, "host_changed").is_empty(), "{} saw another host", transcript.label);
        let resumed = told(transcript, "resumed");
        assert!(resumed.iter().all(|resumed| resumed["continuity"] == "kept"), "{}: {resumed:?}", transcript.label);
    }
}
