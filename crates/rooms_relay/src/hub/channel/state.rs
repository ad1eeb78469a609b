//! One channel: its attachments, its members, and what it keeps for clients that come back.
//!
//! [`Channels`](super::Channels) checks what clients ask for. Nothing is refused here.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use web_time::Instant;

use super::{
    attach::{Attachment, Attachments, Occupancy},
    attach_request::AttachOptions,
    deliver::fan_out,
    history::PresenceLog,
    members::Members,
    presence::PresenceUpdate,
    publish::{Accepted, Delivery, Publish},
    replay::{Backlog, ReplayLog},
    serial::Position,
};
use crate::{
    hub::{
        output::{LinkId, Outputs},
        shared_frame::SharedFrame,
    },
    limits::{Limits, RateMeter, check_members},
    moment::Moment,
};
use rooms_protocol::{
    Action, ChannelName, ChannelSerial, ClientId, ConnectionId, ErrorInfo, Flags, Frame, Message, MessageSerial,
    PresenceAction, PresenceMessage, Timestamp,
};

/// Where a new attachment starts in the channel's stream.
#[derive(Debug)]
pub(crate) struct AttachStart {
    /// The position that ATTACHED carries.
    pub(crate) position: Position,
    /// RESUMED and HAS_BACKLOG, as they apply.
    pub(crate) flags: Flags,
    /// Frames from before, which are sent after ATTACHED.
    pub(crate) frames: Vec<Arc<SharedFrame>>,
    /// Whether messages are missing since the position that the client named.
    pub(crate) continuity_lost: bool,
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
}

impl HubChannel {
    /// A new channel, which keeps its messages for `keep`, and resumes for clients that were away no longer than `resume`.
    pub(crate) fn new(name: ChannelName, keep: Duration, resume: Duration, moment: Moment) -> Self {
        let head = Position::at(moment.wall);
        Self {
            attachments: Attachments::default(),
            members: Members::default(),
            log: ReplayLog::new(head),
            presence_log: PresenceLog::default(),
            rate: RateMeter::default(),
            bandwidth: RateMeter::default(),
            name,
            keep,
            resume,
            head,
            touched: moment.now,
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

    /// Where a new attachment starts. `named` is the channel serial that the client sent.
    pub(crate) fn start(
        &self,
        named: Option<&ChannelSerial>,
        options: &AttachOptions,
        attachment: &Attachment,
        node: &str,
        now: Instant,
    ) -> AttachStart {
        let backlog = match (named, options.rewind) {
            (Some(serial), _) => Position::parse(serial, node)
                .filter(|named| *named <= self.head)
                .and_then(|named| self.log.after(named, self.resume, now)),
            (None, Some(rewind)) => Some(self.log.rewind(rewind, now)),
            (None, None) => None,
        };
        let continuity_lost = named.is_some() && backlog.is_none();
        let mut flags = Flags::empty();
        flags.set(Flags::RESUMED, named.is_some() && !continuity_lost);
        let Backlog { start: position, mut frames } =
            backlog.unwrap_or(Backlog { start: self.head, frames: Vec::new() });
        frames.retain(|frame| attachment.wants_messages_of(frame.frame().connection_id.as_ref()));
        flags.set(Flags::HAS_BACKLOG, !frames.is_empty());
        AttachStart { position, flags, frames, continuity_lost }
    }

    /// Where a link goes on that is attached already: it was sent everything up to here.
    pub(crate) fn start_again(&self) -> AttachStart {
        AttachStart { position: self.head, flags: Flags::RESUMED, frames: Vec::new(), continuity_lost: false }
    }

    /// Moves the stream one position on.
    pub(crate) fn advance(&mut self, wall: Timestamp) -> Position {
        self.head = self.head.next(wall);
        self.head
    }

    /// Puts messages on the channel, all of them or none, except those that it has already. `node` is the relay's own id.
    ///
    /// # Errors
    /// 40009 for too large a frame.
    pub(crate) fn accept(
        &mut self,
        publish: Publish,
        node: &str,
        limits: &Limits,
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
        let frame = Frame {
            id: Some(base),
            channel_serial: Some(position.channel_serial(node)),
            connection_id: publisher,
            messages,
            timestamp: Some(wall),
            ..Frame::for_channel(Action::Message, key.name)
        };
        let frame = Arc::new(SharedFrame::from(frame));
        // Ids, serials and escapes can make a small publish a large frame.
        limits.check_frame(frame.size())?;
        Ok(Accepted { serials, delivery: Some(Delivery { position, frame }) })
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
            let earlier = self.log.serial_of(message, publisher).cloned();
            serials.push(earlier);
            serials.last().is_some_and(Option::is_none)
        });
        serials
    }

    /// Applies presence messages, all of them or none. Returns those that are to be sent.
    ///
    /// # Errors
    /// 91003 for too many members.
    pub(crate) fn update_members(
        &mut self,
        update: PresenceUpdate,
        wall: Timestamp,
    ) -> Result<Vec<PresenceMessage>, ErrorInfo> {
        let PresenceUpdate { owner, serial, messages, max_members, .. } = update;
        let is_new = |client: &&ClientId| self.members.get(&owner, client).is_none();
        let entering = messages.iter().filter(|message| message.action != PresenceAction::Leave);
        let newcomers: BTreeSet<&ClientId> =
            entering.filter_map(|message| message.client_id.as_ref()).filter(is_new).collect();
        if !newcomers.is_empty() {
            check_members(self.members.len() + newcomers.len(), max_members)?;
        }
        let mut changes = Vec::with_capacity(messages.len());
        for (index, mut message) in messages.into_iter().enumerate() {
            let known = message.client_id.as_ref().and_then(|client| self.members.get(&owner, client));
            let is_reentry = message.action == PresenceAction::Enter
                && message.id.is_some()
                && known.is_some_and(|known| known.id == message.id);
            if is_reentry {
                continue;
            }
            message.id = Some(format!("{owner}:{}:{index}", serial.0));
            message.connection_id = Some(owner.clone());
            message.timestamp = Some(wall);
            changes.extend(self.members.apply(message));
        }
        Ok(changes)
    }

    /// Sends a MESSAGE frame to all subscribers that have capacity for it, and keeps it for clients that come back.
    pub(crate) fn publish(
        &mut self,
        position: Position,
        frame: Arc<SharedFrame>,
        now: Instant,
        limits: &Limits,
        out: &mut Outputs,
        mut has_capacity: impl FnMut(LinkId, &ChannelName) -> bool,
    ) {
        let publisher = frame.frame().connection_id.as_ref();
        let receivers = self.attachments.iter().filter_map(|(link, name, attachment)| {
            (attachment.wants_messages_of(publisher) && has_capacity(link, name)).then_some((link, name))
        });
        fan_out(&self.name, &frame, receivers, out);
        self.log.push(position, frame, now);
        self.log.shrink_to(limits.replay_frames, limits.replay_bytes);
    }

    /// Keeps presence messages for those who ask for the history later.
    pub(crate) fn keep_presence(&mut self, messages: &[PresenceMessage], now: Instant, limits: &Limits) {
        for message in messages {
            self.presence_log.push(message.clone(), now);
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
    pub(crate) fn send_presence(&self, owner: &ConnectionId, frame: Frame, out: &mut Outputs) {
        let frame = Arc::new(SharedFrame::from(frame));
        let receivers = self.attachments.iter().filter(|(_, _, attachment)| {
            attachment.modes.contains(Flags::PRESENCE_SUBSCRIBE) || attachment.connection == *owner
        });
        fan_out(&self.name, &frame, receivers.map(|(link, name, _)| (link, name)), out);
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
