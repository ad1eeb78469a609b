//! A condition that did not come to hold.

use std::{fmt, time::Duration};

/// A condition did not come to hold in time. Shows what each app shows, in debug output too, so that `unwrap` tells it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("that did not come to be within {limit:?}; what the apps show:\n{apps}")]
pub struct TimedOut {
    /// How long was waited.
    pub limit: Duration,
    /// One line for each app.
    pub apps: String,
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
