//! The time of one input: what the driver's clock and the wall clock show.

use web_time::Instant;

use rooms_protocol::Timestamp;

/// The time at which the hub handles an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// On the driver's clock, for timers and rates.
    pub(crate) now: Instant,
    /// On the wall clock, for timestamps and tokens.
    pub(crate) wall: Timestamp,
}

/// How far the wall clock may be from where it was expected, in milliseconds, before times on it have to be looked at again.
/// Clocks that are corrected in small steps stay within it.
const MAX_DRIFT: u64 = 1_000;

/// The wall clock, derived from the driver's clock since the driver last told it.
#[derive(Debug)]
pub(crate) struct Clock {
    told: Moment,
}

impl Clock {
    /// A clock for a driver whose clock shows `now` when the wall clock shows `wall`.
    pub(crate) fn new(now: Instant, wall: Timestamp) -> Self {
        Self { told: Moment { now, wall } }
    }

    /// What both clocks show at `now`.
    pub(crate) fn at(&self, now: Instant) -> Moment {
        Moment { now, wall: self.told.wall.plus(now.saturating_duration_since(self.told.now)) }
    }

    /// Takes what the wall clock shows at `now`. Returns whether it jumped: somebody set it, or the machine slept.
    pub(crate) fn tell(&mut self, now: Instant, wall: Timestamp) -> bool {
        let expected = self.at(now).wall;
        self.told = Moment { now, wall };
        expected.0.abs_diff(wall.0) > MAX_DRIFT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_wall_clock_goes_on_with_the_drivers_and_not_before_its_start() {
        let start = Instant::now() + Duration::from_secs(9);
        let clock = Clock::new(start, Timestamp(1_000));
        assert_eq!(clock.at(start + Duration::from_secs(2)).wall, Timestamp(3_000));
        assert_eq!(clock.at(start - Duration::from_secs(2)).wall, Timestamp(1_000));
    }

    #[test]
    fn the_wall_clock_jumps_when_it_is_not_where_it_was_expected() {
        let start = Instant::now();
        let later = start + Duration::from_secs(2);
        let mut clock = Clock::new(start, Timestamp(0));
        assert!(!clock.tell(later, Timestamp(2_900)), "it was corrected");
        assert_eq!(clock.at(later + Duration::from_secs(1)).wall, Timestamp(3_900));
        assert!(clock.tell(later, Timestamp(3_600_000)) && clock.tell(later, Timestamp(5)));
        assert_eq!(clock.at(later).wall, Timestamp(5));
    }
}
