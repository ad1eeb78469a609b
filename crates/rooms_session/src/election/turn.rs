//! Taking the place of a host that is gone: whose turn it is, whose claim is countered, and handing over on purpose.
//!
//! Owns the decision to claim. The claim's own way is `claim.rs`; what a reign begins with is `host.rs`.

use std::{ops::Range, time::Duration};

use rand::RngExt;
use web_time::Instant;

use crate::{
    CloseReason, InterruptReason, Migration, PlayerId, Reign, Role, SeatStatus, Session, SessionError, SessionTiming,
    Stamp, Term,
    election::claim::OPEN_CLAIM,
    election::leadership::Leadership,
    host::state::Phase,
    peer::state::Gone,
    timer::Timer,
    wire::inbound::Origin,
    wire::message::HandOver,
    wire::outbound::{Content, Lane},
};
use rooms_protocol::{PresenceAction, PresenceMessage};

/// What is added to a host's lease after messages may have been missed: it has as much to catch up on.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a host may take to show up on a new connection once presence says that the old one is gone.
const RECONNECT: Duration = Duration::from_millis(700);

/// How long a counter-claim waits: of several that are about to be made most are spared.
const COUNTER_JITTER_MS: Range<u64> = 0..120;

/// How much earlier than the first time a claim is made again that never came back.
const RETRY_EARLIER: Duration = Duration::from_millis(1500);

impl Session {
    /// The lease of the host, or the patience of one who arrives, has run out.
    pub(crate) fn hear_silence(&mut self, now: Instant) {
        let timing = self.config.timing;
        self.return_to_own_room();
        let (up, may_stand) = (self.line.is_up(), self.may_stand());
        match &mut self.role {
            Role::Arriving { .. } => self.consider_founding(now),
            // The clock runs only while the host could be heard.
            Role::Peer(_) if !up => {}
            Role::Peer(peer) => {
                let lost_at = peer.lease_from + timing.lease + timing.grace;
                if now >= lost_at && !may_stand {
                    return self.close(CloseReason::HostLost);
                }
                peer.host_silent = true;
                self.timers.set(Timer::Silence, lost_at.max(now + timing.lease));
                self.tell_interrupted(InterruptReason::HostSilent);
                self.miss_host(Gone::ForSure, now);
            }
            Role::Host(_) | Role::Closed => {}
        }
    }

    /// The host does not come back by itself.
    fn miss_host(&mut self, gone: Gone, now: Instant) {
        if self.may_stand()
            && let Role::Peer(peer) = &mut self.role
            && peer.gone != Some(Gone::ForSure)
        {
            peer.gone = Some(gone);
            self.wait_for_turn(if gone == Gone::ForSure { now } else { now + RECONNECT });
        }
    }

    /// The host said goodbye.
    pub(crate) fn hear_host_leave(&mut self, now: Instant) {
        if self.replica.document().migration == Migration::Never {
            return self.close(CloseReason::HostLost);
        }
        self.miss_host(Gone::ForSure, now);
    }

    /// Looks whether presence tells that the connection is gone over which the host leads.
    pub(crate) fn notice_host_leave(&mut self, word: &PresenceMessage, now: Instant) {
        if !matches!(self.role, Role::Peer(_)) || !matches!(word.action, PresenceAction::Leave | PresenceAction::Absent)
        {
            return;
        }
        let host = self.host.as_ref().and_then(|host| self.roster().get(host));
        let gone = host.is_some_and(|seat| {
            word.connection_id.as_ref() == Some(&seat.connection)
                && word.client_id.as_ref().is_some_and(|id| id.as_str() == seat.player.as_str())
                && !self.line.shows_process(&seat.player, seat.generation)
        });
        if gone {
            self.miss_host(Gone::Disconnected, now);
        }
    }

    /// An older founding was heard of and then fell silent before it could be entered: the room that this player is in goes
    /// on.
    fn return_to_own_room(&mut self) {
        let Some(stamp) = self.replica.stamp().filter(|_| self.joined && self.line.is_up()) else { return };
        let other = self.promise.best().is_some_and(|best| best.reign.incarnation != stamp.reign.incarnation);
        if other && matches!(self.role, Role::Peer(_)) {
            let (reign, player) = (stamp.reign.clone(), self.config.player.clone());
            self.promise = Leadership::default();
            self.promise.hear_host(&reign, &player);
        }
    }

    /// Whether this player may take the host's place: it has a seat in the room that it would lead.
    fn may_stand(&self) -> bool {
        let document = self.replica.document();
        let own = document.roster.get(&self.config.player);
        let held = self.replica.stamp().map(|stamp| &stamp.reign.incarnation);
        self.joined
            && held == self.promise.best().map(|best| &best.reign.incarnation)
            && document.migration == Migration::Automatic
            && own.is_some_and(|seat| seat.generation == self.config.generation)
    }

