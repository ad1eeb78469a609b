//! The best reign heard of, claimed or led, and with that whose words count.
//!
//! Owns the comparison alone. What follows from it is decided by the host's, the peer's and the claimant's part.

use web_time::Instant;

use rooms_protocol::MessageSerial;

use crate::{PlayerId, Reign, Stamp, Term};

/// A reign and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leader {
    pub reign: Reign,
    pub player: PlayerId,
}

/// How a host's word stands to the best reign heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The best so far: it counts from here on.
    Better,
    /// Of the reign that counts.
    Same,
    /// Of a reign that gave way to a better one.
    Worse,
    /// Of the reign that counts, but not from the player whose it is.
    Impostor,
}

/// A claim that may be led soon.
#[derive(Clone, Debug)]
pub(crate) struct OpenClaim {
    pub leader: Leader,
    /// The state that the claimant holds.
    pub stamp: Option<Stamp>,
    /// Until when it keeps others from leading.
    pub lapses_at: Instant,
}

/// The best reign that was led, and the best claim that may be led soon.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    led: Option<Leader>,
    claimed: Option<OpenClaim>,
    /// The best claim that nobody led on in time, where it is above what is led: whoever made it may still lead.
    lapsed: Option<Leader>,
}

impl Leadership {
    /// The best reign heard of.
    pub(crate) fn best(&self) -> Option<&Leader> {
        // A claim is noted only while it is better than what is led.
        self.claimed.as_ref().map(|claim| &claim.leader).or(self.lapsed.as_ref()).or(self.led.as_ref())
    }

    /// The best reign that is led.
    pub(crate) fn led(&self) -> Option<&Leader> {
        self.led.as_ref()
    }

    /// The term of the next claim in the best incarnation heard of: above everything claimed or led there.
    pub(crate) fn next_term(&self) -> Option<(MessageSerial, Term)> {
        let best = &self.best()?.reign;
        Some((best.incarnation.clone(), Term(best.term.0.saturating_add(1))))
    }

    /// The best claim that may be led soon.
    pub(crate) fn claimed(&self) -> Option<&OpenClaim> {
        self.claimed.as_ref()
    }

    /// When the claim that counts lapses unless it is led.
    pub(crate) fn lapses_at(&self) -> Option<Instant> {
        self.claimed.as_ref().map(|claim| claim.lapses_at)
    }

    /// Hears a claim, and tells whether it is the best so far.
    pub(crate) fn hear_claim(&mut self, claim: OpenClaim) -> bool {
        let better = self.best().is_none_or(|best| claim.leader.reign.is_better_than(&best.reign));
        if better && let Some(before) = self.claimed.replace(claim) {
            self.retire(before.leader);
        }
        better
    }

    /// Hears a word of somebody who leads.
    pub(crate) fn hear_host(&mut self, reign: &Reign, player: &PlayerId) -> Standing {
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

    /// Lets the next claim be made where this one was not led in time.
    pub(crate) fn lapse(&mut self, now: Instant) {
        if let Some(claim) = self.claimed.take_if(|claim| claim.lapses_at <= now) {
            self.retire(claim.leader);
        }
    }

    /// Keeps a claim that is open no more. When it lapses is by each player's own clock, so that what was led before it
    /// stays worse: only what comes in the channel's order is the same to all. A founding that nobody leads is over.
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
    use crate::Term;

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
        let mut promise = Leadership::default();
        assert_eq!(promise.hear_host(&ada.reign, &ada.player), Standing::Better);
        assert_eq!(promise.hear_host(&ada.reign, &ada.player), Standing::Same);
        assert_eq!(promise.hear_host(&ada.reign, &bob.player), Standing::Impostor);
        assert!(promise.hear_claim(claim(bob.clone(), now + Duration::from_secs(1))));
        assert_eq!(promise.hear_host(&ada.reign, &ada.player), Standing::Worse);
        assert!(!promise.hear_claim(claim(leader("zoe", 2, "6"), now)), "the later claim for a term is worse");
        assert_eq!(promise.hear_host(&bob.reign, &bob.player), Standing::Better);
        promise.lapse(now + Duration::from_secs(9));
        assert_eq!(promise.best(), Some(&bob));
    }

    #[test]
    fn a_claim_that_is_not_led_lapses_and_still_ends_what_was_led_before() {
        let now = Instant::now();
        let (ada, bob) = (leader("ada", 1, "1"), leader("bob", 2, "5"));
        let mut promise = Leadership::default();
        promise.hear_host(&ada.reign, &ada.player);
        promise.hear_claim(claim(bob.clone(), now + Duration::from_secs(1)));
        promise.lapse(now);
        assert!(promise.claimed().is_some());
        promise.lapse(now + Duration::from_secs(1));
        assert!(promise.claimed().is_none() && promise.lapses_at().is_none());
        assert_eq!(promise.hear_host(&ada.reign, &ada.player), Standing::Worse);
        assert_eq!(promise.next_term(), Some(("1".into(), Term(3))), "the lapsed claim's term stays taken");
        assert_eq!(promise.hear_host(&bob.reign, &bob.player), Standing::Better, "late is not too late");
        assert_eq!(promise.hear_host(&bob.reign, &bob.player), Standing::Same);
    }

    #[test]
    fn an_older_founding_that_nobody_leads_leaves_the_room_as_it_was() {
        let now = Instant::now();
        let ada = leader("ada", 1, "1");
        let other = Reign { incarnation: "0".into(), ..leader("bob", 2, "5").reign };
        let mut promise = Leadership::default();
        promise.hear_host(&ada.reign, &ada.player);
        promise.hear_claim(claim(Leader { reign: other, player: ada.player.clone() }, now));
        assert_eq!(promise.hear_host(&ada.reign, &ada.player), Standing::Worse);
        promise.lapse(now);
        assert_eq!(promise.hear_host(&ada.reign, &ada.player), Standing::Same);
    }
}
