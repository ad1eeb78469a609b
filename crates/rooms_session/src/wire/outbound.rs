//! What goes out: the messages that wait to be published, by channel, and the publishes that were not answered yet.
//!
//! Owns these queues and the commands for the client. Everything that is sent on a channel within the publish interval goes
//! out in one publish, which arrives whole or not at all. It takes several publishes only if the message limit asks for
//! it. Urgent messages go out with the next flush, and only while the connection is up.
//!
//! On a server with limits, [`Pace`] says when. Then one publish of a channel waits for the answer to the one before, so that
//! one that is refused goes out again in its place, and what waits meanwhile goes out as one message. What the state needs
//! goes before what players ask, and that before what they tell each other. [`flush`] does all this.

mod flush;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use rooms_client::{Asker, ChannelOptions, Command, OperationId, PresenceCommand};
use rooms_protocol::{ChannelName, Data, Message};

use super::{
    bundle,
    fragment::split,
    message::{Leave, RoomMessage, State, Welcome},
    pace::{Pace, To},
    payload::{self, Audience, ENVELOPE},
};
use crate::{
    config::SessionConfig,
    connectivity::facts::MemberData,
    id::{Generation, PlayerId, RoomName},
    state::json::json_fits,
    stats::PaceStats,
};

/// Most commands that wait for the client. A flush adds none beyond them.
const MAX_COMMANDS: usize = 4096;

/// Most messages that wait to be published.
pub(crate) const MAX_WAITING: usize = 1000;

/// Most bytes that wait to be published.
const MAX_WAITING_SIZE: usize = 8 * 1024 * 1024;

/// Most bytes in one publish: the 64 KiB of the protocol less what the server may count on top.
pub(crate) const MAX_PUBLISH_SIZE: usize = 60 * 1024;

/// Most publishes whose outcome is awaited. Older ones are forgotten.
const MAX_IN_FLIGHT: usize = 4096;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// To everyone.
    Room,
    /// To one player.
    Inbox(PlayerId),
}

impl Lane {
    fn to(&self) -> To {
        match self {
            Self::Room => To::All,
            Self::Inbox(_) => To::One,
        }
    }
}

/// What a message is about. It decides what happens if the message could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A message of the game, with its number in the sender's sequence if it goes to everyone.
    Game { kind: SmolStr, sequence: Option<u64> },
    /// A change of the shared document.
    State,
    /// A welcome, or a part of one. A later one to the same player holds more, and takes its place.
    Welcome,
    /// What goes out at once or not at all.
    Urgent,
    /// The player's own presence on the room's channel.
    Presence,
    /// Anything that is sent again by itself.
    Other,
}

/// What stays in the queues for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Nothing,
    /// Everything but states at the front of the room's channel.
    AllButState,
    Everything,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Message, Content)>,
    /// Since when something waits and nothing of it went out.
    waiting_since: Option<Instant>,
    last_publish: Option<Instant>,
    /// On a server with limits: the publish whose outcome is awaited before the next one.
    unanswered: Option<OperationId>,
}

/// When the next publish of a channel may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    At(Instant),
    /// Once the server answered the one before.
    WhenAnswered,
}

/// A publish whose outcome is awaited.
#[derive(Debug)]
struct Flight {
    contents: Vec<Content>,
    /// What to send again, and where, if the server refuses it because it is one too many.
    again: Option<(Lane, Vec<Message>)>,
}

/// What goes out.
#[derive(Debug)]
pub(crate) struct Outbound {
    room: RoomName,
    generation: Generation,
    /// Numbers the messages that are sent in fragments.
    last_fragmented: u64,
    queues: BTreeMap<Lane, Queue>,
    urgent: Vec<(Lane, Message)>,
    waiting: usize,
    size: usize,
    in_flight: BTreeMap<OperationId, Flight>,
    /// Shortest time between two publishes on one channel.
    interval: Duration,
    pace: Pace,
    /// Whether everything goes out at once: the player leaves.
    at_once: bool,
    stats: PaceStats,
    /// The number of the next operation.
    next_operation: u64,
    /// What the client is asked to do.
    commands: VecDeque<Command>,
}

