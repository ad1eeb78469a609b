//! Lines that lose packets and delay the others, by 100 ms and half of that more or less each way.

use std::time::Duration;

use crate::{
    net::{BOTH, Net, Rule},
    table::{finish, player, sit_down, told},
};

/// The time within which a player is in the room, from the start of its process, in milliseconds.
const IN_THE_ROOM: u64 = 10_000;

/// A network on which every player has a line that loses this share each way.
fn lossy(seed: u64, loss: f64) -> Option<Net> {
    let mut net = Net::new(seed, 3)?;
    (1..=3).for_each(|place| net.rule(place, &BOTH, Rule::lossy(loss)));
    Some(net)
}

#[test]
fn on_lines_that_lose_15_percent_everybody_is_in_the_room_within_ten_seconds() {
    let Some(net) = lossy(5, 0.15) else { return };
    let _players = [1, 2, 3].map(|place| {
        let mut player = player(&net, place, Duration::from_secs(1));
        let joined = player.wait_for("joined", |_| true);
        let at = joined["at_ms"].as_u64().expect("a time");
        assert!(at < IN_THE_ROOM, "{at} ms: {joined}");
        player
    });
}

#[test]
#[ignore = "takes a minute; it passes, and has not been run often enough to decide over a change"]
fn on_lines_that_lose_15_percent_a_round_completes_under_its_first_host() {
    round(6, 0.15);
}

#[test]
#[ignore = "on a line as bad as this a host tells of calls that have not come back, and tells of them again later"]
fn on_lines_that_lose_30_percent_a_round_completes_under_its_first_host() {
    round(7, 0.3);
}

fn round(seed: u64, loss: f64) {
    let Some(net) = lossy(seed, loss) else { return };
    let (_, transcripts) = finish(sit_down(&net, Duration::from_secs(1)));
    let changes: Vec<_> = transcripts.iter().flat_map(|transcript| told(transcript, "host_changed")).collect();
    assert!(changes.is_empty(), "nobody was gone: {changes:?}");
}
