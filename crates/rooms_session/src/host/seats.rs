//! The host's part: who gets a seat, who loses it, and whose requests are applied.

use std::time::Duration;

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    Admission, Generation, LeaveReason, PlayerId, Refusal, Role, Seat, SeatStatus, Session, SessionEvent, Told, Wish,
    connectivity::facts::member_data,
    election::claim::MAX_TERM_STEP,
    election::leadership::{Leader, OpenClaim},
    host::state::HostState,
    state::document::{Applied, json_fits},
    timer::Timer,
    wire::inbound::{MAX_EVENTS, MAX_PROFILE_SIZE, Origin},
    wire::message::{Hello, Nonce, RESERVED, Refused, Request},
    wire::outbound::{Content, Lane},
};
use rooms_protocol::{PresenceAction, PresenceMessage};

/// Longest nonce, in bytes: four times our own.
const MAX_NONCE: usize = 64;

/// Shortest wait before requests are looked at again.
const MIN_RETRY: Duration = Duration::from_millis(50);

/// Shortest time between words to processes that lost their seats.
const MIN_SUPERSEDED_INTERVAL: Duration = Duration::from_secs(1);

/// What the host makes of a hello.
pub(crate) enum Judgement {
    /// The process has its seat already.
    Again(Seat),
    /// A new process of the player takes its seat over.
    TakeOver(Seat),
    /// Somebody new comes in.
    New {
        spectator: bool,
    },
    /// Somebody new comes in if the game agrees.
    Ask,
    /// Somebody new comes in later.
    Wait,
    Refused(Refusal),
}

/// How a player is seated.
struct Seating {
    /// The seat that it has already.
    old: Option<Seat>,
    /// Whether the process before this one is gone.
    new_process: bool,
    spectator: bool,
}

impl Session {
    pub(crate) fn hear_hello(&mut self, from: &Origin, hello: Hello, now: Instant) {
        if from.own {
            return;
        }
        if hello.nonce.len() > MAX_NONCE || !json_fits(&hello.profile, MAX_PROFILE_SIZE) {
            return self.note_malformed("a hello with a nonce or profile over the limit");
        }
        self.newer_process |= from.player == self.config.player && hello.generation > self.config.generation;
        let Role::Host(lead) = &self.role else { return };
        if !lead.is_active() {
            return;
        }
        if let Some(best) = hello.best.clone()
            && best.incarnation == lead.reign.incarnation
            && best.is_better_than(&lead.reign)
            && best.term.0 <= lead.reign.term.0.saturating_add(MAX_TERM_STEP)
        {
            // This host missed a claim: it claims above it.
            let lapses_at = now + self.config.timing.gather * 2;
            let leader = Leader { reign: best, player: from.player.clone() };
            self.promise.hear_claim(OpenClaim { leader, stamp: None, lapses_at });
            self.timers.set(Timer::Lapse, lapses_at);
            return self.reclaim(now);
        }
        self.decide(from, hello, None, now);
    }

    /// Does what the rules say about a hello; `answer` is the game's, where it was asked.
    pub(crate) fn decide(&mut self, from: &Origin, hello: Hello, answer: Option<Admission>, now: Instant) {
        let Role::Host(lead) = &self.role else { return };
        if !lead.is_active() {
            return;
        }
        match self.judge(lead, from, &hello, answer) {
            Judgement::Refused(refusal) => self.refuse(from.player.clone(), &hello, refusal),
            Judgement::Again(old) => {
                let seating = Seating { spectator: old.spectator, old: Some(old), new_process: false };
                self.seat(from, hello, seating, now);
            }
            Judgement::TakeOver(old) => {
                let seating = Seating { spectator: old.spectator, old: Some(old), new_process: true };
                self.seat(from, hello, seating, now);
            }
            // Who vanished and comes back may send again what was applied.
            Judgement::New { spectator } => {
                let new_process = lead.nonces.get(&from.player).is_some_and(|nonce| *nonce != hello.nonce);
                self.seat(from, hello, Seating { old: None, new_process, spectator }, now);
            }
            Judgement::Ask => self.ask_game(from, hello, now),
            Judgement::Wait => self.have_wait(from.player.clone(), &hello),
        }
    }

