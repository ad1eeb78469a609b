//! Whether a host acts: its phase, its lease, and the fence.
//!
//! A *lease* is the time for which the peers keep a silent host; a lease message, numbered by its *beat*, renews it. The
//! *fence* stops a host whose own messages do not come back, before its lease ends for the others.
//!
//! Owns the phase, and sets the timers of the lease and the fence. When to claim anew is told to the session, which asks the
//! election.

use std::{collections::VecDeque, time::Duration};

use web_time::Instant;

use crate::{
    config::SessionTiming,
    id::{PlayerId, Stamp},
    state::replica::{BEHIND, Replica},
    timer::{Timer, Timers},
};

/// Shortest time between leases that answer messages of an old reign: at most 5 a second.
const MIN_LEASE_INTERVAL: Duration = Duration::from_millis(200);

/// Whether a host acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Leads anew, and does not act before its first snapshot came back.
    Opening,
    /// Acts: its own messages come back.
    Active,
    /// Does not act until a lease from this beat on comes back.
    Suspended { from_beat: u64 },
    /// Missed something, or somebody claims its place. Does not act until it has claimed to lead anew.
    Reclaiming,
    /// Has named a successor. Does not act, and waits for the successor's claim.
    HandingOver,
}

/// How a host goes on when the connection is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Resumption {
    /// It shows that it lives.
    Lease,
    /// It has to claim to lead anew.
    Reclaim,
}

/// What is due when the time of a host's own claim has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum DueClaim {
    /// The claim to lead anew.
    Reclaim,
    /// Nothing: the host acts, or shows that it lives because its successor did not claim.
    Nothing,
}

/// Whether a host acts, and what it has sent to stay host.
#[derive(Debug)]
pub(super) struct HostLease {
    phase: Phase,
    /// Numbers the leases.
    beat: u64,
    /// When the last leases went out, by their numbers.
    sent: VecDeque<(u64, Instant)>,
    /// The state that an own lease announced when it came back, and that has not come back itself.
    announced: Option<Stamp>,
    /// Who is to lead once everything is published.
    successor: Option<PlayerId>,
}

impl HostLease {
    /// A host whose first snapshot has not come back.
    pub(super) fn new() -> Self {
        Self { phase: Phase::Opening, beat: 0, sent: VecDeque::new(), announced: None, successor: None }
    }

    /// Whether the host acts, and how it stopped.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// Leads anew.
    pub(super) fn open(&mut self) {
        self.phase = Phase::Opening;
    }

    /// Acts again, or for the first time.
    pub(super) fn activate(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) {
        self.phase = Phase::Active;
        timers.set(Timer::Fence, now + timing.self_fence);
    }

    /// Notes that an own message came back. Returns whether the host acts.
    pub(super) fn on_echo(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) -> bool {
        if self.is_active() {
            timers.set(Timer::Fence, now + timing.self_fence);
        }
        self.is_active()
    }

    /// Whether the host may act again now that the lease with this beat came back. One that was under way for longer than
    /// peers wait for any host proves nothing: another leads by now, and its claim comes next.
    pub(super) fn is_restored_by(&self, beat: u64, now: Instant, timing: &SessionTiming) -> bool {
        let sent_at = self.sent.iter().find(|(sent, _)| *sent == beat).map(|(_, at)| *at);
        matches!(self.phase, Phase::Suspended { from_beat } if beat >= from_beat)
            && sent_at.is_some_and(|at| now.saturating_duration_since(at) < timing.longest_lease)
    }

    /// Notes the state that an own lease announced, if it has not come back yet.
    pub(super) fn on_announced(&mut self, stamp: Stamp, replica: &Replica, now: Instant, timers: &mut Timers) {
        if self.is_active() && self.announced.is_none() && replica.is_behind(&stamp) {
            self.announced = Some(stamp);
            timers.set(Timer::Behind, now + BEHIND);
        }
    }

    /// Takes the state that an own lease announced. Returns whether it still has not come back.
    pub(super) fn take_overdue(&mut self, replica: &Replica) -> bool {
        self.announced.take().is_some_and(|stamp| replica.is_behind(&stamp))
    }

    /// Stops acting until an own lease comes back.
    pub(super) fn suspend(&mut self, now: Instant, timers: &mut Timers) {
        if matches!(self.phase, Phase::Active | Phase::HandingOver) {
            self.phase = Phase::Suspended { from_beat: self.beat.saturating_add(1) };
            timers.set(Timer::Lease, now);
            timers.stop(Timer::Fence);
        }
    }

