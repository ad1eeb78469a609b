//! One channel: who is attached, who is a member, what is kept for those who come back, and fan-out.
//!
//! Driven by the hub, which checks what clients ask for and knows connections; here nothing is refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    LinkId, SharedFrame,
    hub::{
        channel::{
            attach_request::{AttachOptions, MODES, mode_names},
            history::PresenceLog,
            members::Members,
            replay::{Backlog, ReplayLog},
            serial::Position,
        },
        output::Outbox,
    },
    limits::{Limits, RateMeter},
};
use rooms_protocol::{ChannelName, ChannelSerial, ConnectionId, Flags, Frame, PresenceMessage, Timestamp};

/// What a link is to a channel.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// The connection behind the link.
    pub(crate) connection: ConnectionId,
    /// What it asked for.
    pub(crate) asked: Flags,
    /// What of that it may do and gets.
    pub(crate) modes: Flags,
    /// The params that the relay understood.
    pub(crate) params: BTreeMap<SmolStr, String>,
    /// Whether it gets no messages of its own.
    pub(crate) no_echo: bool,
}

impl Attachment {
    /// Whether it gets the messages of a publisher, which is none where they came over HTTP.
    fn wants_messages_of(&self, publisher: Option<&ConnectionId>) -> bool {
        self.modes.contains(Flags::SUBSCRIBE) && !(self.no_echo && publisher == Some(&self.connection))
    }
}

/// What an attachment starts with.
#[derive(Debug)]
pub(crate) struct Start {
    /// The position that ATTACHED tells.
    pub(crate) position: Position,
    /// RESUMED and HAS_BACKLOG, as they apply.
    pub(crate) flags: Flags,
    /// What was published earlier and is to be sent.
    pub(crate) frames: Vec<Arc<SharedFrame>>,
    /// Whether the client named a position from which something is missing.
    pub(crate) continuity_lost: bool,
}

/// How many use a channel, and for what (`CHM2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Occupancy {
    connections: usize,
    publishers: usize,
    subscribers: usize,
    presence_connections: usize,
    presence_members: usize,
    presence_subscribers: usize,
}

/// A channel and all that it keeps.
#[derive(Debug)]
pub(crate) struct Channel {
    /// By link and by the name that the client uses, which may have a qualifier.
    attachments: BTreeMap<(LinkId, ChannelName), Attachment>,
    pub(crate) members: Members,
    pub(crate) log: ReplayLog,
    /// What was said about members.
    pub(crate) presence_log: PresenceLog,
    pub(crate) rate: RateMeter,
    /// The bytes of its messages.
    pub(crate) bandwidth: RateMeter,
    name: ChannelName,
    /// How long it keeps what was said.
    keep: Duration,
    /// How far back it goes on by itself for who comes back.
    resume: Duration,
    head: Position,
    /// When it was last used; an idle channel is dropped a replay window later.
    touched: Instant,
}

impl Channel {
    /// A new channel, which keeps what is said on it for `keep`, and goes on by itself for who missed no more than `resume`.
    pub(crate) fn new(name: ChannelName, keep: Duration, resume: Duration, wall: Timestamp, now: Instant) -> Self {
        let head = Position::at(wall);
        Self {
            attachments: BTreeMap::new(),
            members: Members::default(),
            log: ReplayLog::new(head),
            presence_log: PresenceLog::default(),
            rate: RateMeter::default(),
            bandwidth: RateMeter::default(),
            name,
            keep,
            resume,
            head,
            touched: now,
        }
    }

