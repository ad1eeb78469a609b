//! What a peer keeps beside what everybody has: the clock of the host's lease, and whether the host is missed.
//!
//! Owns the lease clock. The session decides what follows when it runs out.

use std::time::Duration;

use web_time::Instant;

use super::regularity::Regularity;
use crate::{
    config::SessionTiming,
    election::turn::HostVerdict,
    id::Stamp,
    state::replica::{BEHIND, Replica},
    timer::{Timer, Timers},
};

/// What is added to a host's lease after messages may have been missed: the host has as much to catch up on.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the host does not come back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Its lease ran out, it said goodbye, or it named a successor.
    ForSure,
    /// Presence shows that its connection is gone. It may be back on another.
    Disconnected,
}

/// A player that follows a host.
#[derive(Debug)]
pub(crate) struct PeerState {
    /// When the host's last message came, or the clock of its lease was restarted.
    lease_from: Instant,
    /// Whether the host's lease ran out.
    host_silent: bool,
    /// Why another player is to take the host's place, if one is.
    gone: Option<Gone>,
    /// The state that a lease announced and that has not come.
    announced: Option<Stamp>,
    regularity: Regularity,
}

impl PeerState {
    /// Follows a host whose lease begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { lease_from: now, host_silent: false, gone: None, announced: None, regularity: Regularity::default() }
    }

    /// Whether the host's lease ran out.
    pub(crate) fn is_host_silent(&self) -> bool {
        self.host_silent
    }

    /// When the host's last message came, or the clock of its lease was restarted.
    pub(crate) fn lease_from(&self) -> Instant {
        self.lease_from
    }

    /// How long the host has not been heard, or less if the clock of its lease was restarted.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.lease_from)
    }

    /// Why another player is to take the host's place, if one is.
    pub(crate) fn gone(&self) -> Option<Gone> {
        self.gone
    }

    /// Notes what the election says of the host.
    pub(crate) fn apply(&mut self, verdict: HostVerdict) {
        match verdict {
            HostVerdict::Unchanged => {}
            HostVerdict::Gone(gone) => self.gone = Some(gone),
            HostVerdict::Back => self.gone = None,
        }
    }

    /// Restarts the clock of the host's lease: the host could not be heard until now.
    pub(crate) fn restart_lease(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) {
        self.lease_from = self.lease_from.max(now);
        self.gone = None;
        timers.set(Timer::Silence, self.lease_from + self.regularity.lease(timing, now));
        timers.stop(Timer::Election);
        timers.stop(Timer::Counter);
    }

    /// Gives the host more time: everybody may have missed as much.
    pub(crate) fn be_patient(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) {
        self.lease_from = now + PATIENCE;
        self.restart_lease(now, timing, timers);
    }

    /// Notes that the host was heard which led before: how long it was silent tells how long it may be.
    pub(crate) fn note_heard(&mut self, now: Instant, timing: &SessionTiming) {
        self.regularity.note(now.saturating_duration_since(self.lease_from), timing, now);
    }

    /// Notes that another host leads, of whom nothing is known.
    pub(crate) fn note_other_host(&mut self) {
        self.regularity = Regularity::default();
    }

    /// Notes that somebody leads, or is about to.
    pub(crate) fn on_sign_of_life(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) {
        (self.lease_from, self.host_silent, self.gone) = (now, false, None);
        timers.set(Timer::Silence, now + self.regularity.lease(timing, now));
        timers.stop(Timer::Election);
        timers.stop(Timer::Counter);
    }

    /// When the host counts as lost for good, unless another player takes over.
    pub(crate) fn lost_at(&self, timing: &SessionTiming, now: Instant) -> Instant {
        self.lease_from + self.regularity.lease(timing, now) + timing.grace
    }

    /// Notes that the host's lease ran out.
    pub(crate) fn on_silence(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) {
        self.host_silent = true;
        timers.set(Timer::Silence, self.lost_at(timing, now).max(now + timing.lease));
    }

    /// Notes the state that a lease announced, if it has not come yet.
    pub(crate) fn on_announced(&mut self, stamp: Stamp, replica: &Replica, now: Instant, timers: &mut Timers) {
        if replica.is_behind(&stamp) && self.announced.is_none() {
            self.announced = Some(stamp);
            timers.set(Timer::Behind, now + BEHIND);
        }
    }

    /// Takes the state that a lease announced, if it still has not come.
    pub(crate) fn take_overdue(&mut self, replica: &Replica) -> Option<Stamp> {
        self.announced.take().filter(|stamp| replica.is_behind(stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Reign, Term, Version};

    #[test]
    fn patience_outlasts_a_restart_of_the_lease_and_ends_with_a_sign_of_life() {
        let (now, timing, mut timers) = (Instant::now(), SessionTiming::default(), Timers::default());
        let mut peer = PeerState::new(now);
        peer.be_patient(now, &timing, &mut timers);
        assert_eq!(timers.get(Timer::Silence), Some(now + PATIENCE + timing.lease));
        peer.restart_lease(now, &timing, &mut timers);
        assert_eq!(timers.get(Timer::Silence), Some(now + PATIENCE + timing.lease));
        peer.on_sign_of_life(now, &timing, &mut timers);
        assert_eq!(timers.get(Timer::Silence), Some(now + timing.lease));
    }

    #[test]
    fn a_sign_of_life_ends_the_search_for_another_host() {
        let (now, timing, mut timers) = (Instant::now(), SessionTiming::default(), Timers::default());
        let mut peer = PeerState::new(now);
        peer.on_silence(now, &timing, &mut timers);
        peer.apply(HostVerdict::Gone(Gone::ForSure));
        timers.set(Timer::Election, now);
        peer.on_sign_of_life(now, &timing, &mut timers);
        assert_eq!((peer.is_host_silent(), peer.gone(), timers.get(Timer::Election)), (false, None, None));
    }

    #[test]
    fn only_the_first_announced_state_is_waited_for_and_it_is_taken_once() {
        let (now, mut timers, replica) = (Instant::now(), Timers::default(), Replica::default());
        let reign = Reign { incarnation: "1".into(), term: Term(1), since: "1".into() };
        let stamp = |version| Stamp { reign: reign.clone(), version: Version(version) };
        let mut peer = PeerState::new(now);
        peer.on_announced(stamp(1), &replica, now, &mut timers);
        peer.on_announced(stamp(2), &replica, now + BEHIND, &mut timers);
        assert_eq!(timers.get(Timer::Behind), Some(now + BEHIND));
        assert_eq!(peer.take_overdue(&replica), Some(stamp(1)));
        assert_eq!(peer.take_overdue(&replica), None);
    }
}
