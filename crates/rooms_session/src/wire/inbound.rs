//! Words in and words out: who said what, to whom, and in which form it travels.
//!
//! A game's message carries its kind as the name and its JSON as the data, so that any client of the service can read
//! and send one. What we stamp on ours stands in the headers; what carries no stamps is taken from anyone.

use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    Generation, MAX_DEPTH, PlayerId, Profile, Role, Session, SessionError, SessionEvent, Stamp, Target,
    host::lead::replaced,
    requests::MAX_REQUESTS,
    state::document::{Changes, is_shallow, json_fits, json_size},
    wire::dedup::Said,
    wire::fragment,
    wire::message::{Leave, RESERVED, RoomMessage, State},
    wire::outbound::{Content, Lane, MAX_PUBLISH_SIZE},
    wire::pre_join::PreJoinMessage,
};
use rooms_protocol::{ConnectionId, Data, Extras, Message, MessageAction, MessageSerial};

/// Most bytes of JSON text in a profile: a newcomer reads those of a full room at once.
pub(crate) const MAX_PROFILE_SIZE: usize = 1024;

/// Longest name that is kept of a profile over the limit, in characters.
const MAX_CUT_NAME: usize = 64;

/// Most events that wait for the game. More messages are dropped, and requests wait.
pub(crate) const MAX_EVENTS: usize = 16 * 1024;

/// Most goodbyes that are remembered until the host gives the seats up.
pub(crate) const MAX_GOODBYES: usize = 64;

/// Bytes that name, headers and envelope of a message may take beside its data.
const ENVELOPE: usize = 1024;

/// Longest kind of a message, in bytes.
const MAX_KIND: usize = 256;

const HEADERS: &str = "headers";
const GENERATION: &str = "generation";
const SEQUENCE: &str = "sequence";
const TO: &str = "to";
const OTHERS: &str = "others";

/// Where a message came from, as the server stamped it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub player: PlayerId,
    pub connection: ConnectionId,
    pub serial: Option<MessageSerial>,
    /// Whether this session said it.
    pub own: bool,
}

/// What is known of the publish that is being heard.
#[derive(Debug, Default)]
pub(crate) struct Publish {
    /// Who published a state in it that does not count.
    void: Option<ConnectionId>,
}

impl Session {
    /// Takes in one message of the room's channel or the inbox.
    ///
    /// What a host says in a frame belongs to the state of that frame: where the state does not count, since another
    /// host leads by now, what was said with it does not either.
    pub(crate) fn hear_message(&mut self, inbox: bool, message: Message, publish: &mut Publish, now: Instant) {
        if matches!(self.role, Role::Closed) || message.action.is_some_and(|action| action != MessageAction::Create) {
            return;
        }
        let Some(name) = message.name else { return self.note_malformed("a message without a name") };
        let Some(player) = message.client_id.as_ref().and_then(PlayerId::from_client_id) else {
            self.stats.impostors += 1;
            return;
        };
        let Some(connection) = message.connection_id else { return self.note_malformed("a message from nowhere") };
        let own = player == self.config.player && self.line.is_own(&connection);
        let from = Origin { player, connection, serial: message.serial, own };
        let Some(data) = message.data.map_or(Some(Value::Null), json_of) else {
            return self.note_malformed("a message with bytes for data");
        };
        if name.starts_with(RESERVED) {
            let counts = self.hear_room_message(inbox, &from, &name, &data, now);
            if !counts {
                publish.void = Some(from.connection);
            }
        } else if publish.void.as_ref() == Some(&from.connection) {
            self.drop_void(&from, &name, message.extras.as_ref());
        } else {
            self.hear_game(inbox, from, name.into(), data, message.extras, now);
        }
    }

