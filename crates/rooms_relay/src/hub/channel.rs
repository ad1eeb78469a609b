//! The channels part: it owns all channels, brings them into being and drops them.
//!
//! It checks what belongs to a channel, and sends what clients of a channel get. It knows links and connections by their ids
//! alone. [`Hub`](super::Hub) drives it.

pub(crate) mod attach;
pub(crate) mod attach_request;
pub(crate) mod budget;
pub(crate) mod deliver;
pub(crate) mod departure;
pub(crate) mod history;
pub(crate) mod kept_presence;
pub(crate) mod key;
pub(crate) mod members;
pub(crate) mod modes;
pub(crate) mod occupancy;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod registry;
pub(crate) mod replay;
pub(crate) mod serial;
pub(crate) mod state;
pub(crate) mod target;

use std::sync::Arc;

use smol_str::SmolStr;
use web_time::Instant;

use self::{
    attach::Attachment,
    attach_request::AttachRequest,
    kept_presence::KeptPresence,
    key::ChannelKey,
    presence::{PresenceUpdate, PresenceVerdict},
    publish::{Accepted, Delivery, Load, Publish},
    registry::ChannelRegistry,
    state::{HubChannel, StartWish},
};
use super::{
    batch::{Batch, page_length},
    config::HubStats,
    effects::Effects,
    kept_frame::KeptFrame,
    output::{LinkId, Outputs},
    timer::Timers,
};
use crate::{
    auth::AppId,
    budget::MemoryBudget,
    limits::{Limits, rate_exceeded},
    moment::Moment,
};
use rooms_protocol::{Action, ChannelName, ConnectionId, ErrorCode, ErrorInfo, Flags, Frame, PresenceMessage};

/// All channels of the hub.
#[derive(Debug)]
pub(crate) struct Channels {
    registry: ChannelRegistry,
    /// Numbers what needs a name of its own: syncs, and leaves that the relay makes up.
    sequence: u64,
    /// The relay's own id, which all its serials carry.
    node: SmolStr,
    limits: Arc<Limits>,
    budget: MemoryBudget,
}

impl Channels {
    /// No channels, on the relay with the id `node`. What they hold is charged to `budget`.
    pub(crate) fn new(node: SmolStr, limits: Arc<Limits>, budget: MemoryBudget, is_sandbox: bool) -> Self {
        let registry = ChannelRegistry::new(Arc::clone(&limits), budget.clone(), is_sandbox);
        Self { registry, sequence: 0, node, limits, budget }
    }

    /// Takes other limits. What channels keep beyond them goes when they keep something new.
    pub(crate) fn set_limits(&mut self, limits: &Arc<Limits>) {
        self.registry.set_limits(Arc::clone(limits));
        self.limits = Arc::clone(limits);
    }

    /// The relay's own id, which all its serials carry.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// A channel, if it is in memory.
    pub(crate) fn get(&self, key: &ChannelKey) -> Option<&HubChannel> {
        self.registry.get(key)
    }

