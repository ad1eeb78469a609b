//! The peer's part: hello, welcome, following the host's state, and minding its lease.

use std::time::Duration;

use rand::RngExt;
use web_time::Instant;

use crate::{
    LeaveReason, PlayerId, Refusal, Reign, Role, Session, SessionConfig, Stamp, Wish,
    election::claim::MAX_TERM_STEP,
    election::leadership::{Leadership, Standing},
    state::document::Changes,
    state::replica::{Offer, Replica},
    state::roster::Seat,
    timer::Timer,
    wire::inbound::Origin,
    wire::message::{Hello, Lease, Leave, Refused, State, StateBody, Welcome},
};

/// How long to wait before asking for what is missing: it may be on its way, and others miss it too.
const HELLO_JITTER_MS: std::ops::Range<u64> = 150..400;

/// What is added to the hello interval at most, so that many who arrive together do not keep in step.
const REPEAT_JITTER_MS: u64 = 500;

/// Shortest time between two hellos, however often something is found missing.
const MIN_HELLO_INTERVAL: Duration = Duration::from_secs(1);

/// How long a state may stay behind what a lease announced.
pub(crate) const BEHIND: Duration = Duration::from_millis(300);

/// What tells that the host does not come back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Its lease ran out, it said goodbye, or it named a successor.
    ForSure,
    /// Presence says that its connection is gone; it may be back on another.
    Disconnected,
}

/// A player who follows a host.
#[derive(Debug)]
pub(crate) struct PeerState {
    /// When the host was heard last, or the clock of its lease was started anew.
    pub lease_from: Instant,
    /// Whether the game was told that the host is silent.
    pub host_silent: bool,
    /// Why another player is to take the host's place, if one is.
    pub gone: Option<Gone>,
    /// What a lease announced that is not here.
    announced: Option<Stamp>,
    /// Whether somebody leads, or is about to, who has no seat here. It may have got one of which this player did not hear.
    doubts: bool,
}

impl PeerState {
    pub(crate) fn new(now: Instant) -> Self {
        Self { lease_from: now, host_silent: false, gone: None, announced: None, doubts: false }
    }
}

impl Session {
    /// Says hello, and sees to it that it is said again until there is a welcome.
    pub(crate) fn say_hello(&mut self, now: Instant) {
        let missing = match &self.role {
            Role::Arriving { .. } => true,
            Role::Peer(peer) => self.wants_welcome || peer.doubts,
            Role::Host(_) | Role::Closed => false,
        };
        if !missing || !self.line.is_up() {
            return;
        }
        let hello = Hello {
            generation: self.config.generation,
            nonce: self.nonce.clone(),
            profile: self.config.profile.clone(),
            fingerprint: self.config.fingerprint.clone(),
            // Who was in the room stays in it, whoever hosts it now.
            wish: if self.joined { Wish::Join } else { self.config.wish },
            first_request: self.requests.first_kept(),
            best: self.promise.best().map(|best| best.reign.clone()),
        };
        self.say_urgent(hello.into());
        self.last_hello = Some(now);
        let jitter = Duration::from_millis(self.rng.random_range(0..REPEAT_JITTER_MS));
        self.timers.set(Timer::Hello, now + self.config.timing.hello_interval + jitter);
    }

    /// Asks the host for what is missing, after a short wait.
    pub(crate) fn want_welcome(&mut self, now: Instant) {
        let jitter = Duration::from_millis(self.rng.random_range(HELLO_JITTER_MS));
        let allowed = self.last_hello.map_or(now, |last| last + MIN_HELLO_INTERVAL);
        self.want_welcome_at((now + jitter).max(allowed));
    }

    pub(crate) fn want_welcome_at(&mut self, at: Instant) {
        if matches!(self.role, Role::Arriving { .. } | Role::Peer(_)) {
            self.wants_welcome = true;
            self.timers.hasten(Timer::Hello, at);
        }
    }

    /// Asks the host who has a seat, without taking the word of one that has none.
    fn doubt(&mut self, now: Instant) {
        let allowed = self.last_hello.map_or(now, |last| last + MIN_HELLO_INTERVAL);
        if let Role::Peer(peer) = &mut self.role
            && !peer.doubts
        {
            peer.doubts = true;
            self.timers.hasten(Timer::Hello, allowed.max(now));
        }
    }

