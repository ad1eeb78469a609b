//! The messages that a channel keeps, for clients that come back and for `rewind`.
//!
//! The log is bounded in time, frames and bytes. The bound that is reached first drops the oldest frames. Presence is not kept
//! here, since a client that comes back gets all members anew.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use web_time::Instant;

use crate::{
    budget::{Charge, MemoryBudget, Purpose},
    hub::{
        channel::{attach_request::Rewind, serial::Position},
        kept_frame::{KeptFrame, KeptFrames},
    },
    limits::{MAX_REWIND, MOST_EARLY},
};
use rooms_protocol::{ClientId, ConnectionId, Message, MessageSerial};

/// What an entry takes besides its frame, about, in bytes.
const ENTRY_BYTES: usize = 2 * size_of::<Entry>();

/// What an id takes besides its text, about, in bytes: its place in the table and the serial of its message.
const ID_BYTES: usize = 256;

/// The id that a publisher gave a message. Nobody can use up another's ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnId {
    publisher: Publisher,
    id: String,
}

impl OwnId {
    /// The id of a message that came over `connection`. `None` where its publisher gave none.
    pub(crate) fn of(message: &Message, connection: Option<&ConnectionId>) -> Option<Self> {
        Some(Self { id: message.id.clone()?, publisher: Publisher::of(message, connection) })
    }

    fn held_bytes(&self) -> usize {
        ID_BYTES + self.id.len()
    }
}

/// The kept frames of one channel.
#[derive(Debug)]
pub(crate) struct ReplayLog {
    entries: VecDeque<Entry>,
    /// The serials of kept messages that have an id of the client's own.
    ids: HashMap<Arc<OwnId>, MessageSerial>,
    bytes: usize,
    /// For the entries and ids. The frames have their own.
    charge: Charge,
    /// The newest position up to which frames may be missing here.
    floor: Position,
}

/// Whose an id is: the client's, or else the connection's. Over HTTP there may be neither, for somebody with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Publisher {
    Client(ClientId),
    Connection(ConnectionId),
    Nobody,
}

impl Publisher {
    fn of(message: &Message, connection: Option<&ConnectionId>) -> Self {
        let client = message.client_id.clone().map(Self::Client);
        client.or(connection.cloned().map(Self::Connection)).unwrap_or(Self::Nobody)
    }
}

#[derive(Debug)]
struct Entry {
    position: Position,
    at: Instant,
    bytes: usize,
    frame: Arc<KeptFrame>,
    ids: Box<[Arc<OwnId>]>,
}

/// Frames of the past, and the position just before them.
#[derive(Debug)]
pub(crate) struct Backlog {
    pub(crate) start: Position,
    pub(crate) frames: KeptFrames,
    /// How many messages of the first frame belong to it, its last ones. `None`: all of them.
    pub(crate) of_first: Option<usize>,
}

impl ReplayLog {
    /// An empty log of a channel that begins at `floor`. What it keeps is charged to `budget`.
    pub(crate) fn new(floor: Position, budget: &MemoryBudget) -> Self {
        let charge = budget.charge(Purpose::Messages, 0);
        Self { entries: VecDeque::new(), ids: HashMap::new(), bytes: 0, charge, floor }
    }

    /// Keeps a frame that was just published, with the ids that clients gave its messages. Its position is later than those
    /// before.
    pub(crate) fn push(
        &mut self,
        position: Position,
        frame: Arc<KeptFrame>,
        ids: Vec<(OwnId, MessageSerial)>,
        now: Instant,
    ) {
        let own = ENTRY_BYTES + ids.iter().map(|(id, _)| id.held_bytes()).sum::<usize>();
        // It is kept in one form more when somebody reads it in MessagePack.
        let bytes = own.saturating_add(frame.held_bytes()).saturating_add(frame.len());
        let ids = ids.into_iter().map(|(id, serial)| {
            let id = Arc::new(id);
            self.ids.insert(Arc::clone(&id), serial);
            id
        });
        let ids = ids.collect();
        self.charge.grow(own);
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push_back(Entry { position, at: now, bytes, frame, ids });
    }

    /// The serial of the kept message that a client gave the id `id`.
    pub(crate) fn serial_of(&self, id: &OwnId) -> Option<&MessageSerial> {
        self.ids.get(id)
    }

