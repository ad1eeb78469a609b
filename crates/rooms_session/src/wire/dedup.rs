//! How far everyone's game messages were heard: what comes twice counts once, and what is missing is noticed.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{Generation, MAX_PLAYERS, PlayerId};
use rooms_protocol::MessageSerial;

/// Most failed messages that are remembered to explain gaps in the own sequence.
const MAX_FAILED: usize = 1024;

/// How far everyone's game messages were heard, the own ones' echoes too.
#[derive(Debug, Default)]
pub(crate) struct Dedup {
    /// By player and whether over the inbox.
    last: BTreeMap<(PlayerId, bool), Latest>,
    /// The own messages said on the room's channel and in inboxes.
    said: [u64; 2],
    /// The last own message that came back.
    echoed: u64,
    /// Own messages that the server did not take.
    failed: BTreeSet<u64>,
}

impl Dedup {
    /// The number of the next own message.
    pub(crate) fn next(&mut self, inbox: bool) -> u64 {
        let said = &mut self.said[usize::from(inbox)];
        *said = said.saturating_add(1);
        *said
    }

    pub(crate) fn note_failed(&mut self, sequence: u64) {
        if self.failed.len() >= MAX_FAILED {
            self.failed.pop_first();
        }
        self.failed.insert(sequence);
    }

    /// Whatever was said so far will not come back.
    pub(crate) fn expect_no_echo(&mut self) {
        self.echoed = self.said[0];
        self.failed.clear();
    }

    /// Notes an own message that came back, and tells whether one before it is missing.
    pub(crate) fn hear_echo(&mut self, sequence: u64) -> bool {
        if sequence <= self.echoed || sequence > self.said[0] {
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
                && generation > latest.said.generation
            {
                // Serials are compared within one channel.
                let serial = serial.filter(|_| !inbox).cloned();
                latest.replace(Said { generation, sequence: 0, serial });
            }
        }
    }

    /// Notes the message of a player who has a seat, and tells whether it is news.
    pub(crate) fn is_news(&mut self, player: &PlayerId, inbox: bool, said: Said) -> bool {
        let key = (player.clone(), inbox);
        if let Some(latest) = self.last.get_mut(&key) {
            return latest.is_news(said);
        }
        if self.last.len() < 2 * MAX_PLAYERS {
            self.last.insert(key, Latest { since: said.serial.clone(), said, before: None });
        }
        true
    }
}

/// What stands on a message of a game, and where the server put it.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub generation: Generation,
    pub sequence: u64,
    pub serial: Option<MessageSerial>,
}

/// The last that was heard of a player.
#[derive(Debug)]
struct Latest {
    /// The last of its newest process.
    said: Said,
    /// The first thing heard of that process.
    since: Option<MessageSerial>,
    /// The last of the process before it.
    before: Option<(Generation, u64)>,
}

impl Latest {
    /// A newer process speaks.
    fn replace(&mut self, said: Said) {
        self.since.clone_from(&said.serial);
        let before = std::mem::replace(&mut self.said, said);
        self.before = Some((before.generation, before.sequence));
    }

    /// Where each publisher has an order of its own, what a process said at its end may come after the first words of the
    /// next one. It counts if the server had it earlier: a process that goes on after it was replaced is not heard.
    fn is_news(&mut self, said: Said) -> bool {
        match said.generation.cmp(&self.said.generation) {
            Ordering::Greater => self.replace(said),
            Ordering::Equal if said.sequence <= self.said.sequence => return false,
            Ordering::Equal => self.said = said,
            Ordering::Less => {
                let last = (said.generation, said.sequence);
                let was_in_time = matches!((&said.serial, &self.since), (Some(said), Some(since)) if said < since);
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
        let (ada, mut heard) = (PlayerId::new("ada").unwrap(), Dedup::default());
        let said = |&(generation, sequence, serial): &(u64, u64, &str)| Said {
            generation: Generation(generation),
            sequence,
            serial: Some(serial.into()),
        };
        messages.iter().map(|message| heard.is_news(&ada, false, said(message))).collect()
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
        let (ada, mut heard) = (PlayerId::new("ada").unwrap(), Dedup::default());
        let said = |serial: &str| Said { generation: Generation(1), sequence: 9, serial: Some(serial.into()) };
        heard.is_news(&ada, false, Said { sequence: 1, ..said("a") });
        heard.note_process(&ada, Generation(2), Some(&"c".into()));
        assert!(!heard.is_news(&ada, false, said("d")));
        assert!(heard.is_news(&ada, false, said("b")));
    }
}
