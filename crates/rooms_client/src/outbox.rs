//! What waits to be sent, and what was sent and waits to be acknowledged (`RTN7`, `RTN19`, `RTL6c`).
//!
//! An entry is in one of three places: *queued* until there is a connection, *held* until its channel is attached
//! (presence only), or *pending* until the server acknowledges it. It leaves with exactly one outcome.

use std::collections::VecDeque;

use crate::{
    command::{Lifetime, OperationId},
    connection::connectivity::Connectivity,
    effects::Effects,
    error::{no_socket, unusable_connection},
    event::{ConnectionState, Event},
    options::ClientOptions,
};
use rooms_protocol::{ChannelName, ClientId, ErrorCode, ErrorInfo, Frame, MessageSerial, MsgSerial, PublishResult};

/// Why an entry is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntryPurpose {
    /// The game asked for it, and an event tells the outcome.
    Operation(OperationId),
    /// Presence is entered again (`RTP17i`).
    Reentry,
}

impl EntryPurpose {
    /// Tells the game the outcome of an operation. A re-entry is no operation; when it is refused, the channel tells the game.
    pub(crate) fn end(self, outcome: Result<Vec<Option<MessageSerial>>, ErrorInfo>, effects: &mut Effects) {
        if let Self::Operation(operation) = self {
            effects.emit(Event::Published { operation, outcome });
        }
    }
}

/// One frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Why it is sent.
    pub(crate) purpose: EntryPurpose,
    /// What happens to it when the socket is lost.
    pub(crate) lifetime: Lifetime,
    /// The frame. Its `msg_serial` is set while it is pending.
    pub(crate) frame: Frame,
}

impl Entry {
    fn is_presence_of(&self, channel: &ChannelName) -> bool {
        self.is_presence() && self.frame.channel.as_ref() == Some(channel)
    }

    /// Whether it is about presence.
    pub(crate) fn is_presence(&self) -> bool {
        !self.frame.presence.is_empty()
    }

    fn serial(&self) -> MsgSerial {
        self.frame.msg_serial.unwrap_or_default()
    }
}

/// An entry that the server took, with the serials that its messages were given.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The entry.
    pub(crate) entry: Entry,
    /// One per message, as far as the server told them.
    pub(crate) serials: Vec<Option<MessageSerial>>,
}

/// All that is on its way to the server.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    next: MsgSerial,
    queued: VecDeque<Entry>,
    held: VecDeque<Entry>,
    pending: VecDeque<Entry>,
}

