//! Taking over a state: being in the room, whose state it is, what became different, and what the game hears of it.

use web_time::Instant;

use crate::{
    CloseReason, LeaveReason, PlayerId, Refusal, Role, SeatStatus, Session, SessionEvent, Term, Told,
    state::document::{Changes, Document},
    state::roster::Seat,
    timer::Timer,
    wire::inbound::MAX_EVENTS,
};
use rooms_client::PresenceCommand;

impl Session {
    /// Tells the game that it is in the room, and what it finds there.
    pub(crate) fn join(&mut self, as_host: bool, now: Instant) {
        self.joined = true;
        self.interrupted = false;
        self.missed = false;
        let term = self.replica.stamp().map_or(Term::default(), |stamp| stamp.reign.term);
        self.tell(SessionEvent::Joined { host: as_host, term });
        self.follow_leader(now);
        let changes = Changes::between(&Document::default(), self.replica.document());
        self.tell_changes(&changes);
        self.show_presence(PresenceCommand::Update);
        self.check_own_seat(now);
    }

    /// Goes on from a state that was just taken over.
    pub(crate) fn follow(&mut self, changes: &Changes, now: Instant) {
        if !self.joined {
            return;
        }
        self.follow_leader(now);
        self.tell_changes(changes);
        self.confirm_requests(now);
        self.check_own_seat(now);
    }

    /// Notes whose state this is.
    fn follow_leader(&mut self, now: Instant) {
        let Some(reign) = self.replica.stamp().map(|stamp| stamp.reign.clone()) else { return };
        if self.followed.as_ref() == Some(&reign) {
            return;
        }
        let Some(leader) = self.promise.led().filter(|leader| leader.reign == reign) else { return };
        let to = leader.player.clone();
        let term = reign.term;
        self.followed = Some(reign);
        self.set_host(to, term);
        self.requests.send_all_again();
        self.timers.set(Timer::Requests, now);
    }

    /// Notes who hosts, and tells the game where that is news.
    pub(crate) fn set_host(&mut self, to: PlayerId, term: Term) {
        if self.host.as_ref() != Some(&to) {
            let from = self.host.replace(to.clone());
            self.tell(SessionEvent::HostChanged { from, to, term });
        }
    }

    /// Looks whether the host still gives this process its seat.
    fn check_own_seat(&mut self, now: Instant) {
        if !matches!(self.role, Role::Peer(_)) {
            return;
        }
        if let Some(reason) = self.own_removal() {
            return self.close(CloseReason::Kicked { reason });
        }
        match self.replica.document().roster.get(&self.config.player) {
            Some(seat) if seat.generation > self.config.generation => {
                self.close(CloseReason::Refused(Refusal::Superseded));
            }
            Some(seat) if seat.status == SeatStatus::Present && Some(&seat.connection) == self.line.connection() => {}
            _ => self.want_welcome(now),
        }
    }

    /// Tells the game what became different. `changes` holds what was before.
    pub(crate) fn tell_changes(&mut self, changes: &Changes) {
        let roster = |session: &Self, player: &PlayerId| session.roster().get(player).cloned();
        let mut arrived = Vec::new();
        for (player, before) in &changes.roster {
            match (before, roster(self, player)) {
                (None, Some(seat)) => arrived.push(seat),
                (before, after) => self.tell_seat(before.as_ref(), after.as_ref()),
            }
        }
        arrived.sort_by_key(|seat| seat.order);
        arrived.iter().for_each(|seat| self.tell_seat(None, Some(seat)));
        if changes.rules.is_some() {
            self.tell(SessionEvent::RulesChanged);
        }
        for (key, before) in &changes.shared {
            if before.as_ref() != self.shared(key) {
                self.tell(SessionEvent::SharedChanged { key: key.clone() });
            }
        }
    }

    /// Tells the game what became of one seat.
    pub(crate) fn tell_seat(&mut self, before: Option<&Seat>, after: Option<&Seat>) {
        let event = match (before, after) {
            (None, None) => return,
            (None, Some(seat)) => SessionEvent::PlayerJoined(seat.player.clone()),
            (Some(seat), None) => {
                let said = self.goodbyes.iter().position(|player| *player == seat.player);
                let reason = said.map_or_else(|| self.reason_to_leave(seat), |_| LeaveReason::Left);
                said.and_then(|at| self.goodbyes.remove(at));
                SessionEvent::PlayerLeft { player: seat.player.clone(), reason }
            }
            (Some(before), Some(after)) => {
                let player = &after.player;
                match (before.status, after.status) {
                    (SeatStatus::Present, SeatStatus::Lost) => {
                        self.tell(SessionEvent::PlayerLost(player.clone()));
                    }
                    (SeatStatus::Lost, SeatStatus::Present) => {
                        self.tell(SessionEvent::PlayerReturned(player.clone()));
                    }
                    // A new process knows nothing of what the one before was told.
                    (SeatStatus::Present, SeatStatus::Present) if before.generation != after.generation => {
                        self.tell(SessionEvent::PlayerReturned(player.clone()));
                    }
                    _ => {}
                }
                if before.profile == after.profile && before.spectator == after.spectator {
                    return;
                }
                SessionEvent::PlayerChanged(player.clone())
            }
        };
        self.tell(event);
    }

    /// Tells the game something. A game that takes no events loses them, and not its memory; the end it still hears.
    pub(crate) fn tell(&mut self, event: SessionEvent) {
        if self.events.len() < 2 * MAX_EVENTS || matches!(event, SessionEvent::Closed(_)) {
            self.events.push_back(Told { event, request: false });
        } else {
            self.stats.overflowed += 1;
        }
    }
}