    /// Drops what a host said in a frame whose state does not count; where it was this player, the game is told.
    fn drop_void(&mut self, from: &Origin, kind: &str, extras: Option<&Extras>) {
        self.stats.stale += 1;
        if from.own {
            if let Some((_, sequence)) = stamps(extras) {
                self.heard.note_failed(sequence);
            }
            self.tell(SessionEvent::SendFailed { kind: kind.into(), reason: replaced() });
        }
    }

    /// Takes in a message about the room, and tells whether it is anything but a state that does not count.
    fn hear_room_message(&mut self, inbox: bool, from: &Origin, name: &str, data: &Value, now: Instant) -> bool {
        let message = match RoomMessage::decode(name, data) {
            Ok(Some(RoomMessage::Part(part))) => {
                let kind = part.kind.clone();
                let Some(text) = self.joiner.take(&from.connection, part) else { return true };
                let whole = serde_json::from_str(&text).and_then(|data| RoomMessage::decode(&kind, &data));
                whole.map(|message| message.filter(|message| !matches!(message, RoomMessage::Part(_))))
            }
            other => other,
        };
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => {
                log::debug!("a message {name:?} about the room is not known here");
                return true;
            }
            Err(error) => {
                self.note_malformed(&format!("{name}: {error}"));
                return true;
            }
        };
        let to_inbox = matches!(
            message,
            RoomMessage::Welcome(_) | RoomMessage::Refused(_) | RoomMessage::Wait(_) | RoomMessage::Request(_)
        );
        if to_inbox != inbox {
            self.note_malformed("a message about the room on a channel where it does not belong");
            return true;
        }
        let seat = self.roster().get(&from.player).map(|seat| seat.generation);
        let superseded = seat.is_some_and(|seat| message.generation() < seat);
        if superseded && !matches!(message, RoomMessage::Hello(_)) {
            self.stats.stale += 1;
            self.tell_superseded(from, message.generation(), now);
            return !matches!(message, RoomMessage::State(_));
        }
        if let RoomMessage::State(state) = &message
            && !self.joined
        {
            self.early.note_state(Stamp { reign: state.reign.clone(), version: state.version });
        }
        match message {
            RoomMessage::Hello(hello) => self.hear_hello(from, hello, now),
            RoomMessage::Claim(claim) => self.hear_claim(from, claim, now),
            RoomMessage::HandOver(hand_over) => self.hear_hand_over(from, &hand_over, now),
            RoomMessage::Leave(leave) => self.hear_leave(from, &leave, now),
            RoomMessage::Request(request) => self.hear_request(from, request, now),
            RoomMessage::State(state) if from.own => return self.hear_own_state(from, state, now),
            RoomMessage::Lease(lease) if from.own => self.hear_own_lease(&lease, now),
            RoomMessage::State(state) => return self.hear_state(from, state, now),
            RoomMessage::Lease(lease) => self.hear_lease(from, lease, now),
            RoomMessage::Welcome(welcome) => self.hear_welcome(from, welcome, now),
            RoomMessage::Refused(refused) => self.hear_refused(from, refused),
            RoomMessage::Wait(wait) => self.hear_wait(from, &wait),
            // Parts do not nest.
            RoomMessage::Part(_) => {}
        }
        true
    }

    /// Notes which processes a state of this serial gives their seats: what their players' older ones say after it is not
    /// heard. Not from a hello on, which may be refused. `changes` holds what was before.
    pub(crate) fn note_processes(&mut self, changes: &Changes, serial: Option<&MessageSerial>) {
        for (player, before) in &changes.roster {
            let (Some(before), Some(seat)) = (before, self.replica.document().roster.get(player)) else { continue };
            if seat.generation > before.generation {
                self.heard.note_process(player, seat.generation, serial);
            }
        }
    }

    fn hear_game(
        &mut self,
        inbox: bool,
        from: Origin,
        kind: SmolStr,
        data: Value,
        extras: Option<Extras>,
        now: Instant,
    ) {
        if !self.joined {
            self.early.keep(PreJoinMessage { inbox, from, kind, data, extras });
            return;
        }
        if !from.own && self.is_removed(&from.player) {
            self.stats.impostors += 1;
            return;
        }
        let to_others = header(extras.as_ref(), TO) == Some(OTHERS);
        if let Some((generation, sequence)) = stamps(extras.as_ref()) {
            if from.own && !inbox && generation == self.config.generation && self.heard.hear_echo(sequence) {
                self.lose_continuity(now);
            }
            let said = Said { generation, sequence, serial: from.serial.clone() };
            // Who has no seat is not remembered, since there is no end of those.
            if self.roster().contains(&from.player) && !self.heard.is_news(&from.player, inbox, said) {
                self.stats.stale += 1;
                return;
            }
        }
        if from.own && to_others && !inbox {
            return;
        }
        if self.events.len() >= MAX_EVENTS {
            self.stats.overflowed += 1;
            return;
        }
        self.tell(SessionEvent::Message { sender: from.player, kind, data });
    }

    /// Hears what was said between the state that this player was welcomed with and the welcome.
    pub(crate) fn hear_early(&mut self, welcome: &Stamp, now: Instant) {
        for early in self.early.take(welcome) {
            self.hear_game(early.inbox, early.from, early.kind, early.data, early.extras, now);
        }
    }

    /// Whether a message can be sent at all.
    pub(crate) fn check_sendable(&self, to: &Target, kind: &str, data: &Value) -> Result<(), SessionError> {
        if !self.joined {
            return Err(SessionError::NotJoined);
        }
        if kind.starts_with(RESERVED) {
            return Err(SessionError::ReservedKind(kind.into()));
        }
        if let Target::Player(player) = to
            && !self.roster().contains(player)
        {
            return Err(SessionError::UnknownPlayer(player.clone()));
        }
        if !is_shallow(data) {
            return Err(SessionError::TooDeep { kind: kind.into(), max: MAX_DEPTH });
        }
        let (size, max) = (json_size(data), MAX_PUBLISH_SIZE - ENVELOPE);
        if size > max || kind.len() > MAX_KIND {
            return Err(SessionError::TooLarge { kind: kind.into(), size: size.saturating_add(kind.len()), max });
        }
        let waiting = match to {
            Target::Host => self.requests.unconfirmed(),
            _ => self.outgoing.waiting(),
        };
        let full = if *to == Target::Host { waiting >= MAX_REQUESTS } else { !self.outgoing.has_room() };
        if full { Err(SessionError::Full { waiting }) } else { Ok(()) }
    }

    /// Makes a request to the host; the host's own is applied at once.
    pub(crate) fn request(&mut self, kind: SmolStr, data: Value) {
        self.requests.push(kind, data);
        self.send_requests(self.last_step);
    }

    /// Queues a message of the game.
    pub(crate) fn say_game(&mut self, lane: Lane, kind: &str, data: Value, to_others: bool) {
        let inbox = lane != Lane::Room;
        let sequence = self.heard.next(inbox);
        let mut headers = Map::new();
        headers.insert(GENERATION.into(), json!(self.config.generation.0.to_string()));
        headers.insert(SEQUENCE.into(), json!(sequence.to_string()));
        if to_others {
            headers.insert(TO.into(), json!(OTHERS));
        }
        let extras = Extras::from_iter([(HEADERS.to_owned(), Value::Object(headers))]);
        let (data, encoding) = data_of(data);
        let message = Message { name: Some(kind.into()), data, encoding, extras: Some(extras), ..Message::default() };
        let content = Content::Game { kind: kind.into(), sequence: (!inbox).then_some(sequence) };
        self.outgoing.push(lane, message, content);
    }

    /// Queues a message about the room.
    pub(crate) fn say(&mut self, lane: Lane, message: RoomMessage, content: Content) {
        for message in self.written(&message) {
            self.outgoing.push(lane.clone(), message, content.clone());
        }
    }

    /// Queues a state before everything that was said in the same frame.
    pub(crate) fn say_state(&mut self, state: State) {
        let messages = self.written(&state.into());
        self.outgoing.push_front(messages.into_iter().map(|message| (message, Content::State)).collect());
    }

    /// Says goodbye to everyone.
    pub(crate) fn say_goodbye(&mut self) {
        let leave = Leave { generation: self.config.generation, reason: SmolStr::new_static("left") };
        self.say(Lane::Room, leave.into(), Content::Other);
    }

    /// Says something to everyone at the end of this frame, or never.
    pub(crate) fn say_urgent(&mut self, message: RoomMessage) {
        self.say_urgent_on(Lane::Room, message);
    }

    /// Says something at the end of this frame, or never.
    pub(crate) fn say_urgent_on(&mut self, lane: Lane, message: RoomMessage) {
        for message in self.written(&message) {
            self.outgoing.push_urgent(lane.clone(), message);
        }
    }

    /// A message as it goes over the wire, in parts where it is too large for one.
    fn written(&mut self, message: &RoomMessage) -> Vec<Message> {
        let name = message.name();
        let data = match message.encode() {
            Ok(data) => data,
            Err(error) => {
                log::error!("{name} cannot be written as JSON: {error}");
                return Vec::new();
            }
        };
        if json_fits(&data, MAX_PUBLISH_SIZE - ENVELOPE) {
            return vec![Message::new(name, data)];
        }
        self.last_part = self.last_part.wrapping_add(1);
        let Some(parts) = fragment::split(self.config.generation, self.last_part, name, &data.to_string()) else {
            log::error!("{name} is too large even in parts");
            return Vec::new();
        };
        let write = |part| {
            let message = RoomMessage::Part(part);
            message.encode().ok().map(|data| Message::new(message.name(), data))
        };
        parts.into_iter().filter_map(write).collect()
    }

    /// Counts something that makes no sense.
    pub(crate) fn note_malformed(&mut self, what: &str) {
        self.stats.malformed += 1;
        log::warn!("room {}: dropped {what}", self.config.room);
    }
}

