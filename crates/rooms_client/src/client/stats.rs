//! What a client counts.

use std::time::Duration;

/// What a client holds and has done, for diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// How often the client was connected, after the first time.
    pub reconnects: u64,
    /// Publishes and presence operations that wait for a connection or their channel.
    pub queued: usize,
    /// Publishes and presence operations that wait for an acknowledgement.
    pub pending: usize,
    /// Channels that are known.
    pub channels: usize,
    /// Members that are known, over all channels.
    pub members: usize,
    /// Frames that could not be read.
    pub malformed: u64,
    /// The round trip that was measured last.
    pub round_trip: Option<Duration>,
}
