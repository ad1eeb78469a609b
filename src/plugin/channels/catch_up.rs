//! Reads the missed messages of a channel from its history, and delivers them before new ones.
//!
//! Holds new messages while the history is read. It sends no queries itself: [`receive`](super::receive) sends them.

use crate::{
    client::{HistoryDirection, HistoryPage, HistoryQuery, NextPage, OperationId},
    protocol::{ErrorInfo, Message, MessageSerial, Timestamp},
};

/// The messages of one page, as many as servers give.
const PAGE: u16 = 1_000;

/// The most messages that are recovered: some minutes of a busy channel.
pub(super) const MAX_RECOVERED: usize = 10_000;

/// The most messages that wait while the history is read: twenty seconds of a busy channel.
pub(super) const MAX_HELD: usize = 1_000;

/// The position in a channel's stream, and the reading of missed messages.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    /// The newest delivered message.
    serial: Option<MessageSerial>,
    timestamp: Option<Timestamp>,
    /// Why the position at the first attachment is unknown, if it is.
    unmarked: Option<ErrorInfo>,
    reading: Option<Reading>,
}

#[derive(Debug)]
struct Reading {
    operation: OperationId,
    held: Vec<Message>,
    recovered: usize,
    /// Whether the history reaches back to the last delivered message.
    meets: bool,
}

/// What to do with a page.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// Missed messages, oldest first.
    pub(super) recovered: Vec<Message>,
    pub(super) then: Then,
}

#[derive(Debug, PartialEq)]
pub(super) enum Then {
    /// Ask for this page as the operation.
    Page(NextPage),
    /// Deliver these, which arrived meanwhile, and go on.
    Done { held: Vec<Message>, recovered: usize, is_complete: bool },
    /// More was missed than is recovered.
    TooMuch { held: Vec<Message>, recovered: usize },
}

impl CatchUp {
    /// The query for the newest message, which gives the position before anything arrives.
    pub(super) fn mark_query() -> HistoryQuery {
        HistoryQuery { limit: Some(1), until_attach: true, ..HistoryQuery::default() }
    }

    /// Takes the answer to [`mark_query`](Self::mark_query).
    pub(super) fn mark(&mut self, page: &HistoryPage) {
        self.unmarked = None;
        if let Some(newest) = page.messages.first() {
            self.note(newest);
        }
    }

    /// [`mark_query`](Self::mark_query) failed. Until a message arrives, missed messages cannot be told from older ones.
    pub(super) fn fail_to_mark(&mut self, why: ErrorInfo) {
        self.unmarked = Some(why);
    }

    /// Why missed messages cannot be told from older ones, if they cannot.
    pub(super) fn unmarked(&self) -> Option<&ErrorInfo> {
        self.unmarked.as_ref().filter(|_| self.serial.is_none())
    }

    /// Begins to read the missed messages, as `operation`. `until_attach` is true if the channel was attached anew:
    /// what arrived since then is known.
    pub(super) fn begin(&mut self, operation: OperationId, until_attach: bool) -> HistoryQuery {
        self.reading = Some(Reading { operation, held: Vec::new(), recovered: 0, meets: self.serial.is_none() });
        HistoryQuery {
            start: self.timestamp,
            direction: HistoryDirection::Forwards,
            limit: Some(PAGE),
            until_attach,
            ..HistoryQuery::default()
        }
    }

    /// Takes a message that arrived, and gives it back unless it must wait.
    ///
    /// # Errors
    /// All messages that waited, if they are too many. The reading ends then.
    pub(super) fn take(&mut self, message: Message) -> Result<Option<Message>, Vec<Message>> {
        let Some(reading) = &mut self.reading else {
            self.note(&message);
            return Ok(Some(message));
        };
        reading.held.push(message);
        if reading.held.len() < MAX_HELD { Ok(None) } else { Err(self.stop().0) }
    }

    /// Takes one page of missed messages. `None`: the page belongs to an older reading.
    pub(super) fn page(&mut self, operation: OperationId, page: HistoryPage) -> Option<Step> {
        let reading = self.reading.as_ref().filter(|reading| reading.operation == operation)?;
        let recovered_before = reading.recovered;
        let meets = page.messages.iter().any(|message| message.serial.is_some() && message.serial == self.serial);
        let room = MAX_RECOVERED - recovered_before;
        let news: Vec<Message> = page.messages.into_iter().filter(|message| self.is_news(message)).collect();
        let (fits, recovered) = (news.len() <= room, news.into_iter().take(room).collect::<Vec<_>>());
        recovered.iter().for_each(|message| self.note(message));
        if let Some(reading) = &mut self.reading {
            reading.recovered += recovered.len();
            reading.meets |= meets;
        }
        let then = match page.next {
            Some(next) if fits => Then::Page(next),
            _ => {
                let (held, recovered, is_complete) = self.stop();
                if fits { Then::Done { held, recovered, is_complete } } else { Then::TooMuch { held, recovered } }
            }
        };
        Some(Step { recovered, then })
    }

