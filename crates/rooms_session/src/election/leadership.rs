//! The best reign known, claimed or led. It decides whose messages count as the host's.
//!
//! Owns the comparison alone. The host, the peer and the claimant decide what follows from it.

use web_time::Instant;

use rooms_protocol::MessageSerial;

use crate::id::{PlayerId, Reign, Stamp, Term};

/// A reign and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leader {
    pub reign: Reign,
    pub player: PlayerId,
}

/// How the reign of a host's message compares to the best reign known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Standing {
    /// The best so far: it counts from now on.
    Better,
    /// Of the reign that counts.
    Same,
    /// Of a reign that gave way to a better one.
    Worse,
    /// Of the reign that counts, but not from the player whose it is.
    Impostor,
}

/// A claim whose player may lead soon.
#[derive(Clone, Debug)]
pub(crate) struct OpenClaim {
    pub leader: Leader,
    /// The state that the claimant holds.
    pub stamp: Option<Stamp>,
    /// Until when it keeps others from leading.
    pub lapses_at: Instant,
}

/// The best reign that was led, and the best claim whose player may lead soon.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    led: Option<Leader>,
    claimed: Option<OpenClaim>,
    /// The best claim that lapsed, if it is above the reign that is led: its player may still lead.
    lapsed: Option<Leader>,
}

impl Leadership {
    /// The best reign known.
    pub(crate) fn best(&self) -> Option<&Leader> {
        // A claim is noted only while it is better than the reign that is led.
        self.claimed.as_ref().map(|claim| &claim.leader).or(self.lapsed.as_ref()).or(self.led.as_ref())
    }

    /// Whether a reign is the best known, or none is known.
    pub(crate) fn is_best(&self, reign: &Reign) -> bool {
        self.best().is_none_or(|best| best.reign == *reign)
    }

    /// The best reign that is led.
    pub(crate) fn led(&self) -> Option<&Leader> {
        self.led.as_ref()
    }

    /// The term of the next claim in the best incarnation known: above everything claimed or led there.
    pub(crate) fn next_term(&self) -> Option<(MessageSerial, Term)> {
        let best = &self.best()?.reign;
        Some((best.incarnation.clone(), Term(best.term.0.saturating_add(1))))
    }

    /// The best claim whose player may lead soon.
    pub(crate) fn claimed(&self) -> Option<&OpenClaim> {
        self.claimed.as_ref()
    }

    /// When the claim that counts lapses, unless its player leads.
    pub(crate) fn lapses_at(&self) -> Option<Instant> {
        self.claimed.as_ref().map(|claim| claim.lapses_at)
    }

    /// Notes a claim. Returns whether it is the best so far.
    pub(crate) fn on_claim(&mut self, claim: OpenClaim) -> bool {
        let better = self.best().is_none_or(|best| claim.leader.reign.is_better_than(&best.reign));
        if better && let Some(before) = self.claimed.replace(claim) {
            self.retire(before.leader);
        }
        better
    }

    /// Notes a message of somebody who leads.
    pub(crate) fn on_host(&mut self, reign: &Reign, player: &PlayerId) -> Standing {
        let standing = match self.best() {
            Some(best) if *reign == best.reign && *player != best.player => return Standing::Impostor,
            Some(best) if self.led.as_ref() == Some(best) && *reign == best.reign => return Standing::Same,
            Some(best) if *reign == best.reign => Standing::Better,
            Some(best) if !reign.is_better_than(&best.reign) => return Standing::Worse,
            _ => Standing::Better,
        };
        *self = Self { led: Some(Leader { reign: reign.clone(), player: player.clone() }), ..Self::default() };
        standing
    }

    /// Lets others claim again if the player of this claim did not lead in time.
    pub(crate) fn lapse(&mut self, now: Instant) {
        if let Some(claim) = self.claimed.take_if(|claim| claim.lapses_at <= now) {
            self.retire(claim.leader);
        }
    }

    /// Keeps a claim that is no longer open. Each player lapses it by its own clock, so the reign before it stays worse: only
    /// the order of the channel is the same for all. A founding that nobody leads is over.
    fn retire(&mut self, claimed: Leader) {
        if self.led.as_ref().is_some_and(|led| led.reign.incarnation == claimed.reign.incarnation) {
            self.lapsed = Some(claimed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn claim(leader: Leader, lapses_at: Instant) -> OpenClaim {
        OpenClaim { leader, stamp: None, lapses_at }
    }

    fn leader(player: &str, term: u64, since: &str) -> Leader {
        let reign = Reign { incarnation: "1".into(), term: Term(term), since: since.into() };
        Leader { reign, player: PlayerId::new(player).unwrap() }
    }

    #[test]
    fn a_worse_reign_is_dropped_from_the_claim_of_the_better_one_on() {
        let now = Instant::now();
        let (ada, bob) = (leader("ada", 1, "1"), leader("bob", 2, "5"));
        let mut leadership = Leadership::default();
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Better);
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Same);
        assert_eq!(leadership.on_host(&ada.reign, &bob.player), Standing::Impostor);
        assert!(leadership.on_claim(claim(bob.clone(), now + Duration::from_secs(1))));
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Worse);
        assert!(!leadership.on_claim(claim(leader("zoe", 2, "6"), now)), "the later claim for a term is worse");
        assert_eq!(leadership.on_host(&bob.reign, &bob.player), Standing::Better);
        leadership.lapse(now + Duration::from_secs(9));
        assert_eq!(leadership.best(), Some(&bob));
    }

    #[test]
    fn a_claim_that_is_not_led_lapses_and_still_ends_what_was_led_before() {
        let now = Instant::now();
        let (ada, bob) = (leader("ada", 1, "1"), leader("bob", 2, "5"));
        let mut leadership = Leadership::default();
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Better);
        leadership.on_claim(claim(bob.clone(), now + Duration::from_secs(1)));
        leadership.lapse(now);
        assert!(leadership.claimed().is_some());
        leadership.lapse(now + Duration::from_secs(1));
        assert!(leadership.claimed().is_none() && leadership.lapses_at().is_none());
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Worse);
        assert_eq!(leadership.next_term(), Some(("1".into(), Term(3))), "the lapsed claim's term stays taken");
        assert_eq!(leadership.on_host(&bob.reign, &bob.player), Standing::Better, "late is not too late");
        assert_eq!(leadership.on_host(&bob.reign, &bob.player), Standing::Same);
    }

    #[test]
    fn an_older_founding_that_nobody_leads_leaves_the_room_as_it_was() {
        let now = Instant::now();
        let ada = leader("ada", 1, "1");
        let other = Reign { incarnation: "0".into(), ..leader("bob", 2, "5").reign };
        let mut leadership = Leadership::default();
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Better);
        leadership.on_claim(claim(Leader { reign: other, player: ada.player.clone() }, now));
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Worse);
        leadership.lapse(now);
        assert_eq!(leadership.on_host(&ada.reign, &ada.player), Standing::Same);
    }
}
