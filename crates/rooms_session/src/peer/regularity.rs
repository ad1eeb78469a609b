//! How regularly the host was heard, and how long its silence is waited out because of that.
//!
//! On a good line a host is heard every 1.5 s at least. On one that loses much, all that it sends waits now and then until
//! what was lost was sent again, and a host that is only slow must not be replaced. So the lease follows the two longest silences
//! of the last minute. The longest one alone counts for less: it may have been an accident.

use std::{collections::VecDeque, time::Duration};

use web_time::Instant;

use crate::config::SessionTiming;

/// How long a silence is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Most silences that are remembered. Each is over a second long.
const MAX_SILENCES: usize = 64;

/// How much longer than silences that were seen before a silence may be.
const MARGIN: u32 = 2;

/// The same for the longest silence.
const MARGIN_OF_ONE: f64 = 1.25;

/// The silences of a host that it ended itself.
#[derive(Debug, Default)]
pub(crate) struct Regularity {
    silences: VecDeque<(Instant, Duration)>,
}

impl Regularity {
    /// Notes that the host was heard after a silence.
    pub(crate) fn note(&mut self, silence: Duration, timing: &SessionTiming, now: Instant) {
        self.silences.retain(|(at, _)| now.saturating_duration_since(*at) < REMEMBERED);
        // Shorter ones make no lease longer.
        if silence * MARGIN > timing.lease {
            if self.silences.len() >= MAX_SILENCES {
                self.silences.pop_front();
            }
            self.silences.push_back((now, silence));
        }
    }

    /// How long the host's silence is waited out now.
    pub(crate) fn lease(&self, timing: &SessionTiming, now: Instant) -> Duration {
        let recent = self.silences.iter().filter(|(at, _)| now.saturating_duration_since(*at) < REMEMBERED);
        let mut silences: Vec<_> = recent.map(|(_, silence)| *silence).collect();
        silences.sort_unstable();
        let [longest, second_longest] =
            [0, 1].map(|place| silences.iter().rev().nth(place).copied().unwrap_or_default());
        let lease = (second_longest * MARGIN).max(longest.mul_f64(MARGIN_OF_ONE));
        lease.min(timing.longest_lease).max(timing.lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The lease after a host was heard with these silences between, in seconds.
    fn lease_after(silences: &[f64]) -> f64 {
        let (timing, mut now, mut regularity) = (SessionTiming::default(), Instant::now(), Regularity::default());
        for silence in silences {
            let silence = Duration::from_secs_f64(*silence);
            now += silence;
            regularity.note(silence, &timing, now);
        }
        regularity.lease(&timing, now).as_secs_f64()
    }

    #[test]
    fn the_lease_follows_how_regularly_the_host_was_heard() {
        assert_eq!(lease_after(&[]), 5.0);
        assert_eq!(lease_after(&[1.5; 40]), 5.0, "a good line");
        assert_eq!(lease_after(&[1.5, 4.0, 0.1, 3.0, 1.5]), 6.0, "a line that loses much");
        assert_eq!(lease_after(&[1.5, 4.8, 1.5]), 6.0, "an accident");
        assert_eq!(lease_after(&[12.0, 14.0]), 15.0, "never longer than that");
    }

    #[test]
    fn a_line_that_became_good_is_trusted_again_after_a_minute() {
        let (timing, start, mut regularity) = (SessionTiming::default(), Instant::now(), Regularity::default());
        regularity.note(4 * SECOND, &timing, start);
        regularity.note(4 * SECOND, &timing, start);
        assert_eq!(regularity.lease(&timing, start + 59 * SECOND), 8 * SECOND);
        assert_eq!(regularity.lease(&timing, start + 60 * SECOND), timing.lease);
    }

    #[test]
    fn few_silences_are_remembered() {
        let (timing, now, mut regularity) = (SessionTiming::default(), Instant::now(), Regularity::default());
        (0..1000).for_each(|_| regularity.note(4 * SECOND, &timing, now));
        assert_eq!(regularity.silences.len(), MAX_SILENCES);
    }
}
