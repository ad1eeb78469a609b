//! What comes in: messages are read, joined from their fragments, and checked for doubles.
//!
//! Owns what has to be remembered for that: unfinished fragments, how far each player's messages were received, and what
//! came before the welcome. Does not decide what a message about the room means.

use rooms_protocol::{ConnectionId, Message, MessageAction, MessageSerial};
use serde_json::Value;

use super::{
    dedup::{Dedup, Numbered},
    fragment::Reassembler,
    message::{Origin, RESERVED, RoomMessage},
    payload::{Audience, GameMessage, audience, json_of, numbering},
    pre_join::PreJoin,
};
use crate::{
    connectivity::facts::ConnectionFacts,
    id::{Generation, PlayerId, Stamp},
    state::document::{Changes, Document},
};

/// A message as it was read.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message about the room.
    Room(Origin, Box<RoomMessage>),
    /// A message of the game.
    Game(GameMessage),
    /// Nothing to act on: one fragment of several, or a message that only later versions know.
    Nothing,
    /// A message that makes no sense.
    Malformed(String),
    /// A message from somebody who cannot be a player.
    Impostor,
}

/// What became of a message of the game.
#[derive(Debug)]
#[must_use]
pub(crate) struct Accepted {
    /// Whether the game gets it.
    pub delivery: Delivery,
    /// Whether it is an own message, and one before it did not come back.
    pub is_echo_missing: bool,
}

/// Whether the game gets a message.
#[derive(Debug)]
#[must_use]
pub(crate) enum Delivery {
    /// The game gets it.
    Deliver(GameMessage),
    /// This player's own message to the others.
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
        facts: &ConnectionFacts,
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
        let own = sender == *player && facts.is_own(&connection);
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
            Ok(Some(message)) => Received::Room(from, Box::new(message)),
            Ok(None) => {
                log::debug!("a message {name:?} about the room is not known here");
                Received::Nothing
            }
            Err(error) => Received::Malformed(format!("{name}: {error}")),
        }
    }

    /// Decides whether the game of a player in the room gets a message. `document` is the room as the player sees it, and
    /// `generation` the player's process.
    pub(crate) fn accept(&mut self, message: GameMessage, document: &Document, generation: Generation) -> Accepted {
        let is_echo = message.from.own && !message.inbox;
        let is_seated = document.roster.contains(&message.from.player);
        let mut is_echo_missing = false;
        let delivery = if !message.from.own && !is_seated && document.rules.removed.contains_key(&message.from.player) {
            Delivery::Impostor
        } else {
            let numbering = numbering(message.extras.as_ref());
            if let Some((_, sequence)) = numbering.filter(|(process, _)| is_echo && *process == generation) {
                is_echo_missing = self.dedup.on_echo(sequence);
            }
            let is_news = numbering.is_none_or(|(generation, sequence)| {
                let numbered = Numbered { generation, sequence, serial: message.from.serial.clone() };
                // A player without a seat is not remembered, because there could be any number of them.
                !is_seated || self.dedup.is_news(&message.from.player, message.inbox, numbered)
            });
            match audience(message.extras.as_ref()) {
                _ if !is_news => Delivery::Stale,
                Audience::Others if is_echo => Delivery::Drop,
                Audience::Others | Audience::All => Delivery::Deliver(message),
            }
        };
        Accepted { delivery, is_echo_missing }
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

    /// The last state that somebody published before this player was in the room.
    pub(crate) fn last_state_before_join(&self) -> Option<&Stamp> {
        self.pre_join.last_state()
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

#[cfg(test)]
mod tests {
    use rooms_protocol::Data;
    use serde_json::json;

    use super::*;
    use crate::{
        context::tests::base,
        state::{roster::tests::seat, rules::Removal},
        wire::{message::Leave, payload::encode},
    };

    fn from(message: Message, client: &str) -> Message {
        Message {
            client_id: Some(client.into()),
            connection_id: Some(format!("c-{client}").as_str().into()),
            ..message
        }
    }

    fn read(inbound: &mut Inbound, inbox: bool, message: Message) -> Received {
        let base = base();
        inbound.read(inbox, message, base.player(), &base.facts)
    }

    fn game(inbound: &mut Inbound, client: &str, sequence: u64) -> GameMessage {
        let message = encode("wave", json!(sequence), Generation(1), sequence, Audience::All);
        match read(inbound, false, from(message, client)) {
            Received::Game(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_about_the_room_counts_on_its_own_channel_only() {
        let leave = || {
            let leave = RoomMessage::from(Leave { generation: Generation(1), reason: "left".into() });
            from(Message::new(leave.name(), Data::Json(leave.encode().unwrap())), "bob")
        };
        let mut inbound = Inbound::default();
        assert!(matches!(read(&mut inbound, false, leave()), Received::Room(..)));
        assert!(matches!(read(&mut inbound, true, leave()), Received::Malformed(_)));
    }

    #[test]
    fn a_message_without_a_player_is_not_taken() {
        let mut inbound = Inbound::default();
        let message = || Message::new("wave", Data::Json(json!({})));
        assert!(matches!(read(&mut inbound, false, message()), Received::Impostor));
        assert!(matches!(read(&mut inbound, false, from(message(), "not a player")), Received::Impostor));
        let nameless = Message { name: None, ..from(message(), "bob") };
        assert!(matches!(read(&mut inbound, false, nameless), Received::Malformed(_)));
        let unknown = from(Message::new("room.later", Data::Json(json!({}))), "bob");
        assert!(matches!(read(&mut inbound, false, unknown), Received::Nothing));
    }

    #[test]
    fn the_game_gets_a_message_of_a_seated_player_once_and_none_of_a_removed_one() {
        let (mut inbound, mut document) = (Inbound::default(), Document::default());
        let bob = seat("bob", 0);
        document.set_seat(&bob.player.clone(), Some(bob), &mut Changes::default());
        let zoe = PlayerId::new("zoe").unwrap();
        document.rules.removed.insert(zoe, Removal { reason: String::new(), generation: None });
        let mut accept = |client: &str| {
            let message = game(&mut inbound, client, 1);
            inbound.accept(message, &document, Generation(1)).delivery
        };
        assert!(matches!(accept("bob"), Delivery::Deliver(_)));
        assert!(matches!(accept("bob"), Delivery::Stale));
        assert!(matches!(accept("zoe"), Delivery::Impostor));
        assert!(matches!(accept("eve"), Delivery::Deliver(_)), "a plain client may send to a room");
        assert!(matches!(accept("eve"), Delivery::Deliver(_)), "and is not remembered");
    }

    #[test]
    fn messages_of_a_publish_do_not_count_with_a_state_that_does_not() {
        let mut publish = Publish::default();
        assert!(!publish.is_void(&"c".into()));
        publish.set_void("c".into());
        assert!(publish.is_void(&"c".into()) && !publish.is_void(&"d".into()));
    }
}
