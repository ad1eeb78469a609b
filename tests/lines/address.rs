//! A machine that gets another address, as with another network or a new lease of a router: its sockets are dead, and nothing says so.

use std::time::{Duration, Instant};

use crate::{
    net::Net,
    report::{is_notice, longest_pause, row, seconds},
    table::{finish, play_a_while, sit_down, told},
};

/// The time within which a player is back on a new socket: it doubts the old one after 3 s of silence and gives it up 2 s later.
const BACK: Duration = Duration::from_secs(8);

/// Whether an event tells that the connection goes on.
fn is_back(event: &serde_json::Value) -> bool {
    event["state"] == "Connected" && event["resumed"] == true
}

#[test]
fn a_peer_with_another_address_is_back_within_eight_seconds_and_misses_nothing() {
    let Some(net) = Net::new(1, 3) else { return };
    let mut players = sit_down(&net, Duration::from_millis(500));
    play_a_while(&mut players);
    net.change_address(2);
    let changed = Instant::now();
    players[1].wait_for("notice", is_notice);
    let noticed = changed.elapsed();
    players[1].wait_for("connection", is_back);
    let took = changed.elapsed();
    assert!(took < BACK, "it took {took:?}");
    row("a peer's machine gets another address", &seconds(noticed), &seconds(took), "nothing");
    let (_, transcripts) = finish(players);
    assert!(transcripts.iter().all(|transcript| told(transcript, "host_changed").is_empty()), "the host leads on");
    assert!(told(&transcripts[1], "resumed").iter().all(|resumed| resumed["continuity"] == "kept"));
}

#[test]
fn a_host_with_another_address_is_back_within_eight_seconds_and_the_round_goes_on() {
    let Some(net) = Net::new(2, 3) else { return };
    let mut players = sit_down(&net, Duration::from_millis(500));
    play_a_while(&mut players);
    net.change_address(1);
    let changed = Instant::now();
    players[0].wait_for("notice", is_notice);
    let noticed = changed.elapsed();
    players[0].wait_for("connection", is_back);
    let took = changed.elapsed();
    assert!(took < BACK, "it took {took:?}");
    let (_, transcripts) = finish(players);
    let pause = longest_pause(&transcripts);
    row("the host's machine gets another address", &seconds(noticed), &seconds(pause), "nothing");
}