    /// Whether a host's word counts; notes what it means that somebody leads.
    fn heed(&mut self, reign: &Reign, from: &Origin, now: Instant) -> bool {
        if let Role::Arriving { silent_since: Some(since) } = self.role
            && now.duration_since(since) >= self.config.timing.lease
        {
            // Whoever led before is gone; it must not stand in the way of a room founded since.
            self.promise = Leadership::default();
            self.replica = Replica::default();
        }
        self.consider_yielding(reign, now);
        if let Some(best) = self.promise.best()
            && best.reign.incarnation == reign.incarnation
            && reign.term.0 > best.reign.term.0.saturating_add(MAX_TERM_STEP)
        {
            self.note_malformed("a reign of an impossible term");
            return false;
        }
        let standing = self.promise.hear_host(reign, &from.player);
        match standing {
            Standing::Worse => {
                self.stats.stale += 1;
                self.answer_stale(now);
                return false;
            }
            Standing::Impostor => {
                self.stats.impostors += 1;
                return false;
            }
            Standing::Better | Standing::Same => {}
        }
        if matches!(self.role, Role::Host(_)) {
            self.step_down(now);
        }
        self.withdraw_claim(now);
        self.alive_at = Some(now);
        self.hear_sign_of_life(now);
        if standing == Standing::Better {
            self.want_welcome(now);
        }
        true
    }

    /// Whether somebody may lead as far as this player knows: only those with a seat lead within one incarnation.
    ///
    /// A player that may have missed the admission of others takes anybody's word.
    pub(crate) fn may_lead(&mut self, reign: &Reign, player: &PlayerId) -> bool {
        let own = self.stamp().is_some_and(|stamp| stamp.reign.incarnation == reign.incarnation);
        let missed = self.wants_welcome || self.lost_continuity;
        let may = !own || missed || self.roster().contains(player);
        if !may {
            self.stats.impostors += 1;
            if self.promise.best().is_none_or(|best| reign.is_better_than(&best.reign)) {
                self.doubt(self.last_step);
            }
        }
        may
    }

    /// Somebody leads, or is about to.
    pub(crate) fn hear_sign_of_life(&mut self, now: Instant) {
        match &mut self.role {
            Role::Arriving { silent_since } => {
                *silent_since = silent_since.map(|_| now);
                self.consider_founding(now);
            }
            Role::Peer(peer) => {
                (peer.lease_from, peer.host_silent, peer.gone) = (now, false, None);
                self.timers.set(Timer::Silence, now + self.config.timing.lease);
                self.timers.stop(Timer::Election);
                self.timers.stop(Timer::Counter);
                self.consider_resumed();
            }
            Role::Host(_) | Role::Closed => {}
        }
    }

    /// Takes in a host's state, and tells whether it counts.
    pub(crate) fn hear_state(&mut self, from: &Origin, state: State, now: Instant) -> bool {
        let needs_no_welcome = matches!(self.role, Role::Peer(_)) && !self.wants_welcome;
        if !self.may_lead(&state.reign, &from.player) || !self.heed(&state.reign, from, now) {
            return false;
        }
        let stamp = Stamp { reign: state.reign, version: state.version };
        let whole = matches!(state.body, StateBody::Snapshot { .. });
        let offer = match state.body {
            StateBody::Patch { base, patch } => self.replica.offer_patch(base, stamp, patch),
            StateBody::Snapshot { snapshot } => self.replica.offer_snapshot(stamp, snapshot),
        };
        match offer {
            Offer::Applied(changes) => {
                if let Role::Peer(peer) = &mut self.role
                    && whole
                    && needs_no_welcome
                {
                    // It brings all that a welcome would.
                    self.wants_welcome = false;
                    peer.doubts = false;
                    self.timers.stop(Timer::Hello);
                }
                self.note_processes(&changes, from.serial.as_ref());
                self.follow(&changes, now);
            }
            Offer::Kept => self.want_welcome(now),
            Offer::Stale => self.stats.stale += 1,
            Offer::Broken => {
                self.note_malformed("a state that cannot be applied");
                self.want_welcome(now);
            }
        }
        true
    }

    pub(crate) fn hear_lease(&mut self, from: &Origin, lease: Lease, now: Instant) {
        if !self.may_lead(&lease.reign, &from.player) || !self.heed(&lease.reign, from, now) {
            return;
        }
        let stamp = Stamp { reign: lease.reign, version: lease.version };
        let Role::Peer(peer) = &mut self.role else { return };
        if self.replica.is_behind(&stamp) && peer.announced.is_none() {
            peer.announced = Some(stamp);
            self.timers.set(Timer::Behind, now + BEHIND);
        }
    }

