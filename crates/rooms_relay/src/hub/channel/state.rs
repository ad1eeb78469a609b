//! One channel: its attachments, its members, and what it keeps for clients that come back.
//!
//! [`Channels`](super::Channels) checks what clients ask for. Nothing is refused here.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use web_time::Instant;

use super::{
    attach::{Attachment, Attachments},
    attach_request::Rewind,
    deliver::fan_out,
    history::PresenceLog,
    kept_presence::KeptPresence,
    members::Members,
    occupancy::{Occupancy, Told},
    presence::PresenceUpdate,
    publish::{Accepted, Delivery, Load, Publish},
    replay::{Backlog, OwnId, ReplayLog},
    serial::Position,
};
use crate::{
    budget::{Charge, MemoryBudget, Purpose},
    hub::{
        kept_frame::{KeptFrame, KeptFrames},
        output::{LinkId, Outputs},
    },
    limits::{Limits, RateMeter, check_members, check_own_members},
    moment::Moment,
};
use rooms_protocol::{
    Action, ChannelName, ChannelSerial, ClientId, ConnectionId, ErrorInfo, Flags, Frame, Message, MessageSerial,
    PresenceAction, Timestamp,
};

/// What a channel takes in memory beside what it keeps, about, in bytes: itself, its places in tables, and its timer.
const CHANNEL_BYTES: usize = 2 * 1024;

/// Where a new attachment starts in the channel's stream.
#[derive(Debug)]
pub(crate) struct AttachStart {
    /// The position that ATTACHED carries.
    pub(crate) position: Position,
    /// RESUMED and HAS_BACKLOG, as they apply.
    pub(crate) flags: Flags,
    /// Frames from before, which are sent after ATTACHED.
    pub(crate) frames: KeptFrames,
    /// How many messages of the first frame it gets, the last ones. `None`: all of them.
    pub(crate) of_first: Option<usize>,
    /// Whether messages are missing since the position that the client named.
    pub(crate) continuity_lost: bool,
}

/// Where a client that attaches wants to start.
#[derive(Clone, Copy)]
pub(crate) struct StartWish<'a> {
    /// The channel serial that it sent.
    pub(crate) serial: Option<&'a ChannelSerial>,
    /// How much of the past it asks for.
    pub(crate) rewind: Option<Rewind>,
    /// Where its connection first published on the channel while it was not attached.
    pub(crate) early: Option<Position>,
}

/// A channel and all that it keeps.
#[derive(Debug)]
pub(crate) struct HubChannel {
    pub(crate) attachments: Attachments,
    pub(crate) members: Members,
    /// The messages that it keeps.
    pub(crate) log: ReplayLog,
    /// The presence messages that it keeps.
    pub(crate) presence_log: PresenceLog,
    /// What those know who watch its occupancy.
    pub(crate) told: Told,
    /// Its messages.
    pub(crate) rate: RateMeter,
    /// The bytes of its messages.
    pub(crate) bandwidth: RateMeter,
    name: ChannelName,
    /// How long it keeps messages and presence messages.
    keep: Duration,
    /// How long a client may have been away and still miss nothing.
    resume: Duration,
    head: Position,
    /// When it was last used. The hub drops an idle channel one replay window later.
    touched: Instant,
    /// For the channel itself.
    _charge: Charge,
}

impl HubChannel {
    /// A new channel, which keeps its messages for `keep`, and resumes for clients that were away no longer than `resume`.
    pub(crate) fn new(
        name: ChannelName,
        keep: Duration,
        resume: Duration,
        budget: &MemoryBudget,
        moment: Moment,
    ) -> Self {
        let head = Position::at(moment.wall);
        // Several tables have its name.
        let charge = budget.charge(Purpose::Tables, CHANNEL_BYTES + 4 * name.as_str().len());
        Self {
            attachments: Attachments::default(),
            members: Members::default(),
            log: ReplayLog::new(head, budget),
            presence_log: PresenceLog::default(),
            told: Told::default(),
            rate: RateMeter::default(),
            bandwidth: RateMeter::default(),
            name,
            keep,
            resume,
            head,
            touched: moment.now,
            _charge: charge,
        }
    }

