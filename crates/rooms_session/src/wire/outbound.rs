//! What goes out: the messages that wait to be published, by channel, and the publishes that were not answered yet.
//!
//! Owns these queues and the commands for the client. Everything that is sent on a channel within the publish interval goes
//! out in one publish, which arrives whole or not at all. It takes several publishes only if the message limit asks for
//! it. Urgent messages go out with the next flush, and only while the connection is up.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use rooms_client::{Asker, ChannelOptions, Command, Lifetime, OperationId, PresenceCommand};
use rooms_protocol::{ChannelName, Data, Message};

use super::{
    fragment::split,
    message::{Leave, RoomMessage, State},
    payload::{self, Audience, ENVELOPE},
};
use crate::{
    connectivity::facts::MemberData,
    id::{Generation, PlayerId, RoomName},
    state::json::json_fits,
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

/// What a message is about. It decides what happens if the message could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A message of the game, with its number in the sender's sequence if it goes to everyone.
    Game { kind: SmolStr, sequence: Option<u64> },
    /// A change of the shared document.
    State,
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
    last_publish: Option<Instant>,
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
    in_flight: BTreeMap<OperationId, Vec<Content>>,
    /// The number of the next operation.
    next_operation: u64,
    /// What the client is asked to do.
    commands: VecDeque<Command>,
}

