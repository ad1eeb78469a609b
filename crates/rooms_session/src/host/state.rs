//! The host: owns the parts of it, and passes calls on to them.
//!
//! Its parts are the document as the host wants it, its lease, what it knows of the players, the welcomes, the requests that
//! wait for their turn, and the newcomers about whom the game was asked. Its methods stand in this file and, by what they
//! are about, in `admission.rs`, `seats.rs`, `intake.rs` and `publish.rs`.

use rooms_protocol::MessageSerial;
use serde_json::Value;
use web_time::Instant;

use super::{
    document::WorkingDocument,
    lease::{DueClaim, HostLease, Phase, Resumption},
    newcomers::UndecidedNewcomers,
    players::Players,
    welcomes::Welcomes,
};
use crate::{
    config::Migration,
    context::Context,
    election::leadership::Leadership,
    event::{InterruptReason, SessionError, SessionEvent},
    id::{PlayerId, Reign, Stamp, Term},
    requests::Intake,
    state::{
        document::{Applied, Document},
        replica::Replica,
        roster::{Seat, SeatStatus},
        rules::RoomRules,
    },
    timer::{Timer, Timers},
    wire::{
        message::{HandOver, Lease},
        outbound::Lane,
    },
};

/// What a host has to do now that the time of its own claim has come.
#[derive(Debug, PartialEq)]
#[must_use]
pub(crate) enum ClaimDue {
    /// Claim this term of this incarnation.
    Claim(MessageSerial, Term),
    /// Claim later, because nothing goes out.
    NotConnected,
    /// Nothing.
    Nothing,
}

/// Whether a host has just handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum HandOverVerdict {
    /// It goes on as it is.
    NotDue,
    /// It has named its successor, and waits for that one's claim.
    HandedOver,
}

/// What a host keeps beside what everybody has.
#[derive(Debug)]
pub(crate) struct HostState {
    reign: Reign,
    pub(super) lease: HostLease,
    pub(super) working: WorkingDocument,
    pub(super) players: Players,
    pub(super) welcomes: Welcomes,
    pub(super) intake: Intake,
    /// About whom the game was asked.
    pub(super) newcomers: UndecidedNewcomers,
}

impl HostState {
    /// Leads on from `document`, the state `held`. The room is founded if there is none.
    pub(crate) fn new(reign: Reign, document: Document, held: Option<Stamp>) -> Self {
        Self {
            reign,
            lease: HostLease::new(),
            working: WorkingDocument::new(document, held),
            players: Players::default(),
            welcomes: Welcomes::default(),
            intake: Intake::default(),
            newcomers: UndecidedNewcomers::default(),
        }
    }

    /// Leads again, in a new reign.
    pub(crate) fn lead_again(&mut self, reign: Reign) {
        self.reign = reign;
        self.lease.open();
        self.working.demand_snapshot(None);
        self.welcomes.clear();
    }

    /// The host's reign.
    pub(crate) fn reign(&self) -> &Reign {
        &self.reign
    }

    /// Whether the host acts, and how it stopped.
    pub(crate) fn phase(&self) -> Phase {
        self.lease.phase()
    }

    /// Whether the host leads anew, and its first snapshot has not come back.
    pub(crate) fn is_opening(&self) -> bool {
        self.phase() == Phase::Opening
    }

