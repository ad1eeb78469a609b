//! From the queues to the client: what goes out with a flush, and what an answer of the server leads to.

use std::{collections::VecDeque, time::Duration};

use rooms_client::{Command, Lifetime, OperationId};
use rooms_protocol::{ErrorCode, ErrorInfo, Message};
use web_time::Instant;

use super::{Content, Flight, Hold, Lane, MAX_PUBLISH_SIZE, Outbound, Queue, Turn, bundle};

/// How long a lane lets more important ones go first.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// What waits in a queue.
type Waiting = VecDeque<(Message, Content)>;

/// Which lane goes first on a server with limits, and since when it waits.
type Rank = (u8, Option<Instant>);

impl Outbound {
    /// Publishes what is due and not held back, and all that is urgent.
    pub(crate) fn flush(&mut self, hold: Hold, now: Instant) {
        if hold != Hold::Everything && self.waiting > 0 {
            for queue in self.queues.values_mut().filter(|queue| !queue.waiting.is_empty()) {
                queue.waiting_since.get_or_insert(now);
            }
            for lane in self.lanes_in_turn(now) {
                while self.turn(&lane, now) == Turn::Now && self.flush_lane(&lane, hold, now) {}
            }
            if self.waiting == 0 {
                self.size = 0;
            }
            let interval = self.interval;
            let idle = |queue: &Queue| {
                queue.waiting.is_empty()
                    && queue.unanswered.is_none()
                    && queue.last_publish.is_none_or(|at| at + interval < now)
            };
            self.queues.retain(|lane, queue| *lane == Lane::Room || !idle(queue));
        }
        self.flush_urgent(now);
    }

    /// The lanes on which something waits. On a server with limits, the most important one comes first, and of equal ones that
    /// which waits longest. A lane that waited for [`LONG_WAIT`] is as important as any: others may always have something to send.
    fn lanes_in_turn(&self, now: Instant) -> Vec<Lane> {
        let rank = |lane: &Lane, queue: &Queue| -> Rank {
            let is_of_game = |(_, content): &(Message, Content)| matches!(content, Content::Game { .. });
            let importance = match (lane, queue.waiting.iter().all(is_of_game)) {
                (Lane::Room, false) => 0,
                (Lane::Inbox(_), false) => 1,
                (_, true) => 2,
            };
            let waited = queue.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            (if waited < LONG_WAIT { importance } else { 0 }, queue.last_publish)
        };
        let waiting = self.queues.iter().filter(|(_, queue)| !queue.waiting.is_empty());
        let mut lanes: Vec<_> = waiting.map(|(lane, queue)| (rank(lane, queue), lane.clone())).collect();
        if self.pace.is_limited() {
            lanes.sort();
        }
        lanes.into_iter().map(|(_, lane)| lane).collect()
    }

    /// Publishes what waits on a lane: all of it, or as much as a server with limits takes at once. Returns whether there was
    /// anything to publish.
    fn flush_lane(&mut self, lane: &Lane, hold: Hold, now: Instant) -> bool {
        let Some(queue) = self.queues.get_mut(lane) else { return false };
        let states = queue.waiting.iter().take_while(|(_, content)| *content == Content::State).count();
        let most = if hold == Hold::Nothing { queue.waiting.len() } else { states };
        if most == 0 {
            return false;
        }
        queue.last_publish = Some(now);
        queue.waiting_since = None;
        if self.pace.is_limited() {
            let batch: Waiting = queue.waiting.drain(..fitting(&queue.waiting, most)).collect();
            self.waiting -= batch.len();
            self.publish_as_one(lane, batch, now);
        } else {
            let batch: Waiting = queue.waiting.drain(..most).collect();
            self.waiting -= batch.len();
            self.publish_batch(lane, batch);
        }
        true
    }

    /// Publishes messages as one, and notes that the lane waits for the answer.
    fn publish_as_one(&mut self, lane: &Lane, batch: Waiting, now: Instant) {
        let (messages, contents): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        self.size = self.size.saturating_sub(messages.iter().map(Message::size).sum());
        self.stats.merged += (messages.len() as u64).saturating_sub(1);
        let packed = bundle::pack(messages.clone());
        packed.iter().for_each(|_| self.pace.note_sent(lane.to(), now));
        let operation = self.operation_of(Flight { contents, again: Some((lane.clone(), messages)) });
        if let Some(queue) = self.queues.get_mut(lane) {
            queue.unanswered = Some(operation);
        }
        self.publish(operation, lane, packed, Lifetime::Connection);
    }