    /// Asks for the state that a lease announced, if it still has not come; as host, says it again.
    pub(crate) fn check_behind(&mut self, now: Instant) {
        let announced = match &mut self.role {
            Role::Peer(peer) => peer.announced.take(),
            Role::Host(lead) => lead.announced.take(),
            Role::Arriving { .. } | Role::Closed => None,
        };
        if !announced.is_some_and(|stamp| self.replica.is_behind(&stamp)) {
            return;
        }
        match &self.role {
            Role::Host(lead) if lead.snapshot_due => {}
            Role::Host(_) => self.note_state_failed(),
            _ => self.want_welcome(now),
        }
    }

    pub(crate) fn hear_welcome(&mut self, from: &Origin, welcome: Welcome, now: Instant) {
        if welcome.nonce != self.nonce || welcome.host != from.player {
            // Another process of this player is meant, or the sender welcomes in somebody else's name.
            self.stats.impostors += 1;
            return;
        }
        let admitted = |seat: &Seat| seat.generation == self.config.generation;
        if !welcome.snapshot.roster.get(&self.config.player).is_some_and(admitted) {
            return self.note_malformed("a welcome without a seat");
        }
        if matches!(self.role, Role::Host(_)) && !self.wants_welcome {
            self.stats.stale += 1;
            return;
        }
        if !self.heed(&welcome.reign, from, now) {
            return;
        }
        let stamp = Stamp { reign: welcome.reign, version: welcome.version };
        let changes = match self.replica.offer_snapshot(stamp.clone(), welcome.snapshot) {
            Offer::Applied(changes) => changes,
            Offer::Stale | Offer::Kept => Changes::default(),
            Offer::Broken => return self.note_malformed("a welcome with a state over the limits"),
        };
        let admitted = |seat: &Seat| seat.generation == self.config.generation;
        if !self.replica.document().roster.get(&self.config.player).is_some_and(admitted) {
            return self.want_welcome(now);
        }
        self.wants_welcome = false;
        self.waiting = false;
        self.lost_continuity = false;
        if let Role::Peer(peer) = &mut self.role {
            peer.doubts = false;
        }
        self.timers.stop(Timer::Hello);
        if self.joined {
            self.note_processes(&changes, None);
            self.follow(&changes, now);
        } else {
            self.role = Role::Peer(PeerState::new(now));
            self.restart_lease(now);
            self.join(false, now);
            self.hear_early(&stamp, now);
        }
        self.consider_resumed();
    }

    pub(crate) fn hear_refused(&mut self, from: &Origin, refused: Refused) {
        let counts = match refused.process {
            // Whoever hosts by now is known here, or has founded a room of its own that the newer process came to.
            Some(process) => {
                let SessionConfig { player, generation, .. } = &self.config;
                let is_newer = self.newer_process || self.line.shows_newer_process(player, *generation);
                process == *generation
                    && refused.refusal == Refusal::Superseded
                    && !from.own
                    && (is_newer || self.roster().contains(&from.player))
            }
            None => {
                let hosts = self.promise.led().is_none_or(|leader| leader.player == from.player);
                refused.nonce == self.nonce && hosts && !matches!(self.role, Role::Host(_))
            }
        };
        if !counts {
            self.stats.impostors += 1;
            return;
        }
        self.close(refused.refusal.into());
    }

    pub(crate) fn hear_leave(&mut self, from: &Origin, leave: &Leave, now: Instant) {
        let Some(seat) = self.roster().get(&from.player) else { return };
        // A goodbye from an older connection or process means nothing.
        if seat.connection != from.connection || seat.generation != leave.generation || from.own {
            self.stats.stale += 1;
            return;
        }
        if self.goodbyes.len() >= crate::wire::inbound::MAX_GOODBYES {
            self.goodbyes.pop_front();
        }
        self.goodbyes.push_back(from.player.clone());
        match self.role {
            Role::Host(_) => self.give_up_seat(&from.player, LeaveReason::Left),
            Role::Peer(_) if self.host.as_ref() == Some(&from.player) => self.hear_host_leave(now),
            _ => {}
        }
    }
}
