//! What a host keeps beside what everybody has: its reign, whether it acts, and what it publishes.
//!
//! Owns the phase of the host, its lease, and the pace of its states and welcomes. A *lease* is the time for which the
//! peers keep a silent host; a lease message, a *beat*, renews it. The *fence* stops a host whose own messages do not come
//! back, before its lease ends for the others.

use std::{collections::BTreeMap, time::Duration};

use rooms_protocol::MessageSerial;
use serde_json::Value;
use web_time::Instant;

use super::{document::WorkingDocument, newcomers::Newcomers};
use crate::{
    config::Migration,
    context::Context,
    election::claim::OPEN_CLAIM,
    event::{InterruptReason, SessionError, SessionEvent},
    id::{PlayerId, Reign, Stamp, Term},
    requests::Intake,
    state::{
        document::{Applied, Document},
        replica::{BEHIND, Replica},
        roster::{Seat, SeatStatus},
        rules::RoomRules,
    },
    timer::{Timer, Timers},
    wire::{
        message::{HandOver, Lease, Nonce},
        outbound::Lane,
    },
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

/// What a host knows of the players beside their seats.
#[derive(Debug, Default)]
pub(super) struct Players {
    /// Which process of each player was admitted here.
    pub nonces: BTreeMap<PlayerId, Nonce>,
    /// Whom to welcome with the next state.
    pub welcomes: BTreeMap<PlayerId, Nonce>,
    /// The next welcomes do not go out before this. Each holds the whole document, so a flood of hellos must not set their
    /// pace.
    pub welcome_at: Option<Instant>,
    /// When each player was admitted here, or seen again last.
    pub seen: BTreeMap<PlayerId, Instant>,
    /// When the seats of lost players are given up.
    pub grace: BTreeMap<PlayerId, Instant>,
}

/// What a host keeps beside what everybody has.
#[derive(Debug)]
pub(crate) struct HostState {
    pub(super) reign: Reign,
    phase: Phase,
    pub(super) working: WorkingDocument,
    pub(super) players: Players,
    pub(super) intake: Intake,
    /// About whom the game was asked.
    pub(super) newcomers: Newcomers,
    /// Who is to lead once everything is published.
    successor: Option<PlayerId>,
    /// The state that an own lease announced when it came back, and that has not come back itself.
    pub(super) announced: Option<Stamp>,
    /// Numbers the leases.
    beat: u64,
    last_lease: Option<Instant>,
    /// When a process was last told that a newer one has its seat.
    pub(super) last_superseded: Option<Instant>,
}

impl HostState {
    /// Leads on from `document`, the state `held`. The room is founded if there is none.
    pub(crate) fn new(reign: Reign, document: Document, held: Option<Stamp>) -> Self {
        Self {
            reign,
            phase: Phase::Opening,
            working: WorkingDocument::new(document, held),
            players: Players::default(),
            intake: Intake::default(),
            newcomers: Newcomers::default(),
            successor: None,
            announced: None,
            beat: 0,
            last_lease: None,
            last_superseded: None,
        }
    }

    /// Leads again, in a new reign.
    pub(crate) fn lead_again(&mut self, reign: Reign) {
        (self.reign, self.phase) = (reign, Phase::Opening);
        self.working.demand_snapshot(None);
        self.players.welcomes.clear();
    }

    /// The host's reign.
    pub(crate) fn reign(&self) -> &Reign {
        &self.reign
    }

    /// Whether the host acts, and how it stopped.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the host leads anew, and its first snapshot has not come back.
    pub(crate) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    pub(crate) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// The document as the host wants it, published or not.
    pub(crate) fn document(&self) -> &Document {
        self.working.get()
    }

    /// The best state that anybody may have of this host. `None` before a room's first.
    pub(crate) fn published(&self) -> Option<&Stamp> {
        self.working.published()
    }

    /// Sets a value of the game.
    pub(crate) fn set_shared(&mut self, key: &str, value: Value) -> Result<(), SessionError> {
        self.working.set_shared(key, value)
    }

    /// Changes the room's rules.
    pub(crate) fn change_rules(&mut self, cx: &mut Context, change: impl FnOnce(&mut RoomRules)) {
        let mut rules = self.document().rules.clone();
        change(&mut rules);
        if rules != self.document().rules {
            self.working.set_rules(rules);
            cx.feed.emit(SessionEvent::RulesChanged);
        }
    }

    /// Takes the hello of a newcomer about whom the game was asked.
    pub(crate) fn newcomers_mut(&mut self) -> &mut Newcomers {
        &mut self.newcomers
    }

    /// Sets or forgets how far a player's requests are applied.
    pub(super) fn set_applied(&mut self, player: &PlayerId, applied: Option<Applied>) {
        self.working.set_applied(player, applied);
    }

    /// Gives a seat, and tells the game what became different.
    pub(super) fn set_seat(&mut self, seat: Seat, cx: &mut Context) {
        let old = self.document().roster.get(&seat.player).cloned();
        self.working.set_seat(&seat.player.clone(), Some(seat.clone()));
        cx.feed.emit_seat(old.as_ref(), Some(&seat), &self.working.get().rules);
    }

    /// Writes down who this player is now, and over which connection.
    pub(crate) fn refresh_own_seat(&mut self, cx: &mut Context) {
        let Some(connection) = cx.connectivity.connection().cloned() else { return };
        let roster = &self.document().roster;
        let old = roster.get(cx.player());
        let new = Seat {
            player: cx.player().clone(),
            generation: cx.config.generation,
            connection,
            profile: cx.config.profile.clone(),
            status: SeatStatus::Present,
            spectator: old.is_some_and(|seat| seat.spectator),
            order: old.map_or_else(|| roster.next_order(), |seat| seat.order),
        };
        if old == Some(&new) {
            return;
        }
        if cx.feed.is_joined() {
            self.set_seat(new, cx);
        } else {
            self.working.set_seat(cx.player(), Some(new));
        }
    }

    /// Notes that an own message came back. Returns whether the host acts, so that the room has a host.
    pub(crate) fn on_echo(&mut self, now: Instant, cx: &mut Context) -> bool {
        if self.is_active() {
            cx.timers.set(Timer::Fence, now + cx.config.timing.self_fence);
        }
        self.is_active()
    }

    /// Notes an own lease that came back. `is_best` tells whether no better reign or claim is known. Returns whether the
    /// host may act again.
    pub(crate) fn on_own_lease(
        &mut self,
        lease: &Lease,
        is_best: bool,
        replica: &Replica,
        now: Instant,
        timers: &mut Timers,
    ) -> bool {
        let restored = is_best && matches!(self.phase, Phase::Suspended { from_beat } if lease.beat >= from_beat);
        let stamp = Stamp { reign: lease.reign.clone(), version: lease.version };
        if self.is_active() && self.announced.is_none() && replica.is_behind(&stamp) {
            self.announced = Some(stamp);
            timers.set(Timer::Behind, now + BEHIND);
        }
        restored
    }

    /// Acts again, or for the first time.
    pub(crate) fn activate(&mut self, now: Instant, cx: &mut Context) {
        self.phase = Phase::Active;
        cx.timers.set(Timer::Fence, now + cx.config.timing.self_fence);
    }

    /// Stops acting until an own lease comes back.
    pub(crate) fn suspend(&mut self, now: Instant, timers: &mut Timers) {
        if matches!(self.phase, Phase::Active | Phase::HandingOver) {
            self.phase = Phase::Suspended { from_beat: self.beat.saturating_add(1) };
            timers.set(Timer::Lease, now);
            timers.stop(Timer::Fence);
        }
    }

    /// Stops acting, because no own message has come back for too long. Before it has acted, sends its first snapshot
    /// again.
    pub(crate) fn fence(&mut self, now: Instant, cx: &mut Context) {
        self.suspend(now, &mut cx.timers);
        cx.feed.interrupt(InterruptReason::NoEcho);
        if self.phase == Phase::Opening {
            self.working.repeat_snapshot();
            cx.timers.set(Timer::Fence, now + cx.config.timing.self_fence);
        }
    }

    /// Stops acting, and claims to lead anew at a time.
    pub(crate) fn reclaim_at(&mut self, at: Instant, timers: &mut Timers) {
        self.phase = Phase::Reclaiming;
        self.successor = None;
        timers.stop(Timer::Fence);
        timers.stop(Timer::Lease);
        timers.set(Timer::Claim, at);
    }

    /// Goes on when the connection is back: shows that it lives, or claims to lead anew after `listening` to others.
    pub(crate) fn resume(&mut self, listening: Duration, now: Instant, timers: &mut Timers) {
        match self.phase {
            Phase::Reclaiming => timers.hasten(Timer::Claim, now + listening),
            _ => timers.hasten(Timer::Lease, now),
        }
    }

    /// Decides what to do when the host's own claim is due. Returns the incarnation and the term to claim. `next` is the
    /// next free term of the best incarnation known. A host whose successor did not claim acts again.
    pub(crate) fn on_claim_due(
        &mut self,
        next: Option<(MessageSerial, Term)>,
        now: Instant,
        cx: &mut Context,
    ) -> Option<(MessageSerial, Term)> {
        match self.phase {
            Phase::HandingOver => {
                self.phase = Phase::Suspended { from_beat: self.beat.saturating_add(1) };
                cx.timers.set(Timer::Lease, now);
                None
            }
            Phase::Reclaiming if !cx.connectivity.is_up() => {
                cx.timers.set(Timer::Claim, now + cx.config.timing.gather);
                None
            }
            Phase::Reclaiming => {
                let above = Term(self.reign.term.0.saturating_add(1));
                let next = next.filter(|(incarnation, _)| *incarnation == self.reign.incarnation);
                Some((self.reign.incarnation.clone(), next.map_or(above, |(_, term)| term.max(above))))
            }
            Phase::Opening | Phase::Active | Phase::Suspended { .. } => None,
        }
    }

    /// Answers messages of a reign that gave way, so that their sender learns of it.
    pub(crate) fn answer_stale(&mut self, now: Instant, cx: &mut Context) {
        let is_allowed = self.last_lease.is_none_or(|last| now.duration_since(last) >= MIN_LEASE_INTERVAL);
        if is_allowed && self.phase != Phase::Reclaiming {
            self.send_lease(now, cx);
        }
    }

    /// Shows that the host lives.
    pub(crate) fn send_lease(&mut self, now: Instant, cx: &mut Context) {
        if self.phase == Phase::Reclaiming || !cx.connectivity.is_up() {
            return;
        }
        self.beat = self.beat.saturating_add(1);
        self.last_lease = Some(now);
        let (generation, version) = (cx.config.generation, self.working.version());
        let lease = Lease { generation, reign: self.reign.clone(), version, beat: self.beat };
        cx.outbound.send_urgent(Lane::Room, lease.into());
        cx.timers.set(Timer::Lease, now + cx.config.timing.lease_interval);
    }

    /// Names the player that is to lead, once everything that this host did is published.
    pub(crate) fn hand_over_to(&mut self, player: &PlayerId, own: &PlayerId) -> Result<(), SessionError> {
        if self.document().migration == Migration::Never {
            return Err(SessionError::NoMigration);
        }
        match self.document().roster.get(player) {
            None => Err(SessionError::UnknownPlayer(player.clone())),
            Some(seat) if seat.status == SeatStatus::Lost => Err(SessionError::PlayerLost(player.clone())),
            Some(_) if player == own => Ok(()),
            Some(_) => {
                self.successor = Some(player.clone());
                Ok(())
            }
        }
    }

    /// Sends who is to lead, after everything else, and stops acting.
    pub(crate) fn send_hand_over(&mut self, now: Instant, cx: &mut Context) {
        let is_ready = cx.outbound.is_ready(&Lane::Room, cx.config.timing.publish_interval, now);
        if !self.is_active() || self.working.is_dirty() || !is_ready {
            return;
        }
        let Some(to) = self.successor.take() else { return };
        self.phase = Phase::HandingOver;
        let hand_over = HandOver { generation: cx.config.generation, reign: self.reign.clone(), to };
        cx.outbound.send(Lane::Room, hand_over.into());
        cx.timers.stop(Timer::Fence);
        cx.timers.set(Timer::Claim, now + cx.config.timing.gather + OPEN_CLAIM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::context;

    fn host(now: Instant, cx: &mut Context) -> HostState {
        let reign = Reign { incarnation: "1".into(), term: Term(3), since: "5".into() };
        let mut host = HostState::new(reign, Document::default(), None);
        host.activate(now, cx);
        host
    }

    fn lease(host: &HostState, beat: u64) -> Lease {
        Lease { generation: crate::Generation(1), reign: host.reign().clone(), version: crate::Version(0), beat }
    }

    #[test]
    fn a_suspended_host_acts_again_with_the_first_lease_that_it_sent_since() {
        let (now, mut cx) = (Instant::now(), context());
        let mut host = host(now, &mut cx);
        host.suspend(now, &mut cx.timers);
        assert_eq!((host.phase(), cx.timers.get(Timer::Lease)), (Phase::Suspended { from_beat: 1 }, Some(now)));
        let replica = Replica::default();
        let mut is_restored = |beat, is_best| {
            let lease = lease(&host, beat);
            host.on_own_lease(&lease, is_best, &replica, now, &mut cx.timers)
        };
        assert!(!is_restored(0, true), "an echo from before");
        assert!(!is_restored(1, false), "somebody claims its place");
        assert!(is_restored(1, true));
    }

    #[test]
    fn a_host_that_reclaims_claims_above_its_term_and_above_every_known_one() {
        let (now, mut cx) = (Instant::now(), context());
        let mut host = host(now, &mut cx);
        assert_eq!(host.on_claim_due(None, now, &mut cx), None, "it acts and need not claim");
        host.reclaim_at(now, &mut cx.timers);
        assert_eq!(host.on_claim_due(None, now, &mut cx), None, "the connection is down");
        assert_eq!(cx.timers.get(Timer::Claim), Some(now + cx.config.timing.gather));
        cx.connectivity.set_up();
        let term =
            |host: &mut HostState, next, cx: &mut Context| host.on_claim_due(next, now, cx).map(|(_, term)| term);
        assert_eq!(term(&mut host, None, &mut cx), Some(Term(4)));
        assert_eq!(term(&mut host, Some(("1".into(), Term(9))), &mut cx), Some(Term(9)));
        assert_eq!(term(&mut host, Some(("0".into(), Term(9))), &mut cx), Some(Term(4)), "of another founding");
    }

    #[test]
    fn a_host_whose_successor_does_not_claim_goes_on() {
        let (now, mut cx) = (Instant::now(), context());
        let mut host = host(now, &mut cx);
        host.phase = Phase::HandingOver;
        assert_eq!(host.on_claim_due(None, now, &mut cx), None);
        assert_eq!(host.phase(), Phase::Suspended { from_beat: 1 });
    }
}
