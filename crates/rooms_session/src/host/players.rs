//! What the host knows of the players beside their seats: which of their processes it admitted, and since when one is gone.
//!
//! Owns these notes. The seats themselves are in the document, and `seats.rs` gives and takes them.

use std::{collections::BTreeMap, time::Duration};

use web_time::Instant;

use crate::{
    config::SessionTiming,
    connectivity::facts::ConnectionFacts,
    id::PlayerId,
    state::roster::{Seat, SeatStatus},
    wire::message::Nonce,
};

/// Shortest time between messages to processes that lost their seats.
const MIN_SUPERSEDED_INTERVAL: Duration = Duration::from_secs(1);

/// Which process of a player says hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum HelloFrom {
    /// No process of the player was admitted here.
    Unknown,
    /// The process that was admitted here.
    SameProcess,
    /// Another process than the one that was admitted here.
    OtherProcess,
}

/// What the host finds when it looks after a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum SeatVerdict {
    /// The player is there, or may not have entered presence yet.
    Present,
    /// Presence does not show the player any more.
    Missing,
    /// The player is lost, and its seat is kept until then.
    KeptUntil(Instant),
    /// The player was lost for too long.
    Expired,
}

/// What the host knows of the players beside their seats.
#[derive(Debug, Default)]
pub(super) struct Players {
    /// Which process of each player was admitted here.
    nonces: BTreeMap<PlayerId, Nonce>,
    /// When each player was admitted here, or seen again last.
    seen: BTreeMap<PlayerId, Instant>,
    /// When the seats of lost players are given up.
    grace: BTreeMap<PlayerId, Instant>,
    /// When a process was last told that a newer one has its seat.
    superseded_at: Option<Instant>,
}

impl Players {
    /// Which process of a player a hello with this nonce comes from.
    pub(super) fn hello_from(&self, player: &PlayerId, nonce: &Nonce) -> HelloFrom {
        match self.nonces.get(player) {
            None => HelloFrom::Unknown,
            Some(known) if known == nonce => HelloFrom::SameProcess,
            Some(_) => HelloFrom::OtherProcess,
        }
    }

    /// Notes that a process of a player was admitted.
    pub(super) fn admit(&mut self, player: &PlayerId, nonce: Nonce, now: Instant) {
        self.nonces.insert(player.clone(), nonce);
        self.note_present(player, now);
    }

    /// Notes that a player is there.
    pub(super) fn note_present(&mut self, player: &PlayerId, now: Instant) {
        self.grace.remove(player);
        self.seen.insert(player.clone(), now);
    }

    /// Notes that a player is lost, and until when its seat is kept.
    pub(super) fn note_lost(&mut self, player: &PlayerId, until: Instant) {
        self.grace.insert(player.clone(), until);
    }

    /// Notes that a player has no seat any more. Its process may come back.
    pub(super) fn note_left(&mut self, player: &PlayerId) {
        self.seen.remove(player);
        self.grace.remove(player);
    }

    /// Forgets which process of a player was admitted.
    pub(super) fn forget_process(&mut self, player: &PlayerId) {
        self.nonces.remove(player);
    }

    /// Looks after a seat. The time for which it is kept begins now, if it has not begun.
    pub(super) fn check(
        &mut self,
        seat: &Seat,
        facts: &ConnectionFacts,
        now: Instant,
        timing: &SessionTiming,
    ) -> SeatVerdict {
        match seat.status {
            SeatStatus::Present => {
                // A player that was just admitted may not have entered presence yet.
                let is_new = self.seen.get(&seat.player).is_some_and(|at| now.duration_since(*at) < timing.lease * 2);
                let is_missing = facts.is_synced() && !facts.shows_seat(seat) && !is_new;
                if is_missing { SeatVerdict::Missing } else { SeatVerdict::Present }
            }
            SeatStatus::Lost => {
                let until = *self.grace.entry(seat.player.clone()).or_insert(now + timing.grace);
                if until <= now { SeatVerdict::Expired } else { SeatVerdict::KeptUntil(until) }
            }
        }
    }

    /// Whether a process may be told that a newer one has its seat. If so, none may be told for a second.
    pub(super) fn take_superseded_turn(&mut self, now: Instant) -> bool {
        let is_allowed = self.superseded_at.is_none_or(|last| now.duration_since(last) >= MIN_SUPERSEDED_INTERVAL);
        if is_allowed {
            self.superseded_at = Some(now);
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::roster::tests::seat;

    fn facts() -> ConnectionFacts {
        let mut facts = ConnectionFacts::new("room:den".into(), "room:den:to:ada".into());
        facts.set_synced();
        facts
    }

    #[test]
    fn a_player_that_presence_does_not_show_is_missing_once_it_had_time_to_enter() {
        let (now, timing, facts, mut players) = (Instant::now(), SessionTiming::default(), facts(), Players::default());
        let bob = seat("bob", 1);
        players.admit(&bob.player, "n".into(), now);
        assert_eq!(players.check(&bob, &facts, now + timing.lease, &timing), SeatVerdict::Present);
        assert_eq!(players.check(&bob, &facts, now + timing.lease * 2, &timing), SeatVerdict::Missing);
        assert_eq!(players.check(&seat("zoe", 2), &facts, now, &timing), SeatVerdict::Missing, "of an earlier host");
    }

    #[test]
    fn a_lost_player_keeps_its_seat_for_the_grace_period_even_if_nobody_noted_when_it_was_lost() {
        let (now, timing, facts, mut players) = (Instant::now(), SessionTiming::default(), facts(), Players::default());
        let bob = Seat { status: SeatStatus::Lost, ..seat("bob", 1) };
        let until = now + timing.grace;
        assert_eq!(players.check(&bob, &facts, now, &timing), SeatVerdict::KeptUntil(until));
        assert_eq!(players.check(&bob, &facts, now + timing.grace / 2, &timing), SeatVerdict::KeptUntil(until));
        assert_eq!(players.check(&bob, &facts, until, &timing), SeatVerdict::Expired);
        players.note_present(&bob.player, until);
        assert_eq!(players.check(&bob, &facts, until, &timing), SeatVerdict::KeptUntil(until + timing.grace));
    }

    #[test]
    fn a_process_is_known_by_its_nonce_for_as_long_as_it_may_come_back() {
        let (now, mut players, bob) = (Instant::now(), Players::default(), seat("bob", 1).player);
        assert_eq!(players.hello_from(&bob, &"n".into()), HelloFrom::Unknown);
        players.admit(&bob, "n".into(), now);
        players.note_left(&bob);
        assert_eq!(players.hello_from(&bob, &"n".into()), HelloFrom::SameProcess);
        assert_eq!(players.hello_from(&bob, &"m".into()), HelloFrom::OtherProcess);
        players.forget_process(&bob);
        assert_eq!(players.hello_from(&bob, &"n".into()), HelloFrom::Unknown);
    }

    #[test]
    fn processes_without_a_seat_are_told_so_once_a_second() {
        let (now, mut players) = (Instant::now(), Players::default());
        assert!(players.take_superseded_turn(now));
        assert!(!players.take_superseded_turn(now + MIN_SUPERSEDED_INTERVAL / 2));
        assert!(players.take_superseded_turn(now + MIN_SUPERSEDED_INTERVAL));
    }
}
