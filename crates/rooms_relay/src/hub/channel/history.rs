//! The history of a channel, as lists in pages: its messages, and its presence messages.
//!
//! The [`ReplayLog`](super::replay::ReplayLog) keeps the messages. The presence messages are kept here, with the same bounds in
//! time, number and bytes.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc, time::Duration};

use web_time::Instant;

use crate::{
    http::{Direction, HistoryQuery, invalid},
    hub::{
        channel::{kept_presence::KeptPresence, replay::ReplayLog, serial::Position},
        kept_frame::KeptMessage,
    },
    limits::ANSWER_BYTES,
    moment::Moment,
};
use rooms_protocol::{ErrorInfo, Timestamp};

/// What a message of an answer takes besides its data, about, in bytes.
const MESSAGE_OVERHEAD: usize = 512;

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

/// The bytes that a presence message takes in an answer, about.
pub(crate) fn presence_weight(message: &KeptPresence) -> usize {
    MESSAGE_OVERHEAD.saturating_add(message.len())
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
pub(crate) fn messages(log: &ReplayLog, query: &HistoryQuery, node: &str) -> Result<LogPage<KeptMessage>, ErrorInfo> {
    let after = query.paging.cursor.as_deref().map(|cursor| parse_place(cursor, node)).transpose()?;
    let until = match &query.until {
        Some(serial) => Some(
            Position::parse(serial, node)
                .ok_or_else(|| invalid("the serial to read up to is not one of this relay's; attach again"))?,
        ),
        None => None,
    };
    let frames = log.iter().filter(|(position, frame)| {
        until.is_none_or(|until| *position <= until) && frame.timestamp().is_some_and(|time| query.includes(time))
    });
    let places = frames.flat_map(|(position, frame)| {
        (0..frame.messages()).map(move |index| ((position, index), KeptMessage { frame: Arc::clone(frame), index }))
    });
    let cursor = |(position, index): (Position, usize)| format!("{}:{index}", position.channel_serial(node).as_str());
    let weight = |message: &KeptMessage| MESSAGE_OVERHEAD.saturating_add(message.len());
    Ok(page(places, query, after, weight, cursor))
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
    timestamp: Timestamp,
    bytes: usize,
    message: Arc<KeptPresence>,
}

impl PresenceLog {
    /// Keeps a presence message that was just sent.
    pub(crate) fn push(&mut self, message: Arc<KeptPresence>, moment: Moment) {
        let bytes = message.held_bytes();
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push_back(Entry { number: self.next, at: moment.now, timestamp: moment.wall, bytes, message });
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
        if self.entries.is_empty() {
            // A log that was large gives its places back.
            self.entries = VecDeque::new();
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
    pub(crate) fn page(&self, query: &HistoryQuery) -> Result<LogPage<Arc<KeptPresence>>, ErrorInfo> {
        let parse = |cursor: &str| cursor.parse::<u64>().map_err(|_| bad_cursor());
        let after = query.paging.cursor.as_deref().map(parse).transpose()?;
        let wanted = self.entries.iter().filter(|kept| query.includes(kept.timestamp));
        let wanted = wanted.map(|kept| (kept.number, Arc::clone(&kept.message)));
        let weight = |message: &Arc<KeptPresence>| presence_weight(message);
        Ok(page(wanted, query, after, weight, |number| number.to_string()))
    }
}
