//! What was said on a channel, as lists in pages: the messages that it keeps, and the words about its members.
//!
//! Messages are kept by the [`ReplayLog`](super::replay::ReplayLog); the words about members are kept here, bounded in
//! time, number and bytes like those.

use std::{collections::VecDeque, time::Duration};

use web_time::Instant;

use crate::{
    http::{Direction, HistoryQuery, invalid},
    hub::channel::{members::wire_size, replay::ReplayLog, serial::Position},
};
use rooms_protocol::{ErrorInfo, Message, PresenceMessage};

/// What a kept word takes besides its data: a round figure, in bytes.
const WORD_OVERHEAD: usize = 256;

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// The cursor of the next; `None` on the last.
    pub(crate) next: Option<String>,
}

/// One page of `items`, which come in the order of their places, oldest first. `after` is the place where the page
/// before ended.
fn page<K: Ord + Copy, T>(
    items: impl DoubleEndedIterator<Item = (K, T)>,
    query: &HistoryQuery,
    after: Option<K>,
    cursor: impl Fn(K) -> String,
) -> Page<T> {
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
    Page { items: chosen.into_iter().map(|(_, item)| item).collect(), next }
}

/// One page of a channel's messages. `node` is the relay that gave the serials.
pub(crate) fn messages(log: &ReplayLog, query: &HistoryQuery, node: &str) -> Result<Page<Message>, ErrorInfo> {
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
    let Page { items, next } = page(wanted.map(|(place, frame)| (place, (place.1, frame))), query, after, cursor);
    let items = items.into_iter().filter_map(|(index, frame)| frame.frame().complete_message(index)).collect();
    Ok(Page { items, next })
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

/// The words about members of one channel, kept for a while.
#[derive(Debug, Default)]
pub(crate) struct PresenceLog {
    words: VecDeque<Word>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Word {
    number: u64,
    at: Instant,
    bytes: usize,
    word: PresenceMessage,
}

impl PresenceLog {
    /// Keeps a word that was just told, complete with id, connection and time.
    pub(crate) fn push(&mut self, word: PresenceMessage, now: Instant) {
        let bytes = WORD_OVERHEAD.saturating_add(wire_size(&word));
        self.bytes = self.bytes.saturating_add(bytes);
        self.words.push_back(Word { number: self.next, at: now, bytes, word });
        self.next += 1;
    }

    /// Drops what is older than `window`.
    pub(crate) fn drop_older(&mut self, window: Duration, now: Instant) {
        while self.words.front().is_some_and(|word| now.saturating_duration_since(word.at) >= window) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest beyond `words` and `bytes`.
    pub(crate) fn shrink_to(&mut self, words: usize, bytes: usize) {
        while !self.words.is_empty() && (self.words.len() > words || self.bytes > bytes) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(word) = self.words.pop_front() {
            self.bytes = self.bytes.saturating_sub(word.bytes);
        }
    }

    /// When the oldest was told.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.words.front().map(|word| word.at)
    }

    /// Bytes that are kept, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One page of the words.
    pub(crate) fn page(&self, query: &HistoryQuery) -> Result<Page<PresenceMessage>, ErrorInfo> {
        let parse = |cursor: &str| cursor.parse::<u64>().map_err(|_| bad_cursor());
        let after = query.paging.cursor.as_deref().map(parse).transpose()?;
        let wanted = self.words.iter().filter(|kept| kept.word.timestamp.is_some_and(|time| query.includes(time)));
        let Page { items, next } =
            page(wanted.map(|kept| (kept.number, &kept.word)), query, after, |number| number.to_string());
        Ok(Page { items: items.into_iter().cloned().collect(), next })
    }
}
