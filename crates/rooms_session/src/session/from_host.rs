//! What a host sends: states, leases, welcomes and refusals, and whether they count.

use web_time::Instant;

use super::{Role, Session};
use crate::{
    election::{claim::is_impossible, leadership::Standing},
    event::{Refusal, SessionEvent},
    id::{Generation, PlayerId, Reign, Stamp},
    peer::state::PeerState,
    state::{
        document::{Changes, Document},
        replica::{Offer, Replica},
    },
    wire::{
        message::{Lease, Origin, Refused, State, StateBody, Wait, Welcome},
        payload::GameMessage,
    },
};

/// Hands a state to the local copy.
fn offer(replica: &mut Replica, stamp: Stamp, body: StateBody) -> Offer {
    match body {
        StateBody::Snapshot { snapshot } => replica.offer_snapshot(stamp, snapshot),
        StateBody::Patch { base, patch } => replica.offer_patch(base, stamp, patch),
    }
}

/// What became of a welcome.
#[derive(Debug)]
#[must_use]
pub(super) enum WelcomeVerdict {
    /// It counts.
    Taken {
        /// The messages of the game that came before it and belong to this player, in order.
        kept: Vec<GameMessage>,
    },
    /// It does not count, or does not help.
    Dropped,
}

impl Session {
    /// Whether a host's message counts. Notes what it means that somebody leads.
    fn accept_host(&mut self, reign: &Reign, from: &Origin, now: Instant) -> bool {
        if let Role::Arriving { silent_since: Some(since) } = self.role
            && now.duration_since(since) >= self.base.config.timing.longest_lease
        {
            // Whoever led before is gone. It must not stand in the way of a room that was founded since.
            self.election.forget_leadership();
            self.replica = Replica::default();
        }
        self.consider_yielding(reign, now);
        if let Some(best) = self.election.leadership().best()
            && best.reign.incarnation == reign.incarnation
            && is_impossible(reign.term, best.reign.term)
        {
            self.base.lend().note_malformed("a reign of an impossible term");
            return false;
        }
        let standing = self.election.on_host(reign, &from.player);
        match standing {
            Standing::Worse => {
                self.base.stats.stale += 1;
                self.answer_stale(now);
                return false;
            }
            Standing::Impostor => {
                self.base.stats.impostors += 1;
                return false;
            }
            Standing::Better | Standing::Same => {}
        }
        if let Role::Peer(peer) = &mut self.role {
            match standing {
                Standing::Same => peer.note_heard(now, &self.base.config.timing),
                _ => peer.note_other_host(),
            }
        }
        self.step_down(now);
        self.withdraw_claim(now);
        self.election.note_alive(now);
        self.on_sign_of_life(now);
        // A player that only joins and does not wait has given up.
        if self.is_closed() {
            return false;
        }
        if standing == Standing::Better {
            self.hellos.want_welcome(now, &mut self.base.lend());
        }
        true
    }

    /// Answers messages of a reign that gave way, if this player hosts.
    pub(super) fn answer_stale(&mut self, now: Instant) {
        if let Role::Host(host) = &mut self.role {
            host.answer_stale(now, &mut self.base.lend());
        }
    }

    /// Gives an old room up for one that lives: a player that was away for longer than the grace period has no right to
    /// bring its room back over another that was founded meanwhile.
    fn consider_yielding(&mut self, living: &Reign, now: Instant) {
        let Some(best) = self.election.leadership().best() else { return };
        let is_other = self.base.feed.is_joined()
            && best.reign.incarnation != living.incarnation
            && !living.is_better_than(&best.reign);
        if !is_other || !self.election.was_away_for_long(now, &self.base.config.timing) {
            return;
        }
        self.step_down(now);
        self.election.forget_leadership();
        self.replica.forget_stamp();
        self.requests.set_sent_to(None);
        self.base.feed.note_missed();
        self.hellos.set_lost_continuity(true);
        self.hellos.want_welcome(now, &mut self.base.lend());
    }