impl Outbound {
    /// Nothing waits. The operations are numbered from a random number on: sessions follow each other on one client, and
    /// the outcome of an earlier one's publish may come late.
    pub(crate) fn new(config: &SessionConfig, random: u64) -> Self {
        Self {
            room: config.room.clone(),
            generation: config.generation,
            last_fragmented: 0,
            queues: BTreeMap::new(),
            urgent: Vec::new(),
            waiting: 0,
            size: 0,
            in_flight: BTreeMap::new(),
            interval: config.timing.publish_interval,
            pace: Pace::new(config.pace),
            at_once: false,
            stats: PaceStats::default(),
            // An operation has 62 bits. With 60 of them random, the numbers grow for as long as a session lives.
            next_operation: random >> 4,
            commands: VecDeque::new(),
        }
    }

    /// Takes the next command for the client.
    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Whether so many commands wait for the client that nothing more is published.
    pub(crate) fn is_full(&self) -> bool {
        self.commands.len() >= MAX_COMMANDS
    }

    /// Attaches a channel.
    pub(crate) fn attach(&mut self, channel: ChannelName) {
        self.commands.push_back(Command::Attach { channel, options: ChannelOptions::default() });
    }

    /// Releases a channel.
    pub(crate) fn release(&mut self, channel: ChannelName) {
        self.commands.push_back(Command::Release { channel });
    }

    /// Asks whether the socket still works.
    pub(crate) fn check_socket(&mut self) {
        self.commands.push_back(Command::CheckSocket);
    }