    fn judge(&self, lead: &HostState, from: &Origin, hello: &Hello, answer: Option<Admission>) -> Judgement {
        let roster = &lead.working.roster;
        if from.player == self.config.player {
            return Judgement::Refused(Refusal::IdTaken);
        }
        if hello.fingerprint != self.config.fingerprint {
            let (own, theirs) = (hello.fingerprint.clone(), self.config.fingerprint.clone());
            return Judgement::Refused(Refusal::ProtocolMismatch { own, theirs });
        }
        if hello.wish == Wish::Host {
            let (host, name) = (self.config.player.clone(), self.config.profile.name.clone());
            return Judgement::Refused(Refusal::HostExists { host, name });
        }
        let Some(seat) = roster.get(&from.player) else {
            return self.judge_newcomer(lead, from, hello, answer);
        };
        if hello.generation < seat.generation {
            return Judgement::Refused(Refusal::Superseded);
        }
        if hello.generation > seat.generation {
            return Judgement::TakeOver(seat.clone());
        }
        match lead.nonces.get(&from.player) {
            Some(nonce) if *nonce != hello.nonce => {
                let alive = seat.connection != from.connection
                    && seat.status == SeatStatus::Present
                    && self.line.shows_connection(&seat.connection, &from.player);
                if alive { Judgement::Refused(Refusal::IdTaken) } else { Judgement::TakeOver(seat.clone()) }
            }
            _ => Judgement::Again(seat.clone()),
        }
    }

    fn seat(&mut self, from: &Origin, hello: Hello, seating: Seating, now: Instant) {
        let Seating { old, new_process, spectator } = seating;
        let Role::Host(lead) = &mut self.role else { return };
        let player = &from.player;
        let seat = Seat {
            player: player.clone(),
            generation: hello.generation,
            connection: from.connection.clone(),
            profile: hello.profile,
            status: SeatStatus::Present,
            spectator,
            order: old.as_ref().map_or_else(|| lead.working.roster.next_order(), |old| old.order),
        };
        let last_given_up = hello.first_request.saturating_sub(1);
        let known = lead.working.applied.get(player).copied().filter(|known| known.generation == hello.generation);
        if new_process {
            lead.intake.forget(player);
        }
        let sequence = match known {
            Some(known) if !new_process => known.sequence.max(last_given_up),
            _ => last_given_up,
        };
        let applied = Applied { generation: hello.generation, sequence };
        if known != Some(applied) {
            lead.forget_a_vanished_player();
            lead.set_applied(player, Some(applied));
        }
        lead.nonces.insert(player.clone(), hello.nonce.clone());
        lead.welcomes.insert(player.clone(), hello.nonce);
        lead.seen.insert(player.clone(), now);
        lead.grace.remove(player);
        if old.as_ref() != Some(&seat) {
            lead.set_seat(player, Some(seat.clone()));
            self.tell_seat(old.as_ref(), Some(&seat));
        }
        self.apply_requests_of(&from.player);
    }

    fn refuse(&mut self, player: PlayerId, hello: &Hello, refusal: Refusal) {
        // A flood of hellos must not crowd out the game; whoever is refused for good asks again.
        if self.outgoing.has_room() {
            let generation = self.config.generation;
            let refused = Refused { generation, nonce: hello.nonce.clone(), process: None, refusal };
            self.say(Lane::Inbox(player), refused.into(), Content::Other);
        }
    }

    /// Tells a process to stop that goes on in a seat which a newer one has. It may have missed that, as one that was frozen,
    /// and even lead those who are gone; nobody else hears it.
    pub(crate) fn tell_superseded(&mut self, from: &Origin, process: Generation, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        let allowed = lead.last_superseded.is_none_or(|last| now.duration_since(last) >= MIN_SUPERSEDED_INTERVAL);
        if !allowed || !lead.is_active() {
            return;
        }
        lead.last_superseded = Some(now);
        let (generation, refusal) = (self.config.generation, Refusal::Superseded);
        let refused = Refused { generation, nonce: Nonce::default(), process: Some(process), refusal };
        self.say_urgent_on(Lane::Inbox(from.player.clone()), refused.into());
    }

    /// Takes a seat away, since its player left or was gone for too long.
    pub(crate) fn give_up_seat(&mut self, player: &PlayerId, reason: LeaveReason) {
        let Role::Host(lead) = &self.role else { return };
        if lead.is_active() && *player != self.config.player {
            self.vacate(player, reason);
        }
    }

    /// Takes a seat away.
    pub(crate) fn vacate(&mut self, player: &PlayerId, reason: LeaveReason) {
        let Role::Host(lead) = &mut self.role else { return };
        let Some(old) = lead.working.roster.get(player).cloned() else { return };
        lead.set_seat(player, None);
        if reason == LeaveReason::Left {
            lead.set_applied(player, None);
            lead.nonces.remove(player);
        }
        lead.intake.forget(player);
        lead.welcomes.remove(player);
        lead.seen.remove(player);
        lead.grace.remove(player);
        self.tell_seat(Some(&old), None);
    }

