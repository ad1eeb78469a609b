//! Each message and presence message to its handler.

use rooms_protocol::{Message, PresenceMessage};
use web_time::Instant;

use super::{Role, Session, from_host::WelcomeVerdict};
use crate::{
    config::{MAX_PROFILE_SIZE, Migration},
    election::{claim::is_impossible, leadership::Leader, turn::shows_host_gone},
    event::CloseReason,
    host::seats::Departure,
    id::Stamp,
    peer::state::Gone,
    state::json::json_fits,
    wire::{
        bundle::unpack,
        inbound::{Accepted, Delivery, Publish, Received},
        message::{Hello, Leave, Origin, RoomMessage},
        payload::GameMessage,
    },
};

/// Longest nonce, in bytes: four times the length of our own.
const MAX_NONCE: usize = 64;

impl Session {
    /// Takes in the messages of one publish, on the room's channel or in the inbox.
    pub(super) fn on_messages(&mut self, inbox: bool, messages: Vec<Message>, now: Instant) {
        self.note_sign_of_life(&messages, now);
        let mut publish = Publish::default();
        if !inbox {
            let is_own =
                |message: &Message| message.connection_id.as_ref().is_some_and(|id| self.base.facts.is_own(id));
            let others = messages.iter().filter(|message| !is_own(message)).count();
            self.base.outbound.pace_mut().note_others(others, now);
        }
        let unpacked = messages.into_iter().flat_map(|message| match unpack(message) {
            Ok(messages) => messages.into_iter().map(Ok).collect(),
            Err(what) => vec![Err(what)],
        });
        for message in unpacked {
            if self.is_closed() {
                return;
            }
            let message = match message {
                Ok(message) => message,
                Err(what) => {
                    self.base.lend().note_malformed(&what);
                    continue;
                }
            };
            match self.inbound.read(inbox, message, &self.base.config.player, &self.base.facts) {
                Received::Room(from, message) => {
                    let connection = from.connection.clone();
                    if !self.on_room_message(&from, *message, now) {
                        publish.set_void(connection);
                    }
                }
                Received::Game(message) if publish.is_void(&message.from.connection) => self.drop_void(message),
                Received::Game(message) => self.deliver(message, now),
                Received::Nothing => {}
                Received::Malformed(what) => self.base.lend().note_malformed(&what),
                Received::Impostor => self.base.stats.impostors += 1,
            }
        }
    }

    /// Hands a message of the game to it, or keeps it until the player is in the room.
    fn deliver(&mut self, message: GameMessage, now: Instant) {
        if !self.base.feed.is_joined() {
            return self.inbound.keep_until_join(message);
        }
        let document = self.role.document(&self.replica);
        let Accepted { delivery, is_echo_missing } =
            self.inbound.accept(message, document, self.base.config.generation);
        if is_echo_missing {
            self.lose_continuity(now);
        }
        match delivery {
            Delivery::Deliver(message) => {
                self.base.feed.emit_message(message.from.player, message.kind, message.data);
            }
            Delivery::Drop => {}
            Delivery::Stale => self.base.stats.stale += 1,
            Delivery::Impostor => self.base.stats.impostors += 1,
        }
    }