    /// Drops frames that are older than `window`.
    pub(crate) fn drop_older(&mut self, window: Duration, now: Instant) {
        while self.entries.front().is_some_and(|entry| now.saturating_duration_since(entry.at) >= window) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest frames beyond `frames` and `bytes`.
    pub(crate) fn shrink_to(&mut self, frames: usize, bytes: usize) {
        while (self.entries.len() > frames || self.bytes > bytes) && !self.entries.is_empty() {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        self.floor = entry.position;
        let own = ENTRY_BYTES + entry.ids.iter().map(|id| id.held_bytes()).sum::<usize>();
        self.charge.set(self.charge.bytes().saturating_sub(own));
        for id in &entry.ids {
            self.ids.remove(id);
        }
        if self.entries.is_empty() {
            // A log that was large gives its places back.
            self.entries = VecDeque::new();
            self.ids = HashMap::new();
        }
    }

    /// All frames after `start`, or `None` where some are no longer kept, or are older than `window`.
    pub(crate) fn after(&self, start: Position, window: Duration, now: Instant) -> Option<Backlog> {
        if start < self.floor {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.position <= start);
        if self.entries.get(first).is_some_and(|missed| now.saturating_duration_since(missed.at) > window) {
            return None;
        }
        Some(Backlog { start, frames: self.frames_from(first), of_first: None })
    }

    /// The latest messages, as a new attachment asks for.
    pub(crate) fn rewind(&self, rewind: Rewind, now: Instant) -> Backlog {
        let (most, span) = match rewind {
            Rewind::Messages(count) => (count, Duration::MAX),
            Rewind::Span(span) => (MAX_REWIND, span),
        };
        let (mut left, mut of_first) = (most, None);
        let mut first = self.entries.len();
        for (index, entry) in self.entries.iter().enumerate().rev() {
            if left == 0 || now.saturating_duration_since(entry.at) > span {
                break;
            }
            first = index;
            let count = entry.frame.messages();
            if count > left {
                of_first = Some(left);
                break;
            }
            left -= count;
        }
        Backlog { start: self.position_before(first), frames: self.frames_from(first), of_first }
    }

    /// All frames at `place` and after it, as far as they are not older than `window` and not too many. `None` where there are
    /// none.
    pub(crate) fn since(&self, place: Position, window: Duration, now: Instant) -> Option<Backlog> {
        let oldest = self.entries.partition_point(|entry| entry.position < place);
        let (mut first, mut left) = (self.entries.len(), MOST_EARLY);
        for (index, entry) in self.entries.iter().enumerate().skip(oldest).rev() {
            let Some(rest) = left.checked_sub(entry.frame.messages()) else { break };
            if now.saturating_duration_since(entry.at) > window {
                break;
            }
            (first, left) = (index, rest);
        }
        let frames = self.frames_from(first);
        (!frames.is_empty()).then(|| Backlog { start: self.position_before(first), frames, of_first: None })
    }

    /// The kept frames with their positions, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Position, &Arc<KeptFrame>)> {
        self.entries.iter().map(|entry| (entry.position, &entry.frame))
    }

    fn frames_from(&self, index: usize) -> KeptFrames {
        self.entries.range(index.min(self.entries.len())..).map(|entry| Arc::clone(&entry.frame)).collect()
    }

    fn position_before(&self, index: usize) -> Position {
        let before = index.checked_sub(1).and_then(|before| self.entries.get(before));
        before.map_or(self.floor, |entry| entry.position)
    }

    /// When the oldest frame was published.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.at)
    }

    /// Messages that are kept.
    pub(crate) fn messages(&self) -> usize {
        self.entries.iter().map(|entry| entry.frame.messages()).sum()
    }

    /// Bytes that are kept, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Action, Frame, Timestamp};

    struct Fixture {
        budget: MemoryBudget,
        log: ReplayLog,
        position: Position,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            let position = Position::at(Timestamp(1000));
            let budget = MemoryBudget::new(1_000_000);
            Self { log: ReplayLog::new(position, &budget), budget, position, now: Instant::now() }
        }

        fn after(&self, start: Position) -> Option<Backlog> {
            self.log.after(start, Duration::MAX, self.now)
        }

