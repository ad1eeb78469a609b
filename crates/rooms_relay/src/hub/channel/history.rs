//! The history of a channel, as lists in pages: its messages, and its presence messages.
//!
//! The [`ReplayLog`](super::replay::ReplayLog) keeps the messages. The presence messages are kept here, with the same bounds in
//! time, number and bytes.

use std::{collections::VecDeque, time::Duration};

use web_time::Instant;

use crate::{
    http::{Direction, HistoryQuery, invalid},
    hub::channel::{members::wire_size, replay::ReplayLog, serial::Position},
};
use rooms_protocol::{ErrorInfo, Message, PresenceMessage};

/// What a kept presence message needs besides its data, about, in bytes.
const MESSAGE_OVERHEAD: usize = 256;

/// One page of a list.
#[derive(Debug)]
pub(crate) struct LogPage<T> {
    /// The items of the page.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub(crate) next: Option<String>,
}

impl<T> LogPage<T> {
    /// The page of a channel that is not in memory.
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// One page of `items`, which come in the order of their places, oldest first. `after` is where the page before ended.
fn page<K: Ord + Copy, T>(
    items: impl DoubleEndedIterator<Item = (K, T)>,
    query: &HistoryQuery,
    after: Option<K>,
    cursor: impl Fn(K) -> String,
) -> LogPage<T> {
    let limit = query.paging.limit;
    let mut chosen: Vec<(K, T)> = match query.direction {
        Direction::Forwards => {
            items.skip_while(|(place, _)| after.is_some_and(|after| *place <= after)).take(limit + 1).collect()
        }
        Direction::Backwards => {
            items.rev().skip_while(|(place, _)| after.is_some_and(|after| *place >= after)).take(limit + 1).collect()
        }
    };
    let has_more = chosen.len() > limit;
    chosen.truncate(limit);
    let next = chosen.last().filter(|_| has_more).map(|(place, _)| cursor(*place));
    LogPage { items: chosen.into_iter().map(|(_, item)| item).collect(), next }
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
    let LogPage { items, next } = page(wanted.map(|(place, frame)| (place, (place.1, frame))), query, after, cursor);
    let items = items.into_iter().filter_map(|(index, frame)| frame.frame().complete_message(index)).collect();
    Ok(LogPage { items, next })
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
        let bytes = MESSAGE_OVERHEAD.saturating_add(wire_size(&message));
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
        let LogPage { items, next } =
            page(wanted.map(|kept| (kept.number, &kept.message)), query, after, |number| number.to_string());
        Ok(LogPage { items: items.into_iter().cloned().collect(), next })
    }
}
