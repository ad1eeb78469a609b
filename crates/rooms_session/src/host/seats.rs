//! The seats, as the host keeps them: given, marked as lost or present, and given up.
//!
//! Decides who keeps a seat. Who gets one is decided in `admission.rs`.

use rooms_protocol::{PresenceAction, PresenceMessage};
use web_time::Instant;

use super::{players::SeatVerdict, state::HostState};
use crate::{
    connectivity::facts::member_data,
    context::Context,
    id::PlayerId,
    state::{
        document::Applied,
        roster::{Seat, SeatStatus},
    },
    timer::Timer,
    wire::message::{Hello, Origin},
};

/// How a player is seated.
#[derive(Debug)]
pub(super) struct Seating {
    /// The seat that it has already.
    pub old: Option<Seat>,
    /// Whether the process before this one is gone.
    pub new_process: bool,
    pub spectator: bool,
}

/// Whether a player whose seat is taken away may come back with requests that it sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It said goodbye. Its counter of applied requests is forgotten.
    ForGood,
    /// It vanished or was removed. Its counter stays, so that no request is applied twice.
    MayReturn,
}

impl HostState {
    /// Gives a player its seat, and plans its welcome.
    pub(super) fn seat(&mut self, from: &Origin, hello: Hello, seating: Seating, now: Instant, cx: &mut Context) {
        let Seating { old, new_process, spectator } = seating;
        let player = &from.player;
        let next_order = || self.document().roster.next_order();
        let seat = Seat {
            player: player.clone(),
            generation: hello.generation,
            connection: from.connection.clone(),
            profile: hello.profile,
            status: SeatStatus::Present,
            spectator,
            order: old.as_ref().map_or_else(next_order, |old| old.order),
        };
        let last_given_up = hello.first_request.saturating_sub(1);
        let known = self.document().applied.get(player).copied();
        let known = known.filter(|known| known.generation == hello.generation);
        if new_process {
            self.intake.forget(player);
        }
        let sequence = match known {
            Some(known) if !new_process => known.sequence.max(last_given_up),
            _ => last_given_up,
        };
        let applied = Applied { generation: hello.generation, sequence };
        if known != Some(applied) {
            if let Some(vanished) = self.working.superfluous_counter() {
                self.players.forget_process(&vanished);
                self.set_applied(&vanished, None);
            }
            self.set_applied(player, Some(applied));
        }
        self.players.admit(player, hello.nonce.clone(), now);
        self.welcomes.plan(player, hello.nonce);
        if old.as_ref() != Some(&seat) {
            self.set_seat(seat, cx);
        }
    }

    /// Takes a seat away, if the host acts: its player left, or was gone for too long.
    pub(crate) fn give_up_seat(&mut self, player: &PlayerId, departure: Departure, cx: &mut Context) {
        if self.is_active() && *player != *cx.player() {
            self.vacate(player, departure, cx);
        }
    }

    /// Takes a seat away.
    pub(crate) fn vacate(&mut self, player: &PlayerId, departure: Departure, cx: &mut Context) {
        let Some(old) = self.document().roster.get(player).cloned() else { return };
        self.working.set_seat(player, None);
        if departure == Departure::ForGood {
            self.set_applied(player, None);
            self.players.forget_process(player);
        }
        self.intake.forget(player);
        self.welcomes.drop(player);
        self.players.note_left(player);
        cx.feed.emit_seat(Some(&old), None, &self.working.get().rules);
    }

    /// Makes all spectators players.
    pub(crate) fn seat_spectators(&mut self, cx: &mut Context) {
        let watching: Vec<Seat> = self.document().roster.iter().filter(|seat| seat.spectator).cloned().collect();
        watching.into_iter().for_each(|seat| self.set_seat(Seat { spectator: false, ..seat }, cx));
    }