    /// Whether somebody may lead as far as this player knows: within one incarnation only those with a seat lead. A player
    /// that may have missed the admission of others accepts everybody.
    pub(super) fn may_lead(&mut self, reign: &Reign, player: &PlayerId, process: Generation) -> bool {
        let is_own = self.stamp().is_some_and(|stamp| stamp.reign.incarnation == reign.incarnation);
        if !is_own || self.hellos.may_have_missed_seats() || self.roster().contains(player) {
            return true;
        }
        self.base.stats.impostors += 1;
        let is_better = self.election.leadership().best().is_none_or(|best| reign.is_better_than(&best.reign));
        let is_removed = self.rules().removal(player, process).is_some();
        // It is asked, and not believed before it answers. A host asks too: it may have missed the admission of the next one.
        if is_better && !is_removed && matches!(self.role, Role::Peer(_) | Role::Host(_)) {
            self.hellos.doubt(player, self.base.last_step, &mut self.base.timers);
        }
        false
    }

    /// Takes in a host's state. Returns whether it counts.
    pub(super) fn on_state(&mut self, from: &Origin, state: State, now: Instant) -> bool {
        let needs_no_welcome = matches!(self.role, Role::Peer(_)) && !self.hellos.wants_welcome();
        if !self.may_lead(&state.reign, &from.player, state.generation) || !self.accept_host(&state.reign, from, now) {
            return false;
        }
        let is_whole = matches!(state.body, StateBody::Snapshot { .. });
        let stamp = Stamp { reign: state.reign, version: state.version };
        match offer(&mut self.replica, stamp, state.body) {
            Offer::Applied(changes) => {
                if matches!(self.role, Role::Peer(_)) && is_whole && needs_no_welcome {
                    // It brings all that a welcome would.
                    self.hellos.settle_doubts();
                    self.hellos.on_complete_state(&mut self.base.timers);
                }
                self.inbound.note_processes(&changes, self.replica.document(), from.serial.as_ref());
                self.follow(&changes, now);
            }
            Offer::Kept => self.hellos.want_welcome(now, &mut self.base.lend()),
            Offer::Stale => self.base.stats.stale += 1,
            Offer::Broken => {
                self.base.lend().note_malformed("a state that cannot be applied");
                self.hellos.want_welcome(now, &mut self.base.lend());
            }
        }
        true
    }

    /// Takes in the echo of an own state. Returns whether it counts: after a claim nobody takes it.
    pub(super) fn on_own_state(&mut self, from: &Origin, state: State, now: Instant) -> bool {
        let is_best = self.election.is_best(&state.reign);
        let Role::Host(host) = &mut self.role else { return is_best };
        if state.reign != *host.reign() || !is_best {
            return is_best;
        }
        let opens = host.is_opening() && matches!(state.body, StateBody::Snapshot { .. });
        let stamp = Stamp { reign: state.reign, version: state.version };
        let offer = offer(&mut self.replica, stamp, state.body);
        if let Offer::Applied(changes) = &offer {
            self.inbound.note_processes(changes, self.replica.document(), from.serial.as_ref());
        }
        let is_missing = matches!(offer, Offer::Kept | Offer::Broken) && host.is_gap_a_loss();
        if host.on_echo(now, &mut self.base.lend()) {
            self.election.note_alive(now);
        }
        self.confirm_requests(now);
        if is_missing {
            self.lose_continuity(now);
        } else if opens {
            self.activate(now);
        }
        is_best
    }

    pub(super) fn on_lease(&mut self, from: &Origin, lease: Lease, now: Instant) {
        if !self.may_lead(&lease.reign, &from.player, lease.generation) || !self.accept_host(&lease.reign, from, now) {
            return;
        }
        if let Role::Peer(peer) = &mut self.role {
            let stamp = Stamp { reign: lease.reign, version: lease.version };
            peer.on_announced(stamp, &self.replica, now, &mut self.base.timers);
        }
    }

    /// Takes in the echo of an own lease.
    pub(super) fn on_own_lease(&mut self, lease: &Lease, now: Instant) {
        let Role::Host(host) = &mut self.role else { return };
        if lease.reign != *host.reign() {
            return;
        }
        let leadership = self.election.leadership();
        let is_restored = host.on_own_lease(lease, leadership, &self.replica, now, &mut self.base.lend());
        if host.on_echo(now, &mut self.base.lend()) {
            self.election.note_alive(now);
        }
        if is_restored {
            self.activate(now);
        }
    }

