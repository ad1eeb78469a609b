//! Claims, and the change of host.

use std::time::Duration;

use web_time::Instant;

use super::{Role, Session};
use crate::{
    election::{
        claim::{ClaimVerdict, EchoVerdict, NewClaim},
        leadership::Leader,
        turn::{HostVerdict, term_to_claim},
    },
    event::{CloseReason, InterruptReason},
    host::{lease::Phase, state::ClaimDue},
    peer::state::Gone,
    timer::Timer,
    wire::message::{Claim, HandOver, Origin},
};

/// How long the own line is given to show that it works before the silence of the host is looked at again.
const OWN_LINE: Duration = Duration::from_millis(500);

/// How recently the server has to have been heard for the own line to count as one that works.
const RECENT: Duration = Duration::from_secs(2);

impl Session {
    /// Takes in a claim, or the echo of the own one.
    pub(super) fn on_claim(&mut self, from: &Origin, claim: Claim, now: Instant) {
        let reign = match self.election.reign_of(&claim, from.serial.clone()) {
            Ok(reign) => reign,
            Err(what) => return self.base.lend().note_malformed(what),
        };
        if from.own {
            if self.election.on_own_claim(claim, reign, now, &mut self.base.lend()) == EchoVerdict::Outdone {
                self.withdraw_claim(now);
                self.answer_claim(now);
                if self.election.leadership().claimed().is_none() {
                    self.go_on_electing(now);
                }
            }
            return;
        }
        if !self.may_lead(&reign, &from.player, claim.generation) {
            return;
        }
        let leader = Leader { reign, player: from.player.clone() };
        if !self.election.on_claim(leader, claim.stamp, now, &mut self.base.lend()) {
            self.base.stats.stale += 1;
            return self.answer_stale(now);
        }
        if self.election.has_echo() {
            self.withdraw_claim(now);
        }
        if let Role::Arriving { .. } = self.role {
            self.on_sign_of_life(now);
        }
        self.answer_claim(now);
    }

    /// Decides whether to claim above the claim that counts.
    fn answer_claim(&mut self, now: Instant) {
        let is_countered = match &self.role {
            Role::Host(host) => match host.phase() {
                // Whoever claims against a host that lives has not heard it.
                Phase::Active | Phase::Opening => true,
                // Its own claim comes at its time.
                Phase::Reclaiming => false,
                Phase::Suspended { .. } | Phase::HandingOver => {
                    self.election.would_lose(host.published(), self.base.player())
                }
            },
            Role::Peer(_) => self.election.may_defend(&self.replica, &self.base.lend()),
            Role::Arriving { .. } | Role::Closed => false,
        };
        if is_countered {
            self.election.plan_counter(now, &mut self.base.lend());
        }
    }

    /// Claims above the claim that counts, unless that one gave way meanwhile.
    pub(super) fn counter(&mut self, now: Instant) {
        if !self.election.is_claimed_by_other(self.base.player()) || !self.base.facts.is_up() {
            return;
        }
        match &self.role {
            Role::Host(host) => {
                let is_due = match host.phase() {
                    Phase::Active | Phase::Opening => true,
                    Phase::Reclaiming => false,
                    Phase::Suspended { .. } | Phase::HandingOver => {
                        self.election.would_lose(host.published(), self.base.player())
                    }
                };
                if is_due {
                    self.reclaim_at(now);
                }
            }
            Role::Peer(_) => {
                let lost_continuity = self.hellos.lost_continuity();
                self.election.counter_as_peer(&self.replica, lost_continuity, now, &mut self.base.lend());
            }
            Role::Arriving { .. } | Role::Closed => {}
        }
    }

    /// Makes the claim that is due, leads on one that has gathered, or gives up one that did not come back.
    pub(super) fn advance_claim(&mut self, now: Instant) {
        match self.election.on_claim_timer() {
            ClaimVerdict::Lead(reign) => self.lead(reign, now),
            ClaimVerdict::NoEcho => {
                self.withdraw_claim(now);
                if let Role::Peer(peer) = &self.role {
                    self.election.retry(peer.gone(), now, &mut self.base.lend());
                }
            }
            ClaimVerdict::Due => {
                let Role::Host(host) = &mut self.role else { return };
                let next = self.election.leadership().next_term();
                // Who was away for long must not claim above a room that went on: it has no right to bring the old one back.
                let lost_continuity =
                    self.hellos.lost_continuity() && !self.election.was_away_for_long(now, &self.base.config.timing);
                let mut cx = self.base.lend();
                match host.on_claim_due(next, now, &mut cx) {
                    ClaimDue::Claim(incarnation, term) => {
                        let term = term_to_claim(term, lost_continuity, &host.document().roster, &cx);
                        let (incarnation, stamp) = (Some(incarnation), host.published().cloned());
                        self.election.claim(NewClaim { incarnation, term, stamp, led: true }, now, &mut cx);
                    }
                    ClaimDue::NotConnected => self.election.put_off_reclaim(now, &mut cx),
                    ClaimDue::Nothing => {}
                }
            }
        }
    }

