//! What comes in: messages are read, joined from their fragments, and checked for doubles.
//!
//! Owns what has to be remembered for that: unfinished fragments, how far each player's messages were received, and what
//! came before the welcome. Does not decide what a message about the room means.

use rooms_protocol::{ConnectionId, Extras, Message, MessageAction, MessageSerial};
use serde_json::Value;
use smol_str::SmolStr;

use super::{
    dedup::{Dedup, Numbered},
    fragment::Reassembler,
    message::{Origin, RESERVED, RoomMessage},
    payload::{is_to_others, json_of, numbering},
    pre_join::PreJoin,
};
use crate::{
    connectivity::facts::Connectivity,
    id::{Generation, PlayerId, Stamp},
    state::document::{Changes, Document},
};

/// A message of the game.
#[derive(Debug)]
pub(crate) struct GameMessage {
    pub inbox: bool,
    pub from: Origin,
    pub kind: SmolStr,
    pub data: Value,
    pub extras: Option<Extras>,
}

/// A message as it was read.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message about the room.
    Room(Origin, RoomMessage),
    /// A message of the game.
    Game(GameMessage),
    /// Nothing to act on: one fragment of several, or a message that only later versions know.
    Nothing,
    /// A message that makes no sense.
    Malformed(String),
    /// A message from somebody who cannot be a player.
    Impostor,
}

/// Whether the game gets a message.
#[derive(Debug)]
pub(crate) enum Delivery {
    Deliver(GameMessage),
    /// Already received, of an old process, or this player's own message to the others.
    Drop,
    /// Received twice, or from a process that lost its seat.
    Stale,
    /// From a player that was removed from the room.
    Impostor,
}

/// What is known of the publish whose messages are being received.
///
/// What a host sends in a frame belongs to the state of that frame. If the state does not count, because another host
/// leads by now, then what the host sent with it does not count either.
#[derive(Debug, Default)]
pub(crate) struct Publish {
    /// The connection that published a state that does not count.
    void: Option<ConnectionId>,
}

impl Publish {
    /// Notes that a connection published a state that does not count.
    pub(crate) fn set_void(&mut self, connection: ConnectionId) {
        self.void = Some(connection);
    }

    /// Whether the messages of a connection do not count.
    pub(crate) fn is_void(&self, connection: &ConnectionId) -> bool {
        self.void.as_ref() == Some(connection)
    }
}

/// What comes in.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    reassembler: Reassembler,
    dedup: Dedup,
    pre_join: PreJoin,
}

impl Inbound {
    /// Reads a message of the room's channel or of the inbox. `player` is this player.
    pub(crate) fn read(
        &mut self,
        inbox: bool,
        message: Message,
        player: &PlayerId,
        connectivity: &Connectivity,
    ) -> Received {
        if message.action.is_some_and(|action| action != MessageAction::Create) {
            return Received::Nothing;
        }
        let Some(name) = message.name else { return Received::Malformed("a message without a name".to_owned()) };
        let Some(sender) = message.client_id.as_ref().and_then(PlayerId::from_client_id) else {
            return Received::Impostor;
        };
        let Some(connection) = message.connection_id else {
            return Received::Malformed("a message from nowhere".to_owned());
        };
        let own = sender == *player && connectivity.is_own(&connection);
        let from = Origin { player: sender, connection, serial: message.serial, own };
        let Some(data) = json_of(message.data) else {
            return Received::Malformed("a message with bytes for data".to_owned());
        };
        if name.starts_with(RESERVED) {
            self.read_room_message(inbox, from, &name, &data)
        } else {
            Received::Game(GameMessage { inbox, from, kind: name.into(), data, extras: message.extras })
        }
    }

    fn read_room_message(&mut self, inbox: bool, from: Origin, name: &str, data: &Value) -> Received {
        let message = match RoomMessage::decode(name, data) {
            Ok(Some(RoomMessage::Part(part))) => {
                let kind = part.kind.clone();
                let Some(text) = self.reassembler.add(&from.connection, part) else { return Received::Nothing };
                let whole = serde_json::from_str(&text).and_then(|data| RoomMessage::decode(&kind, &data));
                // Fragments do not nest.
                whole.map(|message| message.filter(|message| !matches!(message, RoomMessage::Part(_))))
            }
            other => other,
        };
        match message {
            Ok(Some(message)) if message.belongs_in_inbox() != inbox => {
                Received::Malformed("a message about the room on a channel where it does not belong".to_owned())
            }
            Ok(Some(message)) => Received::Room(from, message),
            Ok(None) => {
                log::debug!("a message {name:?} about the room is not known here");
                Received::Nothing
            }
            Err(error) => Received::Malformed(format!("{name}: {error}")),
        }
    }

    /// Decides whether the game of a player in the room gets a message. `document` is the room as the player sees it, and
    /// `generation` the player's process. Also tells whether an own message before this one is missing.
    pub(crate) fn accept(
        &mut self,
        message: GameMessage,
        document: &Document,
        generation: Generation,
    ) -> (Delivery, bool) {
        let (from, inbox) = (&message.from, message.inbox);
        let seated = document.roster.contains(&from.player);
        if !from.own && !seated && document.rules.removed.contains_key(&from.player) {
            return (Delivery::Impostor, false);
        }
        let mut missing = false;
        if let Some((sender_generation, sequence)) = numbering(message.extras.as_ref()) {
            if from.own && !inbox && sender_generation == generation {
                missing = self.dedup.on_echo(sequence);
            }
            let numbered = Numbered { generation: sender_generation, sequence, serial: from.serial.clone() };
            // A player without a seat is not remembered, because there could be any number of them.
            if seated && !self.dedup.is_news(&from.player, inbox, numbered) {
                return (Delivery::Stale, missing);
            }
        }
        if from.own && !inbox && is_to_others(message.extras.as_ref()) {
            return (Delivery::Drop, missing);
        }
        (Delivery::Deliver(message), missing)
    }

    /// The number of the next own message of the game.
    pub(crate) fn next_sequence(&mut self, inbox: bool) -> u64 {
        self.dedup.next(inbox)
    }

    /// Notes that an own message will not come back.
    pub(crate) fn note_failed(&mut self, sequence: u64) {
        self.dedup.note_failed(sequence);
    }

    /// Notes that nothing sent so far will come back.
    pub(crate) fn expect_no_echo(&mut self) {
        self.dedup.expect_no_echo();
    }

    /// Notes which processes a state of this serial gives their seats. What older processes of those players send after it
    /// is dropped. A hello alone does not end the older process, because the host may refuse it. `changes` holds what was
    /// before, `now` what is.
    pub(crate) fn note_processes(&mut self, changes: &Changes, now: &Document, serial: Option<&MessageSerial>) {
        for (player, before) in &changes.roster {
            let (Some(before), Some(seat)) = (before, now.roster.get(player)) else { continue };
            if seat.generation > before.generation {
                self.dedup.note_process(player, seat.generation, serial);
            }
        }
    }

    /// Notes a state that somebody published before this player is in the room.
    pub(crate) fn note_state_before_join(&mut self, stamp: Stamp) {
        self.pre_join.note_state(stamp);
    }

    /// Keeps a message of the game until this player is in the room.
    pub(crate) fn keep_until_join(&mut self, message: GameMessage) {
        self.pre_join.keep(message);
    }

    /// The messages that belong to a player that was welcomed with this state, in order.
    pub(crate) fn take_kept(&mut self, welcome: &Stamp) -> Vec<GameMessage> {
        self.pre_join.take(welcome)
    }
}
