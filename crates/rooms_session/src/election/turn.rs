//! Whose turn it is to take the place of a host that is gone.
//!
//! Owns the decision to claim. A peer claims when its turn comes in the roster's order, so that most claims meet no rival.
//! The way of a claim is in `claim.rs`.

use std::time::Duration;

use rooms_protocol::{PresenceAction, PresenceMessage};
use web_time::Instant;

use super::claim::{Election, NewClaim};
use crate::{
    config::Migration,
    context::Context,
    id::Term,
    peer::state::Gone,
    state::{
        replica::Replica,
        roster::{Roster, Seat, SeatStatus},
    },
    timer::Timer,
};

/// How long a host may take to appear on a new connection after presence showed that the old one is gone.
const RECONNECT: Duration = Duration::from_millis(700);

/// How much earlier than the first time a claim is made again that never came back.
const RETRY_EARLIER: Duration = Duration::from_millis(1500);

/// What a peer learns of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum HostVerdict {
    /// Nothing new.
    Unchanged,
    /// Another player is to take its place.
    Gone(Gone),
    /// It is back on another connection.
    Back,
}

/// The seat of the host, as this player knows it.
fn host_seat<'a>(roster: &'a Roster, cx: &Context) -> Option<&'a Seat> {
    cx.feed.host().and_then(|host| roster.get(host))
}

/// Whether a presence message shows that the connection is gone over which the host leads.
pub(crate) fn shows_host_gone(message: &PresenceMessage, roster: &Roster, cx: &Context) -> bool {
    matches!(message.action, PresenceAction::Leave | PresenceAction::Absent)
        && host_seat(roster, cx).is_some_and(|seat| {
            message.connection_id.as_ref() == Some(&seat.connection)
                && message.client_id.as_ref().is_some_and(|id| id.as_str() == seat.player.as_str())
                && !cx.facts.shows_process(&seat.player, seat.generation)
        })
}

/// How many players come before this one: in the roster's order, without the old host and those who are not there.
fn rank(roster: &Roster, cx: &Context) -> u32 {
    let ahead = roster.iter().take_while(|seat| seat.player != *cx.player());
    let there = ahead.filter(|seat| {
        let is_shown = || cx.facts.shows_connection(&seat.connection, &seat.player);
        cx.feed.host() != Some(&seat.player)
            && seat.status == SeatStatus::Present
            && (!cx.facts.is_synced() || is_shown())
    });
    u32::try_from(there.count()).unwrap_or(u32::MAX)
}

/// How many terms to leave free below a claim after continuity was lost, for claims that this player may have missed: one
/// for whoever missed nothing, and one for each player with a seat before this one. So two players that miss each other's claims
/// never share a term, and no term that was led gives way when an older claim to it comes late.
fn unheard_terms(roster: &Roster, cx: &Context) -> u64 {
    let before = roster.iter().take_while(|seat| seat.player != *cx.player()).count();
    u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1)
}

/// The term to claim where `next` is the next free one that this player knows.
pub(crate) fn term_to_claim(next: Term, lost_continuity: bool, roster: &Roster, cx: &Context) -> Term {
    let free = if lost_continuity { unheard_terms(roster, cx) } else { 0 };
    Term(next.0.saturating_add(free))
}

impl Election {
    /// Whether this player may take the host's place: it has a seat in the room that it would lead.
    pub(crate) fn may_stand(&self, replica: &Replica, cx: &Context) -> bool {
        let document = replica.document();
        let own = document.roster.get(cx.player());
        let held = replica.stamp().map(|stamp| &stamp.reign.incarnation);
        cx.feed.is_joined()
            && held == self.leadership().best().map(|best| &best.reign.incarnation)
            && document.migration == Migration::Automatic
            && own.is_some_and(|seat| seat.generation == cx.config.generation)
    }

    /// Waits for this player's turn, because the host does not come back by itself. `known` is why it counts as gone already.
    pub(crate) fn miss_host(
        &self,
        known: Option<Gone>,
        gone: Gone,
        replica: &Replica,
        now: Instant,
        cx: &mut Context,
    ) -> HostVerdict {
        if !self.may_stand(replica, cx) || known == Some(Gone::ForSure) {
            return HostVerdict::Unchanged;
        }
        let from = if gone == Gone::ForSure { now } else { now + RECONNECT };
        self.wait_for_turn(from, &replica.document().roster, cx);
        HostVerdict::Gone(gone)
    }

    /// Sets the time of this player's turn. While the claim of another player is open, nobody else claims.
    fn wait_for_turn(&self, from: Instant, roster: &Roster, cx: &mut Context) {
        let from = self.leadership().lapses_at().map_or(from, |lapses_at| lapses_at.max(from));
        let at = from + cx.config.timing.stagger * rank(roster, cx);
        cx.timers.hasten(Timer::Election, at);
    }

    /// Claims the host's place, because it is this player's turn. `gone` is why the host counts as gone.
    pub(crate) fn elect(
        &mut self,
        gone: Option<Gone>,
        replica: &Replica,
        lost_continuity: bool,
        now: Instant,
        cx: &mut Context,
    ) -> HostVerdict {
        let roster = &replica.document().roster;
        let is_back = |seat: &Seat| cx.facts.shows_process(&seat.player, seat.generation);
        if gone == Some(Gone::Disconnected) && host_seat(roster, cx).is_some_and(is_back) {
            return HostVerdict::Back;
        }
        if gone.is_none() || self.is_claiming() || !cx.facts.is_up() {
            return HostVerdict::Unchanged;
        }
        if self.leadership().lapses_at().is_some_and(|lapses_at| lapses_at > now) {
            self.wait_for_turn(now, roster, cx);
        } else {
            self.claim_next_term(replica, lost_continuity, now, cx);
        }
        HostVerdict::Unchanged
    }

    /// Goes on with the election after a claim is out of the way.
    pub(crate) fn go_on(&self, gone: Option<Gone>, replica: &Replica, now: Instant, cx: &mut Context) {
        if gone.is_some() && !self.is_claiming() {
            cx.timers.stop(Timer::Election);
            self.wait_for_turn(now, &replica.document().roster, cx);
        }
    }

    /// Plans the next claim after one that did not come back: a little before the host would be missed anew.
    pub(crate) fn retry(&self, gone: Option<Gone>, now: Instant, cx: &mut Context) {
        if gone.is_some() {
            let wait = cx.config.timing.lease.saturating_sub(RETRY_EARLIER);
            cx.timers.set(Timer::Election, now + wait);
        }
    }

    /// Claims above the claim that counts, which would lose a state that this peer holds.
    pub(crate) fn counter_as_peer(&mut self, replica: &Replica, lost_continuity: bool, now: Instant, cx: &mut Context) {
        if !self.is_claiming() && self.may_defend(replica, cx) {
            self.claim_next_term(replica, lost_continuity, now, cx);
        }
    }

    /// Whether this peer holds a state that the claim that counts would lose.
    pub(crate) fn may_defend(&self, replica: &Replica, cx: &Context) -> bool {
        self.may_stand(replica, cx) && self.would_lose(replica.stamp(), cx.player())
    }

    fn claim_next_term(&mut self, replica: &Replica, lost_continuity: bool, now: Instant, cx: &mut Context) {
        let Some((incarnation, term)) = self.leadership().next_term() else { return };
        let term = term_to_claim(term, lost_continuity, &replica.document().roster, cx);
        let claim = NewClaim { incarnation: Some(incarnation), term, stamp: replica.stamp().cloned(), led: false };
        self.claim(claim, now, cx);
    }
}
