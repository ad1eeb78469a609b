//! Counters of the frames and bytes that were sent and received.

/// What was sent and received since the bridge was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficSnapshot {
    /// Frames that came.
    pub frames_in: u64,
    /// Frames that went.
    pub frames_out: u64,
    /// Bytes of frames that came, without the WebSocket's own.
    pub bytes_in: u64,
    /// Bytes of frames that went, without the WebSocket's own.
    pub bytes_out: u64,
    /// Frames that could not be read.
    pub malformed: u64,
    /// Events that were dropped, since the game did not take them in time.
    pub dropped: u64,
    /// Sockets that were opened; all but the first are reconnects.
    pub sockets: u64,
    /// Events that wait for the ECS now.
    pub events_waiting: usize,
}