    /// Notes that the channel was in use until `now`.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.touched = now;
    }

    /// The newest position of the stream.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// Where a new attachment starts.
    pub(crate) fn start(&self, wish: StartWish<'_>, attachment: &Attachment, node: &str, now: Instant) -> AttachStart {
        let StartWish { serial: named, rewind, early } = wish;
        let backlog = match (named, rewind) {
            (Some(serial), _) => Position::parse(serial, node)
                .filter(|named| *named <= self.head)
                .and_then(|named| self.log.after(named, self.resume, now)),
            (None, Some(rewind)) => Some(self.log.rewind(rewind, now)),
            (None, None) => None,
        };
        let continuity_lost = named.is_some() && backlog.is_none();
        let mut flags = Flags::empty();
        flags.set(Flags::RESUMED, named.is_some() && !continuity_lost);
        let backlog = backlog.unwrap_or(Backlog { start: self.head, frames: Vec::new(), of_first: None });
        // Whoever resumes gets all that it missed anyway.
        let early = early.filter(|_| !flags.contains(Flags::RESUMED) && attachment.modes.contains(Flags::SUBSCRIBE));
        let early = early.and_then(|early| self.log.since(early, self.resume, now));
        // Where both begin with the same frame, `rewind` may have cut it.
        let backlog = early.filter(|early| early.start <= backlog.start).unwrap_or(backlog);
        let Backlog { start: position, mut frames, of_first } = backlog;
        let is_wanted = |frame: &Arc<KeptFrame>| attachment.wants_messages_of(frame.publisher());
        let of_first = of_first.filter(|_| frames.first().is_some_and(is_wanted));
        frames.retain(is_wanted);
        flags.set(Flags::HAS_BACKLOG, !frames.is_empty());
        AttachStart { position, flags, frames, of_first, continuity_lost }
    }

    /// Where a link goes on that is attached already: it was sent everything up to here.
    pub(crate) fn start_again(&self) -> AttachStart {
        AttachStart {
            position: self.head,
            flags: Flags::RESUMED,
            frames: Vec::new(),
            of_first: None,
            continuity_lost: false,
        }
    }

    /// Moves the stream one position on.
    pub(crate) fn advance(&mut self, wall: Timestamp) -> Position {
        self.head = self.head.next(wall);
        self.head
    }

    /// Puts messages on the channel, all of them or none, except those that it has already. `node` is the relay's own id. What it
    /// keeps is charged to `budget`.
    ///
    /// # Errors
    /// 40009 for too large a frame.
    pub(crate) fn accept(
        &mut self,
        publish: Publish,
        node: &str,
        limits: &Limits,
        budget: &MemoryBudget,
        wall: Timestamp,
    ) -> Result<Accepted, ErrorInfo> {
        let Publish { key, base, publisher, mut messages } = publish;
        let mut serials = self.take_repeats(&mut messages, publisher.as_ref());
        if messages.is_empty() {
            return Ok(Accepted { serials, delivery: None });
        }
        let position = self.advance(wall);
        let vacant = serials.iter_mut().filter(|serial| serial.is_none());
        for (index, (message, vacant)) in messages.iter_mut().zip(vacant).enumerate() {
            let serial = position.message_serial(node, index);
            message.serial = Some(serial.clone());
            *vacant = Some(serial);
        }
        let (load, ids) = (Load::of(&messages), own_ids(&messages, publisher.as_ref()));
        // All of them are, or none.
        let is_ephemeral = messages.first().is_some_and(Message::is_ephemeral);
        let frame = Frame {
            id: Some(base),
            channel_serial: Some(position.channel_serial(node)),
            connection_id: publisher,
            messages,
            timestamp: Some(wall),
            ..Frame::for_channel(Action::Message, key.name)
        };
        let frame = Arc::new(KeptFrame::new(frame, budget));
        // Ids, serials and escapes can make a small publish a large frame.
        limits.check_frame(frame.len())?;
        Ok(Accepted { serials, delivery: Some(Delivery { position, frame, ids, is_ephemeral, load }) })
    }

    /// Takes out the messages that the channel has already, by their publisher and the id that it gave.
    ///
    /// Returns, for each message that came, the serial that it has, or `None` for one that is new.
    fn take_repeats(
        &self,
        messages: &mut Vec<Message>,
        publisher: Option<&ConnectionId>,
    ) -> Vec<Option<MessageSerial>> {
        let mut serials = Vec::with_capacity(messages.len());
        messages.retain(|message| {
            let earlier = OwnId::of(message, publisher).and_then(|id| self.log.serial_of(&id)).cloned();
            serials.push(earlier);
            serials.last().is_some_and(Option::is_none)
        });
        serials
    }

    /// Applies presence messages, all of them or none. Returns those that are to be sent.
    ///
    /// # Errors
    /// 91003 for too many members of the channel or of the connection.
    pub(crate) fn update_members(
        &mut self,
        update: PresenceUpdate,
        budget: &MemoryBudget,
        wall: Timestamp,
    ) -> Result<Vec<Arc<KeptPresence>>, ErrorInfo> {
        let PresenceUpdate { owner, serial, messages, max_members, max_own, .. } = update;
        let is_new = |client: &&ClientId| self.members.get(&owner, client).is_none();
        let entering = messages.iter().filter(|message| message.action != PresenceAction::Leave);
        let newcomers: BTreeSet<&ClientId> =
            entering.filter_map(|message| message.client_id.as_ref()).filter(is_new).collect();
        if !newcomers.is_empty() {
            check_members(self.members.len() + newcomers.len(), max_members)?;
            check_own_members(self.members.count_of(&owner) + newcomers.len(), max_own)?;
        }
        let mut changes = Vec::with_capacity(messages.len());
        for (index, mut message) in messages.into_iter().enumerate() {
            let known = message.client_id.as_ref().and_then(|client| self.members.get(&owner, client));
            let is_reentry = message.action == PresenceAction::Enter
                && message.id.as_deref().is_some_and(|id| known.is_some_and(|known| known.has_id(id)));
            if is_reentry {
                continue;
            }
            message.id = Some(format!("{owner}:{}:{index}", serial.0));
            message.connection_id = Some(owner.clone());
            message.timestamp = Some(wall);
            changes.extend(self.members.apply(message, budget));
        }
        Ok(changes)
    }

    /// Sends a MESSAGE frame to all subscribers that have capacity for it, and keeps it for clients that come back unless it is
    /// ephemeral.
    pub(crate) fn publish(
        &mut self,
        delivery: Delivery,
        now: Instant,
        limits: &Limits,
        out: &mut Outputs,
        mut has_capacity: impl FnMut(LinkId, &ChannelName) -> bool,
    ) {
        let Delivery { position, frame, ids, is_ephemeral, .. } = delivery;
        let receivers = self.attachments.iter().filter_map(|(link, name, attachment)| {
            let is_wanted = attachment.wants_messages_of(frame.publisher()) && has_capacity(link, name);
            is_wanted.then_some((link, name))
        });
        fan_out(&self.name, &frame, receivers, out);
        if is_ephemeral {
            return;
        }
        self.log.push(position, frame, ids, now);
        self.log.shrink_to(limits.replay_frames, limits.replay_bytes);
    }

    /// Keeps presence messages for those who ask for the history later.
    pub(crate) fn keep_presence(&mut self, messages: &[Arc<KeptPresence>], moment: Moment, limits: &Limits) {
        for message in messages {
            self.presence_log.push(Arc::clone(message), moment);
        }
        self.presence_log.shrink_to(limits.replay_frames, limits.replay_bytes);
    }

    /// Drops the oldest until it keeps `bytes` at most.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.log.shrink_to(usize::MAX, bytes.saturating_sub(self.presence_log.bytes()));
        self.presence_log.shrink_to(usize::MAX, bytes.saturating_sub(self.log.bytes()));
    }

    /// The bytes that it keeps, about.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.log.bytes().saturating_add(self.presence_log.bytes())
    }

    /// Sends a PRESENCE frame about members of `owner` to all who subscribe to presence, and to the owner in any case.
    pub(crate) fn send_presence(&self, owner: &ConnectionId, frame: &Arc<KeptFrame>, out: &mut Outputs) {
        let receivers = self.attachments.iter().filter(|(_, _, attachment)| {
            attachment.modes.contains(Flags::PRESENCE_SUBSCRIBE) || attachment.connection == *owner
        });
        fan_out(&self.name, frame, receivers.map(|(link, name, _)| (link, name)), out);
    }

    /// How many use it, and for what.
    pub(crate) fn occupancy(&self) -> Occupancy {
        self.attachments.occupancy(self.members.len())
    }

    /// Drops what it kept long enough. Returns when to look again; `None` while nothing can grow old.
    pub(crate) fn trim(&mut self, limits: &Limits, now: Instant) -> Option<Instant> {
        self.log.drop_older(self.keep, now);
        self.presence_log.drop_older(self.keep, now);
        match self.log.oldest().into_iter().chain(self.presence_log.oldest()).min() {
            Some(oldest) => oldest.checked_add(self.keep),
            None => self.is_unused().then_some(self.touched)?.checked_add(limits.replay_window),
        }
    }

    /// Whether nobody would notice if the channel were dropped.
    pub(crate) fn is_idle(&self, limits: &Limits, now: Instant) -> bool {
        self.is_unused()
            && self.log.oldest().is_none()
            && self.presence_log.oldest().is_none()
            && now.saturating_duration_since(self.touched) >= limits.replay_window
    }

    fn is_unused(&self) -> bool {
        self.attachments.is_empty() && self.members.is_empty()
    }
}

/// The ids that clients gave messages, with the serials that these got.
fn own_ids(messages: &[Message], publisher: Option<&ConnectionId>) -> Vec<(OwnId, MessageSerial)> {
    messages.iter().filter_map(|message| Some((OwnId::of(message, publisher)?, message.serial.clone()?))).collect()
}
