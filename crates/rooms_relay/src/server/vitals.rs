//! How the relay is, for whoever asks without waiting for the hub.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use web_time::Instant;

/// How often the hub's task shows that it goes on, and is told the wall clock.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// How long after its last beat the hub's task counts as stuck.
const STUCK: Duration = Duration::from_secs(5);

/// What the tasks of the server tell about themselves.
#[derive(Debug)]
pub(super) struct Vitals {
    start: Instant,
    /// When the hub's task went on last, in milliseconds after the start.
    beat: AtomicU64,
    is_draining: AtomicBool,
    /// Sockets that are open.
    sockets: AtomicUsize,
    /// WebSockets that are open.
    web_sockets: AtomicUsize,
}

impl Vitals {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            beat: AtomicU64::new(0),
            is_draining: AtomicBool::new(false),
            sockets: AtomicUsize::new(0),
            web_sockets: AtomicUsize::new(0),
        }
    }

    /// Notes that the hub's task goes on.
    pub(super) fn beat(&self, now: Instant) {
        self.beat.store(self.milliseconds(now), Ordering::Relaxed);
    }

    /// Whether the hub's task goes on.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        let since = self.milliseconds(now).saturating_sub(self.beat.load(Ordering::Relaxed));
        Duration::from_millis(since) < STUCK
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// How long the relay has run.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    /// Notes that nobody new is let in.
    pub(super) fn set_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether nobody new is let in.
    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Counts a socket until the result is dropped.
    pub(super) fn count_socket(self: &Arc<Self>) -> OpenSocket {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        OpenSocket(Arc::clone(self))
    }

    /// How many sockets are open, WebSockets too.
    pub(super) fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    /// Notes how many WebSockets are open.
    pub(super) fn set_web_sockets(&self, count: usize) {
        self.web_sockets.store(count, Ordering::Relaxed);
    }

    /// How many WebSockets are open.
    pub(super) fn web_sockets(&self) -> usize {
        self.web_sockets.load(Ordering::Relaxed)
    }
}

/// A socket that counts as open.
#[derive(Debug)]
pub(super) struct OpenSocket(Arc<Vitals>);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_does_not_go_on_is_stuck_after_a_while() {
        let start = Instant::now();
        let vitals = Vitals::new(start);
        assert!(vitals.is_alive(start + BEAT) && !vitals.is_alive(start + STUCK));
        vitals.beat(start + STUCK);
        assert!(vitals.is_alive(start + STUCK + BEAT) && vitals.is_alive(start), "clocks of tasks differ a little");
    }
}
