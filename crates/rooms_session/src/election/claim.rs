//! Claims: founding a room, taking a host's place, and a host's claim to lead anew.
//!
//! Owns the way from the decision to claim to the reign: sent, come back with its serial, gathered. Who decides to claim
//! a host's place, and when, is `election.rs`.

use std::time::Duration;

use web_time::Instant;

use crate::{
    CloseReason, Reign, Role, Session, Term, Wish,
    election::leadership::{Leader, Leadership, OpenClaim},
    host::state::Phase,
    state::replica::Replica,
    timer::Timer,
    wire::inbound::Origin,
    wire::message::Claim,
};
use rooms_protocol::MessageSerial;

/// How long a claimant waits for its claim to come back: a slow round trip several times over.
const ECHO_WAIT: Duration = Duration::from_secs(3);

/// How long after the gather time a claim that nobody leads on keeps others from leading.
pub(crate) const OPEN_CLAIM: Duration = Duration::from_secs(2);

/// How far ahead of the best known term a claim may be. Nobody misses changes of host by the million, and a made-up term
/// would leave no higher one.
pub(crate) const MAX_TERM_STEP: u64 = 1_000_000;

/// The term of a room's founder.
const FIRST_TERM: Term = Term(1);

/// The claim that this session made.
#[derive(Debug)]
pub(crate) struct OwnClaim {
    /// `None`: it founds the room.
    incarnation: Option<MessageSerial>,
    term: Term,
    /// The reign that it leads to, once its echo told the serial.
    reign: Option<Reign>,
}

impl Session {
    /// Founds the room once the silence has lasted, or gives up where the player only wished to join.
    pub(crate) fn consider_founding(&mut self, now: Instant) {
        let Role::Arriving { silent_since: Some(since) } = self.role else { return };
        if self.claim.is_some() || !self.line.is_up() {
            return;
        }
        if let Some(lapses_at) = self.promise.lapses_at().filter(|at| now < *at) {
            // Somebody is about to lead.
            return self.timers.set(Timer::Silence, lapses_at);
        }
        let timing = self.config.timing;
        let (alone, long) = (since + timing.founding_wait_alone, since + timing.founding_wait);
        match self.config.wish {
            Wish::Join if now >= long => self.close(CloseReason::NoHost),
            Wish::Join => self.timers.set(Timer::Silence, long),
            Wish::Host | Wish::JoinOrHost if now >= long || (now >= alone && self.line.is_alone()) => {
                // Whatever was heard of before has been silent for longer than any host is.
                self.promise = Leadership::default();
                self.replica = Replica::default();
                self.make_claim(None, FIRST_TERM, now);
            }
            Wish::Host | Wish::JoinOrHost => {
                self.timers.set(Timer::Silence, if now < alone { alone } else { long });
            }
        }
    }

    /// Says that this player wants to lead.
    pub(crate) fn make_claim(&mut self, incarnation: Option<MessageSerial>, term: Term, now: Instant) {
        let (stamp, led) = match &self.role {
            Role::Host(lead) => (lead.published().cloned(), true),
            _ => (self.replica.stamp().cloned(), false),
        };
        let generation = self.config.generation;
        self.say_urgent(Claim { generation, incarnation: incarnation.clone(), term, stamp, led }.into());
        self.claim = Some(OwnClaim { incarnation, term, reign: None });
        self.timers.set(Timer::Claim, now + ECHO_WAIT);
    }