    /// Enters, updates or leaves the presence of the room's channel.
    pub(crate) fn send_presence(&mut self, action: PresenceCommand, data: MemberData) {
        let data = serde_json::to_value(data).ok().map(Data::Json);
        // A player that leaves need not know whether the server took it.
        let content = (action != PresenceCommand::Leave).then_some(Content::Presence);
        let operation = self.operation(content.into_iter().collect());
        self.commands.push_back(Command::Presence { operation, channel: self.room.channel(), action, data });
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether a game may add a message.
    pub(crate) fn has_capacity(&self) -> bool {
        self.waiting < MAX_WAITING && self.size < MAX_WAITING_SIZE
    }

    /// What a server with limits takes.
    pub(crate) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// Whether the server limits how much is sent.
    pub(crate) fn is_paced(&self) -> bool {
        self.pace.is_limited()
    }

    /// How long the server takes for a message of each player.
    pub(crate) fn time_for_all(&self) -> Duration {
        self.pace.time_for_all()
    }

    /// How much of the server's limits was used, and what the limits led to.
    pub(crate) fn pace_stats(&self, now: Instant) -> PaceStats {
        PaceStats { used: self.pace.used(now), ..self.stats }
    }

    /// Lets all that waits go out with the next flush: there is no later one.
    pub(crate) fn wait_no_more(&mut self) {
        self.at_once = true;
    }

    /// Whether the time for the next publish on a lane has come.
    pub(crate) fn is_ready(&self, lane: &Lane, now: Instant) -> bool {
        self.turn(lane, now) == Turn::Now
    }

    /// The same, and everything that waits on the lane goes out with it.
    pub(crate) fn is_ready_for_all(&self, lane: &Lane, now: Instant) -> bool {
        let fits = |queue: &Queue| {
            queue.waiting.iter().map(|(message, _)| 2 * message.size() + ENVELOPE).sum::<usize>() <= MAX_PUBLISH_SIZE
        };
        self.is_ready(lane, now) && (!self.pace.is_limited() || self.queues.get(lane).is_none_or(fits))
    }

    /// When the next publish on a lane may go.
    pub(crate) fn turn(&self, lane: &Lane, now: Instant) -> Turn {
        if self.at_once {
            return Turn::Now;
        }
        let queue = self.queues.get(lane);
        if queue.is_some_and(|queue| queue.unanswered.is_some()) {
            return Turn::WhenAnswered;
        }
        let interval_over = queue.and_then(|queue| queue.last_publish).map(|last| last + self.interval);
        match interval_over.filter(|at| *at > now).max(self.pace.ready_at(lane.to(), now)) {
            Some(at) => Turn::At(at),
            None => Turn::Now,
        }
    }

    /// When the next publish on any lane is due, while something waits that the server's next answer does not set free.
    pub(crate) fn next_publish(&self, now: Instant) -> Option<Instant> {
        let waiting = self.queues.iter().filter(|(_, queue)| !queue.waiting.is_empty());
        let due = waiting.filter_map(|(lane, _)| match self.turn(lane, now) {
            Turn::Now => Some(now),
            Turn::At(at) => Some(at),
            Turn::WhenAnswered => None,
        });
        due.min()
    }

    fn push(&mut self, lane: Lane, message: Message, content: Content) {
        self.waiting += 1;
        self.size = self.size.saturating_add(message.size());
        self.queues.entry(lane).or_default().waiting.push_back((message, content));
    }

    /// Puts messages before everything that waits on a lane.
    fn push_front(&mut self, lane: &Lane, messages: Vec<(Message, Content)>) {
        let queue = self.queues.entry(lane.clone()).or_default();
        for (message, content) in messages.into_iter().rev() {
            self.waiting += 1;
            self.size = self.size.saturating_add(message.size());
            queue.waiting.push_front((message, content));
        }
    }

    /// Sends a message of the game.
    pub(crate) fn send_game(&mut self, lane: Lane, kind: &str, data: Value, audience: Audience, sequence: u64) {
        let message = payload::encode(kind, data, self.generation, sequence, audience);
        let sequence = (lane == Lane::Room).then_some(sequence);
        self.push(lane, message, Content::Game { kind: kind.into(), sequence });
    }

    /// Sends a message about the room.
    pub(crate) fn send(&mut self, lane: Lane, message: RoomMessage) {
        for message in self.encode(&message) {
            self.push(lane.clone(), message, Content::Other);
        }
    }

    /// Sends a state before everything that was sent in the same frame, and after states that wait: one that was refused, or the
    /// rest of a large one.
    pub(crate) fn send_state(&mut self, state: State) {
        let messages = self.encode(&state.into());
        let queue = self.queues.entry(Lane::Room).or_default();
        let states = queue.waiting.iter().take_while(|(_, content)| *content == Content::State).count();
        for (place, message) in messages.into_iter().enumerate() {
            self.waiting += 1;
            self.size = self.size.saturating_add(message.size());
            queue.waiting.insert(states + place, (message, Content::State));
        }
    }

    /// Sends a welcome to a player, in place of one that still waits.
    pub(crate) fn send_welcome(&mut self, player: PlayerId, welcome: Welcome) {
        let lane = Lane::Inbox(player);
        if let Some(queue) = self.queues.get_mut(&lane) {
            let (waiting, size) = (&mut self.waiting, &mut self.size);
            queue.waiting.retain(|(message, content)| {
                let stays = *content != Content::Welcome;
                if !stays {
                    *waiting -= 1;
                    *size = size.saturating_sub(message.size());
                }
                stays
            });
        }
        for message in self.encode(&welcome.into()) {
            self.push(lane.clone(), message, Content::Welcome);
        }
    }

    /// Sends a goodbye to everyone.
    pub(crate) fn send_leave(&mut self) {
        let leave = Leave { generation: self.generation, reason: SmolStr::new_static("left") };
        self.send(Lane::Room, leave.into());
    }

    /// Sends a message with the next flush. It is dropped if the connection is down by then.
    pub(crate) fn send_urgent(&mut self, lane: Lane, message: RoomMessage) {
        for message in self.encode(&message) {
            self.urgent.push((lane.clone(), message));
        }
    }

    /// A message as it goes over the wire, in fragments if it is too large for one.
    fn encode(&mut self, message: &RoomMessage) -> Vec<Message> {
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
        self.last_fragmented = self.last_fragmented.wrapping_add(1);
        let Some(parts) = split(self.generation, self.last_fragmented, name, &data.to_string()) else {
            log::error!("{name} is too large even in fragments");
            return Vec::new();
        };
        let write = |part| {
            let message = RoomMessage::Part(part);
            message.encode().ok().map(|data| Message::new(message.name(), data))
        };
        parts.into_iter().filter_map(write).collect()
    }

    /// Whether a flush has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == 0 && self.urgent.is_empty()
    }