    /// Goes on without a claim whose player did not lead: a host whose reign it ended claims above it, or else the next
    /// player in rank claims.
    pub(super) fn lapse_claims(&mut self, now: Instant) {
        if !self.election.lapse(now, &mut self.base.timers) {
            return;
        }
        match &self.role {
            Role::Host(host) if host.phase() == Phase::Reclaiming || self.election.is_best(host.reign()) => {}
            Role::Host(_) => self.reclaim_at(now),
            _ => self.go_on_electing(now),
        }
    }

    /// Goes on with the election after a claim is out of the way.
    fn go_on_electing(&mut self, now: Instant) {
        if let Role::Peer(peer) = &self.role {
            self.election.go_on(peer.gone(), &self.replica, now, &mut self.base.lend());
        }
    }

    /// Claims the host's place, if it is this player's turn.
    pub(super) fn elect(&mut self, now: Instant) {
        if let Role::Peer(peer) = &mut self.role {
            let lost_continuity = self.hellos.lost_continuity();
            let cx = &mut self.base.lend();
            peer.apply(self.election.elect(peer.gone(), &self.replica, lost_continuity, now, cx));
        }
    }

    /// The lease of the host has run out, or nobody has sent anything to a player that arrives.
    pub(super) fn on_silence(&mut self, now: Instant) {
        self.return_to_own_room();
        let is_up = self.base.facts.is_up();
        let may_stand = self.election.may_stand(&self.replica, &self.base.lend());
        match &mut self.role {
            Role::Arriving { .. } => self.consider_founding(now),
            // The clock runs only while the host could be heard.
            Role::Peer(_) if !is_up => {}
            Role::Peer(peer) => {
                if now >= peer.lost_at(&self.base.config.timing, now) && !may_stand {
                    return self.close(CloseReason::HostLost);
                }
                let timing = &self.base.config.timing;
                // When the next word of the host was due, or lately.
                let due = peer.lease_from() + timing.lease_interval;
                let since = now.checked_sub(RECENT).map_or(due, |recently| due.max(recently));
                if !self.base.facts.heard_since(since) && peer.silence(now) < timing.longest_lease {
                    // Nothing at all came: the own line is silent, and the host may be well.
                    self.base.outbound.check_socket();
                    return self.base.timers.set(Timer::Silence, now + OWN_LINE);
                }
                peer.on_silence(now, &self.base.config.timing, &mut self.base.timers);
                self.base.feed.interrupt(InterruptReason::HostSilent);
                self.miss_host(Gone::ForSure, now);
            }
            Role::Host(_) | Role::Closed => {}
        }
    }

    /// Returns to the room that this player is in: an older founding was known, and fell silent before this player could
    /// enter it.
    fn return_to_own_room(&mut self) {
        let is_in_room = matches!(self.role, Role::Peer(_)) && self.base.facts.is_up();
        let Some(stamp) = self.stamp().filter(|_| is_in_room) else { return };
        let best = self.election.leadership().best();
        if best.is_some_and(|best| best.reign.incarnation != stamp.reign.incarnation) {
            let reign = stamp.reign.clone();
            self.election.forget_leadership();
            self.election.note_leader(&reign, &self.base.config.player);
        }
    }

    /// The host wants this player to lead.
    pub(super) fn on_hand_over(&mut self, from: &Origin, hand_over: &HandOver, now: Instant) {
        let led = self.election.leadership().led();
        let is_from_host = led.is_some_and(|led| led.reign == hand_over.reign && led.player == from.player);
        if !is_from_host || from.own {
            self.base.stats.stale += u64::from(!from.own);
            return;
        }
        if hand_over.to == *self.base.player()
            && self.election.may_stand(&self.replica, &self.base.lend())
            && let Role::Peer(peer) = &mut self.role
        {
            peer.apply(HostVerdict::Gone(Gone::ForSure));
            self.elect(now);
        }
    }
}