    /// The keys of an app's channels whose names begin with `prefix` and come after `after`, in order.
    pub(crate) fn keys_from(
        &self,
        app: &AppId,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &ChannelKey> {
        self.registry.keys_from(app, prefix, after)
    }

    /// Adds what the channels hold to `stats`. Looks at every channel.
    pub(crate) fn add_stats(&self, stats: &mut HubStats) {
        self.registry.add_stats(stats);
    }

    /// Whether `link` is attached to a channel, under any name.
    pub(crate) fn has_link(&self, key: &ChannelKey, link: LinkId) -> bool {
        self.registry.get(key).is_some_and(|channel| channel.attachments.has_link(link))
    }

    /// Whether `link` is attached to a channel under this name.
    pub(crate) fn is_attached(&self, key: &ChannelKey, link: LinkId, name: &ChannelName) -> bool {
        self.attachment(key, link, name).is_some()
    }

    fn attachment(&self, key: &ChannelKey, link: LinkId, name: &ChannelName) -> Option<&Attachment> {
        self.registry.get(key)?.attachments.get(link, name)
    }

    /// Attaches a link, or changes its attachment: sends ATTACHED, the members, and the messages from before.
    ///
    /// # Errors
    /// 40113 and 42910 where the channel cannot come into being.
    pub(crate) fn attach(
        &mut self,
        request: AttachRequest<'_>,
        moment: Moment,
        effects: &mut Effects,
    ) -> Result<(), ErrorInfo> {
        let AttachRequest { link, name, key, options, serial, early, attachment } = request;
        let node = &self.node;
        let channel = self.registry.open(&key, moment, &mut effects.timers)?;
        let start = match channel.attachments.get(link, &name) {
            Some(_) => channel.start_again(),
            None => {
                let wish = StartWish { serial, rewind: options.rewind, early };
                channel.start(wish, &attachment, node, moment.now)
            }
        };
        channel.touch(moment.now);
        channel.attachments.insert(link, name.clone(), attachment);
        let has_presence = !channel.members.is_empty() && options.modes.contains(Flags::PRESENCE_SUBSCRIBE);
        let mut flags = options.modes | start.flags;
        flags.set(Flags::HAS_PRESENCE, has_presence);
        let lost = "messages since the channel serial are no longer kept; this starts at the newest";
        let attached = Frame {
            channel_serial: Some(start.position.channel_serial(node)),
            flags: Some(flags),
            params: options.params,
            error: start.continuity_lost.then(|| Box::new(ErrorInfo::new(ErrorCode::CONTINUITY_LOST, 404, lost))),
            timestamp: Some(moment.wall),
            ..Frame::for_channel(Action::Attached, name.clone())
        };
        effects.out.send(link, attached);
        if has_presence {
            self.sync(link, &name, &key, &mut effects.out);
        }
        if !start.frames.is_empty() {
            let name = (name != key.name).then(|| name.clone());
            effects.out.send_batch(link, Batch::replay(start.frames, start.of_first, name, &self.budget));
        }
        self.tell_newcomer(link, &name, &key, moment, &mut effects.out);
        self.note_use(&key, moment.now, &mut effects.timers);
        Ok(())
    }

    /// Ends an attachment.
    pub(crate) fn detach(
        &mut self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        now: Instant,
        timers: &mut Timers,
    ) {
        if let Some(channel) = self.registry.get_mut(key) {
            channel.attachments.remove(link, name);
        }
        self.registry.touch(key, now, timers);
        self.note_use(key, now, timers);
    }

    /// Gives an attachment those of its modes that are `allowed`. Returns them if they changed; where none is left, the caller
    /// ends the attachment.
    pub(crate) fn allow(
        &mut self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        allowed: Flags,
    ) -> Option<Flags> {
        self.registry.get_mut(key)?.attachments.allow(link, name, allowed)
    }

    /// Sends ATTACHED, which tells a client what its attachment is now, or with an error that it missed messages.
    pub(crate) fn send_attached(
        &self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        error: Option<ErrorInfo>,
        moment: Moment,
        out: &mut Outputs,
    ) {
        let Some(channel) = self.registry.get(key) else { return };
        let Some(attachment) = channel.attachments.get(link, name) else { return };
        let continuity = if error.is_none() { Flags::RESUMED } else { Flags::empty() };
        // Without RESUMED and this flag, a client assumes that there are no members any more.
        let has_members = attachment.modes.contains(Flags::PRESENCE_SUBSCRIBE) && !channel.members.is_empty();
        let members = if error.is_some() && has_members { Flags::HAS_PRESENCE } else { Flags::empty() };
        let attached = Frame {
            channel_serial: Some(channel.head().channel_serial(&self.node)),
            flags: Some(attachment.modes | continuity | members),
            params: attachment.params.clone(),
            error: error.map(Box::new),
            timestamp: Some(moment.wall),
            ..Frame::for_channel(Action::Attached, name.clone())
        };
        out.send(link, attached);
    }

    /// Tells a client that it missed messages on a channel, since it was to get too many.
    pub(crate) fn send_gap(
        &mut self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        moment: Moment,
        out: &mut Outputs,
    ) {
        let why = "messages were left out, since the connection was to get more a second than it may; spread them over \
                   time, or put several into one";
        let error = ErrorInfo::new(ErrorCode::DELIVERY_RATE_EXCEEDED, 400, why);
        self.send_attached(link, name, key, Some(error), moment, out);
        // The flag HAS_PRESENCE, which ATTACHED carries, promises the members.
        if self.registry.get(key).is_some_and(|channel| !channel.members.is_empty()) {
            self.sync(link, name, key, out);
        }
    }

    /// Sends all members to an attachment that may receive presence.
    pub(crate) fn sync(&mut self, link: LinkId, name: &ChannelName, key: &ChannelKey, out: &mut Outputs) {
        let sequence = format!("s{}", self.next_sequence());
        let Some(channel) = self.registry.get_mut(key) else { return };
        let modes = channel.attachments.get(link, name).map_or(Flags::empty(), |attachment| attachment.modes);
        if !modes.contains(Flags::PRESENCE_SUBSCRIBE) {
            return;
        }
        let members = channel.members.snapshot();
        out.send_batch(link, Batch::sync(name.clone(), sequence, members, &self.budget));
    }

    /// Puts messages on a channel, all of them or none, except those that it has already. [`deliver`](Self::deliver) sends
    /// them.
    ///
    /// # Errors
    /// 42913 and 42914 for more than a channel carries in a second, 40113 and 42910 where the channel cannot come into being,
    /// 40009 for too large a frame.
    pub(crate) fn accept(
        &mut self,
        publish: Publish,
        load: Load,
        moment: Moment,
        timers: &mut Timers,
    ) -> Result<Accepted, ErrorInfo> {
        self.check_rates(&publish.key, load, moment.now)?;
        let channel = self.registry.open(&publish.key, moment, timers)?;
        channel.accept(publish, &self.node, &self.limits, &self.budget, moment.wall)
    }

    fn check_rates(&self, key: &ChannelKey, load: Load, now: Instant) -> Result<(), ErrorInfo> {
        let meters = self.registry.get(key).map(|channel| (channel.rate, channel.bandwidth));
        let (rate, bandwidth) = meters.unwrap_or_default();
        if !rate.has_capacity(load.messages, self.limits.channel_rate, now) {
            return Err(rate_exceeded(ErrorCode::CHANNEL_RATE_EXCEEDED, "channel"));
        }
        if !bandwidth.has_capacity(load.bytes, self.limits.channel_bandwidth, now) {
            let why = "the channel carries more bytes a second than it may; send less";
            return Err(ErrorInfo::new(ErrorCode::CHANNEL_BANDWIDTH_EXCEEDED, 429, why));
        }
        Ok(())
    }

    /// Sends a frame of messages to all subscribers that have capacity, and keeps it for clients that come back.
    pub(crate) fn deliver(
        &mut self,
        key: &ChannelKey,
        delivery: Delivery,
        now: Instant,
        effects: &mut Effects,
        has_capacity: impl FnMut(LinkId, &ChannelName) -> bool,
    ) {
        let (load, limits) = (delivery.load, &self.limits);
        let Effects { out, timers } = effects;
        self.registry.change(key, now, timers, |channel| {
            channel.publish(delivery, now, limits, out, has_capacity);
            channel.rate.count(load.messages, now);
            channel.bandwidth.count(load.bytes, now);
        });
    }

    /// Applies the messages of a PRESENCE frame, all of them or none, and sends them to the channel.
    ///
    /// # Errors
    /// 91003 for too many members, 40113 and 42910 where the channel cannot come into being.
    pub(crate) fn update_presence(
        &mut self,
        update: PresenceUpdate,
        moment: Moment,
        effects: &mut Effects,
    ) -> Result<PresenceVerdict, ErrorInfo> {
        let (key, owner, link) = (update.key.clone(), update.owner.clone(), update.link);
        let channel = self.registry.open(&key, moment, &mut effects.timers)?;
        let changes = channel.update_members(update, &self.budget, moment.wall)?;
        let is_attached = channel.attachments.has_link(link);
        let members = channel.members.count_of(&owner);
        self.send_presence(&owner, &key, &changes, moment, effects);
        Ok(PresenceVerdict { members, is_attached })
    }

    /// Enters a member of a sandbox's app, which belongs to no client.
    ///
    /// # Errors
    /// 40113 and 42910 where the channel cannot come into being.
    pub(crate) fn enter_fixture(
        &mut self,
        owner: &ConnectionId,
        key: &ChannelKey,
        member: PresenceMessage,
        moment: Moment,
        effects: &mut Effects,
    ) -> Result<(), ErrorInfo> {
        let changes = self.registry.open(key, moment, &mut effects.timers)?.members.apply(member, &self.budget);
        self.send_presence(owner, key, changes.as_slice(), moment, effects);
        Ok(())
    }

    /// Sends presence messages about members of `owner`, in several frames where one would be too large: a leave carries the
    /// data of its member.
    fn send_presence(
        &mut self,
        owner: &ConnectionId,
        key: &ChannelKey,
        messages: &[Arc<KeptPresence>],
        moment: Moment,
        effects: &mut Effects,
    ) {
        let (node, limits, budget) = (&self.node, &self.limits, &self.budget);
        let Effects { out, timers } = effects;
        self.registry.change(key, moment.now, timers, |channel| {
            channel.keep_presence(messages, moment, limits);
            let mut rest = messages;
            while !rest.is_empty() {
                let (page, more) = rest.split_at(page_length(rest.iter().map(|message| message.len())));
                rest = more;
                let position = channel.advance(moment.wall);
                let head = Frame {
                    channel_serial: Some(position.channel_serial(node)),
                    connection_id: Some(owner.clone()),
                    timestamp: Some(moment.wall),
                    ..Frame::for_channel(Action::Presence, key.name.clone())
                };
                let frame = KeptFrame::of_presence(head, page.iter().map(|message| message.text()), budget);
                channel.send_presence(owner, &Arc::new(frame), out);
            }
        });
        self.note_use(key, moment.now, timers);
    }

    /// Drops the histories of the channels that keep most, until about `bytes` are dropped. Returns how many that were. Looks at
    /// every channel.
    pub(crate) fn shed(&mut self, bytes: usize) -> usize {
        self.registry.shed(bytes)
    }

    /// Drops what a channel kept long enough, and the channel itself where nobody would notice.
    pub(crate) fn trim(&mut self, key: ChannelKey, now: Instant, timers: &mut Timers) {
        self.registry.trim(key, now, timers);
    }

    /// Drops all channels of an app.
    pub(crate) fn remove_app(&mut self, app: &AppId, timers: &mut Timers) {
        self.registry.remove_app(app, timers);
    }

    /// A number that no other sync or made-up leave has.
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
