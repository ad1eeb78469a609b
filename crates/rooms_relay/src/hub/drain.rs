//! Emptying a hub that is to end: nobody new comes in, and those who are there go in portions.

use std::time::Duration;

use web_time::Instant;

use super::{Hub, timer::HubTimer};
use crate::{error::draining, moment::Moment};

/// Time between two portions.
const TICK: Duration = Duration::from_millis(250);

/// How far a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    /// When the last portion goes.
    end: Instant,
}

impl Hub {
    /// Empties the hub within `over`. Clients that come are told to come back, so that they find another relay, and those that
    /// are there are disconnected in equal portions, the longest-served first. Requests over HTTP are still answered. A second
    /// call sets another time.
    pub fn drain(&mut self, over: Duration, now: Instant) {
        self.drain = Some(Drain { end: now + over.min(crate::limits::LONGEST) });
        self.effects.timers.set(HubTimer::Drain, now);
    }

    /// Whether the hub is being emptied.
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Whether the hub was emptied, so that its driver can end.
    pub fn is_drained(&self) -> bool {
        self.drain.is_some() && self.links.len() == 0
    }

    /// Disconnects the next portion.
    pub(super) fn drain_some(&mut self, moment: Moment) {
        let Some(Drain { end }) = self.drain else { return };
        let left = end.saturating_duration_since(moment.now);
        let portions = usize::try_from(left.as_millis() / TICK.as_millis()).unwrap_or(usize::MAX).saturating_add(1);
        let portion = self.links.len().div_ceil(portions);
        for link in self.links.iter().take(portion).collect::<Vec<_>>() {
            self.disconnect(link, draining(), moment);
        }
        if self.links.len() > 0 {
            self.effects.timers.set(HubTimer::Drain, moment.now + TICK);
        }
    }
}
