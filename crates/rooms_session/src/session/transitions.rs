//! From one role to another: joining, following, leading, stepping down, and the end.

use std::time::Duration;

use rooms_client::PresenceCommand;
use web_time::Instant;

use super::{Role, Session};
use crate::{
    config::Wish,
    election::claim::Claimant,
    event::{CloseReason, Refusal},
    host::state::HostState,
    id::{Reign, Term},
    peer::state::{Gone, PeerState},
    state::{
        document::{Changes, Document},
        replica::Replica,
        roster::SeatStatus,
    },
    timer::Timer,
    wire::outbound::Hold,
};

impl Session {
    /// Sends what still waits, and a goodbye, and closes.
    pub(super) fn depart(&mut self, reason: CloseReason, now: Instant) {
        if self.is_closed() {
            return;
        }
        if self.base.facts.is_up() {
            self.base.outbound.wait_no_more();
            let mut hold = Hold::Nothing;
            if let Role::Host(host) = &mut self.role {
                host.publish_state(now, &mut self.base.lend());
                hold = host.hold();
            }
            // A player on its way in says goodbye as well: the host may have admitted it by now.
            self.base.outbound.send_leave();
            self.base.outbound.flush(hold, now);
        }
        self.close(reason);
    }

    /// Ends the session.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.is_closed() {
            return;
        }
        self.base.show_presence(PresenceCommand::Leave);
        self.base.outbound.release(self.base.facts.room_channel().clone());
        self.base.outbound.release(self.base.facts.inbox_channel().clone());
        self.role = Role::Closed;
        self.election.forget_own();
        self.base.timers.clear();
        self.base.outbound.drop_waiting();
        self.replica = Replica::default();
        self.base.feed.close(reason);
    }

    /// Founds the room once nobody has sent anything for long enough, or closes if the player only wished to join.
    pub(super) fn consider_founding(&mut self, now: Instant) {
        let Role::Arriving { silent_since: Some(since) } = self.role else { return };
        if self.election.is_claiming() || !self.base.facts.is_up() {
            return;
        }
        if let Some(lapses_at) = self.election.leadership().lapses_at().filter(|at| now < *at) {
            // Somebody is about to lead.
            return self.base.timers.set(Timer::Silence, lapses_at);
        }
        let timing = &self.base.config.timing;
        let alone = since + timing.founding_wait_alone + self.hellos.turn();
        // Players that are there may wait for a slow host, and then take the time to replace it.
        let replaced = if self.base.facts.is_alone() { Duration::ZERO } else { timing.longest_lease + timing.gather };
        let long = since + timing.founding_wait.max(replaced);
        match self.base.config.wish {
            Wish::Join if now >= long => self.close(CloseReason::NoHost),
            Wish::Join => self.base.timers.set(Timer::Silence, long),
            Wish::Host | Wish::JoinOrHost if now >= long || (now >= alone && self.base.facts.is_alone()) => {
                // Whoever led before has been silent for longer than any host is.
                self.election.forget_leadership();
                self.replica = Replica::default();
                self.election.found(now, &mut self.base.lend());
            }
            Wish::Host | Wish::JoinOrHost => {
                self.base.timers.set(Timer::Silence, if now < alone { alone } else { long });
            }
        }
    }

    /// Notes that somebody leads, or is about to.
    pub(super) fn on_sign_of_life(&mut self, now: Instant) {
        match &mut self.role {
            Role::Arriving { silent_since } => {
                *silent_since = silent_since.map(|_| now);
                self.consider_founding(now);
            }
            Role::Peer(peer) => {
                peer.on_sign_of_life(now, &self.base.config.timing, &mut self.base.timers);
                self.consider_resumed();
            }
            Role::Host(_) | Role::Closed => {}
        }
    }

    /// Gives the own claim up.
    pub(super) fn withdraw_claim(&mut self, now: Instant) {
        let claimant = match self.role {
            Role::Arriving { .. } => Claimant::Arriving,
            Role::Host(_) => Claimant::Host,
            Role::Peer(_) | Role::Closed => Claimant::Peer,
        };
        self.election.withdraw(claimant, now, &mut self.base.lend());
    }

    /// Tells the game that all is well again, once it is.
    pub(super) fn consider_resumed(&mut self) {
        let is_well = match &self.role {
            Role::Peer(peer) => !peer.is_host_silent(),
            Role::Host(host) => host.is_active(),
            Role::Arriving { .. } | Role::Closed => false,
        };
        if is_well && self.base.facts.is_up() && !self.hellos.lost_continuity() {
            self.base.feed.resume();
        }
    }

    /// Notes that messages may be missing: the state has to come again, and the game has to know.
    pub(super) fn lose_continuity(&mut self, now: Instant) {
        self.base.feed.note_missed();
        match &mut self.role {
            Role::Arriving { .. } => self.hellos.want_welcome_at(now, &mut self.base.timers),
            Role::Peer(peer) => {
                self.hellos.set_lost_continuity(true);
                peer.be_patient(now, &self.base.config.timing, &mut self.base.timers);
                self.hellos.want_welcome(now, &mut self.base.lend());
            }
            Role::Host(_) => {
                self.hellos.set_lost_continuity(true);
                self.reclaim(now);
            }
            Role::Closed => {}
        }
    }

    /// Stops acting as host, and claims to lead anew once others had time to be heard.
    pub(super) fn reclaim(&mut self, now: Instant) {
        self.reclaim_at(now + self.election.time_to_hear_others(now, &self.base.config.timing));
    }

    /// Stops acting as host, and claims to lead anew.
    pub(super) fn reclaim_at(&mut self, at: Instant) {
        if let Role::Host(host) = &mut self.role {
            host.reclaim(&mut self.base.timers);
            self.election.plan_reclaim(at, &mut self.base.timers);
        }
    }

    /// Restarts the clock of the host's lease: the host could not be heard until now.
    pub(super) fn restart_lease(&mut self, now: Instant) {
        if let Role::Peer(peer) = &mut self.role {
            peer.restart_lease(now, &self.base.config.timing, &mut self.base.timers);
        }
    }

    /// Notes that the host does not come back by itself.
    pub(super) fn miss_host(&mut self, gone: Gone, now: Instant) {
        if let Role::Peer(peer) = &mut self.role {
            peer.apply(self.election.miss_host(peer.gone(), gone, &self.replica, now, &mut self.base.lend()));
        }
    }

    /// Tells the game that it is in the room, and what it finds there.
    pub(super) fn join(&mut self, as_host: bool, now: Instant) {
        let term = self.replica.stamp().map_or(Term::default(), |stamp| stamp.reign.term);
        self.base.feed.join(as_host, term);
        self.follow_leader(now);
        let changes = Changes::between(&Document::default(), self.replica.document());
        self.base.feed.emit_changes(&changes, self.role.document(&self.replica));
        self.base.show_presence(PresenceCommand::Update);
        self.check_own_seat(now);
    }

    /// Goes on from a state that just came.
    pub(super) fn follow(&mut self, changes: &Changes, now: Instant) {
        if !self.base.feed.is_joined() {
            return;
        }
        self.follow_leader(now);
        self.base.feed.emit_changes(changes, self.role.document(&self.replica));
        self.confirm_requests(now);
        self.check_own_seat(now);
    }

    /// Notes whose state this is, and sends the open requests to a new host.
    fn follow_leader(&mut self, now: Instant) {
        let Some(reign) = self.replica.stamp().map(|stamp| stamp.reign.clone()) else { return };
        if self.requests.sent_to() == Some(&reign) {
            return;
        }
        let Some(leader) = self.election.leadership().led().filter(|leader| leader.reign == reign) else { return };
        self.base.feed.set_host(leader.player.clone(), reign.term);
        self.requests.set_sent_to(Some(reign));
        self.requests.send_all_again();
        self.base.timers.set(Timer::Requests, now);
    }

    /// Checks that the host still gives this process its seat.
    fn check_own_seat(&mut self, now: Instant) {
        if !matches!(self.role, Role::Peer(_)) {
            return;
        }
        let (document, config) = (self.replica.document(), &self.base.config);
        let seat = document.roster.get(&config.player);
        let removal = document.rules.removal(&config.player, config.generation).filter(|_| seat.is_none());
        if let Some(removal) = removal {
            let reason = removal.reason.clone();
            return self.close(CloseReason::Kicked { reason });
        }
        match seat {
            Some(seat) if seat.generation > config.generation => {
                self.close(CloseReason::Refused(Refusal::Superseded));
            }
            Some(seat)
                if seat.status == SeatStatus::Present && Some(&seat.connection) == self.base.facts.connection() => {}
            _ => self.hellos.want_welcome(now, &mut self.base.lend()),
        }
    }

    /// Notes which of the own requests the document shows as applied.
    pub(super) fn confirm_requests(&mut self, now: Instant) {
        self.requests.on_document(self.replica.document(), now, &mut self.base.lend());
    }

    /// Leads on a claim that held: founds the room, or goes on with it in a new term.
    pub(super) fn lead(&mut self, reign: Reign, now: Instant) {
        self.election.note_leader(&reign, &self.base.config.player);
        self.base.timers.stop(Timer::Lapse);
        match &mut self.role {
            Role::Host(host) => host.lead_again(reign),
            role => {
                let held = self.replica.stamp().cloned();
                let mut document = self.replica.document().clone();
                if held.is_none() {
                    document.migration = self.base.config.migration;
                }
                let mut host = HostState::new(reign, document, held);
                host.mark_absent(now, &mut self.base.lend());
                *role = Role::Host(Box::new(host));
            }
        }
        self.hellos.on_complete_state(&mut self.base.timers);
        for timer in [Timer::Silence, Timer::Election, Timer::Counter, Timer::Behind] {
            self.base.timers.stop(timer);
        }
        if let Role::Host(host) = &mut self.role {
            host.refresh_own_seat(&mut self.base.lend());
        }
        let timing = &self.base.config.timing;
        self.base.timers.set(Timer::Lease, now + timing.lease_interval);
        self.base.timers.set(Timer::Fence, now + timing.self_fence);
        self.base.timers.set(Timer::Seats, now + timing.lease);
    }

    /// Acts as host again, or for the first time: the own messages come back.
    pub(super) fn activate(&mut self, now: Instant) {
        let Role::Host(host) = &mut self.role else { return };
        host.activate(now, &mut self.base.lend());
        self.election.note_alive(now);
        self.hellos.set_lost_continuity(false);
        if self.base.feed.is_joined() {
            self.base.feed.set_host(self.base.config.player.clone(), self.term());
        } else {
            self.join(true, now);
        }
        self.requests.set_sent_to(self.replica.stamp().map(|stamp| stamp.reign.clone()));
        if let Role::Host(host) = &mut self.role {
            host.refresh_own_seat(&mut self.base.lend());
        }
        self.consider_resumed();
        if let Role::Host(host) = &mut self.role {
            host.give_up_left_seats(&mut self.base.lend());
            host.check_seats(now, &mut self.base.lend());
            host.apply_requests(&self.requests, &mut self.base.lend());
        }
    }

    /// Makes a host a peer of whoever leads now, with the state that was confirmed last.
    pub(super) fn step_down(&mut self, now: Instant) {
        if !matches!(self.role, Role::Host(_)) {
            return;
        }
        let is_joined = self.base.feed.is_joined();
        let next = if is_joined { Role::Peer(PeerState::new(now)) } else { Role::Arriving { silent_since: Some(now) } };
        let Role::Host(host) = std::mem::replace(&mut self.role, next) else { return };
        self.election.forget_own();
        self.base.feed.drop_requests();
        if self.base.feed.host() == Some(self.base.player()) {
            self.drop_replaced();
        }
        for timer in [Timer::Claim, Timer::Counter, Timer::Lease, Timer::Fence, Timer::Seats] {
            self.base.timers.stop(timer);
        }
        if is_joined {
            if let Some(leader) = self.election.leadership().led().cloned() {
                self.base.feed.set_host(leader.player, leader.reign.term);
            }
            let changes = Changes::between(host.document(), self.replica.document());
            self.base.feed.emit_changes(&changes, self.replica.document());
            self.requests.send_all_again();
            self.confirm_requests(now);
            self.restart_lease(now);
        }
        self.hellos.want_welcome_at(now, &mut self.base.timers);
    }
}