    /// Sets the time of this player's turn. Whoever claimed before it has the floor until that claim lapses.
    fn wait_for_turn(&mut self, from: Instant) {
        let from = self.promise.lapses_at().map_or(from, |lapses_at| lapses_at.max(from));
        self.timers.hasten(Timer::Election, from + self.config.timing.stagger * self.rank());
    }

    /// How many come before this player: in the roster's order, without the old host and those who are not there.
    fn rank(&self) -> u32 {
        let ahead = self.roster().iter().take_while(|seat| seat.player != self.config.player);
        let there = ahead.filter(|seat| {
            self.host.as_ref() != Some(&seat.player)
                && seat.status == SeatStatus::Present
                && (!self.line.synced || self.line.shows_connection(&seat.connection, &seat.player))
        });
        u32::try_from(there.count()).unwrap_or(u32::MAX)
    }

    /// Claims the host's place, since it is this player's turn.
    pub(crate) fn elect(&mut self, now: Instant) {
        let host = self.host.as_ref().and_then(|host| self.roster().get(host));
        let back = host.is_some_and(|seat| self.line.shows_process(&seat.player, seat.generation));
        let Role::Peer(peer) = &mut self.role else { return };
        if peer.gone == Some(Gone::Disconnected) && back {
            peer.gone = None;
        }
        if peer.gone.is_none() || self.claim.is_some() || !self.line.is_up() {
            return;
        }
        if self.promise.lapses_at().is_some_and(|lapses_at| lapses_at > now) {
            return self.wait_for_turn(now);
        }
        self.claim_next_term(now);
    }

    /// Goes on with the election once a claim is out of the way.
    pub(crate) fn go_on_electing(&mut self, now: Instant) {
        if matches!(&self.role, Role::Peer(peer) if peer.gone.is_some()) && self.claim.is_none() {
            self.timers.stop(Timer::Election);
            self.wait_for_turn(now);
        }
    }

    fn claim_next_term(&mut self, now: Instant) {
        let Some((incarnation, term)) = self.promise.next_term() else { return };
        self.make_claim(Some(incarnation), Term(term.0.saturating_add(self.unheard_terms())), now);
    }

