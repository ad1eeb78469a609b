//! Lines that lose packets and delay the others, by 100 ms and half of that more or less each way.

use std::time::Duration;

use crate::{
    net::{BOTH, Net, Rule},
    report::{longest_pause, row, seconds},
    shared::player::Player,
    table::{finish, player, told},
};

/// The time within which a player is in the room, from the start of its process.
const IN_THE_ROOM: Duration = Duration::from_secs(10);

/// The time between two calls.
const INTERVAL: Duration = Duration::from_millis(500);

/// A network on which every player has a line that loses this share each way.
fn lossy(seed: u64, loss: f64) -> Option<Net> {
    let mut net = Net::new(seed, 3)?;
    (1..=3).for_each(|place| net.rule(place, &BOTH, Rule::lossy(loss)));
    Some(net)
}

/// Waits until everybody is in the room, one after the other, and gives how long each took.
fn join(net: &Net) -> ([Player; 3], [Duration; 3]) {
    let mut times = [Duration::ZERO; 3];
    let players = [1, 2, 3].map(|place| {
        let mut player = player(net, place, INTERVAL);
        let joined = player.wait_for("joined", |_| true);
        times[place - 1] = Duration::from_millis(joined["at_ms"].as_u64().expect("a time"));
        player
    });
    (players, times)
}

#[test]
fn on_lines_that_lose_15_percent_a_round_completes_under_its_first_host() {
    let Some(joined) = round(6, 0.15) else { return };
    assert!(joined.iter().all(|time| *time < IN_THE_ROOM), "{joined:?}");
}

/// How long a player takes to come in is not bounded here: TCP itself waits for seconds where four packets are lost in a row. It
/// may hold the host's line up for longer than the lease before anybody has learned that this line is irregular. Then another player
/// takes over, and the round goes on under it.
#[test]
#[ignore = "TCP holds the host's line up for longer than the lease in about one run of five"]
fn on_lines_that_lose_30_percent_a_round_completes_under_its_first_host() {
    round(7, 0.3);
}

/// Plays a round, and gives how long each player took to come in.
fn round(seed: u64, loss: f64) -> Option<[Duration; 3]> {
    let net = lossy(seed, loss)?;
    let (players, joined) = join(&net);
    let (_, transcripts) = finish(players);
    let changes: Vec<_> = transcripts.iter().flat_map(|transcript| told(transcript, "host_changed")).collect();
    assert!(changes.is_empty(), "nobody was gone: {changes:?}");
    let what = format!("lines lose {:.0} % each way, and delay the rest by 100 ± 50 ms", loss * 100.0);
    let pause = longest_pause(&transcripts).saturating_sub(INTERVAL);
    let joins = joined.map(seconds).join(", ");
    row(&what, &"-", &format!("joins after {joins}; a call {} late at most", seconds(pause)), "nothing");
    Some(joined)
}