    /// Makes an operation whose outcome concerns `contents`.
    fn operation(&mut self, contents: Vec<Content>) -> OperationId {
        self.operation_of(Flight { contents, again: None })
    }

    fn operation_of(&mut self, flight: Flight) -> OperationId {
        let operation = OperationId::of(Asker::Room, self.next_operation);
        self.next_operation = self.next_operation.wrapping_add(1);
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            self.in_flight.pop_first();
        }
        self.in_flight.insert(operation, flight);
        operation
    }

    /// Drops all that waits, and gives what it was.
    pub(crate) fn drop_waiting(&mut self) -> Vec<Content> {
        self.urgent.clear();
        // What the server still refuses does not come back either.
        self.in_flight.values_mut().for_each(|flight| flight.again = None);
        (self.waiting, self.size) = (0, 0);
        std::mem::take(&mut self.queues)
            .into_values()
            .flat_map(|queue| queue.waiting)
            .map(|(_, content)| content)
            .collect()
    }

    fn channel(&self, lane: &Lane) -> ChannelName {
        match lane {
            Lane::Room => self.room.channel(),
            Lane::Inbox(player) => self.room.inbox(player),
        }
    }

    /// Drops the urgent messages.
    pub(crate) fn drop_urgent(&mut self) {
        self.urgent.clear();
    }
}

#[cfg(test)]
mod tests {
    use rooms_protocol::{ErrorCode, ErrorInfo};
    use serde_json::json;

    use super::*;
    use crate::{
        config::{SessionTiming, Wish},
        tests::bus::config,
        wire::{
            bundle,
            message::{Request, StateBody},
        },
    };

    const INTERVAL: Duration = Duration::from_millis(100);
    const SECOND: Duration = Duration::from_secs(1);

    fn outbound() -> Outbound {
        let timing = SessionTiming { publish_interval: INTERVAL, ..SessionTiming::default() };
        Outbound::new(&SessionConfig { timing, ..config("ada", Wish::Host) }, 0)
    }

    /// What the host of a room of 8 sends to a server that takes 50 messages a second.
    fn limited() -> Outbound {
        let mut outbound = Outbound::new(&config("ada", Wish::Host), 0);
        outbound.pace_mut().set_rate(Some(50));
        outbound.pace_mut().set_room(8, true);
        outbound
    }

    /// A publish, with the messages in its bundles.
    struct Published {
        operation: OperationId,
        channel: String,
        on_the_wire: usize,
        messages: Vec<Message>,
    }

    impl Published {
        fn texts(&self) -> Vec<String> {
            self.messages.iter().map(|message| format!("{:?}", message.data.as_ref().unwrap())).collect()
        }
    }

    fn published(outbound: &mut Outbound, now: Instant) -> Vec<Published> {
        outbound.flush(Hold::Nothing, now);
        let publish = |command| match command {
            Command::Publish { operation, channel, messages, .. } => Published {
                operation,
                channel: channel.to_string(),
                on_the_wire: messages.len(),
                messages: messages.into_iter().flat_map(|message| bundle::unpack(message).unwrap()).collect(),
            },
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| outbound.poll_command()).map(publish).collect()
    }

    fn publishes(outbound: &mut Outbound, now: Instant) -> Vec<usize> {
        published(outbound, now).iter().map(|publish| publish.messages.len()).collect()
    }

    fn push(outbound: &mut Outbound, text: &str) {
        outbound.push(Lane::Room, Message::new("wave", text), Content::Other);
    }

    fn say(outbound: &mut Outbound, number: u64) {
        outbound.send_game(Lane::Room, "word", json!(number.to_string()), Audience::All, number);
    }

