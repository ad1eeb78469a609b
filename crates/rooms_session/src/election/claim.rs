//! Claims: how a player founds a room, takes a host's place, or claims to lead anew.
//!
//! Owns the own claim on its way, from being sent, over its echo, to the end of the gather time, and what is known of
//! reigns. `turn.rs` decides when to claim a host's place.

use std::time::Duration;

use rand::RngExt;
use rooms_protocol::MessageSerial;
use web_time::Instant;

use super::leadership::{Leader, Leadership, OpenClaim, Standing};
use crate::{
    config::SessionTiming,
    context::Context,
    id::{PlayerId, Reign, Stamp, Term},
    timer::{Timer, Timers},
    wire::{message::Claim, outbound::Lane},
};

/// How long a claimant waits for its claim to come back: several times a slow round trip.
const ECHO_WAIT: Duration = Duration::from_secs(3);

/// How long after the gather time a claim keeps others from leading, although its player does not lead.
const OPEN_CLAIM: Duration = Duration::from_secs(2);

/// How far a claim's term may be ahead of the best known term. Nobody misses a million changes of host, and a made-up term
/// would leave no higher one.
const MAX_TERM_STEP: u64 = 1_000_000;

/// The term of a room's founder.
const FIRST_TERM: Term = Term(1);

/// How long a counter-claim waits. Of several players that are about to claim, most then need not.
const COUNTER_JITTER_MS: std::ops::Range<u64> = 0..120;

/// Whether a term is so far ahead that it must be made up.
pub(crate) fn is_impossible(term: Term, known: Term) -> bool {
    term.0 > known.0.saturating_add(MAX_TERM_STEP)
}

/// A claim to make.
#[derive(Debug)]
pub(crate) struct NewClaim {
    /// `None`: it founds the room.
    pub incarnation: Option<MessageSerial>,
    pub term: Term,
    /// The state that this player holds.
    pub stamp: Option<Stamp>,
    /// Whether this player led just now.
    pub led: bool,
}

/// The claim that this session made.
#[derive(Debug)]
struct OwnClaim {
    /// `None`: it founds the room.
    incarnation: Option<MessageSerial>,
    term: Term,
    /// The reign that it leads to, once its echo told the serial.
    reign: Option<Reign>,
}

/// The role of the player that withdraws its claim. It decides when the player tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimant {
    /// It founds the room again once the better claim would have lapsed.
    Arriving,
    /// It goes on once the better claim has lapsed.
    Peer,
    /// It claims to lead anew once the better claim would have lapsed.
    Host,
}

/// What the echo of an own claim means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum EchoVerdict {
    /// The claim counts, or it was given up before.
    Noted,
    /// A better claim or reign is known: the claim is to be withdrawn.
    Outdone,
}

/// What to do when the timer of the own claim expires.
#[derive(Debug)]
#[must_use]
pub(crate) enum ClaimVerdict {
    /// No better claim came within the gather time: the player leads.
    Lead(Reign),
    /// The claim did not come back: it is to be withdrawn.
    NoEcho,
    /// A host's own claim is due.
    Due,
}

/// What is known of reigns and claims.
#[derive(Debug, Default)]
pub(crate) struct Election {
    leadership: Leadership,
    own: Option<OwnClaim>,
    /// When the room as this player knows it was last seen to have a host.
    alive_at: Option<Instant>,
}

impl Election {
    /// The best reign known, and the claims.
    pub(crate) fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// Whether this player has a claim on its way.
    pub(crate) fn is_claiming(&self) -> bool {
        self.own.is_some()
    }