    /// Stops acting, and waits for the time to claim anew.
    pub(super) fn reclaim(&mut self, timers: &mut Timers) {
        self.phase = Phase::Reclaiming;
        self.successor = None;
        timers.stop(Timer::Fence);
        timers.stop(Timer::Lease);
    }

    /// Goes on when the connection is back.
    pub(super) fn resume(&self, now: Instant, timers: &mut Timers) -> Resumption {
        if self.phase == Phase::Reclaiming {
            return Resumption::Reclaim;
        }
        timers.hasten(Timer::Lease, now);
        Resumption::Lease
    }

    /// Decides what is due when the time of the host's own claim has come. A host whose successor did not claim shows that
    /// it lives.
    pub(super) fn on_claim_due(&mut self, now: Instant, timers: &mut Timers) -> DueClaim {
        match self.phase {
            Phase::HandingOver => {
                self.suspend(now, timers);
                DueClaim::Nothing
            }
            Phase::Reclaiming => DueClaim::Reclaim,
            Phase::Opening | Phase::Active | Phase::Suspended { .. } => DueClaim::Nothing,
        }
    }

    /// Whether enough time is over since the last lease for one that answers an old reign.
    pub(super) fn may_answer(&self, now: Instant) -> bool {
        self.sent.back().is_none_or(|(_, last)| now.duration_since(*last) >= MIN_LEASE_INTERVAL)
    }

    /// The number of the lease that goes out now. `None` for a host that claims anew.
    pub(super) fn next_beat(&mut self, now: Instant, timing: &SessionTiming, timers: &mut Timers) -> Option<u64> {
        if self.phase == Phase::Reclaiming {
            return None;
        }
        self.beat = self.beat.saturating_add(1);
        self.sent.retain(|(_, at)| now.saturating_duration_since(*at) < timing.longest_lease);
        self.sent.push_back((self.beat, now));
        timers.set(Timer::Lease, now + timing.lease_interval);
        Some(self.beat)
    }

    /// Names the player that is to lead.
    pub(super) fn name_successor(&mut self, player: &PlayerId) {
        self.successor = Some(player.clone());
    }

    /// Stops acting for the successor, if the host has named one. Returns who it is.
    pub(super) fn hand_over(&mut self, timers: &mut Timers) -> Option<PlayerId> {
        let successor = self.successor.take()?;
        self.phase = Phase::HandingOver;
        timers.stop(Timer::Fence);
        Some(successor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(now: Instant, timers: &mut Timers) -> HostLease {
        let mut lease = HostLease::new();
        lease.activate(now, &SessionTiming::default(), timers);
        lease
    }

    #[test]
    fn a_suspended_host_acts_again_with_the_first_lease_that_it_sent_since() {
        let (now, timing, mut timers) = (Instant::now(), SessionTiming::default(), Timers::default());
        let mut lease = lease(now, &mut timers);
        assert_eq!(lease.next_beat(now, &timing, &mut timers), Some(1));
        lease.suspend(now, &mut timers);
        assert_eq!((timers.get(Timer::Lease), timers.get(Timer::Fence)), (Some(now), None));
        assert_eq!(lease.next_beat(now, &timing, &mut timers), Some(2));
        assert!(!lease.is_restored_by(1, now, &timing), "an echo from before");
        assert!(lease.is_restored_by(2, now + timing.longest_lease - Duration::from_millis(1), &timing));
        assert!(!lease.is_restored_by(2, now + timing.longest_lease, &timing), "others have replaced it by now");
    }

    #[test]
    fn a_host_that_reclaims_sends_no_lease_and_forgets_its_successor() {
        let (now, timing, mut timers) = (Instant::now(), SessionTiming::default(), Timers::default());
        let mut lease = lease(now, &mut timers);
        lease.name_successor(&PlayerId::new("bob").unwrap());
        lease.reclaim(&mut timers);
        assert_eq!(lease.next_beat(now, &timing, &mut timers), None);
        assert_eq!(lease.hand_over(&mut timers), None);
        assert_eq!(lease.resume(now, &mut timers), Resumption::Reclaim);
        assert_eq!(lease.on_claim_due(now, &mut timers), DueClaim::Reclaim);
    }

    #[test]
    fn leases_that_answer_an_old_reign_are_at_most_five_a_second() {
        let (now, timing, mut timers) = (Instant::now(), SessionTiming::default(), Timers::default());
        let mut lease = lease(now, &mut timers);
        assert!(lease.may_answer(now));
        let _ = lease.next_beat(now, &timing, &mut timers);
        assert!(!lease.may_answer(now + MIN_LEASE_INTERVAL / 2));
        assert!(lease.may_answer(now + MIN_LEASE_INTERVAL));
    }
}
