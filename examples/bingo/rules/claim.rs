//! What a shout of "Bingo!" wins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Game, Marks, PlayerId, Prize, Status, millis};
use crate::card::{NUMBERS_PER_ROW, NumberSet, Strip, Ticket};

/// Marks that a player needs to shout: no prize takes fewer.
pub(super) const MIN_MARKS: usize = NUMBERS_PER_ROW;

/// Least time between two shouts of a player, so that nobody wins by shouting all the time.
pub const SHOUT_INTERVAL: Duration = Duration::from_secs(5);

/// A shout, as the host checks it.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who shouts.
    pub player: &'a PlayerId,
    /// The strip of that player in this round; `None` for a spectator.
    pub strip: Option<&'a Strip>,
    /// What that player marked.
    pub marks: Marks,
    /// Time since that player's last shout in this round that was let through, whatever came of it; `None` for the first.
    pub since_last: Option<Duration>,
}

impl Game {
    /// Whether the player may shout now. Everyone hears a shout that is let through, whether it wins or not.
    ///
    /// # Errors
    ///
    /// Why not: [`ClaimError::NotRunning`], [`NotPlaying`](ClaimError::NotPlaying),
    /// [`NotEnoughMarks`](ClaimError::NotEnoughMarks) or [`TooSoon`](ClaimError::TooSoon).
    pub fn may_shout(&self, player: &PlayerId, marks: Marks, since_last: Option<Duration>) -> Result<(), ClaimError> {
        if self.status != Status::Running {
            return Err(ClaimError::NotRunning);
        }
        if !self.plays(player) {
            return Err(ClaimError::NotPlaying);
        }
        let found = marks.numbers().len();
        if found < MIN_MARKS {
            return Err(ClaimError::NotEnoughMarks { found });
        }
        match since_last.map(|since| SHOUT_INTERVAL.saturating_sub(since)) {
            Some(wait) if !wait.is_zero() => Err(ClaimError::TooSoon { wait }),
            _ => Ok(()),
        }
    }

    /// The prize that a shout wins: the highest that is still free and that marks of called numbers cover.
    ///
    /// Changes nothing; give the prize with [`award`](Self::award).
    ///
    /// # Errors
    ///
    /// Why it wins nothing, to be told to the player who shouted.
    pub fn check(&self, claim: &Claim<'_>) -> Result<Prize, ClaimError> {
        self.may_shout(claim.player, claim.marks, claim.since_last)?;
        let strip = claim.strip.ok_or(ClaimError::NotPlaying)?;
        if let Some(prize) = best_claim(strip, claim.marks, self.called_set(), self.free_prizes()) {
            return Ok(prize);
        }
        let called = self.called_set();
        match best_claim(strip, claim.marks, called, Prize::ALL) {
            Some(taken) => Err(ClaimError::AlreadyTaken(taken)),
            None => {
                let nearest = self.free_prizes().next().unwrap_or(Prize::FullHouse);
                Err(ClaimError::NothingWon {
                    nearest,
                    missing: missing(strip, claim.marks.hits(called), nearest),
                    uncalled: claim.marks.numbers().without(called).len(),
                })
            }
        }
    }
}

/// The highest of these prizes that marks of called numbers cover: what a shout would win.
pub fn best_claim(
    strip: &Strip,
    marks: Marks,
    called: NumberSet,
    free: impl IntoIterator<Item = Prize>,
) -> Option<Prize> {
    let hits = marks.hits(called);
    free.into_iter().filter(|prize| missing(strip, hits, *prize) == 0).max()
}

/// How many numbers the best ticket lacks for a prize.
fn missing(strip: &Strip, hits: NumberSet, prize: Prize) -> usize {
    strip.tickets().iter().map(|ticket| missing_on(ticket, hits, prize)).min().unwrap_or(usize::MAX)
}

fn missing_on(ticket: &Ticket, hits: NumberSet, prize: Prize) -> usize {
    let mut rows = ticket.row_sets().map(|row| row.without(hits).len());
    rows.sort_unstable();
    let rows_needed = match prize {
        Prize::OneLine => 1,
        Prize::TwoLines => 2,
        Prize::FullHouse => 3,
    };
    rows.iter().take(rows_needed).sum()
}

/// Why a shout wins nothing. Each message is meant for the player who shouted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ClaimError {
    /// No round is running.
    #[error("No round is running. Wait for the next one.")]
    NotRunning,
    /// The player watches this round.
    #[error("You are watching this round. You play in the next one.")]
    NotPlaying,
    /// Fewer marks than any prize takes.
    #[error("You have marked {found} of the {MIN_MARKS} numbers that it takes to shout. Mark more first.")]
    NotEnoughMarks {
        /// How many numbers are marked.
        found: usize,
    },
    /// The last shout was a moment ago.
    #[error("You have just shouted. Wait {} s before you shout again.", whole_seconds(*wait))]
    TooSoon {
        /// Time until a shout is let through. Travels in milliseconds.
        #[serde(rename = "wait_ms", with = "millis")]
        wait: Duration,
    },
    /// Nothing is covered by marks of called numbers.
    #[error("Not yet: {missing} more for {nearest}.{}", hint(*uncalled))]
    NothingWon {
        /// The lowest prize that is still free.
        nearest: Prize,
        /// How many numbers the best ticket lacks for it.
        missing: usize,
        /// How many marks do not count, since their numbers were not called.
        uncalled: usize,
    },
    /// The prize is valid, but has a winner.
    #[error("Right, but {0} has been won already. Go on for the next prize.")]
    AlreadyTaken(Prize),
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

fn hint(uncalled: usize) -> String {
    match uncalled {
        0 => String::new(),
        1 => " One of your marks was not called.".to_owned(),
        many => format!(" {many} of your marks were not called."),
    }
}
