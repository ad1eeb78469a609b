//! The simulated clock of the apps.

use std::sync::{Arc, Mutex, PoisonError};

use web_time::Instant;

/// The present, for the apps.
#[derive(Clone, Debug)]
pub(super) struct SimClock(Arc<Mutex<Instant>>);

impl SimClock {
    pub(super) fn at(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    pub(super) fn set(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub(super) fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
