//! The seats, as the host keeps them: given, marked as lost or present, and given up.
//!
//! Decides who keeps a seat. Who gets one is decided in `admission.rs`.

use rooms_protocol::{PresenceAction, PresenceMessage};
use web_time::Instant;

use super::state::HostState;
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
                self.players.nonces.remove(&vanished);
                self.set_applied(&vanished, None);
            }
            self.set_applied(player, Some(applied));
        }
        self.players.nonces.insert(player.clone(), hello.nonce.clone());
        self.players.welcomes.insert(player.clone(), hello.nonce);
        self.players.seen.insert(player.clone(), now);
        self.players.grace.remove(player);
        if old.as_ref() != Some(&seat) {
            self.set_seat(seat, cx);
        }
    }

    /// Takes a seat away, if the host acts: its player left, or was gone for too long. `said_goodbye` forgets the player's
    /// counter as well.
    pub(crate) fn give_up_seat(&mut self, player: &PlayerId, said_goodbye: bool, cx: &mut Context) {
        if self.is_active() && *player != *cx.player() {
            self.vacate(player, said_goodbye, cx);
        }
    }

    /// Takes a seat away.
    pub(crate) fn vacate(&mut self, player: &PlayerId, said_goodbye: bool, cx: &mut Context) {
        let Some(old) = self.document().roster.get(player).cloned() else { return };
        self.working.set_seat(player, None);
        if said_goodbye {
            self.set_applied(player, None);
            self.players.nonces.remove(player);
        }
        self.intake.forget(player);
        self.players.welcomes.remove(player);
        self.players.seen.remove(player);
        self.players.grace.remove(player);
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
                self.players.grace.insert(player, until);
                cx.timers.hasten(Timer::Seats, until);
            }
            SeatStatus::Present => {
                self.players.grace.remove(&player);
                self.players.seen.insert(player, now);
            }
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
                let is_gone =
                    seat.connection == *connection && !cx.connectivity.shows_process(&player, seat.generation);
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
            let is_missing = || cx.connectivity.is_synced() && !cx.connectivity.shows_seat(seat);
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
            seat.is_some_and(|seat| !cx.connectivity.shows_connection(&seat.connection, player))
        };
        let gone: Vec<PlayerId> = cx.feed.goodbyes().filter(is_gone).cloned().collect();
        gone.iter().for_each(|player| self.give_up_seat(player, true, cx));
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
            let is_shown = cx.connectivity.shows_seat(seat);
            match seat.status {
                // A player that was just admitted may not have entered presence yet.
                SeatStatus::Present if !is_shown && cx.connectivity.is_synced() => {
                    let seen = self.players.seen.get(&seat.player);
                    if seen.is_none_or(|seen| now.duration_since(*seen) >= timing.lease * 2) {
                        lost.push(Seat { status: SeatStatus::Lost, ..seat.clone() });
                    }
                }
                SeatStatus::Present => {}
                SeatStatus::Lost => {
                    let until = *self.players.grace.entry(seat.player.clone()).or_insert(now + timing.grace);
                    if until <= now {
                        expired.push(seat.player.clone());
                    } else {
                        next = Some(next.map_or(until, |next: Instant| next.min(until)));
                    }
                }
            }
        }
        if let Some(next) = next {
            cx.timers.hasten(Timer::Seats, next);
        }
        lost.into_iter().for_each(|seat| self.mark(seat, now, cx));
        expired.iter().for_each(|player| self.give_up_seat(player, false, cx));
    }
}
