//! The host's part: leading, fencing itself, publishing the document, and stepping down.
//!
//! What the host does to the document is provisional until its own echo brought it back: that confirmed state is the
//! replica's, and stepping down returns to it.

use std::time::Duration;

use web_time::Instant;

use crate::{
    InterruptReason, Reign, Role, Seat, SeatStatus, Session, Stamp, Term,
    host::state::{HostState, Phase},
    peer::state::BEHIND,
    peer::state::PeerState,
    state::document::Changes,
    state::replica::Offer,
    timer::Timer,
    wire::inbound::Origin,
    wire::message::{Lease, State, StateBody, Welcome},
    wire::outbound::{Content, Hold, Lane},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// Shortest time between leases that answer stale words: at most 5 a second.
const MIN_LEASE_INTERVAL: Duration = Duration::from_millis(200);

/// Why what a host said does not count.
pub(crate) fn replaced() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "another player took over as host before this went out")
}

impl Session {
    /// Leads on a claim that held: founds the room, or goes on with it in a new term.
    pub(crate) fn lead(&mut self, reign: Reign, now: Instant) {
        self.promise.hear_host(&reign, &self.config.player);
        self.timers.stop(Timer::Lapse);
        match &mut self.role {
            Role::Host(lead) => {
                (lead.reign, lead.phase) = (reign, Phase::Opening);
                (lead.snapshot_due, lead.snapshot_at) = (true, None);
                lead.welcomes.clear();
            }
            _ => {
                let held = self.replica.stamp().cloned();
                let mut document = self.replica.document().clone();
                if held.is_none() {
                    document.migration = self.config.migration;
                }
                self.role = Role::Host(Box::new(HostState::new(reign, document, held)));
                self.mark_absent(now);
            }
        }
        self.wants_welcome = false;
        for timer in [Timer::Silence, Timer::Election, Timer::Counter, Timer::Hello, Timer::Behind] {
            self.timers.stop(timer);
        }
        self.refresh_own_seat();
        self.timers.set(Timer::Lease, now + self.config.timing.lease_interval);
        self.timers.set(Timer::Fence, now + self.config.timing.self_fence);
        self.timers.set(Timer::Seats, now + self.config.timing.lease);
    }

    /// Writes down who this player is now, and over which connection.
    pub(crate) fn refresh_own_seat(&mut self) {
        let Role::Host(lead) = &mut self.role else { return };
        let Some(connection) = self.line.connection().cloned() else { return };
        let player = &self.config.player;
        let old = lead.working.roster.get(player).cloned();
        let new = Seat {
            player: player.clone(),
            generation: self.config.generation,
            connection,
            profile: self.config.profile.clone(),
            status: SeatStatus::Present,
            spectator: old.as_ref().is_some_and(|seat| seat.spectator),
            order: old.as_ref().map_or_else(|| lead.working.roster.next_order(), |seat| seat.order),
        };
        if old.as_ref() != Some(&new) {
            lead.set_seat(player, Some(new.clone()));
            if self.joined {
                self.tell_seat(old.as_ref(), Some(&new));
            }
        }
    }

    /// Takes in the echo of an own state, and tells whether it counts: not after a claim, from which on nobody takes it.
    pub(crate) fn hear_own_state(&mut self, from: &Origin, state: State, now: Instant) -> bool {
        let current = self.promise.best().is_none_or(|best| best.reign == state.reign);
        let Role::Host(lead) = &mut self.role else { return current };
        if state.reign != lead.reign || !current {
            return current;
        }
        let stamp = Stamp { reign: state.reign, version: state.version };
        let opens = lead.phase == Phase::Opening && matches!(state.body, StateBody::Snapshot { .. });
        let offer = match state.body {
            StateBody::Snapshot { snapshot } => self.replica.offer_snapshot(stamp, snapshot),
            StateBody::Patch { base, patch } => self.replica.offer_patch(base, stamp, patch),
        };
        if let Offer::Applied(changes) = &offer {
            self.note_processes(changes, from.serial.as_ref());
        }
        let Role::Host(lead) = &self.role else { return current };
        // What was refused by the server leaves a gap that a snapshot closes; any other gap is missing words.
        let gap = matches!(offer, Offer::Kept | Offer::Broken) && !lead.snapshot_due && lead.is_active();
        self.hear_echo(now);
        self.confirm_requests(now);
        if gap {
            self.lose_continuity(now);
        } else if opens {
            self.activate(now);
        }
        current
    }