    /// Marks a seat's player as there or lost.
    fn mark(&mut self, seat: Seat, now: Instant) {
        let grace = self.config.timing.grace;
        let Role::Host(lead) = &mut self.role else { return };
        let player = seat.player.clone();
        let old = lead.working.roster.get(&player).cloned();
        if old.as_ref() == Some(&seat) {
            return;
        }
        match seat.status {
            SeatStatus::Lost => {
                lead.grace.insert(player.clone(), now + grace);
                self.timers.hasten(Timer::Seats, now + grace);
            }
            SeatStatus::Present => {
                lead.grace.remove(&player);
                lead.seen.insert(player.clone(), now);
            }
        }
        lead.set_seat(&player, Some(seat.clone()));
        self.tell_seat(old.as_ref(), Some(&seat));
    }

    /// Takes in who came and went. Presence is a hint: it says whose connection is there, and nothing else.
    pub(crate) fn hear_presence(&mut self, words: &[PresenceMessage], now: Instant) {
        for word in words {
            self.line.hear_presence(word);
            self.notice_host_leave(word, now);
            let Role::Host(lead) = &self.role else { continue };
            let player = word.client_id.as_ref().and_then(PlayerId::from_client_id);
            let (Some(player), Some(connection)) = (player, &word.connection_id) else { continue };
            let Some(seat) = lead.working.roster.get(&player) else { continue };
            if !lead.is_active() || player == self.config.player {
                continue;
            }
            match word.action {
                PresenceAction::Leave | PresenceAction::Absent => {
                    let gone = seat.connection == *connection && !self.line.shows_process(&player, seat.generation);
                    if gone && seat.status == SeatStatus::Present {
                        self.mark(Seat { status: SeatStatus::Lost, ..seat.clone() }, now);
                    }
                }
                _ if member_data(word).generation == Some(seat.generation) && seat.status == SeatStatus::Lost => {
                    let connection = connection.clone();
                    self.mark(Seat { status: SeatStatus::Present, connection, ..seat.clone() }, now);
                }
                _ => {}
            }
        }
        self.consider_founding(now);
    }

    /// Marks the seats of those lost who are not there as a new reign begins, the old host's too.
    pub(crate) fn mark_absent(&mut self, now: Instant) {
        let Role::Host(lead) = &self.role else { return };
        let (old_host, line) = (self.host.as_ref(), &self.line);
        let absent = |seat: &&Seat| {
            let shown = line.shows_process(&seat.player, seat.generation)
                || line.shows_connection(&seat.connection, &seat.player);
            seat.player != self.config.player && (old_host == Some(&seat.player) || (line.synced && !shown))
        };
        let absent: Vec<Seat> = lead.working.roster.iter().filter(absent).cloned().collect();
        for seat in absent {
            self.mark(Seat { status: SeatStatus::Lost, ..seat }, now);
        }
    }

    /// Gives up the seats of those who said goodbye while nobody led.
    pub(crate) fn give_up_left_seats(&mut self) {
        let Role::Host(lead) = &self.role else { return };
        let gone = |player: &&PlayerId| {
            let seat = lead.working.roster.get(player);
            seat.is_some_and(|seat| !self.line.shows_connection(&seat.connection, player))
        };
        let gone: Vec<PlayerId> = self.goodbyes.iter().filter(gone).cloned().collect();
        gone.iter().for_each(|player| self.give_up_seat(player, LeaveReason::Left));
    }

    /// Looks after seats whose players presence does not show, and gives up those that were lost for too long.
    pub(crate) fn check_seats(&mut self, now: Instant) {
        let timing = self.config.timing;
        let Role::Host(lead) = &mut self.role else { return };
        self.timers.set(Timer::Seats, now + timing.lease);
        if !lead.is_active() {
            return;
        }
        let (mut changed, mut expired, mut next) = (Vec::new(), Vec::new(), None);
        for seat in lead.working.roster.iter().filter(|seat| seat.player != self.config.player) {
            let shown = self.line.shows_process(&seat.player, seat.generation)
                || self.line.shows_connection(&seat.connection, &seat.player);
            match seat.status {
                // Whoever was just admitted may not have entered presence yet.
                SeatStatus::Present if !shown && self.line.synced => {
                    let seen = lead.seen.get(&seat.player);
                    if seen.is_none_or(|seen| now.duration_since(*seen) >= timing.lease * 2) {
                        changed.push(Seat { status: SeatStatus::Lost, ..seat.clone() });
                    }
                }
                SeatStatus::Present => {}
                SeatStatus::Lost => {
                    let until = *lead.grace.entry(seat.player.clone()).or_insert(now + timing.grace);
                    if until <= now {
                        expired.push(seat.player.clone());
                    } else {
                        next = Some(next.map_or(until, |next: Instant| next.min(until)));
                    }
                }
            }
        }
        if let Some(next) = next {
            self.timers.hasten(Timer::Seats, next);
        }
        changed.into_iter().for_each(|seat| self.mark(seat, now));
        expired.iter().for_each(|player| self.give_up_seat(player, LeaveReason::Vanished));
    }