    /// Takes in a message about the room. Returns `false` for a state that does not count.
    fn on_room_message(&mut self, from: &Origin, message: RoomMessage, now: Instant) -> bool {
        // A seat that a host gave counts once its state came back: before, another player may have claimed to lead.
        let seat = self.replica.document().roster.get(&from.player).map(|seat| seat.generation);
        let is_superseded = seat.is_some_and(|seat| message.generation() < seat);
        if is_superseded && !matches!(message, RoomMessage::Hello(_)) {
            self.base.stats.stale += 1;
            if let Role::Host(host) = &mut self.role {
                host.send_superseded(from, message.generation(), now, &mut self.base.lend());
            }
            return !matches!(message, RoomMessage::State(_));
        }
        if let RoomMessage::State(state) = &message
            && !self.base.feed.is_joined()
        {
            self.inbound.note_state_before_join(Stamp { reign: state.reign.clone(), version: state.version });
        }
        match message {
            RoomMessage::Hello(hello) => self.on_hello(from, hello, now),
            RoomMessage::Claim(claim) => self.on_claim(from, claim, now),
            RoomMessage::HandOver(hand_over) => self.on_hand_over(from, &hand_over, now),
            RoomMessage::Leave(leave) => self.on_leave(from, &leave, now),
            RoomMessage::Request(request) => {
                if let Role::Host(host) = &mut self.role {
                    host.on_request(from, request, &mut self.base.lend());
                }
            }
            RoomMessage::State(state) if from.own => return self.on_own_state(from, state, now),
            RoomMessage::Lease(lease) if from.own => self.on_own_lease(&lease, now),
            RoomMessage::State(state) => return self.on_state(from, state, now),
            RoomMessage::Lease(lease) => self.on_lease(from, lease, now),
            RoomMessage::Welcome(welcome) => {
                if let WelcomeVerdict::Taken { kept } = self.on_welcome(from, welcome, now) {
                    kept.into_iter().for_each(|message| self.deliver(message, now));
                    self.consider_resumed();
                }
            }
            RoomMessage::Refused(refused) => self.on_refused(from, refused),
            RoomMessage::Wait(wait) => self.on_wait(from, &wait),
            // Reading has joined the fragments already.
            RoomMessage::Part(_) => {}
        }
        true
    }

    fn on_hello(&mut self, from: &Origin, hello: Hello, now: Instant) {
        if from.own {
            return;
        }
        if hello.nonce.len() > MAX_NONCE || !json_fits(&hello.profile, MAX_PROFILE_SIZE) {
            return self.base.lend().note_malformed("a hello with a nonce or profile over the limit");
        }
        if from.player == *self.base.player() && hello.generation > self.base.config.generation {
            self.hellos.note_newer_process();
        }
        let Role::Host(host) = &mut self.role else { return };
        if !host.is_active() {
            return;
        }
        let own = host.reign();
        let is_missed = |best: &crate::Reign| {
            best.incarnation == own.incarnation && best.is_better_than(own) && !is_impossible(best.term, own.term)
        };
        if let Some(best) = hello.best.clone().filter(is_missed) {
            // This host missed a claim: it claims above it.
            let leader = Leader { reign: best, player: from.player.clone() };
            self.election.on_missed_claim(leader, now, &mut self.base.lend());
            return self.reclaim(now);
        }
        host.admit(from, hello, None, self.asks_game, now, &mut self.base.lend());
    }

    fn on_leave(&mut self, from: &Origin, leave: &Leave, now: Instant) {
        let Some(seat) = self.roster().get(&from.player) else { return };
        // A goodbye from an older connection or process means nothing.
        if seat.connection != from.connection || seat.generation != leave.generation || from.own {
            self.base.stats.stale += 1;
            return;
        }
        self.base.feed.note_goodbye(from.player.clone());
        match &mut self.role {
            Role::Host(host) => host.give_up_seat(&from.player, Departure::ForGood, &mut self.base.lend()),
            Role::Peer(_) if self.base.feed.host() == Some(&from.player) => {
                if self.replica.document().migration == Migration::Never {
                    return self.close(CloseReason::HostLost);
                }
                self.miss_host(Gone::ForSure, now);
            }
            _ => {}
        }
    }

    /// Takes in who came and went.
    pub(super) fn on_presence(&mut self, messages: &[PresenceMessage], now: Instant) {
        for message in messages {
            self.base.facts.on_presence(message);
            match &mut self.role {
                Role::Peer(_) if shows_host_gone(message, &self.replica.document().roster, &self.base.lend()) => {
                    self.miss_host(Gone::Disconnected, now);
                }
                Role::Host(host) => host.on_presence(message, now, &mut self.base.lend()),
                _ => {}
            }
        }
        self.consider_founding(now);
    }
}