    /// Takes in the echo of an own lease.
    pub(crate) fn hear_own_lease(&mut self, lease: &Lease, now: Instant) {
        let Role::Host(lead) = &self.role else { return };
        if lease.reign != lead.reign {
            return;
        }
        // Whoever claimed its place is heard out first, and then claimed above.
        let obeyed = self.promise.best().is_none_or(|best| best.reign == lease.reign);
        let restored = obeyed && matches!(lead.phase, Phase::Suspended { from_beat } if lease.beat >= from_beat);
        let stamp = Stamp { reign: lease.reign.clone(), version: lease.version };
        let behind = lead.is_active() && lead.announced.is_none() && self.replica.is_behind(&stamp);
        if behind && let Role::Host(lead) = &mut self.role {
            lead.announced = Some(stamp);
            self.timers.set(Timer::Behind, now + BEHIND);
        }
        self.hear_echo(now);
        if restored {
            self.activate(now);
        }
    }

    fn hear_echo(&mut self, now: Instant) {
        if let Role::Host(lead) = &self.role
            && lead.is_active()
        {
            self.alive_at = Some(now);
            self.timers.set(Timer::Fence, now + self.config.timing.self_fence);
        }
    }

    /// Acts again, or for the first time: own words come back.
    fn activate(&mut self, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        lead.phase = Phase::Active;
        self.alive_at = Some(now);
        self.lost_continuity = false;
        self.timers.set(Timer::Fence, now + self.config.timing.self_fence);
        if self.joined {
            self.set_host(self.config.player.clone(), self.term());
        } else {
            self.join(true, now);
        }
        self.followed = self.replica.stamp().map(|stamp| stamp.reign.clone());
        self.refresh_own_seat();
        self.consider_resumed();
        self.give_up_left_seats();
        self.check_seats(now);
        self.apply_requests();
    }

    /// Has heard nothing of itself for too long: stops acting, or says its first snapshot again.
    pub(crate) fn fence(&mut self, now: Instant) {
        self.suspend(now);
        self.tell_interrupted(InterruptReason::Unheard);
        if let Role::Host(lead) = &mut self.role
            && lead.phase == Phase::Opening
        {
            lead.snapshot_due = true;
            self.timers.set(Timer::Fence, now + self.config.timing.self_fence);
        }
    }

    /// Stops acting until an own lease comes back.
    pub(crate) fn suspend(&mut self, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        if matches!(lead.phase, Phase::Active | Phase::HandingOver) {
            lead.phase = Phase::Suspended { from_beat: lead.beat.saturating_add(1) };
            self.timers.set(Timer::Lease, now);
            self.timers.stop(Timer::Fence);
        }
    }

    /// Goes on once the line is back: shows that it lives, or claims what it was about to claim.
    pub(crate) fn resume_leading(&mut self, now: Instant) {
        let Role::Host(lead) = &self.role else { return };
        match lead.phase {
            Phase::Reclaiming => self.timers.hasten(Timer::Claim, now + self.time_to_hear_others(now)),
            _ => self.timers.hasten(Timer::Lease, now),
        }
    }

    /// Stops acting, and claims to lead anew once others had time to be heard.
    pub(crate) fn reclaim(&mut self, now: Instant) {
        self.reclaim_at(now + self.time_to_hear_others(now));
    }

    /// Stops acting, and claims to lead anew.
    pub(crate) fn reclaim_at(&mut self, at: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        lead.phase = Phase::Reclaiming;
        lead.successor = None;
        self.claim = None;
        self.timers.stop(Timer::Fence);
        self.timers.stop(Timer::Lease);
        self.timers.set(Timer::Claim, at);
    }

    /// Makes the claim for which the host stopped acting, or goes on where nobody took over.
    pub(crate) fn claim_anew(&mut self, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        if lead.phase == Phase::HandingOver {
            lead.phase = Phase::Suspended { from_beat: lead.beat.saturating_add(1) };
            return self.timers.set(Timer::Lease, now);
        }
        if lead.phase != Phase::Reclaiming {
            return;
        }
        let reign = lead.reign.clone();
        if !self.line.is_up() {
            return self.timers.set(Timer::Claim, now + self.config.timing.gather);
        }
        let next = self.promise.next_term().filter(|(incarnation, _)| *incarnation == reign.incarnation);
        let above = Term(reign.term.0.saturating_add(1));
        let term = next.map_or(above, |(_, term)| term.max(above));
        self.make_claim(Some(reign.incarnation), term, now);
    }

    /// Becomes a peer of whoever leads now, with the state that was confirmed last.
    pub(crate) fn step_down(&mut self, now: Instant) {
        let next =
            if self.joined { Role::Peer(PeerState::new(now)) } else { Role::Arriving { silent_since: Some(now) } };
        let Role::Host(lead) = std::mem::replace(&mut self.role, next) else { return };
        self.claim = None;
        self.events.retain(|told| !told.request);
        if self.host.as_ref() == Some(&self.config.player) {
            // What was said along with a state that nobody gets is not said either.
            let replaced = replaced();
            for content in self.outgoing.drop_waiting() {
                self.note_failed(content, &replaced);
            }
        }
        for timer in [Timer::Claim, Timer::Counter, Timer::Lease, Timer::Fence, Timer::Seats] {
            self.timers.stop(timer);
        }
        if self.joined {
            if let Some(leader) = self.promise.led().cloned() {
                self.set_host(leader.player, leader.reign.term);
            }
            self.tell_changes(&Changes::between(&lead.working, self.replica.document()));
            self.requests.send_all_again();
            self.confirm_requests(now);
            self.restart_lease(now);
        }
        self.want_welcome_at(now);
    }