    /// Whether the own claim has come back.
    pub(crate) fn has_echo(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.reign.is_some())
    }

    /// Whether a reign is the best known, or none is known.
    pub(crate) fn is_best(&self, reign: &Reign) -> bool {
        self.leadership.is_best(reign)
    }

    /// Forgets all reigns and claims of others.
    pub(crate) fn forget_leadership(&mut self) {
        self.leadership = Leadership::default();
    }

    /// Notes that a player leads. The caller knows that it counts: it is this player, or nothing else is known.
    pub(crate) fn note_leader(&mut self, reign: &Reign, player: &PlayerId) {
        let _ = self.leadership.on_host(reign, player);
    }

    /// Notes a message of somebody who leads.
    pub(crate) fn on_host(&mut self, reign: &Reign, player: &PlayerId) -> Standing {
        self.leadership.on_host(reign, player)
    }

    /// Notes that the room has a host now.
    pub(crate) fn note_alive(&mut self, now: Instant) {
        self.alive_at = Some(now);
    }

    /// Whether this player was away for longer than others keep a seat.
    pub(crate) fn was_away_for_long(&self, now: Instant, timing: &SessionTiming) -> bool {
        self.alive_at.is_none_or(|at| now.duration_since(at) >= timing.grace)
    }

    /// How long a host listens before it claims its room back. After an absence for which it would yield, it waits until a
    /// living host has sent something.
    pub(crate) fn time_to_hear_others(&self, now: Instant, timing: &SessionTiming) -> Duration {
        if self.was_away_for_long(now, timing) { timing.gather + timing.lease_interval } else { timing.gather }
    }

    /// Founds the room.
    pub(crate) fn found(&mut self, now: Instant, cx: &mut Context) {
        let founding = NewClaim { incarnation: None, term: FIRST_TERM, stamp: None, led: false };
        self.claim(founding, now, cx);
    }

    /// Sends a claim.
    pub(crate) fn claim(&mut self, claim: NewClaim, now: Instant, cx: &mut Context) {
        let NewClaim { incarnation, term, stamp, led } = claim;
        let generation = cx.config.generation;
        let claim = Claim { generation, incarnation: incarnation.clone(), term, stamp, led };
        cx.outbound.send_urgent(Lane::Room, claim.into());
        self.own = Some(OwnClaim { incarnation, term, reign: None });
        cx.timers.set(Timer::Claim, now + ECHO_WAIT);
    }

    /// Sets the time for the claim of a host that has to lead anew. A claim on its way no longer counts.
    pub(crate) fn plan_reclaim(&mut self, at: Instant, timers: &mut Timers) {
        self.own = None;
        timers.set(Timer::Claim, at);
    }

    /// Makes the claim of a host that has to lead anew due at this time at the latest. The connection is back.
    pub(crate) fn hasten_reclaim(&self, at: Instant, timers: &mut Timers) {
        timers.hasten(Timer::Claim, at);
    }

    /// Waits with the claim of a host that has to lead anew, because nothing goes out.
    pub(crate) fn put_off_reclaim(&self, now: Instant, cx: &mut Context) {
        cx.timers.set(Timer::Claim, now + cx.config.timing.gather);
    }

    /// Waits for the claim of the successor that this host has named.
    pub(crate) fn await_successor(&self, now: Instant, cx: &mut Context) {
        cx.timers.set(Timer::Claim, now + cx.config.timing.gather + OPEN_CLAIM);
    }

    /// The reign that a claim would lead to, or why the claim makes no sense.
    pub(crate) fn reign_of(&self, claim: &Claim, serial: Option<MessageSerial>) -> Result<Reign, &'static str> {
        let since = serial.ok_or("a claim without a serial")?;
        let is_founding = claim.incarnation.is_none();
        let is_far = self.leadership.best().is_some_and(|best| is_impossible(claim.term, best.reign.term));
        if is_far || (is_founding && claim.term != FIRST_TERM) {
            return Err("a claim of an impossible term");
        }
        let incarnation = claim.incarnation.clone().unwrap_or_else(|| since.clone());
        Ok(Reign { incarnation, term: claim.term, since })
    }

    /// Notes the claim of another player. Returns whether it is the best so far.
    pub(crate) fn on_claim(&mut self, leader: Leader, stamp: Option<Stamp>, now: Instant, cx: &mut Context) -> bool {
        let lapses_at = now + cx.config.timing.gather + OPEN_CLAIM;
        if !self.leadership.on_claim(OpenClaim { leader, stamp, lapses_at }) {
            return false;
        }
        cx.timers.set(Timer::Lapse, lapses_at);
        cx.timers.stop(Timer::Election);
        true
    }

    /// Notes a better reign that a peer named in its hello: this host missed the claim.
    pub(crate) fn on_missed_claim(&mut self, leader: Leader, now: Instant, cx: &mut Context) {
        let lapses_at = now + cx.config.timing.gather * 2;
        self.leadership.on_claim(OpenClaim { leader, stamp: None, lapses_at });
        cx.timers.set(Timer::Lapse, lapses_at);
    }

    /// Notes the echo of an own claim.
    pub(crate) fn on_own_claim(&mut self, claim: Claim, reign: Reign, now: Instant, cx: &mut Context) -> EchoVerdict {
        let gathered_at = now + cx.config.timing.gather;
        let lapses_at = gathered_at + OPEN_CLAIM;
        let leader = Leader { reign: reign.clone(), player: cx.player().clone() };
        let awaited =
            |own: &&mut OwnClaim| own.reign.is_none() && own.term == claim.term && own.incarnation == claim.incarnation;
        // A claim that was given up before it came back is a claim like any other, here and for the others.
        let is_awaited = self.own.as_mut().filter(awaited).map(|own| own.reign = Some(reign)).is_some();
        let is_best = self.leadership.on_claim(OpenClaim { leader, stamp: claim.stamp, lapses_at });
        if is_best {
            if is_awaited {
                cx.timers.set(Timer::Claim, gathered_at);
            }
            cx.timers.set(Timer::Lapse, lapses_at);
        }
        if is_awaited && !is_best { EchoVerdict::Outdone } else { EchoVerdict::Noted }
    }

    /// Gives the own claim up, and tries again once a better claim would have lapsed.
    pub(crate) fn withdraw(&mut self, claimant: Claimant, now: Instant, cx: &mut Context) {
        if self.own.take().is_none() {
            return;
        }
        cx.timers.stop(Timer::Claim);
        let again = now + cx.config.timing.gather + OPEN_CLAIM;
        match claimant {
            Claimant::Host => cx.timers.set(Timer::Claim, again),
            Claimant::Arriving => cx.timers.hasten(Timer::Silence, again),
            Claimant::Peer => {}
        }
    }

    /// Forgets the own claim: the answers to it cannot be known.
    pub(crate) fn drop_own(&mut self, timers: &mut Timers) {
        self.own = None;
        timers.stop(Timer::Claim);
    }

    /// Forgets the own claim. Its timer stays as it is.
    pub(crate) fn forget_own(&mut self) {
        self.own = None;
    }

    /// Decides what the expired timer of the own claim means.
    pub(crate) fn on_claim_timer(&mut self) -> ClaimVerdict {
        match self.own.take() {
            Some(OwnClaim { reign: Some(reign), .. }) => ClaimVerdict::Lead(reign),
            Some(without_echo) => {
                self.own = Some(without_echo);
                ClaimVerdict::NoEcho
            }
            None => ClaimVerdict::Due,
        }
    }

    /// Drops the claim that lapsed. Returns whether no claim is open any more.
    pub(crate) fn lapse(&mut self, now: Instant, timers: &mut Timers) -> bool {
        self.leadership.lapse(now);
        match self.leadership.lapses_at() {
            Some(at) => timers.set(Timer::Lapse, at),
            None => return true,
        }
        false
    }

    /// Whether a state that was published would be lost with the claim that counts.
    pub(crate) fn would_lose(&self, held: Option<&Stamp>, player: &PlayerId) -> bool {
        let (Some(claim), Some(held)) = (self.leadership.claimed(), held) else { return false };
        claim.leader.player != *player
            && held.reign.incarnation == claim.leader.reign.incarnation
            && claim.stamp.as_ref().is_none_or(|stamp| held.is_better_than(stamp))
    }

    /// Sets the time for a claim above the claim that counts.
    pub(crate) fn plan_counter(&self, now: Instant, cx: &mut Context) {
        let jitter = Duration::from_millis(cx.rng.random_range(COUNTER_JITTER_MS));
        cx.timers.hasten(Timer::Counter, now + jitter);
    }

    /// Whether the claim that counts is another player's.
    pub(crate) fn is_claimed_by_other(&self, player: &PlayerId) -> bool {
        self.leadership.claimed().is_some_and(|claim| claim.leader.player != *player)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{context::tests::base, id::Version};

    fn claim(term: u64, incarnation: Option<&str>) -> Claim {
        let generation = crate::Generation(1);
        Claim { generation, incarnation: incarnation.map(Into::into), term: Term(term), stamp: None, led: false }
    }

    fn leader(player: &str, term: u64, since: &str) -> Leader {
        let reign = Reign { incarnation: "1".into(), term: Term(term), since: since.into() };
        Leader { reign, player: PlayerId::new(player).unwrap() }
    }

    #[test]
    fn a_claim_leads_after_its_echo_and_the_gather_time() {
        let (now, mut base, mut election) = (Instant::now(), base(), Election::default());
        election.found(now, &mut base.lend());
        assert!(matches!(election.on_claim_timer(), ClaimVerdict::NoEcho));
        let reign = election.reign_of(&claim(1, None), Some("5".into())).unwrap();
        assert_eq!(election.on_own_claim(claim(1, None), reign.clone(), now, &mut base.lend()), EchoVerdict::Noted);
        assert_eq!(base.timers.get(Timer::Claim), Some(now + base.config.timing.gather));
        assert!(matches!(election.on_claim_timer(), ClaimVerdict::Lead(led) if led == reign));
        assert!(matches!(election.on_claim_timer(), ClaimVerdict::Due));
    }

    #[test]
    fn a_claim_that_comes_after_a_better_one_is_withdrawn() {
        let (now, mut base, mut election) = (Instant::now(), base(), Election::default());
        election.note_leader(&leader("bob", 1, "1").reign, &PlayerId::new("bob").unwrap());
        let above = NewClaim { incarnation: Some("1".into()), term: Term(2), stamp: None, led: false };
        election.claim(above, now, &mut base.lend());
        assert!(election.on_claim(leader("zoe", 2, "5"), None, now, &mut base.lend()));
        let own = claim(2, Some("1"));
        let reign = election.reign_of(&own, Some("6".into())).unwrap();
        assert_eq!(election.on_own_claim(own, reign, now, &mut base.lend()), EchoVerdict::Outdone);
        election.withdraw(Claimant::Host, now, &mut base.lend());
        assert!(!election.is_claiming());
        assert_eq!(base.timers.get(Timer::Claim), Some(now + base.config.timing.gather + OPEN_CLAIM));
    }

    #[test]
    fn a_made_up_term_is_no_claim() {
        let mut election = Election::default();
        assert!(election.reign_of(&claim(2, None), Some("5".into())).is_err(), "a room is founded in its first term");
        assert!(election.reign_of(&claim(1, None), None).is_err());
        assert!(election.reign_of(&claim(u64::MAX, Some("1")), Some("5".into())).is_ok(), "nothing better is known");
        election.note_leader(&leader("bob", 1, "1").reign, &PlayerId::new("bob").unwrap());
        assert!(election.reign_of(&claim(u64::MAX, Some("1")), Some("5".into())).is_err());
    }

    #[test]
    fn a_state_is_defended_only_against_a_claim_of_another_player_with_an_older_state() {
        let (now, mut base, mut election) = (Instant::now(), base(), Election::default());
        let (ada, bob) = (PlayerId::new("ada").unwrap(), PlayerId::new("bob").unwrap());
        let stamp = |version| Stamp { reign: leader("bob", 1, "1").reign, version: Version(version) };
        election.on_claim(leader("bob", 2, "5"), Some(stamp(3)), now, &mut base.lend());
        assert!(election.would_lose(Some(&stamp(4)), &ada));
        assert!(!election.would_lose(Some(&stamp(3)), &ada));
        assert!(!election.would_lose(Some(&stamp(4)), &bob));
        assert!(!election.would_lose(None, &ada));
    }
}