    /// Hears anybody's claim, the own one's echo too.
    pub(crate) fn hear_claim(&mut self, from: &Origin, claim: Claim, now: Instant) {
        let Some(since) = from.serial.clone() else { return self.note_malformed("a claim without a serial") };
        let founding = claim.incarnation.is_none();
        let known = self.promise.best().map_or(0, |best| best.reign.term.0);
        let far = claim.term.0 > known.saturating_add(MAX_TERM_STEP) && self.promise.best().is_some();
        if far || (founding && claim.term != FIRST_TERM) {
            return self.note_malformed("a claim of an impossible term");
        }
        let incarnation = claim.incarnation.clone().unwrap_or_else(|| since.clone());
        let reign = Reign { incarnation, term: claim.term, since };
        if from.own {
            return self.hear_own_claim(claim, reign, now);
        }
        if !self.may_lead(&reign, &from.player) {
            return;
        }
        let lapses_at = now + self.config.timing.gather + OPEN_CLAIM;
        let leader = Leader { reign, player: from.player.clone() };
        if !self.promise.hear_claim(OpenClaim { leader, stamp: claim.stamp, lapses_at }) {
            self.stats.stale += 1;
            return self.answer_stale(now);
        }
        self.timers.set(Timer::Lapse, lapses_at);
        self.timers.stop(Timer::Election);
        if self.claim.as_ref().is_some_and(|own| own.reign.is_some()) {
            self.withdraw_claim(now);
        }
        if let Role::Arriving { .. } = self.role {
            self.hear_sign_of_life(now);
        }
        self.answer_claim(now);
    }

    fn hear_own_claim(&mut self, claim: Claim, reign: Reign, now: Instant) {
        let gathered_at = now + self.config.timing.gather;
        let lapses_at = gathered_at + OPEN_CLAIM;
        let leader = Leader { reign: reign.clone(), player: self.config.player.clone() };
        let awaited =
            |own: &&mut OwnClaim| own.reign.is_none() && own.term == claim.term && own.incarnation == claim.incarnation;
        let Some(own) = self.claim.as_mut().filter(awaited) else {
            // It was given up before it came back. To the others it is a claim as any other, and so it is here.
            if self.promise.hear_claim(OpenClaim { leader, stamp: claim.stamp, lapses_at }) {
                self.timers.set(Timer::Lapse, lapses_at);
            }
            return;
        };
        own.reign = Some(reign);
        if self.promise.hear_claim(OpenClaim { leader, stamp: claim.stamp, lapses_at }) {
            self.timers.set(Timer::Claim, gathered_at);
            self.timers.set(Timer::Lapse, lapses_at);
        } else {
            self.withdraw_claim(now);
            self.answer_claim(now);
            if self.promise.claimed().is_none() {
                self.go_on_electing(now);
            }
        }
    }

    /// Gives the own claim up; a host that has to lead anew tries again once a better claim would have lapsed.
    pub(crate) fn withdraw_claim(&mut self, now: Instant) {
        if self.claim.take().is_none() {
            return;
        }
        self.timers.stop(Timer::Claim);
        let again = now + self.config.timing.gather + OPEN_CLAIM;
        match self.role {
            Role::Host(_) => self.timers.set(Timer::Claim, again),
            Role::Arriving { .. } => self.timers.hasten(Timer::Silence, again),
            // Once a better claim has lapsed it goes on.
            Role::Peer(_) | Role::Closed => {}
        }
    }

    /// Forgets the own claim: what answers there are to it cannot be known.
    pub(crate) fn drop_claim(&mut self) {
        self.claim = None;
        self.timers.stop(Timer::Claim);
    }

    /// Makes the claim that is due, leads on one that has gathered, or gives up one that did not come back.
    pub(crate) fn advance_claim(&mut self, now: Instant) {
        match self.claim.take() {
            Some(OwnClaim { reign: Some(reign), .. }) => self.lead(reign, now),
            Some(unheard) => {
                self.claim = Some(unheard);
                self.withdraw_claim(now);
                self.retry_election(now);
            }
            None => self.claim_anew(now),
        }
    }

    /// Goes on without a claim that nobody led on: a host whose words it ended claims above it, or else the next in rank.
    pub(crate) fn lapse_claims(&mut self, now: Instant) {
        self.promise.lapse(now);
        if let Some(at) = self.promise.lapses_at() {
            return self.timers.set(Timer::Lapse, at);
        }
        match &self.role {
            Role::Host(lead) if lead.phase == Phase::Reclaiming => {}
            Role::Host(lead) if self.promise.best().is_some_and(|best| best.reign != lead.reign) => {
                self.reclaim_at(now);
            }
            _ => self.go_on_electing(now),
        }
    }
}