fn header<'a>(extras: Option<&'a Extras>, name: &str) -> Option<&'a str> {
    extras?.get(HEADERS)?.get(name)?.as_str()
}

/// Which process said a message of the game, and its number there.
fn stamps(extras: Option<&Extras>) -> Option<(Generation, u64)> {
    let number = |name| header(extras, name).and_then(|text| text.parse().ok());
    number(GENERATION).map(Generation).zip(number(SEQUENCE))
}

/// The payload that carries a game's JSON, and its encoding: text as text, `null` as nothing, so that a plain client reads
/// what it expects. Numbers and booleans go as JSON text, since a payload is an object, a list, text or bytes (`RSL4a`).
pub(crate) fn data_of(value: Value) -> (Option<Data>, Option<String>) {
    match value {
        Value::Null => (None, None),
        Value::String(text) => (Some(Data::Text(text)), None),
        scalar @ (Value::Bool(_) | Value::Number(_)) => (Some(Data::Text(scalar.to_string())), Some("json".to_owned())),
        structured => (Some(Data::Json(structured)), None),
    }
}

fn json_of(data: Data) -> Option<Value> {
    match data {
        Data::Text(text) => Some(Value::String(text)),
        Data::Json(value) => Some(value),
        Data::Binary(_) => None,
    }
}

/// A profile that fits: one over the limit keeps its name alone.
pub(crate) fn fitting(profile: Profile) -> Profile {
    if json_fits(&profile, MAX_PROFILE_SIZE) && is_shallow(&profile.data) {
        return profile;
    }
    log::warn!("a profile of more than {MAX_PROFILE_SIZE} bytes is cut down to its name");
    Profile::named(profile.name.chars().take(MAX_CUT_NAME).collect::<String>())
}