    /// Notes that the channel was in use until `now`.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.touched = now;
    }

    /// Where the stream stands.
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
    ) -> Start {
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
        Start { position, flags, frames, continuity_lost }
    }

    /// Attaches a link under `name`, or changes what it has.
    pub(crate) fn attach(&mut self, link: LinkId, name: ChannelName, attachment: Attachment) {
        self.attachments.insert((link, name), attachment);
    }

    /// Ends one attachment.
    pub(crate) fn detach(&mut self, link: LinkId, name: &ChannelName) {
        self.attachments.remove(&(link, name.clone()));
    }

    /// What `link` is here under `name`.
    pub(crate) fn attachment(&self, link: LinkId, name: &ChannelName) -> Option<&Attachment> {
        self.attachments.get(&(link, name.clone()))
    }

    /// Gives an attachment those of the modes it asked for that are `allowed`, unless that is none of them.
    ///
    /// Gives what it may do if that is not what it was.
    pub(crate) fn allow(&mut self, link: LinkId, name: &ChannelName, allowed: Flags) -> Option<Flags> {
        let attachment = self.attachments.get_mut(&(link, name.clone()))?;
        let modes = attachment.asked & allowed;
        if attachment.modes == modes {
            return None;
        }
        if !modes.is_empty() {
            attachment.modes = modes;
            if let Some(told) = attachment.params.get_mut(MODES) {
                *told = mode_names(modes);
            }
        }
        Some(modes)
    }

    /// Whether `link` is attached, under whatever name.
    pub(crate) fn has_link(&self, link: LinkId) -> bool {
        let from = (link, ChannelName::new(""));
        self.attachments.range(from..).next().is_some_and(|((first, _), _)| *first == link)
    }

    /// Moves the stream one position on.
    pub(crate) fn advance(&mut self, wall: Timestamp) -> Position {
        self.head = self.head.next(wall);
        self.head
    }

    /// Sends a MESSAGE frame to all who subscribe and have room for it, and keeps it for those who come back.
    pub(crate) fn publish(
        &mut self,
        position: Position,
        frame: Arc<SharedFrame>,
        now: Instant,
        limits: &Limits,
        out: &mut Outbox,
        mut has_room: impl FnMut(LinkId, &ChannelName) -> bool,
    ) {
        let publisher = frame.frame().connection_id.as_ref();
        self.fan_out(&frame, out, |(link, name), attachment| {
            attachment.wants_messages_of(publisher) && has_room(*link, name)
        });
        self.log.push(position, frame, now);
        self.log.shrink_to(limits.replay_frames, limits.replay_bytes);
    }

    /// Keeps words about members for those who ask later.
    pub(crate) fn remember(&mut self, words: &[PresenceMessage], now: Instant, limits: &Limits) {
        for word in words {
            self.presence_log.push(word.clone(), now);
        }
        self.presence_log.shrink_to(limits.replay_frames, limits.replay_bytes);
    }

    /// Keeps `bytes` at most.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.log.shrink_to(usize::MAX, bytes.saturating_sub(self.presence_log.bytes()));
        self.presence_log.shrink_to(usize::MAX, bytes.saturating_sub(self.log.bytes()));
    }

    /// Bytes that it keeps, about.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.log.bytes().saturating_add(self.presence_log.bytes())
    }

    /// Sends a PRESENCE frame about members of `owner`: to all who subscribe to presence, and to the owner always.
    pub(crate) fn tell_presence(&self, owner: &ConnectionId, frame: Frame, out: &mut Outbox) {
        let frame = Arc::new(SharedFrame::from(frame));
        self.fan_out(&frame, out, |_, attachment| {
            attachment.modes.contains(Flags::PRESENCE_SUBSCRIBE) || attachment.connection == *owner
        });
    }

    fn fan_out(
        &self,
        frame: &Arc<SharedFrame>,
        out: &mut Outbox,
        mut wants: impl FnMut(&(LinkId, ChannelName), &Attachment) -> bool,
    ) {
        let mut renamed: BTreeMap<&ChannelName, Arc<SharedFrame>> = BTreeMap::new();
        for (at, attachment) in &self.attachments {
            if !wants(at, attachment) {
                continue;
            }
            let (link, name) = at;
            let shared = if *name == self.name {
                frame
            } else {
                renamed.entry(name).or_insert_with(|| Arc::new(under_name(frame, name)))
            };
            out.send_shared(*link, Arc::clone(shared));
        }
    }

    /// Sends frames that were published earlier to one link, under the name that it uses.
    pub(crate) fn replay(&self, link: LinkId, name: &ChannelName, frames: Vec<Arc<SharedFrame>>, out: &mut Outbox) {
        for frame in frames {
            let shared = if *name == self.name { frame } else { Arc::new(under_name(&frame, name)) };
            out.send_shared(link, shared);
        }
    }

    /// How many use it, and for what.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let count = |mode: Flags| {
            let with = self.attachments.values().filter(|attachment| attachment.modes.contains(mode));
            with.map(|attachment| &attachment.connection).collect::<BTreeSet<_>>().len()
        };
        Occupancy {
            connections: count(Flags::empty()),
            publishers: count(Flags::PUBLISH),
            subscribers: count(Flags::SUBSCRIBE),
            presence_connections: count(Flags::PRESENCE),
            presence_members: self.members.len(),
            presence_subscribers: count(Flags::PRESENCE_SUBSCRIBE),
        }
    }

    /// Drops what is kept too long. Gives when to look again; `None` while nothing can grow old.
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

fn under_name(frame: &SharedFrame, name: &ChannelName) -> SharedFrame {
    Frame { channel: Some(name.clone()), ..frame.frame().clone() }.into()
}
