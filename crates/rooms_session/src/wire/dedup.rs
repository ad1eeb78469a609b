//! How far each player's messages of the game were received. A message that comes twice counts once, and a missing own
//! message is noticed.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    id::{Generation, PlayerId},
    state::roster::MAX_PLAYERS,
};
use rooms_protocol::MessageSerial;

/// Most failed messages that are remembered to explain gaps in the own sequence.
const MAX_FAILED: usize = 1024;

/// How far each player's messages were received, and the echoes of the own ones.
#[derive(Debug, Default)]
pub(crate) struct Dedup {
    /// By player and whether over the inbox.
    last: BTreeMap<(PlayerId, bool), Latest>,
    /// How many own messages were sent on the room's channel and to inboxes.
    sent: [u64; 2],
    /// The last own message that came back.
    echoed: u64,
    /// Own messages that the server did not take.
    failed: BTreeSet<u64>,
}

impl Dedup {
    /// The number of the next own message.
    pub(crate) fn next(&mut self, inbox: bool) -> u64 {
        let sent = &mut self.sent[usize::from(inbox)];
        *sent = sent.saturating_add(1);
        *sent
    }

    pub(crate) fn note_failed(&mut self, sequence: u64) {
        if self.failed.len() >= MAX_FAILED {
            self.failed.pop_first();
        }
        self.failed.insert(sequence);
    }

    /// Notes that nothing sent so far will come back.
    pub(crate) fn expect_no_echo(&mut self) {
        self.echoed = self.sent[0];
        self.failed.clear();
    }

    /// Notes an own message that came back. Returns whether one before it is missing.
    pub(crate) fn on_echo(&mut self, sequence: u64) -> bool {
        if sequence <= self.echoed || sequence > self.sent[0] {
            return false;
        }
        let missing = (self.echoed + 1..sequence).any(|missing| !self.failed.contains(&missing));
        self.echoed = sequence;
        self.failed = self.failed.split_off(&sequence);
        missing
    }

    /// Notes that a newer process has a player's seat, from the state of this serial on.
    pub(crate) fn note_process(&mut self, player: &PlayerId, generation: Generation, serial: Option<&MessageSerial>) {
        for inbox in [false, true] {
            if let Some(latest) = self.last.get_mut(&(player.clone(), inbox))
                && generation > latest.message.generation
            {
                // Serials are compared within one channel.
                let serial = serial.filter(|_| !inbox).cloned();
                latest.replace(Numbered { generation, sequence: 0, serial });
            }
        }
    }

    /// Notes the message of a player that has a seat. Returns whether it is news.
    pub(crate) fn is_news(&mut self, player: &PlayerId, inbox: bool, message: Numbered) -> bool {
        let key = (player.clone(), inbox);
        if let Some(latest) = self.last.get_mut(&key) {
            return latest.is_news(message);
        }
        if self.last.len() < 2 * MAX_PLAYERS {
            self.last.insert(key, Latest { since: message.serial.clone(), message, before: None });
        }
        true
    }
}

/// How a sender numbered a message of the game, and where the server put it.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    pub generation: Generation,
    pub sequence: u64,
    pub serial: Option<MessageSerial>,
}

/// The last message received from a player.
#[derive(Debug)]
struct Latest {
    /// The last of its newest process.
    message: Numbered,
    /// The first message of that process, or the state that gave it its seat.
    since: Option<MessageSerial>,
    /// The last of the process before it.
    before: Option<(Generation, u64)>,
}

impl Latest {
    /// Notes the first message of a newer process.
    fn replace(&mut self, message: Numbered) {
        self.since.clone_from(&message.serial);
        let before = std::mem::replace(&mut self.message, message);
        self.before = Some((before.generation, before.sequence));
    }

    /// Notes a message. Returns whether it is news.
    ///
    /// The server keeps the order of each publisher only, so that the last messages of a process may come after the first
    /// ones of the next. They count if the server had them earlier. What a process sends after it was replaced is dropped.
    fn is_news(&mut self, message: Numbered) -> bool {
        match message.generation.cmp(&self.message.generation) {
            Ordering::Greater => self.replace(message),
            Ordering::Equal if message.sequence <= self.message.sequence => return false,
            Ordering::Equal => self.message = message,
            Ordering::Less => {
                let last = (message.generation, message.sequence);
                let was_in_time =
                    matches!((&message.serial, &self.since), (Some(message), Some(since)) if message < since);
                if !was_in_time || self.before.is_some_and(|before| last <= before) {
                    return false;
                }
                self.before = Some(last);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each message, by generation, sequence and serial, is news.
    fn news(messages: &[(u64, u64, &str)]) -> Vec<bool> {
        let (ada, mut dedup) = (PlayerId::new("ada").unwrap(), Dedup::default());
        let numbered = |&(generation, sequence, serial): &(u64, u64, &str)| Numbered {
            generation: Generation(generation),
            sequence,
            serial: Some(serial.into()),
        };
        messages.iter().map(|message| dedup.is_news(&ada, false, numbered(message))).collect()
    }

    #[test]
    fn a_message_is_news_once() {
        assert_eq!(news(&[(1, 1, "a"), (1, 1, "a"), (1, 3, "c"), (1, 2, "b")]), [true, false, true, false]);
    }

    #[test]
    fn the_last_words_of_a_process_count_after_the_first_of_the_next() {
        assert_eq!(news(&[(1, 1, "a"), (2, 1, "d"), (1, 2, "b"), (1, 2, "b")]), [true, true, true, false]);
    }

    #[test]
    fn a_process_that_goes_on_after_it_was_replaced_is_not_heard() {
        assert_eq!(news(&[(1, 1, "a"), (2, 1, "b"), (1, 2, "c")]), [true, true, false]);
    }

    #[test]
    fn a_process_that_has_the_seat_ends_the_one_before_it() {
        let (ada, mut dedup) = (PlayerId::new("ada").unwrap(), Dedup::default());
        let numbered = |serial: &str| Numbered { generation: Generation(1), sequence: 9, serial: Some(serial.into()) };
        dedup.is_news(&ada, false, Numbered { sequence: 1, ..numbered("a") });
        dedup.note_process(&ada, Generation(2), Some(&"c".into()));
        assert!(!dedup.is_news(&ada, false, numbered("d")));
        assert!(dedup.is_news(&ada, false, numbered("b")));
    }
}
