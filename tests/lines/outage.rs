//! What is gone without a word: a host in a black hole, and a relay that nobody reaches for a while.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    net::{BOTH, Net, Rule},
    report::{is_notice, row, seconds},
    table::{finish, play_a_while, sit_down, told},
};

/// The time within which a host that is gone is replaced: its lease of 5 s, the wait for better claims, and a margin.
const REPLACED: Duration = Duration::from_secs(10);

/// How long the relay is away: that is what happens, not what is waited for.
const OUTAGE: Duration = Duration::from_secs(10);

#[test]
fn a_host_in_a_black_hole_is_replaced_and_comes_back_as_a_peer() {
    let Some(mut net) = Net::new(3, 3) else { return };
    let mut players = sit_down(&net, Duration::from_millis(1000));
    play_a_while(&mut players);
    net.rule(1, &BOTH, Rule::CUT);
    let cut = Instant::now();
    players[1].wait_for("notice", is_notice);
    let noticed = cut.elapsed();
    for player in &mut players[1..] {
        player.wait_for("host_changed", |_| true);
    }
    let took = cut.elapsed();
    assert!(took < REPLACED, "it took {took:?}");
    players[0].wait_for("connection", |event| event["state"] == "Disconnected" && event["attempt"] == 0);
    net.rule(1, &BOTH, Rule::default());
    let change = players[0].wait_for("host_changed", |_| true);
    let (_, transcripts) = finish(players);
    row("the host is in a black hole", &seconds(noticed), &seconds(took), "nothing");
    let own = told(&transcripts[0], "joined")[0]["player_id"].clone();
    assert!(change["from"] == own && change["to"] != own, "another leads: {change}");
}

#[test]
fn a_relay_that_nobody_reaches_for_ten_seconds_costs_nothing_but_the_time() {
    let Some(mut net) = Net::new(4, 3) else { return };
    let mut players = sit_down(&net, Duration::from_millis(500));
    play_a_while(&mut players);
    net.rule_of_relay(&BOTH, Rule::CUT);
    let cut = Instant::now();
    players[1].wait_for("notice", is_notice);
    let noticed = cut.elapsed();
    for player in &mut players {
        player.wait_for("connection", |event| event["state"] == "Disconnected");
    }
    thread::sleep(OUTAGE);
    net.rule_of_relay(&BOTH, Rule::default());
    let mended = Instant::now();
    for player in &mut players {
        player.wait_for("resumed", |_| true);
    }
    let took = format!("{} after it was back", seconds(mended.elapsed()));
    let (_, transcripts) = finish(players);
    for transcript in &transcripts {
        assert!(told(transcript, "host_changed").is_empty(), "{} saw another host", transcript.label);
        let resumed = told(transcript, "resumed");
        assert!(resumed.iter().all(|resumed| resumed["continuity"] == "kept"), "{}: {resumed:?}", transcript.label);
    }
    row("nobody reaches the relay for 15 s", &seconds(noticed), &took, "nothing");
}
