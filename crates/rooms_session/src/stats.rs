//! What diagnostics show of a session.

/// What a session dropped and what waits in it, for diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// What the server's limits led to.
    pub pace: PaceStats,
}

/// What the limits of a server led to. All is 0 on a server without limits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PaceStats {
    /// How much of what the server takes in a second the room used in the last one: 0 for nothing, 1 for all.
    pub used: f32,
    /// Messages that had no publish of their own, since they went out together with others.
    pub merged: u64,
    /// Publishes that the server refused because it took no more in that second. They went out again.
    pub refused: u64,
}
