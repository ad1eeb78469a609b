//! The server's clock, for requests that the client signs on a machine whose own clock may be wrong (`RSA9d`, `RSA10k`).

use web_time::Instant;

use rooms_protocol::Timestamp;

/// What is known of the server's clock. It is asked for once; from then on the time that passed is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ServerClock {
    #[default]
    Unknown,
    Asked,
    Known {
        told: Timestamp,
        at: Instant,
    },
}

impl ServerClock {
    /// A clock that shows `told` now; an unknown one where the server did not tell.
    pub(super) fn new(told: Option<Timestamp>, now: Instant) -> Self {
        told.map_or(Self::Unknown, |told| Self::Known { told, at: now })
    }

    /// The server's time, where it is known.
    pub(super) fn time(self, now: Instant) -> Option<Timestamp> {
        match self {
            Self::Known { told, at } => Some(told.plus(now.saturating_duration_since(at))),
            Self::Unknown | Self::Asked => None,
        }
    }

    /// The server refused a request as one of another time. On a machine that slept the clock here fell behind, so the next
    /// request asks again.
    pub(super) fn on_refused(&mut self) {
        if let Self::Known { .. } = self {
            *self = Self::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_that_passed_is_added_until_the_server_refuses_it() {
        let now = Instant::now();
        let mut clock = ServerClock::new(Some(Timestamp(1000)), now);
        assert_eq!(clock.time(now + Duration::from_secs(2)), Some(Timestamp(3000)));
        clock.on_refused();
        assert_eq!((clock.time(now), clock), (None, ServerClock::Unknown));
        assert_eq!(ServerClock::new(None, now), ServerClock::Unknown);
    }

    #[test]
    fn a_refusal_does_not_end_a_question_under_way() {
        let mut clock = ServerClock::Asked;
        clock.on_refused();
        assert_eq!(clock, ServerClock::Asked);
    }
}