impl Outbound {
    /// Nothing waits. The operations are numbered from a random number on: sessions follow each other on one client, and
    /// the outcome of an earlier one's publish may come late.
    pub(crate) fn new(room: RoomName, generation: Generation, random: u64) -> Self {
        Self {
            room,
            generation,
            last_fragmented: 0,
            queues: BTreeMap::new(),
            urgent: Vec::new(),
            waiting: 0,
            size: 0,
            in_flight: BTreeMap::new(),
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

    /// Whether the time for the next publish on a lane has come.
    pub(crate) fn is_ready(&self, lane: &Lane, interval: Duration, now: Instant) -> bool {
        self.ready_at(lane, interval).is_none_or(|at| at <= now)
    }

    /// When the next publish on a lane may go; `None`: at once.
    pub(crate) fn ready_at(&self, lane: &Lane, interval: Duration) -> Option<Instant> {
        Some(self.queues.get(lane)?.last_publish? + interval)
    }

    /// When the next publish on any lane is due, while something waits.
    pub(crate) fn next_publish(&self, interval: Duration) -> Option<Instant> {
        let waiting = self.queues.values().filter(|queue| !queue.waiting.is_empty());
        waiting.filter_map(|queue| Some(queue.last_publish? + interval)).min()
    }

    fn push(&mut self, lane: Lane, message: Message, content: Content) {
        self.waiting += 1;
        self.size = self.size.saturating_add(message.size());
        self.queues.entry(lane).or_default().waiting.push_back((message, content));
    }

    /// Puts messages before everything that waits on the room's channel.
    fn push_front(&mut self, messages: Vec<(Message, Content)>) {
        let queue = self.queues.entry(Lane::Room).or_default();
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

    /// Sends a state before everything that was sent in the same frame.
    pub(crate) fn send_state(&mut self, state: State) {
        let messages = self.encode(&state.into());
        self.push_front(messages.into_iter().map(|message| (message, Content::State)).collect());
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

    /// Publishes what is due and not held back, and all that is urgent.
    pub(crate) fn flush(&mut self, interval: Duration, hold: Hold, now: Instant) {
        if hold != Hold::Everything && self.waiting > 0 {
            let due = |queue: &Queue| {
                !queue.waiting.is_empty() && queue.last_publish.is_none_or(|last| now.duration_since(last) >= interval)
            };
            let mut batches = Vec::new();
            for (lane, queue) in self.queues.iter_mut().filter(|(_, queue)| due(queue)) {
                let states = queue.waiting.iter().take_while(|(_, content)| *content == Content::State).count();
                let batch: VecDeque<_> = match hold {
                    Hold::Nothing => std::mem::take(&mut queue.waiting),
                    _ => queue.waiting.drain(..states).collect(),
                };
                if !batch.is_empty() {
                    queue.last_publish = Some(now);
                    batches.push((lane.clone(), batch));
                }
            }
            for (lane, batch) in batches {
                self.waiting -= batch.len();
                self.publish_batch(&lane, batch);
            }
            if self.waiting == 0 {
                self.size = 0;
            }
            let idle =
                |queue: &Queue| queue.waiting.is_empty() && queue.last_publish.is_none_or(|at| at + interval < now);
            self.queues.retain(|lane, queue| *lane == Lane::Room || !idle(queue));
        }
        for (lane, message) in std::mem::take(&mut self.urgent) {
            let operation = self.operation(vec![Content::Other]);
            let channel = self.channel(&lane);
            let messages = vec![message];
            self.commands.push_back(Command::Publish { operation, channel, messages, lifetime: Lifetime::Volatile });
        }
    }

    fn publish_batch(&mut self, lane: &Lane, batch: VecDeque<(Message, Content)>) {
        let (mut messages, mut contents, mut size) = (Vec::new(), Vec::new(), 0);
        let publish = |outbound: &mut Self, messages: &mut Vec<Message>, contents: &mut Vec<Content>| {
            let operation = outbound.operation(std::mem::take(contents));
            let (channel, messages) = (outbound.channel(lane), std::mem::take(messages));
            outbound.commands.push_back(Command::Publish {
                operation,
                channel,
                messages,
                lifetime: Lifetime::Connection,
            });
        };
        for (message, content) in batch {
            let more = message.size();
            self.size = self.size.saturating_sub(more);
            if !messages.is_empty() && size + more > MAX_PUBLISH_SIZE {
                publish(self, &mut messages, &mut contents);
                size = 0;
            }
            size += more;
            messages.push(message);
            contents.push(content);
        }
        publish(self, &mut messages, &mut contents);
    }

    /// Makes an operation whose outcome concerns `contents`.
    fn operation(&mut self, contents: Vec<Content>) -> OperationId {
        let operation = OperationId::of(Asker::Room, self.next_operation);
        self.next_operation = self.next_operation.wrapping_add(1);
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            self.in_flight.pop_first();
        }
        self.in_flight.insert(operation, contents);
        operation
    }

    /// What an operation was about, once its outcome is known; nothing for operations of others.
    pub(crate) fn settle(&mut self, operation: OperationId) -> Vec<Content> {
        self.in_flight.remove(&operation).unwrap_or_default()
    }

    /// Drops all that waits, and gives what it was.
    pub(crate) fn drop_waiting(&mut self) -> Vec<Content> {
        self.urgent.clear();
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
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn outbound() -> Outbound {
        Outbound::new(RoomName::new("r").unwrap(), Generation(1), 0)
    }

    fn publishes(outbound: &mut Outbound, now: Instant) -> Vec<usize> {
        outbound.flush(INTERVAL, Hold::Nothing, now);
        let count = |command| match command {
            Command::Publish { messages, .. } => messages.len(),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| outbound.poll_command()).map(count).collect()
    }

    fn push(outbound: &mut Outbound, text: &str) {
        outbound.push(Lane::Room, Message::new("wave", text), Content::Other);
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
        assert_eq!(outbound.next_publish(INTERVAL), Some(now + INTERVAL));
        assert_eq!(publishes(&mut outbound, now + INTERVAL), [2]);
        assert!(outbound.is_idle());
    }

    #[test]
    fn a_publish_stays_under_the_message_limit() {
        let mut outbound = outbound();
        (0..5).for_each(|_| push(&mut outbound, &"x".repeat(25_000)));
        assert_eq!(publishes(&mut outbound, Instant::now()), [2, 2, 1]);
        assert_eq!(outbound.size, 0);
    }

    #[test]
    fn outcomes_of_other_peoples_operations_are_not_mistaken_for_own_ones() {
        let mut outbound = outbound();
        let operation = outbound.operation(vec![Content::State]);
        assert_eq!(outbound.settle(OperationId(1)), []);
        assert_eq!(outbound.settle(operation), [Content::State]);
        assert_eq!(outbound.settle(operation), []);
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