        fn publish(&mut self, names: &[&str]) -> Position {
            self.position = self.position.next(Timestamp(0));
            let mut frame = Frame::for_channel(Action::Message, "c".into());
            frame.id = Some("conn:0".to_owned());
            frame.messages = names.iter().map(|name| Message::new(*name, "x")).collect();
            self.log.push(self.position, Arc::new(KeptFrame::new(frame, &self.budget)), Vec::new(), self.now);
            self.now += Duration::from_secs(1);
            self.position
        }
    }

    fn frames(backlog: &Backlog) -> Vec<Frame> {
        let mut frames: Vec<_> = backlog.frames.iter().map(|frame| frame.frame()).collect();
        if let Some(count) = backlog.of_first {
            frames[0] = backlog.frames[0].last_messages(count);
        }
        frames
    }

    fn names(backlog: &Backlog) -> Vec<String> {
        frames(backlog).into_iter().flat_map(|frame| frame.messages).filter_map(|message| message.name).collect()
    }

    #[test]
    fn what_came_after_a_position_comes_back_once() {
        let mut fixture = Fixture::new();
        let start = fixture.position;
        let first = fixture.publish(&["a"]);
        let last = fixture.publish(&["b", "c"]);
        assert_eq!(names(&fixture.after(start).unwrap()), ["a", "b", "c"]);
        assert_eq!(names(&fixture.after(first).unwrap()), ["b", "c"]);
        assert!(fixture.after(last).unwrap().frames.is_empty());
    }

    #[test]
    fn a_position_before_what_was_dropped_is_lost() {
        let mut fixture = Fixture::new();
        let start = fixture.position;
        let first = fixture.publish(&["a"]);
        fixture.publish(&["b"]);
        fixture.log.shrink_to(1, usize::MAX);
        assert!(fixture.after(start).is_none());
        assert_eq!(names(&fixture.after(first).unwrap()), ["b"], "the dropped one was already seen");
    }

    #[test]
    fn what_is_kept_longer_than_the_window_is_not_replayed() {
        let mut fixture = Fixture::new();
        let start = fixture.position;
        let first = fixture.publish(&["a"]);
        fixture.publish(&["b"]);
        let after = |start| fixture.log.after(start, Duration::from_secs(1), fixture.now);
        assert!(after(start).is_none());
        assert_eq!(names(&after(first).unwrap()), ["b"]);
    }

    #[test]
    fn age_frames_and_bytes_push_the_oldest_out() {
        let mut fixture = Fixture::new();
        fixture.publish(&["a"]);
        fixture.publish(&["b"]);
        fixture.log.drop_older(Duration::from_secs(2), fixture.now);
        assert_eq!(fixture.log.messages(), 1);
        fixture.log.shrink_to(9, 0);
        assert_eq!((fixture.log.messages(), fixture.log.bytes(), fixture.log.oldest()), (0, 0, None));
    }

    #[test]
    fn an_id_is_known_as_long_as_its_message_is_kept() {
        let mut fixture = Fixture::new();
        let mut frame = Frame::for_channel(Action::Message, "c".into());
        frame.messages =
            vec![Message { id: Some("own".to_owned()), serial: Some("s".into()), ..Message::new("a", "x") }];
        let position = fixture.position.next(Timestamp(0));
        let own = OwnId::of(&frame.messages[0], None).unwrap();
        let kept = Arc::new(KeptFrame::new(frame, &fixture.budget));
        fixture.log.push(position, kept, vec![(own.clone(), "s".into())], fixture.now);
        assert_eq!(fixture.log.serial_of(&own), Some(&"s".into()));
        let message = Message { id: Some("own".to_owned()), ..Message::default() };
        let of_ada = Message { client_id: Some("ada".into()), ..message.clone() };
        for others in [OwnId::of(&message, Some(&"conn".into())), OwnId::of(&of_ada, None)] {
            assert_eq!(fixture.log.serial_of(&others.unwrap()), None, "somebody else's");
        }
        fixture.log.shrink_to(0, 0);
        assert_eq!((fixture.log.serial_of(&own), fixture.budget.used()), (None, 0));
        assert!(fixture.log.ids.is_empty());
    }

    #[test]
    fn rewind_counts_messages_and_splits_a_frame_that_holds_more() {
        let mut fixture = Fixture::new();
        let first = fixture.publish(&["a"]);
        fixture.publish(&["b", "c", "d"]);
        fixture.publish(&["e"]);
        let rewind = |count| fixture.log.rewind(Rewind::Messages(count), fixture.now);
        let held = fixture.budget.used();
        let backlog = rewind(3);
        assert_eq!(names(&backlog), ["c", "d", "e"]);
        assert_eq!(frames(&backlog)[0].messages[0].id.as_deref(), Some("conn:0:1"));
        assert_eq!(fixture.budget.used(), held, "the frame that is cut is not made here");
        assert_eq!(backlog.start, first);
        assert!(rewind(0).frames.is_empty());
        assert_eq!(rewind(99).frames.len(), 3);
    }

    #[test]
    fn rewind_by_time_takes_what_is_not_older() {
        let mut fixture = Fixture::new();
        for name in ["a", "b", "c"] {
            fixture.publish(&[name]);
        }
        let rewind = Rewind::Span(Duration::from_secs(2));
        assert_eq!(names(&fixture.log.rewind(rewind, fixture.now)), ["b", "c"]);
    }
}
