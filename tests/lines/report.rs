//! The table of lines in `docs/reliability.md`: each scenario prints its row.
//!
//! ```sh
//! cargo test --test lines -- --include-ignored --nocapture | grep '^| '
//! ```

use std::{fmt::Display, time::Duration};

use serde_json::Value;

use crate::{shared::referee::Transcript, table::told};

/// Prints a row: what happened, when the game was told, when it went on, and what was lost.
pub fn row(what: &str, noticed: &dyn Display, goes_on: &dyn Display, lost: &str) {
    println!("| {what} | {noticed} | {goes_on} | {lost} |");
}

/// Seconds, as the table has them.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

/// The longest time between two calls that a player was shown, over all players.
pub fn longest_pause(transcripts: &[Transcript]) -> Duration {
    let at = |event: &&Value| event["at_ms"].as_u64().expect("a time");
    let pauses = transcripts.iter().flat_map(|transcript| {
        let calls: Vec<u64> = told(transcript, "called").iter().map(at).collect();
        calls.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    });
    Duration::from_millis(pauses.max().expect("numbers were called"))
}

/// Whether a player is told in words that something is wrong.
pub fn is_notice(event: &Value) -> bool {
    event["text"].is_string()
}