    /// Takes in a welcome, and enters the room with it.
    pub(super) fn on_welcome(&mut self, from: &Origin, welcome: Welcome, now: Instant) -> WelcomeVerdict {
        if !self.hellos.is_own_nonce(&welcome.nonce) || welcome.host != from.player {
            // Another process of this player is meant, or the sender welcomes in somebody else's name.
            self.base.stats.impostors += 1;
            return WelcomeVerdict::Dropped;
        }
        if !self.has_seat_in(&welcome.snapshot) {
            self.base.lend().note_malformed("a welcome without a seat");
            return WelcomeVerdict::Dropped;
        }
        // A host that asks about somebody hears that one alone.
        let is_doubted = self.hellos.has_doubts_about(&from.player, now)
            && self.rules().removal(&from.player, welcome.generation).is_none();
        if matches!(self.role, Role::Host(_)) && !self.hellos.wants_welcome() && !is_doubted {
            self.base.stats.stale += 1;
            return WelcomeVerdict::Dropped;
        }
        if !self.accept_host(&welcome.reign, from, now) {
            return WelcomeVerdict::Dropped;
        }
        let stamp = Stamp { reign: welcome.reign, version: welcome.version };
        let changes = match self.replica.offer_snapshot(stamp.clone(), welcome.snapshot) {
            Offer::Applied(changes) => changes,
            Offer::Stale | Offer::Kept => Changes::default(),
            Offer::Broken => {
                self.base.lend().note_malformed("a welcome with a state over the limits");
                return WelcomeVerdict::Dropped;
            }
        };
        if !self.has_seat_in(self.replica.document()) {
            self.hellos.want_welcome(now, &mut self.base.lend());
            return WelcomeVerdict::Dropped;
        }
        self.hellos.on_welcome(&mut self.base.timers);
        if self.base.feed.is_joined() {
            self.inbound.note_processes(&changes, self.replica.document(), None);
            self.follow(&changes, now);
            return WelcomeVerdict::Taken { kept: Vec::new() };
        }
        self.role = Role::Peer(PeerState::new(now));
        self.restart_lease(now);
        self.join(false, now);
        let is_behind = self.inbound.last_state_before_join().is_some_and(|last| self.replica.is_behind(last));
        if self.replica.take_overflowed() && is_behind {
            // The welcome is so old that more came after it than is kept.
            self.lose_continuity(now);
        }
        WelcomeVerdict::Taken { kept: self.inbound.take_kept(&stamp) }
    }

    /// Whether a document gives this process its seat.
    fn has_seat_in(&self, document: &Document) -> bool {
        let seat = document.roster.get(self.base.player());
        seat.is_some_and(|seat| seat.generation == self.base.config.generation)
    }

    pub(super) fn on_refused(&mut self, from: &Origin, refused: Refused) {
        let counts = match refused.process {
            // The sender is the room's host, or hosts the room that the newer process came to.
            Some(process) => {
                let (player, generation) = (self.base.player(), self.base.config.generation);
                let is_newer =
                    self.hellos.knows_newer_process() || self.base.facts.shows_newer_process(player, generation);
                process == generation
                    && refused.refusal == Refusal::Superseded
                    && !from.own
                    && (is_newer || self.roster().contains(&from.player))
            }
            None => self.is_from_host(from) && self.hellos.is_own_nonce(&refused.nonce),
        };
        if counts {
            self.close(refused.refusal.into());
        } else {
            self.base.stats.impostors += 1;
        }
    }

    /// The host asks to wait. The hellos go on by themselves, and bring the player in when it is time.
    pub(super) fn on_wait(&mut self, from: &Origin, wait: &Wait) {
        if !self.is_from_host(from) || !self.hellos.is_own_nonce(&wait.nonce) {
            self.base.stats.impostors += 1;
        } else if self.hellos.note_wait() {
            self.base.feed.emit(SessionEvent::Waiting);
        }
    }

    /// Whether the sender hosts, as far as this player knows.
    fn is_from_host(&self, from: &Origin) -> bool {
        !matches!(self.role, Role::Host(_))
            && self.election.leadership().led().is_none_or(|leader| leader.player == from.player)
    }
}