impl Outbox {
    /// An empty outbox that takes `limit` entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            next: MsgSerial::default(),
            queued: VecDeque::new(),
            held: VecDeque::new(),
            pending: VecDeque::new(),
        }
    }

    /// Whether the connection, or else the outbox, takes one more entry.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn check_capacity(
        &self,
        connectivity: &Connectivity<'_>,
        options: &ClientOptions,
        lifetime: Lifetime,
    ) -> Result<(), ErrorInfo> {
        match connectivity.state {
            ConnectionState::Connected => {}
            ConnectionState::Initialized | ConnectionState::Connecting | ConnectionState::Disconnected => {
                if lifetime == Lifetime::Volatile || !options.queue_messages {
                    return Err(no_socket(
                        "there is no connection at the moment, and the message does not wait for one",
                    ));
                }
            }
            state => return Err(unusable_connection(state)),
        }
        if self.is_full() {
            let limit = self.limit;
            let text =
                format!("{limit} operations already wait for the server; send less often, or raise outbox_limit");
            return Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text));
        }
        Ok(())
    }

    /// There is a connection: sends again what was not acknowledged, and what waited (`RTN19a`, `RTL6c2`). `reason` is why
    /// the connection was not resumed.
    pub(crate) fn resend(&mut self, resumed: bool, is_first: bool, reason: Option<&ErrorInfo>, effects: &mut Effects) {
        let mut frames = Vec::new();
        if resumed {
            frames = self.pending_frames();
        } else if !is_first {
            let reason = reason.cloned().unwrap_or_else(|| {
                let text = "a new connection took the place of the one that the message was meant for";
                ErrorInfo::new(ErrorCode::RECOVERY_FAILED, 400, text)
            });
            fail(self.start_over(), &reason, effects);
        }
        frames.extend(self.release_queued());
        for frame in frames {
            effects.send(frame);
        }
    }

    /// Everything that is on its way has failed (`RTN7e`).
    pub(crate) fn fail_all(&mut self, reason: &ErrorInfo, effects: &mut Effects) {
        fail(self.drain(), reason, effects);
    }

    /// The socket is gone. If the options say that nothing waits for another one, what is on its way has failed (`RTN7d`).
    pub(crate) fn fail_unqueued(&mut self, options: &ClientOptions, effects: &mut Effects) {
        if !options.queue_messages {
            let reason = no_socket("the socket broke, and the options say that messages do not wait for another one");
            self.fail_all(&reason, effects);
        }
    }

    /// The socket is gone: what was meant for it alone has failed.
    pub(crate) fn fail_volatile(&mut self, effects: &mut Effects) {
        fail(self.take_volatile(), &no_socket("the socket broke before the server answered"), effects);
    }

    /// The channel will not be attached: what was held for it has failed (`RTL11`).
    pub(crate) fn fail_held(&mut self, channel: &ChannelName, reason: &ErrorInfo, effects: &mut Effects) {
        fail(self.take_held(channel), reason, effects);
    }

    /// Whether no further entry may be added.
    fn is_full(&self) -> bool {
        self.waiting() + self.pending() >= self.limit
    }

    /// How many wait for a connection or their channel.
    pub(crate) fn waiting(&self) -> usize {
        self.queued.len() + self.held.len()
    }

    /// How many wait for an acknowledgement.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Keeps `entry` until there is a connection.
    pub(crate) fn queue(&mut self, entry: Entry) {
        self.queued.push_back(entry);
    }

    /// Keeps `entry` until its channel is attached.
    pub(crate) fn hold(&mut self, entry: Entry) {
        self.held.push_back(entry);
    }

    /// Numbers `entry`, keeps it until it is acknowledged, and gives the frame to send.
    pub(crate) fn send(&mut self, mut entry: Entry) -> Frame {
        entry.frame.msg_serial = Some(self.next);
        self.next = self.next.next();
        let frame = entry.frame.clone();
        self.pending.push_back(entry);
        frame
    }

    /// The server took the frames from `first` on, `count` of them, and all before (`RTN7a`). A server acknowledges in
    /// order, so one that names a later frame took the earlier ones too.
    pub(crate) fn acknowledge(&mut self, first: MsgSerial, count: u32, mut results: Vec<PublishResult>) -> Vec<Taken> {
        let entries = self.take_pending(first, count);
        let taken = entries.into_iter().map(|entry| {
            let index = entry.serial().0.checked_sub(first.0).and_then(|index| usize::try_from(index).ok());
            let result = index.and_then(|index| results.get_mut(index)).map(std::mem::take);
            Taken { entry, serials: result.unwrap_or_default().serials }
        });
        taken.collect()
    }

    /// The server refused the frames from `first` on, `count` of them, and all before.
    pub(crate) fn refuse(&mut self, first: MsgSerial, count: u32) -> Vec<Entry> {
        self.take_pending(first, count)
    }

    fn take_pending(&mut self, first: MsgSerial, count: u32) -> Vec<Entry> {
        let end = first.plus(count);
        let number = if count == 0 { 0 } else { self.pending.partition_point(|entry| entry.serial() < end) };
        self.pending.drain(..number).collect()
    }

    /// The socket is gone: takes out what was meant for that socket only.
    fn take_volatile(&mut self) -> Vec<Entry> {
        take_if(&mut self.pending, |entry| entry.lifetime == Lifetime::Volatile)
    }

    /// The frames to send again with their old numbers, after the connection was resumed (`RTN19a2`).
    fn pending_frames(&self) -> Vec<Frame> {
        self.pending.iter().map(|entry| entry.frame.clone()).collect()
    }

    /// A new connection takes the place of the old one: numbers start at 0 again, and what is pending is sent again
    /// (`RTN15c7`, `RTN19a2`). Takes out what was meant for the old connection only.
    fn start_over(&mut self) -> Vec<Entry> {
        self.next = MsgSerial::default();
        let mut again = VecDeque::new();
        let mut presence = VecDeque::new();
        let mut dead = Vec::new();
        for mut entry in self.pending.drain(..) {
            entry.frame.msg_serial = None;
            match (&entry.purpose, entry.lifetime) {
                // It is entered again when the channel is attached.
                (EntryPurpose::Reentry, _) => {}
                (_, Lifetime::Durable) if entry.is_presence() => presence.push_back(entry),
                (_, Lifetime::Durable) => again.push_back(entry),
                (_, Lifetime::Connection | Lifetime::Volatile) => dead.push(entry),
            }
        }
        dead.extend(take_if(&mut self.queued, |entry| entry.lifetime != Lifetime::Durable));
        again.append(&mut self.queued);
        self.queued = again;
        presence.append(&mut self.held);
        self.held = presence;
        dead
    }

    /// The number of the next frame.
    pub(crate) fn next_serial(&self) -> MsgSerial {
        self.next
    }

    /// Numbers go on as those of another client did (`RTN16f`).
    pub(crate) fn set_serial(&mut self, next: MsgSerial) {
        self.next = next;
    }

    /// Numbers start at 0 again, as for a client that never connected.
    pub(crate) fn reset_serial(&mut self) {
        self.next = MsgSerial::default();
    }

    /// There is a connection: numbers what is queued, and gives the frames to send.
    fn release_queued(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.queued).into_iter().map(|entry| self.send(entry)).collect()
    }

    /// The channel is attached: numbers what is held for it, and gives the frames to send.
    pub(crate) fn release_held(&mut self, channel: &ChannelName) -> Vec<Frame> {
        let held = self.take_held(channel);
        held.into_iter().map(|entry| self.send(entry)).collect()
    }

    /// Takes out what is held for the channel (`RTL11`).
    fn take_held(&mut self, channel: &ChannelName) -> Vec<Entry> {
        take_if(&mut self.held, |entry| entry.is_presence_of(channel))
    }

    /// Whether some presence of the channel is on its way about a member that `is_about` picks by the name that was
    /// given, if one was.
    pub(crate) fn has_presence(&self, channel: &ChannelName, is_about: impl Fn(Option<&ClientId>) -> bool) -> bool {
        let entries = self.pending.iter().chain(&self.held).filter(|entry| entry.is_presence_of(channel));
        entries.flat_map(|entry| &entry.frame.presence).any(|message| is_about(message.client_id.as_ref()))
    }

    /// Takes everything out, in the order of sending (`RTN7e`).
    fn drain(&mut self) -> Vec<Entry> {
        self.pending.drain(..).chain(self.queued.drain(..)).chain(self.held.drain(..)).collect()
    }
}