    pub(crate) fn is_active(&self) -> bool {
        self.lease.is_active()
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
    pub(crate) fn newcomers_mut(&mut self) -> &mut UndecidedNewcomers {
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
        let Some(connection) = cx.facts.connection().cloned() else { return };
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
        self.lease.on_echo(now, &cx.config.timing, cx.timers)
    }

    /// Notes an own lease that came back. Returns whether the host may act again. One that somebody else claims to replace
    /// waits for that claim to end, and then claims above it.
    pub(crate) fn on_own_lease(
        &mut self,
        lease: &Lease,
        leadership: &Leadership,
        replica: &Replica,
        now: Instant,
        cx: &mut Context,
    ) -> bool {
        let stamp = Stamp { reign: lease.reign.clone(), version: lease.version };
        self.lease.on_announced(stamp, replica, now, cx.timers);
        leadership.is_best(&lease.reign) && self.lease.is_restored_by(lease.beat, now, &cx.config.timing)
    }

    /// Acts again, or for the first time.
    pub(crate) fn activate(&mut self, now: Instant, cx: &mut Context) {
        self.lease.activate(now, &cx.config.timing, cx.timers);
    }

    /// Stops acting until an own lease comes back.
    pub(crate) fn suspend(&mut self, now: Instant, timers: &mut Timers) {
        self.lease.suspend(now, timers);
    }

    /// Stops acting, because no own message has come back for too long. Before it has acted, sends its first snapshot
    /// again.
    pub(crate) fn fence(&mut self, now: Instant, cx: &mut Context) {
        self.lease.suspend(now, cx.timers);
        cx.feed.interrupt(InterruptReason::NoEcho);
        if self.is_opening() {
            self.working.repeat_snapshot();
            cx.timers.set(Timer::Fence, now + cx.config.timing.self_fence);
        }
    }

    /// Stops acting, and waits for the time to claim anew.
    pub(crate) fn reclaim(&mut self, timers: &mut Timers) {
        self.lease.reclaim(timers);
    }

    /// Goes on when the connection is back.
    pub(crate) fn resume(&self, now: Instant, timers: &mut Timers) -> Resumption {
        self.lease.resume(now, timers)
    }

    /// Decides what is due when the time of the host's own claim has come. `next` is the next free term of the best
    /// incarnation known.
    pub(crate) fn on_claim_due(
        &mut self,
        next: Option<(MessageSerial, Term)>,
        now: Instant,
        cx: &mut Context,
    ) -> ClaimDue {
        match self.lease.on_claim_due(now, cx.timers) {
            DueClaim::Nothing => ClaimDue::Nothing,
            DueClaim::Reclaim if !cx.facts.is_up() => ClaimDue::NotConnected,
            DueClaim::Reclaim => {
                let above = Term(self.reign.term.0.saturating_add(1));
                let next = next.filter(|(incarnation, _)| *incarnation == self.reign.incarnation);
                let term = next.map_or(above, |(_, term)| term.max(above));
                ClaimDue::Claim(self.reign.incarnation.clone(), term)
            }
        }
    }

    /// Answers messages of a reign that gave way, so that their sender learns of it.
    pub(crate) fn answer_stale(&mut self, now: Instant, cx: &mut Context) {
        if self.lease.may_answer(now) {
            self.send_lease(now, cx);
        }
    }

    /// Shows that the host lives.
    pub(crate) fn send_lease(&mut self, now: Instant, cx: &mut Context) {
        if !cx.facts.is_up() {
            return;
        }
        let Some(beat) = self.lease.next_beat(now, &cx.config.timing, cx.timers) else { return };
        let (generation, version) = (cx.config.generation, self.working.version());
        cx.outbound.send_urgent(Lane::Room, Lease { generation, reign: self.reign.clone(), version, beat }.into());
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
                self.lease.name_successor(player);
                Ok(())
            }
        }
    }

    /// Sends who is to lead, after everything else, and stops acting.
    pub(crate) fn send_hand_over(&mut self, now: Instant, cx: &mut Context) -> HandOverVerdict {
        let is_ready = cx.outbound.is_ready_for_all(&Lane::Room, now);
        if !self.is_active() || self.working.is_dirty() || !is_ready {
            return HandOverVerdict::NotDue;
        }
        let Some(to) = self.lease.hand_over(cx.timers) else { return HandOverVerdict::NotDue };
        let hand_over = HandOver { generation: cx.config.generation, reign: self.reign.clone(), to };
        cx.outbound.send(Lane::Room, hand_over.into());
        HandOverVerdict::HandedOver
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::{Base, tests::base},
        election::leadership::{Leader, OpenClaim},
    };

    fn host(now: Instant, base: &mut Base) -> HostState {
        let reign = Reign { incarnation: "1".into(), term: Term(3), since: "5".into() };
        let mut host = HostState::new(reign, Document::default(), None);
        host.activate(now, &mut base.lend());
        host
    }

    #[test]
    fn a_suspended_host_acts_again_unless_somebody_claims_its_place() {
        let (now, mut base) = (Instant::now(), base());
        let mut host = host(now, &mut base);
        host.suspend(now, &mut base.timers);
        assert_eq!(host.phase(), Phase::Suspended { from_beat: 1 });
        base.facts.set_up();
        host.send_lease(now, &mut base.lend());
        let (replica, mut leadership) = (Replica::default(), Leadership::default());
        let mut is_restored = |beat, leadership: &Leadership| {
            let (generation, version) = (crate::Generation(1), crate::Version(0));
            let lease = Lease { generation, reign: host.reign().clone(), version, beat };
            host.on_own_lease(&lease, leadership, &replica, now, &mut base.lend())
        };
        assert!(!is_restored(0, &leadership), "an echo from before");
        assert!(is_restored(1, &leadership));
        let reign = Reign { incarnation: "1".into(), term: Term(4), since: "6".into() };
        let leader = Leader { reign, player: PlayerId::new("bob").unwrap() };
        leadership.on_claim(OpenClaim { leader, stamp: None, lapses_at: now });
        assert!(!is_restored(1, &leadership));
    }

    #[test]
    fn a_host_that_reclaims_claims_above_its_term_and_above_every_known_one() {
        let (now, mut base) = (Instant::now(), base());
        let mut host = host(now, &mut base);
        assert_eq!(host.on_claim_due(None, now, &mut base.lend()), ClaimDue::Nothing, "it acts and need not claim");
        host.reclaim(&mut base.timers);
        assert_eq!(host.on_claim_due(None, now, &mut base.lend()), ClaimDue::NotConnected);
        base.facts.set_up();
        let claim = |term| ClaimDue::Claim("1".into(), Term(term));
        let mut due = |next| host.on_claim_due(next, now, &mut base.lend());
        assert_eq!(due(None), claim(4));
        assert_eq!(due(Some(("1".into(), Term(9)))), claim(9));
        assert_eq!(due(Some(("0".into(), Term(9)))), claim(4), "of another founding");
    }

    #[test]
    fn a_host_whose_successor_does_not_claim_goes_on() {
        let (now, mut base) = (Instant::now(), base());
        let mut host = host(now, &mut base);
        host.working.next_state(&host.reign);
        host.lease.name_successor(&PlayerId::new("bob").unwrap());
        assert_eq!(host.send_hand_over(now, &mut base.lend()), HandOverVerdict::HandedOver);
        assert_eq!(host.phase(), Phase::HandingOver);
        assert_eq!(host.on_claim_due(None, now, &mut base.lend()), ClaimDue::Nothing);
        assert_eq!(host.phase(), Phase::Suspended { from_beat: 1 });
        assert_eq!(base.timers.get(Timer::Lease), Some(now));
    }
}
