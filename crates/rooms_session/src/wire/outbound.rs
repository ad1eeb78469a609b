//! What waits to be published, by channel, and what was published and not answered yet.
//!
//! Everything that is said on a channel within the publish interval goes out in one publish, which arrives whole or not
//! at all; more only where the message limit asks for it. Volatile messages go at once, and only while the line is up.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use smol_str::SmolStr;
use web_time::Instant;

use crate::{PlayerId, RoomName};
use rooms_client::{Asker, Command, Lifetime, OperationId};
use rooms_protocol::Message;

/// Most messages that wait to be published.
pub(crate) const MAX_WAITING: usize = 1000;

/// Most bytes that wait to be published.
const MAX_WAITING_SIZE: usize = 8 * 1024 * 1024;

/// Most bytes in one publish: the 64 KiB of the protocol less what the server may count on top.
pub(crate) const MAX_PUBLISH_SIZE: usize = 60 * 1024;

/// Most publishes whose outcome is waited for; older ones are forgotten.
const MAX_IN_FLIGHT: usize = 4096;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// To everyone.
    Room,
    /// To one player.
    Inbox(PlayerId),
}

/// What a message is, for the one who hears that it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A game's own, with its number in the sender's sequence where it goes to everyone.
    Game { kind: SmolStr, sequence: Option<u64> },
    /// A change of the shared document.
    State,
    /// The player's own presence on the room's channel.
    Presence,
    /// Anything that is said again by itself.
    Other,
}

/// What of all that waits stays where it is.
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

/// What waits to be published, and what was not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queues: BTreeMap<Lane, Queue>,
    urgent: Vec<(Lane, Message)>,
    waiting: usize,
    size: usize,
    in_flight: BTreeMap<OperationId, Vec<Content>>,
    /// The number of the next operation.
    next_operation: u64,
}

impl Outbound {
    /// Nothing waits. Operations are numbered from a random number: sessions follow each other on one client, and the
    /// outcome of an earlier one's publish may come late.
    pub(crate) fn new(random: u64) -> Self {
        // An operation has 62 bits. With 60 of them random, the numbers grow for as long as a session lives.
        Self { next_operation: random >> 4, ..Self::default() }
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether a game may add a message.
    pub(crate) fn has_room(&self) -> bool {
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

    pub(crate) fn push(&mut self, lane: Lane, message: Message, content: Content) {
        self.waiting += 1;
        self.size = self.size.saturating_add(message.size());
        self.queues.entry(lane).or_default().waiting.push_back((message, content));
    }

    /// Puts messages before everything that waits on the room's channel.
    pub(crate) fn push_front(&mut self, messages: Vec<(Message, Content)>) {
        let queue = self.queues.entry(Lane::Room).or_default();
        for (message, content) in messages.into_iter().rev() {
            self.waiting += 1;
            self.size = self.size.saturating_add(message.size());
            queue.waiting.push_front((message, content));
        }
    }

    /// Says something now or never.
    pub(crate) fn push_urgent(&mut self, lane: Lane, message: Message) {
        self.urgent.push((lane, message));
    }

    /// Whether a flush has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == 0 && self.urgent.is_empty()
    }

    /// Publishes what is due and not held back, and all that is urgent.
    pub(crate) fn flush(
        &mut self,
        room: &RoomName,
        interval: Duration,
        hold: Hold,
        now: Instant,
        commands: &mut VecDeque<Command>,
    ) {
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
                self.publish_batch(room, &lane, batch, commands);
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
            let channel = channel(room, &lane);
            let messages = vec![message];
            commands.push_back(Command::Publish { operation, channel, messages, lifetime: Lifetime::Volatile });
        }
    }

    fn publish_batch(
        &mut self,
        room: &RoomName,
        lane: &Lane,
        batch: VecDeque<(Message, Content)>,
        commands: &mut VecDeque<Command>,
    ) {
        let (mut messages, mut contents, mut size) = (Vec::new(), Vec::new(), 0);
        let mut publish = |outgoing: &mut Self, messages: &mut Vec<Message>, contents: &mut Vec<Content>| {
            let operation = outgoing.operation(std::mem::take(contents));
            let (channel, messages) = (channel(room, lane), std::mem::take(messages));
            commands.push_back(Command::Publish { operation, channel, messages, lifetime: Lifetime::Connection });
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

    /// A new operation whose outcome concerns `contents`.
    pub(crate) fn operation(&mut self, contents: Vec<Content>) -> OperationId {
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

    /// Drops what was to be said now or never.
    pub(crate) fn drop_urgent(&mut self) {
        self.urgent.clear();
    }
}

fn channel(room: &RoomName, lane: &Lane) -> rooms_protocol::ChannelName {
    match lane {
        Lane::Room => room.channel(),
        Lane::Inbox(player) => room.inbox(player),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn publishes(outgoing: &mut Outbound, now: Instant) -> Vec<usize> {
        let mut commands = VecDeque::new();
        outgoing.flush(&RoomName::new("r").unwrap(), INTERVAL, Hold::Nothing, now, &mut commands);
        let count = |command| match command {
            Command::Publish { messages, .. } => messages.len(),
            other => panic!("{other:?}"),
        };
        commands.into_iter().map(count).collect()
    }

    fn push(outgoing: &mut Outbound, text: &str) {
        outgoing.push(Lane::Room, Message::new("wave", text), Content::Other);
    }

    #[test]
    fn what_is_said_within_the_interval_goes_out_in_one_publish_and_the_first_word_at_once() {
        let now = Instant::now();
        let mut outgoing = Outbound::default();
        push(&mut outgoing, "a");
        assert_eq!(publishes(&mut outgoing, now), [1]);
        push(&mut outgoing, "b");
        push(&mut outgoing, "c");
        assert_eq!(publishes(&mut outgoing, now + INTERVAL / 2), [0; 0]);
        assert_eq!(outgoing.next_publish(INTERVAL), Some(now + INTERVAL));
        assert_eq!(publishes(&mut outgoing, now + INTERVAL), [2]);
        assert!(outgoing.is_idle());
    }

    #[test]
    fn a_publish_stays_under_the_message_limit() {
        let mut outgoing = Outbound::default();
        (0..5).for_each(|_| push(&mut outgoing, &"x".repeat(25_000)));
        assert_eq!(publishes(&mut outgoing, Instant::now()), [2, 2, 1]);
        assert_eq!(outgoing.size, 0);
    }

    #[test]
    fn outcomes_of_other_peoples_operations_are_not_mistaken_for_own_ones() {
        let mut outgoing = Outbound::default();
        let operation = outgoing.operation(vec![Content::State]);
        assert_eq!(outgoing.settle(OperationId(1)), []);
        assert_eq!(outgoing.settle(operation), [Content::State]);
        assert_eq!(outgoing.settle(operation), []);
    }

    #[test]
    fn publishes_without_an_answer_are_not_remembered_without_bound() {
        let mut outgoing = Outbound::default();
        for _ in 0..2 * MAX_IN_FLIGHT {
            outgoing.operation(Vec::new());
        }
        assert_eq!(outgoing.in_flight.len(), MAX_IN_FLIGHT);
    }
}
