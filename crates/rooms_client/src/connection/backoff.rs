//! Waits between attempts that grow and are spread out (`RTB1`).

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Most that a wait grows to, as a multiple of the first (`RTB1a`).
const LARGEST_COEFFICIENT: f64 = 2.0;

/// The part of a wait that is left after jitter, at least (`RTB1b`): clients that were cut off together come back apart.
const LEAST_JITTER: f64 = 0.8;

/// Counts attempts and says how long to wait before the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The wait after one more failed attempt, where `initial` is the first one before jitter.
    pub(crate) fn next(&mut self, initial: Duration, rng: &mut ChaCha8Rng) -> Duration {
        self.attempts = self.attempts.saturating_add(1);
        let jitter = rng.random_range(LEAST_JITTER..=1.0);
        Duration::try_from_secs_f64(initial.as_secs_f64() * coefficient(self.attempts) * jitter).unwrap_or(initial)
    }

    /// Starts from the beginning, after a success.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// How many times the first wait the wait after attempt `n` is: 1, 4/3, 5/3, 2, 2, … (`RTB1a`).
fn coefficient(n: u32) -> f64 {
    ((f64::from(n) + 2.0) / 3.0).min(LARGEST_COEFFICIENT)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn coefficients_are_those_of_the_specification() {
        let first_five: Vec<f64> = (1..=5).map(coefficient).collect();
        assert_eq!(first_five, [1.0, 4.0 / 3.0, 5.0 / 3.0, 2.0, 2.0]);
    }

    #[test]
    fn each_wait_lies_between_four_fifths_of_its_step_and_all_of_it() {
        let initial = Duration::from_secs(15);
        let mut all: Vec<Duration> = Vec::new();
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut backoff = Backoff::default();
            for step in [15.0, 20.0, 25.0, 30.0, 30.0, 30.0] {
                let wait = backoff.next(initial, &mut rng).as_secs_f64();
                assert!((step * 0.8 - 1e-6..=step + 1e-6).contains(&wait), "{wait} for {step}");
            }
            backoff.reset();
            all.push(backoff.next(initial, &mut rng));
        }
        let (shortest, longest) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(shortest.as_secs_f64() < 12.3 && longest.as_secs_f64() > 14.7, "the whole range is used");
    }
}
