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

/// The wall clock, derived from the driver's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Moment,
}

impl Clock {
    /// A clock for a driver whose clock shows `now` when the wall clock shows `wall`.
    pub(crate) fn new(now: Instant, wall: Timestamp) -> Self {
        Self { start: Moment { now, wall } }
    }

    /// What both clocks show at `now`.
    pub(crate) fn at(&self, now: Instant) -> Moment {
        Moment { now, wall: self.start.wall.plus(now.saturating_duration_since(self.start.now)) }
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
}
