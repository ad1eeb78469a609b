//! The history of a channel, as lists in pages: its messages, and its presence messages.
//!
//! The [`ReplayLog`](super::replay::ReplayLog) keeps the messages. The presence messages are kept here, with the same bounds in
//! time, number and bytes.

use std::{collections::VecDeque, ops::ControlFlow, time::Duration};

use web_time::Instant;

use crate::{
    http::{Direction, HistoryQuery, invalid},
    hub::{
        channel::{members::wire_size, publish::size as message_size, replay::ReplayLog, serial::Position},
        shared_frame::SharedFrame,
    },
    limits::ANSWER_BYTES,
};
use rooms_protocol::{ErrorInfo, Message, PresenceMessage};

/// What a message needs besides its data, about, in bytes.
const MESSAGE_OVERHEAD: usize = 256;

/// One page of a list.
#[derive(Debug)]
pub(crate) struct LogPage<T> {
    /// The items of the page.
    pub(crate) items: Vec<T>,
    /// The bytes that they take in memory, about.
    pub(crate) bytes: usize,
    /// The cursor of the next page; `None` on the last.
    pub(crate) next: Option<String>,
}

impl<T> LogPage<T> {
    /// The page of a channel that is not in memory.
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), bytes: 0, next: None }
    }
}

/// The bytes that a presence message takes in memory, about.
pub(crate) fn presence_weight(message: &PresenceMessage) -> usize {
    MESSAGE_OVERHEAD.saturating_add(wire_size(message))
}

/// One page of `items`, which come in the order of their places, oldest first. `after` is where the page before ended. The page
/// ends where it has as many items as asked for, or bytes as an answer may have.
fn page<K: Ord + Copy, T>(
    items: impl DoubleEndedIterator<Item = (K, T)>,
    query: &HistoryQuery,
    after: Option<K>,
    weight: impl Fn(&T) -> usize,
    cursor: impl Fn(K) -> String,
) -> LogPage<T> {
    let mut chosen = LogPage::empty();
    let mut last = None;
    let mut choose = |(place, item): (K, T)| {
        if chosen.items.len() == query.paging.limit || chosen.bytes >= ANSWER_BYTES {
            chosen.next = last.map(&cursor);
            return ControlFlow::Break(());
        }
        chosen.bytes = chosen.bytes.saturating_add(weight(&item));
        chosen.items.push(item);
        last = Some(place);
        ControlFlow::Continue(())
    };
    // An early end means that there is more.
    let _ = match query.direction {
        Direction::Forwards => {
            items.skip_while(|(place, _)| after.is_some_and(|after| *place <= after)).try_for_each(&mut choose)
        }
        Direction::Backwards => {
            items.rev().skip_while(|(place, _)| after.is_some_and(|after| *place >= after)).try_for_each(&mut choose)
        }
    };
    chosen
}

/// One page of a channel's messages. `node` is the relay that gave the serials.
pub(crate) fn messages(log: &ReplayLog, query: &HistoryQuery, node: &str) -> Result<LogPage<Message>, ErrorInfo> {
    let after = query.paging.cursor.as_deref().map(|cursor| parse_place(cursor, node)).transpose()?;
    let until = match &query.until {
        Some(serial) => Some(
            Position::parse(serial, node)
                .ok_or_else(|| invalid("the serial to read up to is not one of this relay's; attach again"))?,
        ),
        None => None,
    };
    let frames = log.iter().filter(|(position, _)| until.is_none_or(|until| *position <= until));
    let places = frames
        .flat_map(|(position, frame)| (0..frame.frame().messages.len()).map(move |index| ((position, index), frame)));
    let wanted = places.filter(|(_, frame)| frame.frame().timestamp.is_some_and(|time| query.includes(time)));
    let cursor = |(position, index): (Position, usize)| format!("{}:{index}", position.channel_serial(node).as_str());
    let weight = |(index, frame): &(usize, &SharedFrame)| {
        let message = frame.frame().messages.get(*index);
        MESSAGE_OVERHEAD.saturating_add(message.map_or(0, message_size))
    };
    let wanted = wanted.map(|(place, frame)| (place, (place.1, frame)));
    let LogPage { items, bytes, next } = page(wanted, query, after, weight, cursor);
    let items = items.into_iter().filter_map(|(index, frame)| frame.frame().complete_message(index)).collect();
    Ok(LogPage { items, bytes, next })
}

fn parse_place(cursor: &str, node: &str) -> Result<(Position, usize), ErrorInfo> {
    let place = cursor
        .rsplit_once(':')
        .and_then(|(serial, index)| Some((Position::parse(&serial.into(), node)?, index.parse().ok()?)));
    place.ok_or_else(bad_cursor)
}

fn bad_cursor() -> ErrorInfo {
    invalid("the cursor is not one of this relay's; start with the first page")
}

/// The presence messages of one channel, kept for a while.
#[derive(Debug, Default)]
pub(crate) struct PresenceLog {
    entries: VecDeque<Entry>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    at: Instant,
    bytes: usize,
    message: PresenceMessage,
}

impl PresenceLog {
    /// Keeps a presence message that was just sent, with its id, connection and time.
    pub(crate) fn push(&mut self, message: PresenceMessage, now: Instant) {
        let bytes = presence_weight(&message);
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push_back(Entry { number: self.next, at: now, bytes, message });
        self.next += 1;
    }

    /// Drops what is older than `window`.
    pub(crate) fn drop_older(&mut self, window: Duration, now: Instant) {
        while self.entries.front().is_some_and(|entry| now.saturating_duration_since(entry.at) >= window) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest beyond `messages` and `bytes`.
    pub(crate) fn shrink_to(&mut self, messages: usize, bytes: usize) {
        while !self.entries.is_empty() && (self.entries.len() > messages || self.bytes > bytes) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    /// When the oldest was sent.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.at)
    }

    /// Bytes that are kept, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One page of the presence messages.
    pub(crate) fn page(&self, query: &HistoryQuery) -> Result<LogPage<PresenceMessage>, ErrorInfo> {
        let parse = |cursor: &str| cursor.parse::<u64>().map_err(|_| bad_cursor());
        let after = query.paging.cursor.as_deref().map(parse).transpose()?;
        let wanted = self.entries.iter().filter(|kept| kept.message.timestamp.is_some_and(|time| query.includes(time)));
        let wanted = wanted.map(|kept| (kept.number, &kept.message));
        let weight = |message: &&PresenceMessage| presence_weight(message);
        let LogPage { items, bytes, next } = page(wanted, query, after, weight, |number| number.to_string());
        Ok(LogPage { items: items.into_iter().cloned().collect(), bytes, next })
    }
}
