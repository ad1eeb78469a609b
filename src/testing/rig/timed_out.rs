//! A condition that did not become true.

use std::{fmt, time::Duration};

/// A condition did not become true in time. It shows the state of each app, in debug output too, so that `unwrap`
/// prints it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the condition did not become true within {limit:?}; the state of the apps:\n{apps}")]
pub struct TimedOut {
    /// The limit.
    pub limit: Duration,
    /// One line for each app.
    pub apps: String,
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