    /// Publishes messages in as few publishes as the message limit allows.
    fn publish_batch(&mut self, lane: &Lane, batch: Waiting) {
        let (mut messages, mut contents, mut size) = (Vec::new(), Vec::new(), 0);
        for (message, content) in batch {
            let more = message.size();
            self.size = self.size.saturating_sub(more);
            if !messages.is_empty() && size + more > MAX_PUBLISH_SIZE {
                let operation = self.operation(std::mem::take(&mut contents));
                self.publish(operation, lane, std::mem::take(&mut messages), Lifetime::Connection);
                size = 0;
            }
            size += more;
            messages.push(message);
            contents.push(content);
        }
        let operation = self.operation(contents);
        self.publish(operation, lane, messages, Lifetime::Connection);
    }

    /// Publishes what cannot wait. What goes to one player goes together.
    fn flush_urgent(&mut self, now: Instant) {
        let mut urgent = std::mem::take(&mut self.urgent).into_iter().peekable();
        while let Some((lane, message)) = urgent.next() {
            let mut messages = vec![message];
            let mut size = bundle::size_in_bundle(&messages[0]).unwrap_or(MAX_PUBLISH_SIZE);
            while let Lane::Inbox(_) = lane
                && let Some((_, next)) = urgent.next_if(|(next, message)| {
                    size += bundle::size_in_bundle(message).unwrap_or(MAX_PUBLISH_SIZE);
                    *next == lane && size <= MAX_PUBLISH_SIZE - bundle::OVERHEAD
                })
            {
                messages.push(next);
            }
            let operation = self.operation(vec![Content::Urgent]);
            if self.pace.is_limited() {
                messages = bundle::pack(messages);
                messages.iter().for_each(|_| self.pace.note_sent(lane.to(), now));
            }
            self.publish(operation, &lane, messages, Lifetime::Volatile);
        }
    }

    fn publish(&mut self, operation: OperationId, lane: &Lane, messages: Vec<Message>, lifetime: Lifetime) {
        let channel = self.channel(lane);
        self.commands.push_back(Command::Publish { operation, channel, messages, lifetime });
    }

    /// Takes in the outcome of an operation. Gives what it was about if that is over with it: nothing for operations of
    /// others, and for messages that go out again because the server took no more of them in that second.
    pub(crate) fn settle(&mut self, operation: OperationId, error: Option<&ErrorInfo>, now: Instant) -> Vec<Content> {
        let Some(Flight { contents, again }) = self.in_flight.remove(&operation) else { return Vec::new() };
        let is_one_too_many = error.is_some_and(|error| is_rate(error.code));
        if is_one_too_many {
            self.stats.refused += 1;
            self.pace.note_refused(now);
        }
        let Some((lane, messages)) = again else { return contents };
        if let Some(queue) = self.queues.get_mut(&lane)
            && queue.unanswered == Some(operation)
        {
            queue.unanswered = None;
        }
        if !is_one_too_many {
            return contents;
        }
        self.push_front(&lane, messages.into_iter().zip(contents).collect());
        Vec::new()
    }

    /// Notes that outcomes may never be told: no lane waits for one any more.
    pub(crate) fn lose_outcomes(&mut self) {
        self.queues.values_mut().for_each(|queue| queue.unanswered = None);
    }
}

/// How many of the first `most` messages go into one publish. One does in any case.
fn fitting(waiting: &Waiting, most: usize) -> usize {
    let mut size = bundle::OVERHEAD;
    let fits = |(message, _): &&(Message, Content)| match bundle::size_in_bundle(message) {
        Some(more) => {
            size += more;
            size <= MAX_PUBLISH_SIZE
        }
        None => false,
    };
    waiting.iter().take(most).take_while(fits).count().max(1)
}

/// Whether a server refused a publish because it takes no more in this second.
fn is_rate(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RATE_EXCEEDED
            | ErrorCode::CONNECTION_RATE_EXCEEDED
            | ErrorCode::CHANNEL_RATE_EXCEEDED
            | ErrorCode::CHANNEL_BANDWIDTH_EXCEEDED
            | ErrorCode::ACCOUNT_RATE_EXCEEDED
    )
}
