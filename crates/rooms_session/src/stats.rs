//! What diagnostics show of a session.

/// What a session dropped and what waits in it, for diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Room messages dropped because they made no sense.
    pub malformed: u64,
    /// Messages dropped because their sender may not send them.
    pub impostors: u64,
    /// Messages dropped because they were of a reign or process that gave way to a better one, or came twice.
    pub stale: u64,
    /// Events dropped because the game did not take them.
    pub overflowed: u64,
    /// Messages that wait to be published.
    pub waiting: usize,
    /// Requests that the host has not confirmed.
    pub unconfirmed: usize,
    /// State changes that wait for the one before them.
    pub kept: usize,
}