    /// Takes in a peer's request.
    pub(crate) fn hear_request(&mut self, from: &Origin, request: Request, _now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        let seat = lead.working.roster.get(&from.player);
        if seat.is_none_or(|seat| seat.generation != request.generation) {
            self.stats.stale += 1;
            return;
        }
        let mut applied = lead.working.applied(&from.player);
        let given_up = request.first_unconfirmed.saturating_sub(1);
        if lead.is_active() && given_up > applied {
            lead.set_applied(&from.player, Some(Applied { generation: request.generation, sequence: given_up }));
            applied = given_up;
        }
        lead.intake.keep(&from.player, applied, request.sequence, request.kind, request.data);
        self.apply_requests_of(&from.player);
    }

    /// Applies every request whose turn it is, the host's own too.
    pub(crate) fn apply_requests(&mut self) {
        let Role::Host(lead) = &self.role else { return };
        lead.intake.players().iter().for_each(|player| self.apply_requests_of(player));
        self.apply_own_requests();
    }

    fn apply_requests_of(&mut self, player: &PlayerId) {
        while self.events.len() < MAX_EVENTS {
            let Role::Host(lead) = &mut self.role else { return };
            if !lead.is_active() {
                return;
            }
            let Some((sequence, kind, data)) = lead.intake.take_next(player, lead.working.applied(player)) else {
                return;
            };
            self.apply(player.clone(), sequence, kind, data);
        }
    }

    pub(crate) fn apply_own_requests(&mut self) {
        let player = self.config.player.clone();
        while self.events.len() < MAX_EVENTS {
            let Role::Host(lead) = &self.role else { return };
            let next = lead.working.applied(&player).checked_add(1).filter(|_| lead.is_active());
            let Some(sequence) = next else { return };
            let Some((kind, data)) = self.requests.get(sequence) else { return };
            self.apply(player.clone(), sequence, kind.clone(), data.clone());
        }
    }

    /// Hands a request to the game; the counter goes out in the same patch as what the game makes of it.
    fn apply(&mut self, sender: PlayerId, sequence: u64, kind: SmolStr, data: Value) {
        if let Role::Host(lead) = &mut self.role
            && let Some(generation) = lead.working.roster.get(&sender).map(|seat| seat.generation)
        {
            lead.set_applied(&sender, Some(Applied { generation, sequence }));
        }
        if kind.starts_with(RESERVED) {
            return self.note_malformed("a request of a reserved kind");
        }
        // The callers see to it that there is room.
        self.events.push_back(Told { event: SessionEvent::Message { sender, kind, data }, request: true });
    }

    /// Sends requests that are new or were not confirmed in time.
    pub(crate) fn send_requests(&mut self, now: Instant) {
        match &self.role {
            Role::Host(_) => return self.apply_own_requests(),
            Role::Peer(_) if self.line.is_up() && self.joined => {}
            _ => return,
        }
        let Some(host) = self.host.clone() else { return };
        let (due, next) = self.requests.due(self.config.timing.request_retry, now);
        for (request, repeated) in due {
            let lane = Lane::Inbox(host.clone());
            if repeated {
                self.say_urgent_on(lane, request.into());
            } else {
                self.say(lane, request.into(), Content::Other);
            }
        }
        if let Some(next) = next {
            self.timers.hasten(Timer::Requests, next.max(now + MIN_RETRY));
        }
    }

    /// Notes which of the own requests the document shows as applied.
    pub(crate) fn confirm_requests(&mut self, now: Instant) {
        let document = self.replica.document();
        let own = |generation| generation == self.config.generation;
        let sequence = match document.applied.get(&self.config.player) {
            Some(applied) => own(applied.generation).then_some(applied.sequence),
            // A host has no counter before its first request; what it counted on its own is void once it gave way.
            None => document.roster.get(&self.config.player).and_then(|seat| own(seat.generation).then_some(0)),
        };
        if let Some(sequence) = sequence {
            self.requests.confirm(sequence, self.config.timing.request_kept, now);
            if self.requests.unconfirmed() > 0 {
                self.timers.hasten(Timer::Requests, now);
            }
        }
    }
}
