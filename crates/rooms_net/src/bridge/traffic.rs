//! What was sent and received, as the background task counts it and the ECS reads it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rooms_client::driver::TrafficSnapshot;

/// The counters. The background task writes them, and the ECS reads them.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    frames_in: AtomicU64,
    frames_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    malformed: AtomicU64,
    dropped: AtomicU64,
    sockets: AtomicU64,
}

impl Traffic {
    /// The counters now, with how many events wait for the ECS.
    pub(super) fn snapshot(&self, events_waiting: usize) -> TrafficSnapshot {
        TrafficSnapshot {
            frames_in: self.frames_in.load(Relaxed),
            frames_out: self.frames_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            sockets: self.sockets.load(Relaxed),
            events_waiting,
        }
    }

    /// Takes these figures over. Dropped events and waiting ones are not among them.
    pub(super) fn set(&self, counted: &TrafficSnapshot) {
        for (counter, value) in [
            (&self.frames_in, counted.frames_in),
            (&self.frames_out, counted.frames_out),
            (&self.bytes_in, counted.bytes_in),
            (&self.bytes_out, counted.bytes_out),
            (&self.malformed, counted.malformed),
            (&self.sockets, counted.sockets),
        ] {
            counter.store(value, Relaxed);
        }
    }

    /// Counts an event that was dropped.
    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }
}