    fn inbox(player: &str) -> Lane {
        Lane::Inbox(PlayerId::new(player).unwrap())
    }

    fn request(sequence: u64) -> RoomMessage {
        let data = json!("x".repeat(20));
        Request { generation: Generation(1), sequence, first_unconfirmed: 1, kind: "ask".into(), data }.into()
    }

    #[test]
    fn what_is_sent_within_the_interval_goes_out_in_one_publish_and_the_first_message_at_once() {
        let now = Instant::now();
        let mut outbound = outbound();
        push(&mut outbound, "a");
        assert_eq!(publishes(&mut outbound, now), [1]);
        push(&mut outbound, "b");
        push(&mut outbound, "c");
        assert_eq!(publishes(&mut outbound, now + INTERVAL / 2), [0; 0]);
        assert_eq!(outbound.next_publish(now + INTERVAL / 2), Some(now + INTERVAL));
        assert_eq!(publishes(&mut outbound, now + INTERVAL), [2]);
        assert!(outbound.is_idle());
    }

    #[test]
    fn a_server_without_limits_gets_each_frame_at_once_in_plain_messages() {
        let now = Instant::now();
        let mut outbound = Outbound::new(&config("ada", Wish::Host), 0);
        for number in 1..=200 {
            say(&mut outbound, 2 * number - 1);
            say(&mut outbound, 2 * number);
            let publishes = published(&mut outbound, now);
            assert_eq!(publishes.iter().map(|publish| publish.on_the_wire).collect::<Vec<_>>(), [2]);
        }
        assert_eq!(outbound.pace_stats(now), PaceStats::default());
    }

    #[test]
    fn a_publish_stays_under_the_message_limit() {
        let mut outbound = outbound();
        (0..5).for_each(|_| push(&mut outbound, &"x".repeat(25_000)));
        assert_eq!(publishes(&mut outbound, Instant::now()), [2, 2, 1]);
        assert_eq!(outbound.size, 0);
    }

    #[test]
    fn a_server_with_limits_gets_one_message_at_a_time_with_all_that_waits_in_it() {
        let mut now = Instant::now();
        let mut outbound = limited();
        say(&mut outbound, 1);
        let first = published(&mut outbound, now).remove(0);
        (2..=40).for_each(|number| say(&mut outbound, number));
        now += SECOND;
        assert!(published(&mut outbound, now).is_empty(), "the first is not answered");
        assert_eq!(outbound.next_publish(now), None);
        assert_eq!(outbound.settle(first.operation, None, now).len(), 1);
        let second = published(&mut outbound, now).remove(0);
        assert_eq!((second.on_the_wire, second.messages.len()), (1, 39));
        assert_eq!(outbound.settle(second.operation, None, now).len(), 39);
        assert_eq!((outbound.waiting(), outbound.size, outbound.pace_stats(now).merged), (0, 0, 38));
    }