/// Tells the game that these entries failed.
fn fail(entries: Vec<Entry>, reason: &ErrorInfo, effects: &mut Effects) {
    for entry in entries {
        entry.purpose.end(Err(reason.clone()), effects);
    }
}

/// Takes out the entries that `wanted` picks, and leaves the others in order.
fn take_if(entries: &mut VecDeque<Entry>, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(entries).into_iter().partition(|entry| wanted(entry));
    *entries = left.into();
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Action, Message, PresenceMessage};

    fn message(operation: u64, lifetime: Lifetime) -> Entry {
        let mut frame = Frame::for_channel(Action::Message, "c".into());
        frame.messages = vec![Message::new("m", "x")];
        Entry { purpose: EntryPurpose::Operation(OperationId(operation)), lifetime, frame }
    }

    fn presence(operation: u64) -> Entry {
        let mut frame = Frame::for_channel(Action::Presence, "c".into());
        frame.presence = vec![PresenceMessage::default()];
        Entry { purpose: EntryPurpose::Operation(OperationId(operation)), lifetime: Lifetime::Durable, frame }
    }

    fn with_pending(number: u64) -> Outbox {
        let mut outbox = Outbox::new(100);
        for operation in 0..number {
            outbox.send(message(operation, Lifetime::Durable));
        }
        outbox
    }

    fn operations<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u64> {
        let number = |entry: &Entry| match entry.purpose {
            EntryPurpose::Operation(OperationId(number)) => Some(number),
            EntryPurpose::Reentry => None,
        };
        entries.into_iter().filter_map(number).collect()
    }

    fn serials(frames: &[Frame]) -> Vec<i64> {
        frames.iter().map(|frame| frame.msg_serial.unwrap().0).collect()
    }

    #[test]
    fn frames_are_numbered_from_zero() {
        let mut outbox = Outbox::new(3);
        let frames: Vec<Frame> = (0..3).map(|n| outbox.send(message(n, Lifetime::Durable))).collect();
        assert_eq!(serials(&frames), [0, 1, 2]);
        assert!(outbox.is_full());
    }

    #[test]
    fn an_acknowledgement_covers_its_count_and_all_before_and_pairs_serials_by_number() {
        let mut outbox = with_pending(4);
        let results = ["one", "two"].map(|serial| PublishResult { serials: vec![Some(serial.into())] });
        let taken = outbox.acknowledge(MsgSerial(1), 2, results.into());
        assert_eq!(operations(taken.iter().map(|taken| &taken.entry)), [0, 1, 2]);
        let serials: Vec<_> = taken.into_iter().map(|taken| taken.serials).collect();
        assert_eq!(serials, [vec![], vec![Some("one".into())], vec![Some("two".into())]]);
        assert_eq!(outbox.pending(), 1);
    }

    #[test]
    fn an_acknowledgement_of_nothing_changes_nothing() {
        let mut outbox = with_pending(2);
        for (first, count) in [(0, 0), (-5, 5), (i64::MIN, u32::MAX)] {
            assert!(outbox.acknowledge(MsgSerial(first), count, vec![]).is_empty(), "{first} {count}");
        }
        assert_eq!(outbox.refuse(MsgSerial(i64::MAX), u32::MAX).len(), 2, "one far ahead covers what was sent");
        assert!(outbox.acknowledge(MsgSerial(0), 9, vec![]).is_empty());
    }

    #[test]
    fn a_resumed_connection_keeps_the_numbers() {
        let mut outbox = with_pending(3);
        outbox.acknowledge(MsgSerial(0), 1, vec![]);
        assert_eq!(serials(&outbox.pending_frames()), [1, 2]);
        assert_eq!(outbox.send(message(9, Lifetime::Durable)).msg_serial, Some(MsgSerial(3)));
    }

    #[test]
    fn a_new_connection_renumbers_what_is_durable_and_gives_up_the_rest() {
        let mut outbox = with_pending(1);
        outbox.send(message(1, Lifetime::Connection));
        outbox.send(presence(2));
        outbox.send(message(3, Lifetime::Durable));
        outbox.queue(message(4, Lifetime::Durable));
        outbox.queue(message(5, Lifetime::Connection));
        outbox.hold(presence(6));
        assert_eq!(operations(&outbox.start_over()), [1, 5]);
        let frames = outbox.release_queued();
        assert_eq!(serials(&frames), [0, 1, 2]);
        assert_eq!(serials(&outbox.release_held(&"c".into())), [3, 4]);
        assert_eq!(operations(&outbox.drain()), [0, 3, 4, 2, 6]);
    }

    #[test]
    fn what_is_volatile_goes_with_the_line() {
        let mut outbox = with_pending(1);
        outbox.send(message(1, Lifetime::Volatile));
        outbox.send(message(2, Lifetime::Durable));
        assert_eq!(operations(&outbox.take_volatile()), [1]);
        assert_eq!(serials(&outbox.pending_frames()), [0, 2]);
    }

    #[test]
    fn presence_is_held_by_channel() {
        let mut outbox = Outbox::new(9);
        outbox.hold(presence(0));
        assert!(outbox.release_held(&"other".into()).is_empty());
        assert!(outbox.has_presence(&"c".into(), |named| named.is_none()));
        assert!(!outbox.has_presence(&"c".into(), |named| named.is_some()));
        assert!(!outbox.has_presence(&"other".into(), |_| true));
        assert_eq!(operations(&outbox.take_held(&"c".into())), [0]);
    }
}
