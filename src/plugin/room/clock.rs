//! The room's clock: the same time on every screen.

use std::time::Duration;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::session::ServerClock;

/// The room's clock: the same time on every screen, whoever hosts. It is the server's time, which the plugin keeps from the stamps on
/// what arrives and from round trips. It never goes back, and goes on while the connection is away.
///
/// On a line with a delay of 100 ± 50 ms each way it is right to 20 ms, a minute after a player came in. A line that is slower one
/// way than the other shifts it by half of the difference.
///
/// It is unknown until a first message and a first round trip, which is usually before the app is in the room; see
/// [`is_known`](Self::is_known).
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct RoomClock {
    now: Option<Duration>,
    error: Option<Duration>,
}

impl RoomClock {
    /// A clock that shows this time, for tests of what depends on it.
    pub fn at(now: Duration) -> Self {
        Self { now: Some(now), error: Some(Duration::ZERO) }
    }

    pub(super) fn of(time: &ServerClock) -> Self {
        Self { now: time.now(), error: time.error() }
    }

    /// The time of this frame, since 1970-01-01T00:00:00Z. Zero while it is unknown.
    pub fn now(&self) -> Duration {
        self.now.unwrap_or_default()
    }

    /// Whether the time is known.
    pub fn is_known(&self) -> bool {
        self.now.is_some()
    }

    /// About how far the time may be off; `None` while it is unknown. See [`ServerClock::error`].
    pub fn error(&self) -> Option<Duration> {
        self.error
    }
}

/// A moment of the [`RoomClock`], such as the end of a turn. Put it into what you share: it means the same on every screen, also after
/// a change of host.
///
/// ```
/// use std::time::Duration;
/// use bevy::prelude::*;
/// use bevy_rooms::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Resource, Default, Serialize, Deserialize)]
/// struct Turn {
///     ends: Option<Deadline>,
/// }
///
/// fn begin(clock: Res<RoomClock>, mut turn: ResMut<Turn>) {
///     turn.ends = Deadline::after(&clock, Duration::from_secs(30));
/// }
///
/// fn show(clock: Res<RoomClock>, turn: Res<Turn>) {
///     if let Some(ends) = turn.ends {
///         println!("{} s left", ends.remaining(&clock).as_secs());
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Reflect)]
#[serde(transparent)]
pub struct Deadline {
    /// Milliseconds since 1970.
    millis: u64,
}

impl Deadline {
    /// The moment that is so far from now, to the millisecond. `None` while the clock is unknown.
    pub fn after(clock: &RoomClock, duration: Duration) -> Option<Self> {
        let at = clock.now?.saturating_add(duration);
        Some(Self { millis: u64::try_from(at.as_millis()).unwrap_or(u64::MAX) })
    }

    /// How long it takes until then; zero once it is over. Without a known time it is the longest [`Duration`].
    pub fn remaining(self, clock: &RoomClock) -> Duration {
        clock.now.map_or(Duration::MAX, |now| Duration::from_millis(self.millis).saturating_sub(now))
    }

    /// Whether the moment has come. False while the clock is unknown.
    pub fn is_over(self, clock: &RoomClock) -> bool {
        self.remaining(clock).is_zero()
    }
}

/// Runs a system while the deadline that a resource holds is over: `end_turn.run_if(deadline_is_over(|turn: &Turn| turn.ends))`.
/// Without the resource, or without a deadline in it, it is false.
pub fn deadline_is_over<R: Resource>(
    deadline: impl Fn(&R) -> Option<Deadline> + Clone + Send + Sync + 'static,
) -> impl FnMut(Option<Res<R>>, Option<Res<RoomClock>>) -> bool + Clone {
    move |resource, clock| {
        let deadline = resource.and_then(|resource| deadline(&resource));
        clock.zip(deadline).is_some_and(|(clock, deadline)| deadline.is_over(&clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_counts_down_and_is_over_once_its_moment_has_come() {
        let at = |millis| RoomClock::at(Duration::from_millis(millis));
        let deadline = Deadline::after(&at(1_000), Duration::from_millis(500)).unwrap();
        assert_eq!(deadline.remaining(&at(1_200)), Duration::from_millis(300));
        assert!(!deadline.is_over(&at(1_499)) && deadline.is_over(&at(1_500)) && deadline.is_over(&at(9_000)));
        assert_eq!(serde_json::to_string(&deadline).unwrap(), "1500");
    }

    #[test]
    fn nothing_is_over_while_the_time_is_unknown() {
        let deadline = Deadline { millis: 1 };
        assert!(!deadline.is_over(&RoomClock::default()));
        assert_eq!(Deadline::after(&RoomClock::default(), Duration::ZERO), None);
    }
}