    #[test]
    fn what_a_server_refuses_as_one_too_many_goes_out_again_in_its_place() {
        let mut now = Instant::now();
        let mut outbound = limited();
        (1..=3).for_each(|number| say(&mut outbound, number));
        let first = published(&mut outbound, now).remove(0);
        say(&mut outbound, 4);
        let error = ErrorInfo::new(ErrorCode::CHANNEL_RATE_EXCEEDED, 429, "too many");
        assert_eq!(outbound.settle(first.operation, Some(&error), now), [], "nothing failed");
        assert_eq!(publishes(&mut outbound, now), [0; 0], "the server said to wait");
        now += 2 * SECOND;
        let again = published(&mut outbound, now).remove(0);
        assert_eq!(again.texts(), ["Text(\"1\")", "Text(\"2\")", "Text(\"3\")", "Text(\"4\")"].map(json_form));
        let other = ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, "no");
        assert_eq!(outbound.settle(again.operation, Some(&other), now).len(), 4, "another error is final");
        assert_eq!((outbound.waiting(), outbound.pace_stats(now).refused), (0, 1));
    }

    /// Text that travelled in a bundle is JSON.
    fn json_form(text: &str) -> String {
        text.replace("Text(", "Json(String(").replace("\")", "\"))")
    }

    #[test]
    fn the_state_goes_before_requests_and_requests_before_words() {
        let now = Instant::now();
        let mut outbound = limited();
        (0..5).for_each(|_| outbound.pace.note_sent(To::All, now));
        outbound.send_game(inbox("bob"), "word", json!("x"), Audience::All, 1);
        outbound.send(inbox("cy"), request(1));
        say(&mut outbound, 1);
        outbound.send_state(state(1));
        let mut channels = Vec::new();
        for step in 0..3000 {
            let now = now + step * Duration::from_millis(1);
            for publish in published(&mut outbound, now) {
                outbound.settle(publish.operation, None, now);
                channels.push(publish.channel);
            }
        }
        assert_eq!(channels, ["room:den", "room:den:to:cy", "room:den:to:bob"]);
    }

    fn state(version: u64) -> State {
        let body = StateBody::Snapshot { snapshot: Default::default() };
        let reign = crate::id::Reign { incarnation: "1".into(), term: crate::id::Term(1), since: "1".into() };
        State { generation: Generation(1), reign, version: crate::id::Version(version), body }
    }

    fn too_many() -> ErrorInfo {
        ErrorInfo::new(ErrorCode::CHANNEL_RATE_EXCEEDED, 429, "too many")
    }

    #[test]
    fn a_state_goes_out_after_one_that_was_refused_and_before_words() {
        let mut now = Instant::now();
        let mut outbound = limited();
        outbound.send_state(state(5));
        say(&mut outbound, 1);
        let first = published(&mut outbound, now).remove(0);
        outbound.settle(first.operation, Some(&too_many()), now);
        now += 2 * SECOND;
        outbound.send_state(state(6));
        let again = published(&mut outbound, now).remove(0);
        let version = |message: &Message| message.data.as_ref()?.as_json()?["version"].as_u64();
        assert_eq!(again.messages.iter().map(version).collect::<Vec<_>>(), [Some(5), Some(6), None]);
    }

    #[test]
    fn what_was_refused_does_not_come_back_after_all_was_dropped() {
        let mut now = Instant::now();
        let mut outbound = limited();
        outbound.send_state(state(5));
        let first = published(&mut outbound, now).remove(0);
        outbound.drop_waiting();
        assert_eq!(outbound.settle(first.operation, Some(&too_many()), now), [Content::State], "it failed");
        say(&mut outbound, 1);
        now += 2 * SECOND;
        assert_eq!(publishes(&mut outbound, now), [1]);
    }

    #[test]
    fn nothing_waits_for_ever_behind_what_is_more_important() {
        let start = Instant::now();
        let mut outbound = limited();
        (0..5).for_each(|_| outbound.pace.note_sent(To::All, start));
        outbound.send(inbox("bob"), request(1));
        let mut others = Vec::new();
        for step in 0..3_000 {
            let now = start + step * Duration::from_millis(1);
            if outbound.is_ready(&Lane::Room, now) {
                outbound.send_state(state(u64::from(step)));
            }
            for publish in published(&mut outbound, now) {
                outbound.settle(publish.operation, None, now);
                others.extend((publish.channel != "room:den").then_some(now - start));
            }
        }
        assert_eq!(others.len(), 1);
        assert!(others[0] < Duration::from_millis(1_500), "{others:?}");
    }

    #[test]
    fn a_later_welcome_takes_the_place_of_one_that_waits() {
        let mut outbound = limited();
        let welcome = |nonce: &str| Welcome {
            generation: Generation(1),
            nonce: nonce.into(),
            host: PlayerId::new("ada").unwrap(),
            reign: state(1).reign,
            version: crate::id::Version(1),
            snapshot: Default::default(),
        };
        let now = Instant::now();
        outbound.send(inbox("bob"), request(1));
        outbound.send_welcome(PlayerId::new("bob").unwrap(), welcome("first"));
        outbound.send_welcome(PlayerId::new("bob").unwrap(), welcome("second"));
        assert_eq!(outbound.waiting(), 2);
        let publish = published(&mut outbound, now).remove(0);
        assert!(publish.texts()[1].contains("second"), "{:?}", publish.texts());
        assert_eq!((outbound.waiting(), outbound.size), (0, 0));
    }

    #[test]
    fn a_refused_lease_slows_the_player_down_also_where_the_server_told_no_limit() {
        let now = Instant::now();
        for told in [None, Some(50)] {
            let mut outbound = Outbound::new(&config("ada", Wish::Host), 0);
            outbound.pace_mut().set_rate(told);
            outbound.send_urgent(Lane::Room, request(1));
            let lease = published(&mut outbound, now).remove(0);
            assert_eq!(outbound.settle(lease.operation, Some(&too_many()), now), [Content::Urgent]);
            assert_eq!((outbound.is_paced(), outbound.pace_stats(now).refused), (true, 1));
            assert!(!outbound.is_ready(&Lane::Room, now));
        }
    }

    #[test]
    fn requests_that_are_repeated_go_out_together_and_what_is_urgent_never_waits() {
        let now = Instant::now();
        let mut outbound = limited();
        (0..100).for_each(|_| outbound.pace.note_sent(To::All, now));
        (1..=60).for_each(|sequence| outbound.send_urgent(inbox("bob"), request(sequence)));
        let publishes = published(&mut outbound, now);
        let counts: Vec<_> = publishes.iter().map(|publish| (publish.on_the_wire, publish.messages.len())).collect();
        assert_eq!(counts, [(1, 60)]);
    }

    #[test]
    fn what_does_not_fit_into_one_message_follows_in_the_next() {
        let mut now = Instant::now();
        let mut outbound = limited();
        for number in 1..=5 {
            let data = json!("\u{1}".repeat(5_000));
            outbound.send_game(Lane::Room, "word", data, Audience::All, number);
        }
        assert!(!outbound.is_ready_for_all(&Lane::Room, now) || outbound.size * 2 < MAX_PUBLISH_SIZE);
        let mut counts = Vec::new();
        while outbound.waiting() > 0 {
            for publish in published(&mut outbound, now) {
                assert!(publish.messages.len() == publish.on_the_wire || publish.on_the_wire == 1);
                counts.push(publish.messages.len());
                outbound.settle(publish.operation, None, now);
            }
            now += SECOND;
        }
        assert_eq!(counts, [2, 2, 1], "a control character takes six bytes in JSON");
    }

    #[test]
    fn an_outcome_that_is_lost_holds_nothing_up() {
        let now = Instant::now();
        let mut outbound = limited();
        say(&mut outbound, 1);
        published(&mut outbound, now);
        say(&mut outbound, 2);
        outbound.lose_outcomes();
        assert_eq!(publishes(&mut outbound, now + SECOND), [1]);
    }

    #[test]
    fn everything_goes_out_at_once_when_a_player_leaves() {
        let now = Instant::now();
        let mut outbound = limited();
        say(&mut outbound, 1);
        published(&mut outbound, now);
        (2..=6)
            .for_each(|number| outbound.send_game(Lane::Room, "x", json!("x".repeat(25_000)), Audience::All, number));
        outbound.send_leave();
        outbound.wait_no_more();
        assert_eq!(publishes(&mut outbound, now), [2, 2, 2]);
    }

    #[test]
    fn outcomes_of_other_peoples_operations_are_not_mistaken_for_own_ones() {
        let now = Instant::now();
        let mut outbound = outbound();
        let operation = outbound.operation(vec![Content::State]);
        assert_eq!(outbound.settle(OperationId(1), None, now), []);
        assert_eq!(outbound.settle(operation, None, now), [Content::State]);
        assert_eq!(outbound.settle(operation, None, now), []);
    }

    #[test]
    fn publishes_without_an_answer_are_not_remembered_without_bound() {
        let mut outbound = outbound();
        for _ in 0..2 * MAX_IN_FLIGHT {
            outbound.operation(Vec::new());
        }
        assert_eq!(outbound.in_flight.len(), MAX_IN_FLIGHT);
    }
}