    /// Goes on with another operation, for the next page.
    pub(super) fn go_on(&mut self, operation: OperationId) {
        if let Some(reading) = &mut self.reading {
            reading.operation = operation;
        }
    }

    /// Whether `operation` is the current reading.
    pub(super) fn reads(&self, operation: OperationId) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.operation == operation)
    }

    /// Ends the reading. Gives the new messages that waited, the number of recovered ones, and whether nothing is
    /// missing.
    pub(super) fn stop(&mut self) -> (Vec<Message>, usize, bool) {
        let Some(reading) = self.reading.take() else { return (Vec::new(), 0, false) };
        let held: Vec<Message> = reading.held.into_iter().filter(|message| self.is_news(message)).collect();
        held.iter().for_each(|message| self.note(message));
        (held, reading.recovered, reading.meets)
    }

    fn is_news(&self, message: &Message) -> bool {
        message.serial.is_none() || message.serial > self.serial
    }

    fn note(&mut self, message: &Message) {
        if message.serial.is_some() && message.serial > self.serial {
            self.serial.clone_from(&message.serial);
            self.timestamp = message.timestamp.or(self.timestamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: OperationId = OperationId(7);

    fn message(number: usize) -> Message {
        Message {
            serial: Some(format!("{number:06}").into()),
            timestamp: Some(Timestamp(i64::try_from(number).unwrap())),
            ..Message::new("n", number.to_string())
        }
    }

    fn page(numbers: impl IntoIterator<Item = usize>) -> HistoryPage {
        HistoryPage { messages: numbers.into_iter().map(message).collect(), presence: Vec::new(), next: None }
    }

    fn numbers(messages: &[Message]) -> Vec<usize> {
        messages.iter().map(|message| message.data.as_ref().unwrap().read().unwrap()).collect()
    }

    fn read_up_to(last: usize) -> CatchUp {
        let mut catch_up = CatchUp::default();
        (0..=last).for_each(|number| assert!(catch_up.take(message(number)).unwrap().is_some()));
        catch_up
    }

    #[test]
    fn what_was_missed_comes_once_and_before_what_came_meanwhile() {
        let mut catch_up = read_up_to(3);
        let query = catch_up.begin(READING, true);
        assert_eq!((query.start, query.direction), (Some(Timestamp(3)), HistoryDirection::Forwards));
        assert_eq!(catch_up.take(message(7)), Ok(None));
        let step = catch_up.page(READING, page(3..=6)).unwrap();
        assert_eq!(numbers(&step.recovered), [4, 5, 6]);
        assert_eq!(step.then, Then::Done { held: vec![message(7)], recovered: 3, is_complete: true });
        assert_eq!(catch_up.take(message(8)), Ok(Some(message(8))));
    }

    #[test]
    fn a_history_that_does_not_reach_back_is_told_to_be_incomplete() {
        let mut catch_up = read_up_to(3);
        catch_up.begin(READING, true);
        let step = catch_up.page(READING, page(5..=6)).unwrap();
        assert_eq!(step.then, Then::Done { held: vec![], recovered: 2, is_complete: false });
    }

    #[test]
    fn a_message_that_came_and_is_in_the_history_too_comes_once() {
        let mut catch_up = read_up_to(3);
        catch_up.begin(READING, false);
        catch_up.take(message(5)).unwrap();
        let step = catch_up.page(READING, page(3..=5)).unwrap();
        assert_eq!(numbers(&step.recovered), [4, 5]);
        assert!(matches!(step.then, Then::Done { held, .. } if held.is_empty()));
    }

    #[test]
    fn before_anything_came_the_newest_of_the_history_tells_where_the_stream_stands() {
        let mut catch_up = CatchUp::default();
        catch_up.mark(&page([4]));
        catch_up.begin(READING, true);
        let step = catch_up.page(READING, page(4..=6)).unwrap();
        assert_eq!(numbers(&step.recovered), [5, 6]);
    }

    #[test]
    fn an_answer_that_nobody_waits_for_any_more_is_ignored() {
        let mut catch_up = read_up_to(3);
        catch_up.begin(OperationId(1), true);
        catch_up.begin(READING, true);
        assert_eq!(catch_up.page(OperationId(1), page(4..=5)), None);
        assert!(catch_up.reads(READING));
    }

    #[test]
    fn no_more_is_held_than_may_be() {
        let mut catch_up = read_up_to(0);
        catch_up.begin(READING, true);
        (1..MAX_HELD).for_each(|number| assert_eq!(catch_up.take(message(number)), Ok(None)));
        assert_eq!(catch_up.take(message(MAX_HELD)).unwrap_err().len(), MAX_HELD);
        assert!(!catch_up.reads(READING));
    }

    #[test]
    fn no_more_is_recovered_than_may_be() {
        let mut catch_up = read_up_to(0);
        catch_up.begin(READING, true);
        let step = catch_up.page(READING, page(0..=MAX_RECOVERED + 1)).unwrap();
        assert_eq!(step.recovered.len(), MAX_RECOVERED);
        assert_eq!(step.then, Then::TooMuch { held: vec![], recovered: MAX_RECOVERED });
    }
}