    /// How many terms are left free below a claim for those that others may have claimed unheard: one for the host itself,
    /// and one each for whoever has a seat before this player. So two who do not hear each other never share a term, and
    /// none that was led gives way when an older claim to it turns up late.
    fn unheard_terms(&self) -> u64 {
        if !self.lost_continuity {
            return 0;
        }
        let before = self.roster().iter().take_while(|seat| seat.player != self.config.player).count();
        u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// A claim did not come back: the next is made a little before the host would be missed anew.
    pub(crate) fn retry_election(&mut self, now: Instant) {
        if matches!(&self.role, Role::Peer(peer) if peer.gone.is_some()) {
            let wait = self.config.timing.lease.saturating_sub(RETRY_EARLIER);
            self.timers.set(Timer::Election, now + wait);
        }
    }

    /// Gives an old room up for one that lives: whoever was away for longer than the grace period has no right to bring
    /// its room back over another that was founded meanwhile.
    pub(crate) fn consider_yielding(&mut self, living: &Reign, now: Instant) {
        let Some(best) = self.promise.best() else { return };
        let other = self.joined && best.reign.incarnation != living.incarnation && !living.is_better_than(&best.reign);
        if !other || !self.was_away_for_long(now) {
            return;
        }
        if matches!(self.role, Role::Host(_)) {
            self.step_down(now);
        }
        self.promise = Leadership::default();
        self.replica.forget_stamp();
        self.followed = None;
        self.missed = true;
        self.lost_continuity = true;
        self.want_welcome(now);
    }

    /// Whether this player was away for longer than others keep a seat.
    fn was_away_for_long(&self, now: Instant) -> bool {
        self.alive_at.is_none_or(|at| now.duration_since(at) >= self.config.timing.grace)
    }

    /// How long a host listens before it claims its room back: after an absence for which it would yield, until one that
    /// lives has spoken.
    pub(crate) fn time_to_hear_others(&self, now: Instant) -> Duration {
        let SessionTiming { gather, lease_interval, .. } = self.config.timing;
        if self.was_away_for_long(now) { gather + lease_interval } else { gather }
    }

    /// Decides what to do about somebody's claim that is the best so far.
    pub(crate) fn answer_claim(&mut self, now: Instant) {
        let countered = match &self.role {
            Role::Host(lead) => match lead.phase {
                // Whoever claims against a host that lives has not heard it.
                Phase::Active | Phase::Opening => true,
                // Its own claim comes at its time.
                Phase::Reclaiming => false,
                Phase::Suspended { .. } | Phase::HandingOver => self.holds_better_state(),
            },
            Role::Peer(_) => self.may_stand() && self.holds_better_state(),
            Role::Arriving { .. } | Role::Closed => false,
        };
        if countered {
            let jitter = Duration::from_millis(self.rng.random_range(COUNTER_JITTER_MS));
            self.timers.hasten(Timer::Counter, now + jitter);
        }
    }

    /// Whether this player holds a state that somebody has seen and that would be lost with the claim that counts.
    fn holds_better_state(&self) -> bool {
        let Some(claim) = self.promise.claimed() else { return false };
        let held = match &self.role {
            Role::Host(lead) => lead.published(),
            _ => self.replica.stamp(),
        };
        let (Some(held), false) = (held, claim.leader.player == self.config.player) else { return false };
        let better = |stamp: &Stamp| held.is_better_than(stamp);
        held.reign.incarnation == claim.leader.reign.incarnation && claim.stamp.as_ref().is_none_or(better)
    }

    /// Claims above the claim that counts, unless it gave way meanwhile.
    pub(crate) fn counter(&mut self, now: Instant) {
        let Some(claim) = self.promise.claimed() else { return };
        if claim.leader.player == self.config.player || !self.line.is_up() {
            return;
        }
        match &self.role {
            Role::Host(lead) if matches!(lead.phase, Phase::Active | Phase::Opening) => self.reclaim_at(now),
            Role::Host(lead) if lead.phase != Phase::Reclaiming && self.holds_better_state() => self.reclaim_at(now),
            Role::Peer(_) if self.claim.is_none() && self.may_stand() && self.holds_better_state() => {
                self.claim_next_term(now);
            }
            _ => {}
        }
    }

    /// Starts the clock of the host's lease anew: the host could not be heard until now.
    pub(crate) fn restart_lease(&mut self, now: Instant) {
        if let Role::Peer(peer) = &mut self.role {
            peer.lease_from = peer.lease_from.max(now);
            peer.gone = None;
            self.timers.set(Timer::Silence, peer.lease_from + self.config.timing.lease);
            self.timers.stop(Timer::Election);
            self.timers.stop(Timer::Counter);
        }
    }

    /// Gives the host more time: everybody may have missed as much.
    pub(crate) fn be_patient(&mut self, now: Instant) {
        if let Role::Peer(peer) = &mut self.role {
            peer.lease_from = now + PATIENCE;
            self.restart_lease(now);
        }
    }

    /// Names the player that is to lead, once everything that this host did is published.
    ///
    /// # Errors
    /// Only the host may, once it has joined; the successor has to be there, and the room must allow it.
    pub fn hand_over_to(&mut self, player: &PlayerId) -> Result<(), SessionError> {
        if !self.joined {
            return Err(SessionError::NotJoined);
        }
        if !self.is_host() {
            return Err(SessionError::NotHost);
        }
        let Role::Host(lead) = &mut self.role else { return Err(SessionError::NotHost) };
        if lead.working.migration == Migration::Never {
            return Err(SessionError::NoMigration);
        }
        match lead.working.roster.get(player) {
            None => Err(SessionError::UnknownPlayer(player.clone())),
            Some(seat) if seat.status == SeatStatus::Lost => Err(SessionError::PlayerLost(player.clone())),
            Some(_) if *player == self.config.player => Ok(()),
            Some(_) => {
                lead.successor = Some(player.clone());
                Ok(())
            }
        }
    }

    /// Says who is to lead, after everything else that was said, and stops acting.
    pub(crate) fn say_hand_over(&mut self, now: Instant) {
        let generation = self.config.generation;
        let ready = self.outgoing.is_ready(&Lane::Room, self.config.timing.publish_interval, now);
        let Role::Host(lead) = &mut self.role else { return };
        if !lead.is_active() || lead.is_dirty() || !ready {
            return;
        }
        let Some(to) = lead.successor.take() else { return };
        lead.phase = Phase::HandingOver;
        let hand_over = HandOver { generation, reign: lead.reign.clone(), to };
        self.say(Lane::Room, hand_over.into(), Content::Other);
        self.timers.stop(Timer::Fence);
        self.timers.set(Timer::Claim, now + self.config.timing.gather + OPEN_CLAIM);
    }

    /// The host wants this player to lead.
    pub(crate) fn hear_hand_over(&mut self, from: &Origin, hand_over: &HandOver, now: Instant) {
        let leads = self.promise.led().is_some_and(|led| led.reign == hand_over.reign && led.player == from.player);
        if !leads || from.own {
            self.stats.stale += u64::from(!from.own);
            return;
        }
        if hand_over.to == self.config.player
            && self.may_stand()
            && let Role::Peer(peer) = &mut self.role
        {
            peer.gone = Some(Gone::ForSure);
            self.elect(now);
        }
    }
}
