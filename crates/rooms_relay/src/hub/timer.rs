//! The hub's timers, in the order in which they expire.

use std::collections::{BTreeSet, HashMap};

use web_time::Instant;

use crate::{LinkId, auth::revocations::Revocation, hub::channel::key::ChannelKey};
use rooms_protocol::ConnectionId;

/// What there is to do at some time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HubTimer {
    /// When to send something over a link, so that its client does not take it for dead.
    Heartbeat(LinkId),
    /// When to tell a client on which channels it missed messages.
    ReportGaps(LinkId),
    /// When the members leave that a connection has on channels it is not attached to.
    LeaveMembers(ConnectionId),
    /// When to go on with the members that leave because their connections ended.
    Departures,
    /// When to forget a connection that has no link.
    ForgetConnection(ConnectionId),
    /// When to ask a client for a new token, so that it does not lose its connection.
    RequestToken(ConnectionId),
    /// When the token of a connection expires.
    ExpireToken(ConnectionId),
    /// When to disconnect clients with revoked tokens who had some time to get new ones.
    EndRevoked(Box<Revocation>),
    /// When to disconnect the next portion of a hub that is being emptied.
    Drain,
    /// When to count who uses a channel, for those who watch its occupancy.
    TellOccupancy(ChannelKey),
    /// When to drop what a channel kept long enough, and the channel if it is idle.
    TrimChannel(ChannelKey),
}

/// All timers that are set: one deadline each.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: HashMap<HubTimer, Instant>,
    order: BTreeSet<(Instant, HubTimer)>,
}

impl Timers {
    /// Sets `timer` to expire at `at`, whatever it was set to before.
    pub(crate) fn set(&mut self, timer: HubTimer, at: Instant) {
        self.stop(&timer);
        self.deadlines.insert(timer.clone(), at);
        self.order.insert((at, timer));
    }

    /// Sets `timer` unless it is set.
    pub(crate) fn set_if_stopped(&mut self, timer: HubTimer, at: Instant) {
        if !self.deadlines.contains_key(&timer) {
            self.set(timer, at);
        }
    }

    /// Sets `timer` unless it is set to expire earlier.
    pub(crate) fn set_no_later(&mut self, timer: HubTimer, at: Instant) {
        if self.deadlines.get(&timer).is_none_or(|set| *set > at) {
            self.set(timer, at);
        }
    }

    /// Stops `timer`.
    pub(crate) fn stop(&mut self, timer: &HubTimer) {
        if let Some(at) = self.deadlines.remove(timer) {
            self.order.remove(&(at, timer.clone()));
        }
    }

    /// When the next timer expires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes one timer that has expired.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<HubTimer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_expire_in_order_and_once() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let (slow, fast) = (HubTimer::LeaveMembers("a".into()), HubTimer::ForgetConnection("a".into()));
        let mut timers = Timers::default();
        timers.set(slow.clone(), at(9));
        timers.set(fast.clone(), at(8));
        timers.set(slow.clone(), at(3));
        timers.set_if_stopped(slow.clone(), at(1));
        timers.set_no_later(slow.clone(), at(5));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.pop_due(at(2)), None);
        assert_eq!(timers.pop_due(at(20)), Some(slow));
        timers.set_no_later(fast.clone(), at(7));
        assert_eq!(timers.next(), Some(at(7)));
        timers.stop(&fast);
        assert_eq!(timers.pop_due(at(20)), None);
        assert_eq!(timers.next(), None);
    }
}