    /// Answers words of a reign that gave way, so that whoever says them learns of it.
    pub(crate) fn answer_stale(&mut self, now: Instant) {
        let Role::Host(lead) = &self.role else { return };
        let allowed = lead.last_lease.is_none_or(|last| now.duration_since(last) >= MIN_LEASE_INTERVAL);
        if allowed && lead.phase != Phase::Reclaiming {
            self.send_lease(now);
        }
    }

    /// Shows that the host lives.
    pub(crate) fn send_lease(&mut self, now: Instant) {
        let generation = self.config.generation;
        let Role::Host(lead) = &mut self.role else { return };
        if lead.phase == Phase::Reclaiming || !self.line.is_up() {
            return;
        }
        lead.beat = lead.beat.saturating_add(1);
        lead.last_lease = Some(now);
        let lease = Lease { generation, reign: lead.reign.clone(), version: lead.version, beat: lead.beat };
        self.say_urgent(lease.into());
        self.timers.set(Timer::Lease, now + self.config.timing.lease_interval);
    }

    /// What has to go on waiting: a host says nothing but leases while it does not act, and opens with its first state
    /// alone, since what is said along with a state counts only if that does.
    pub(crate) fn hold(&self) -> Hold {
        match &self.role {
            Role::Host(lead) => match lead.phase {
                Phase::Active => Hold::Nothing,
                Phase::Opening => Hold::AllButState,
                Phase::Suspended { .. } | Phase::Reclaiming | Phase::HandingOver => Hold::Everything,
            },
            _ => Hold::Nothing,
        }
    }

    /// When the next publish is due.
    pub(crate) fn next_publish(&self, interval: Duration) -> Option<Instant> {
        let hold = self.hold();
        if !self.line.is_up() || hold == Hold::Everything {
            return None;
        }
        let state = match &self.role {
            Role::Host(lead) if lead.is_dirty() || !lead.welcomes.is_empty() => {
                let not_before = if lead.is_dirty() { lead.snapshot_at } else { lead.welcome_at };
                let due = self.outgoing.ready_at(&Lane::Room, interval).max(not_before);
                Some(due.unwrap_or(self.last_step))
            }
            _ => None,
        };
        let waiting = self.outgoing.next_publish(interval).filter(|_| hold == Hold::Nothing);
        [state, waiting].into_iter().flatten().min()
    }

    /// Publishes what the host changed, before everything that it said meanwhile, and then welcomes the newcomers.
    ///
    /// Not before `interval` is over since the last publish.
    pub(crate) fn publish_state(&mut self, interval: Duration, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        let waits = lead.is_dirty() || !lead.welcomes.is_empty();
        if !waits
            || !matches!(lead.phase, Phase::Active | Phase::Opening)
            || lead.snapshot_at.is_some_and(|at| at > now)
            || !self.outgoing.is_ready(&Lane::Room, interval, now)
        {
            return;
        }
        // Until its first snapshot came back, nothing else of a new reign goes out.
        if lead.phase == Phase::Opening && !lead.snapshot_due {
            return;
        }
        let generation = self.config.generation;
        let reign = lead.reign.clone();
        if let Some((version, body)) = lead.next_state() {
            self.say_state(State { generation, reign, version, body });
            self.timers.set(Timer::Lease, now + self.config.timing.lease_interval);
        }
        self.say_welcomes(now);
    }

    fn say_welcomes(&mut self, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        if !lead.is_active() || lead.welcomes.is_empty() || lead.welcome_at.is_some_and(|at| at > now) {
            return;
        }
        lead.welcome_at = Some(now + self.config.timing.publish_interval);
        for (player, nonce) in std::mem::take(&mut lead.welcomes) {
            let Role::Host(lead) = &self.role else { return };
            if !lead.working.roster.contains(&player) {
                continue;
            }
            let welcome = Welcome {
                generation: self.config.generation,
                nonce,
                host: self.config.player.clone(),
                reign: lead.reign.clone(),
                version: lead.version,
                snapshot: lead.working.clone(),
            };
            self.say(Lane::Inbox(player), welcome.into(), Content::Other);
        }
    }

    /// A state did not reach the others: the next one goes out whole.
    pub(crate) fn note_state_failed(&mut self) {
        let at = self.last_step + self.config.timing.lease_interval;
        if let Role::Host(lead) = &mut self.role {
            lead.snapshot_due = true;
            lead.snapshot_at = Some(at);
        }
    }
}
