//! What the game is told: the queue of events, and what the game knows so far.
//!
//! Owns the events, and the facts that decide whether something is news to the game: whether it is in the room, who hosts,
//! whether it was told of an interruption, and who said goodbye. Does not decide what happens in the room.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;
use smol_str::SmolStr;

use crate::{
    event::{CloseReason, Continuity, InterruptReason, LeaveReason, SessionEvent},
    id::{PlayerId, Term},
    state::{
        document::{Changes, Document},
        roster::{Seat, SeatStatus},
        rules::RoomRules,
    },
};

/// Most events that wait for the game. Beyond them messages are dropped, and requests wait.
pub(crate) const MAX_EVENTS: usize = 16 * 1024;

/// Most goodbyes that are remembered until the host gives the seats up.
const MAX_GOODBYES: usize = 64;

/// An event that waits for the game.
#[derive(Debug)]
struct Queued {
    event: SessionEvent,
    /// Whether it is a request. A player that no longer hosts must not act on it: its sender sends it again.
    request: bool,
}

/// What the game is told, and what it knows.
#[derive(Debug, Default)]
pub(crate) struct GameFeed {
    events: VecDeque<Queued>,
    /// The keys of the shared state of which the queue tells.
    shared: BTreeSet<SmolStr>,
    /// How many events were dropped because the game did not take them.
    overflowed: u64,
    /// Whether the game was told that it is in the room.
    joined: bool,
    /// The player that hosts, as the game was told.
    host: Option<PlayerId>,
    /// Whether the game was told of an interruption.
    interrupted: bool,
    /// Whether the game has to be told that messages may be missing.
    missed: bool,
    /// The players that said goodbye and still have a seat.
    goodbyes: VecDeque<PlayerId>,
}

impl GameFeed {
    /// Whether the player is in the room.
    pub(crate) fn is_joined(&self) -> bool {
        self.joined
    }

    /// Who hosts the room.
    pub(crate) fn host(&self) -> Option<&PlayerId> {
        self.host.as_ref()
    }

    /// How many events were dropped.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Whether the game can be handed a request.
    pub(crate) fn has_capacity(&self) -> bool {
        self.events.len() < MAX_EVENTS
    }

    /// Takes the next event. A value of the shared state is read from `document` only now: a queue of values could become
    /// very large.
    pub(crate) fn poll(&mut self, document: &Document) -> Option<SessionEvent> {
        let mut event = self.events.pop_front()?.event;
        if let SessionEvent::SharedChanged { key, value } = &mut event {
            self.shared.remove(key);
            *value = document.shared.get(key).cloned();
        }
        Some(event)
    }

    /// Queues an event. A game that takes no events loses them, so that memory stays bounded; it always gets the last
    /// event, [`SessionEvent::Closed`].
    pub(crate) fn emit(&mut self, event: SessionEvent) {
        if self.events.len() < 2 * MAX_EVENTS || matches!(event, SessionEvent::Closed(_)) {
            self.events.push_back(Queued { event, request: false });
        } else {
            self.overflowed += 1;
        }
    }

    /// Queues a message of the game, unless too many events wait.
    pub(crate) fn emit_message(&mut self, sender: PlayerId, kind: SmolStr, data: Value) {
        if self.has_capacity() {
            self.emit(SessionEvent::Message { sender, kind, data });
        } else {
            self.overflowed += 1;
        }
    }

    /// Queues a request for the game of the host. The caller has checked [`has_capacity`](Self::has_capacity).
    pub(crate) fn emit_request(&mut self, sender: PlayerId, kind: SmolStr, data: Value) {
        self.events.push_back(Queued { event: SessionEvent::Message { sender, kind, data }, request: true });
    }

    /// Drops the requests that the game has not taken: the player no longer hosts.
    pub(crate) fn drop_requests(&mut self) {
        self.events.retain(|queued| !queued.request);
    }

    /// Tells the game that it is in the room.
    pub(crate) fn join(&mut self, as_host: bool, term: Term) {
        self.joined = true;
        self.interrupted = false;
        self.missed = false;
        self.emit(SessionEvent::Joined { host: as_host, term });
    }

