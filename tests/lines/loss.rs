//! Lines that lose packets and delay the others, by 100 ms and half of that more or less each way.

use std::time::Duration;

use crate::{
    net::{BOTH, Net, Rule},
    report::{longest_pause, row, seconds},
    shared::player::Player,
    table::{finish, player, told},
};

/// The time within which a player is in the room, from the start of its process, in milliseconds.
const IN_THE_ROOM: u64 = 10_000;

/// The time between two calls.
const INTERVAL: Duration = Duration::from_millis(500);

/// A network on which every player has a line that loses this share each way.
fn lossy(seed: u64, loss: f64) -> Option<Net> {
    let mut net = Net::new(seed, 3)?;
    (1..=3).for_each(|place| net.rule(place, &BOTH, Rule::lossy(loss)));
    Some(net)
}

/// Waits until everybody is in the room, and gives the longest time that it took.
fn join(net: &Net, interval: Duration) -> ([Player; 3], Duration) {
    let mut longest = 0;
    let players = [1, 2, 3].map(|place| {
        let mut player = player(net, place, interval);
        let joined = player.wait_for("joined", |_| true);
        let at = joined["at_ms"].as_u64().expect("a time");
        assert!(at < IN_THE_ROOM, "{at} ms: {joined}");
        longest = longest.max(at);
        player
    });
    (players, Duration::from_millis(longest))
}

#[test]
fn on_lines_that_lose_15_percent_a_round_completes_under_its_first_host() {
    round(6, 0.15);
}

#[test]
fn on_lines_that_lose_30_percent_a_round_completes_under_its_first_host() {
    round(7, 0.3);
}

fn round(seed: u64, loss: f64) {
    let Some(net) = lossy(seed, loss) else { return };
    let (players, joined) = join(&net, INTERVAL);
    let (_, transcripts) = finish(players);
    let changes: Vec<_> = transcripts.iter().flat_map(|transcript| told(transcript, "host_changed")).collect();
    assert!(changes.is_empty(), "nobody was gone: {changes:?}");
    let what = format!("lines lose {:.0} % each way, and delay by 100 ± 50 ms", loss * 100.0);
    let pause = longest_pause(&transcripts).saturating_sub(INTERVAL);
    let goes_on = format!("joins within {}; a call at most {} late", seconds(joined), seconds(pause));
    row(&what, &"-", &goes_on, "nothing; the first host stays");
}