    /// Marks a seat's player as present or lost.
    fn mark(&mut self, seat: Seat, now: Instant, cx: &mut Context) {
        if self.document().roster.get(&seat.player) == Some(&seat) {
            return;
        }
        let player = seat.player.clone();
        match seat.status {
            SeatStatus::Lost => {
                let until = now + cx.config.timing.grace;
                self.players.note_lost(&player, until);
                cx.timers.hasten(Timer::Seats, until);
            }
            SeatStatus::Present => self.players.note_present(&player, now),
        }
        self.set_seat(seat, cx);
    }

    /// Takes in a presence message. Presence is a hint: it tells whose connection is there, and nothing else.
    pub(crate) fn on_presence(&mut self, message: &PresenceMessage, now: Instant, cx: &mut Context) {
        let player = message.client_id.as_ref().and_then(PlayerId::from_client_id);
        let (Some(player), Some(connection)) = (player, &message.connection_id) else { return };
        let Some(seat) = self.document().roster.get(&player).cloned() else { return };
        if !self.is_active() || player == *cx.player() {
            return;
        }
        match message.action {
            PresenceAction::Leave | PresenceAction::Absent => {
                let is_gone = seat.connection == *connection && !cx.facts.shows_process(&player, seat.generation);
                if is_gone && seat.status == SeatStatus::Present {
                    self.mark(Seat { status: SeatStatus::Lost, ..seat }, now, cx);
                }
            }
            _ if member_data(message).generation == Some(seat.generation) && seat.status == SeatStatus::Lost => {
                let connection = connection.clone();
                self.mark(Seat { status: SeatStatus::Present, connection, ..seat }, now, cx);
            }
            _ => {}
        }
    }

    /// Marks as lost, as a new reign begins, the players who are not there. The old host is among them.
    pub(crate) fn mark_absent(&mut self, now: Instant, cx: &mut Context) {
        let is_absent = |seat: &&Seat| {
            let is_old_host = cx.feed.host() == Some(&seat.player);
            let is_missing = || cx.facts.is_synced() && !cx.facts.shows_seat(seat);
            seat.player != *cx.player() && (is_old_host || is_missing())
        };
        let absent: Vec<Seat> = self.document().roster.iter().filter(is_absent).cloned().collect();
        for seat in absent {
            self.mark(Seat { status: SeatStatus::Lost, ..seat }, now, cx);
        }
    }

    /// Gives up the seats of those who said goodbye while nobody led.
    pub(crate) fn give_up_left_seats(&mut self, cx: &mut Context) {
        let is_gone = |player: &&PlayerId| {
            let seat = self.document().roster.get(player);
            seat.is_some_and(|seat| !cx.facts.shows_connection(&seat.connection, player))
        };
        let gone: Vec<PlayerId> = cx.feed.goodbyes().filter(is_gone).cloned().collect();
        gone.iter().for_each(|player| self.give_up_seat(player, Departure::ForGood, cx));
    }

    /// Marks the seats of players whom presence does not show, and gives up those that were lost for too long.
    pub(crate) fn check_seats(&mut self, now: Instant, cx: &mut Context) {
        let timing = cx.config.timing;
        cx.timers.set(Timer::Seats, now + timing.lease);
        if !self.is_active() {
            return;
        }
        let (mut lost, mut expired, mut next) = (Vec::new(), Vec::new(), None);
        for seat in self.working.get().roster.iter().filter(|seat| seat.player != *cx.player()) {
            match self.players.check(seat, cx.facts, now, &timing) {
                SeatVerdict::Present => {}
                SeatVerdict::Missing => lost.push(Seat { status: SeatStatus::Lost, ..seat.clone() }),
                SeatVerdict::KeptUntil(until) => next = Some(next.map_or(until, |next: Instant| next.min(until))),
                SeatVerdict::Expired => expired.push(seat.player.clone()),
            }
        }
        if let Some(next) = next {
            cx.timers.hasten(Timer::Seats, next);
        }
        lost.into_iter().for_each(|seat| self.mark(seat, now, cx));
        expired.iter().for_each(|player| self.give_up_seat(player, Departure::MayReturn, cx));
    }
}