    /// Tells the game that the session is over.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        self.joined = false;
        self.host = None;
        self.emit(SessionEvent::Closed(reason));
    }

    /// Notes who hosts, and tells the game if that is news.
    pub(crate) fn set_host(&mut self, to: PlayerId, term: Term) {
        if self.host.as_ref() != Some(&to) {
            let from = self.host.replace(to.clone());
            self.emit(SessionEvent::HostChanged { from, to, term });
        }
    }

    /// Notes that messages may be missing. The game is told when the session resumes.
    pub(crate) fn note_missed(&mut self) {
        self.missed = true;
    }

    /// Tells a game that is in the room of an interruption, once until it resumes.
    pub(crate) fn interrupt(&mut self, reason: InterruptReason) {
        if self.joined && !self.interrupted {
            self.interrupted = true;
            self.emit(SessionEvent::Interrupted { reason });
        }
    }

    /// Tells the game that all is well again, if it has anything to hear about. The caller has checked that all is well.
    pub(crate) fn resume(&mut self) {
        if self.joined && (self.interrupted || self.missed) {
            let continuity = if self.missed { Continuity::Lost } else { Continuity::Kept };
            (self.interrupted, self.missed) = (false, false);
            self.emit(SessionEvent::Resumed { continuity });
        }
    }

    /// Notes that a player said goodbye, until its seat is given up.
    pub(crate) fn note_goodbye(&mut self, player: PlayerId) {
        if self.goodbyes.len() >= MAX_GOODBYES {
            self.goodbyes.pop_front();
        }
        self.goodbyes.push_back(player);
    }

    /// The players that said goodbye and still have a seat.
    pub(crate) fn goodbyes(&self) -> impl Iterator<Item = &PlayerId> {
        self.goodbyes.iter()
    }

    /// Tells the game what changed. `changes` holds what was before, `now` what is.
    pub(crate) fn emit_changes(&mut self, changes: &Changes, now: &Document) {
        let mut arrived = Vec::new();
        for (player, before) in &changes.roster {
            match (before, now.roster.get(player)) {
                (None, Some(seat)) => arrived.push(seat),
                (before, after) => self.emit_seat(before.as_ref(), after, &now.rules),
            }
        }
        arrived.sort_by_key(|seat| seat.order);
        arrived.into_iter().for_each(|seat| self.emit_seat(None, Some(seat), &now.rules));
        if changes.rules.is_some() {
            self.emit(SessionEvent::RulesChanged);
        }
        for (key, before) in &changes.shared {
            if before.as_ref() != now.shared.get(key) {
                self.emit_shared(key);
            }
        }
    }

    /// Tells the game that a value of the shared state changed, unless it is about to read the value anyway.
    fn emit_shared(&mut self, key: &SmolStr) {
        if !self.shared.contains(key) {
            let queued = self.events.len();
            self.emit(SessionEvent::SharedChanged { key: key.clone(), value: None });
            // The game may take so few events that this one was dropped.
            if self.events.len() > queued {
                self.shared.insert(key.clone());
            }
        }
    }

    /// Tells the game what became of one seat.
    pub(crate) fn emit_seat(&mut self, before: Option<&Seat>, after: Option<&Seat>, rules: &RoomRules) {
        match (before, after) {
            (None, None) => {}
            (None, Some(seat)) => self.emit(SessionEvent::PlayerJoined(seat.player.clone())),
            (Some(seat), None) => {
                let reason = self.leave_reason(seat, rules);
                self.emit(SessionEvent::PlayerLeft { player: seat.player.clone(), reason });
            }
            (Some(before), Some(after)) => self.emit_seat_change(before, after),
        }
    }

    fn emit_seat_change(&mut self, before: &Seat, after: &Seat) {
        let player = &after.player;
        match (before.status, after.status) {
            (SeatStatus::Present, SeatStatus::Lost) => self.emit(SessionEvent::PlayerLost(player.clone())),
            (SeatStatus::Lost, SeatStatus::Present) => self.emit(SessionEvent::PlayerReturned(player.clone())),
            // A new process knows nothing of what the one before it was told.
            (SeatStatus::Present, SeatStatus::Present) if before.generation != after.generation => {
                self.emit(SessionEvent::PlayerReturned(player.clone()));
            }
            _ => {}
        }
        if before.profile != after.profile || before.spectator != after.spectator {
            self.emit(SessionEvent::PlayerChanged(player.clone()));
        }
    }

    /// Why a seat was given up. The one place that decides it, for the host and for peers.
    fn leave_reason(&mut self, seat: &Seat, rules: &RoomRules) -> LeaveReason {
        if let Some(at) = self.goodbyes.iter().position(|player| *player == seat.player) {
            self.goodbyes.remove(at);
            return LeaveReason::Left;
        }
        match rules.removal(&seat.player, seat.generation) {
            Some(removal) if removal.is_ban() => LeaveReason::Banned,
            Some(_) => LeaveReason::Kicked,
            None => LeaveReason::Vanished,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::roster::tests::seat;

    fn player(name: &str) -> PlayerId {
        PlayerId::new(name).unwrap()
    }

    fn told(feed: &mut GameFeed) -> Vec<SessionEvent> {
        std::iter::from_fn(|| feed.poll(&Document::default())).collect()
    }

    #[test]
    fn a_goodbye_explains_one_departure() {
        let mut feed = GameFeed::default();
        let (ada, rules) = (seat("ada", 0), RoomRules::default());
        feed.note_goodbye(player("ada"));
        feed.emit_seat(Some(&ada), None, &rules);
        feed.emit_seat(Some(&ada), None, &rules);
        let left = |reason| SessionEvent::PlayerLeft { player: player("ada"), reason };
        assert_eq!(told(&mut feed), [left(LeaveReason::Left), left(LeaveReason::Vanished)]);
    }

    #[test]
    fn an_interruption_is_told_once_and_only_in_the_room() {
        let mut feed = GameFeed::default();
        feed.interrupt(InterruptReason::HostSilent);
        feed.resume();
        assert_eq!(told(&mut feed), []);
        feed.join(false, Term(1));
        told(&mut feed);
        feed.interrupt(InterruptReason::HostSilent);
        feed.interrupt(InterruptReason::NoEcho);
        feed.note_missed();
        feed.resume();
        feed.resume();
        let expected = [
            SessionEvent::Interrupted { reason: InterruptReason::HostSilent },
            SessionEvent::Resumed { continuity: Continuity::Lost },
        ];
        assert_eq!(told(&mut feed), expected);
    }

    #[test]
    fn a_game_that_takes_no_events_loses_messages_and_still_hears_the_end() {
        let mut feed = GameFeed::default();
        for _ in 0..3 * MAX_EVENTS {
            feed.emit_message(player("ada"), "wave".into(), json!(null));
            feed.emit(SessionEvent::RulesChanged);
        }
        feed.close(CloseReason::Left);
        assert_eq!(feed.overflowed(), 4 * MAX_EVENTS as u64);
        assert_eq!(told(&mut feed).pop(), Some(SessionEvent::Closed(CloseReason::Left)));
    }

    #[test]
    fn requests_are_dropped_and_messages_stay_when_the_player_no_longer_hosts() {
        let mut feed = GameFeed::default();
        feed.emit_request(player("ada"), "ask".into(), json!(1));
        feed.emit_message(player("ada"), "wave".into(), json!(2));
        feed.drop_requests();
        let expected = SessionEvent::Message { sender: player("ada"), kind: "wave".into(), data: json!(2) };
        assert_eq!(told(&mut feed), [expected]);
    }

    #[test]
    fn a_value_that_changes_several_times_before_the_game_reads_it_is_told_once_and_as_it_is_now() {
        let (mut feed, mut document) = (GameFeed::default(), Document::default());
        let mut set = |feed: &mut GameFeed, value| {
            let mut changes = Changes::default();
            document.set_shared(&"score".into(), value, &mut changes);
            feed.emit_changes(&changes, &document);
            document.clone()
        };
        set(&mut feed, Some(json!(1)));
        feed.emit_message(player("ada"), "wave".into(), json!(null));
        let document = set(&mut feed, Some(json!(2)));
        let changed = |value| SessionEvent::SharedChanged { key: "score".into(), value };
        assert_eq!(feed.poll(&document), Some(changed(Some(json!(2)))));
        assert!(matches!(feed.poll(&document), Some(SessionEvent::Message { .. })));
        assert_eq!(feed.poll(&document), None);
        let document = set(&mut feed, None);
        assert_eq!(feed.poll(&document), Some(changed(None)), "it is told again, and that the key is gone");
    }
}
