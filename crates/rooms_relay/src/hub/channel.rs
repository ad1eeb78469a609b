//! The channels part: it owns all channels, brings them into being and drops them.
//!
//! It checks what belongs to a channel, and sends what clients of a channel get. It knows links and connections by their ids
//! alone. [`Hub`](super::Hub) drives it.

pub(crate) mod attach;
pub(crate) mod attach_request;
pub(crate) mod budget;
pub(crate) mod deliver;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod members;
pub(crate) mod modes;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod registry;
pub(crate) mod replay;
pub(crate) mod serial;
pub(crate) mod state;

use std::sync::Arc;

use smol_str::SmolStr;
use web_time::Instant;

use self::{
    attach::Attachment,
    attach_request::{Address, AttachRequest},
    deliver::replay,
    key::ChannelKey,
    members::pages,
    presence::{LeaveReason, PresenceUpdate, PresenceVerdict},
    publish::{Accepted, Delivery, Load, Publish},
    registry::ChannelRegistry,
    state::HubChannel,
};
use super::{
    config::HubStats,
    effects::Effects,
    output::{LinkId, Outputs},
    timer::Timers,
};
use crate::{
    auth::{AppId, Principal},
    error::not_permitted,
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
}

impl Channels {
    /// No channels, on the relay with the id `node`.
    pub(crate) fn new(node: SmolStr, limits: Arc<Limits>, is_sandbox: bool) -> Self {
        Self { registry: ChannelRegistry::new(Arc::clone(&limits), is_sandbox), sequence: 0, node, limits }
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

    /// The channel that a client wants to publish on, or enter. The client need not be attached (transient publish). If it is,
    /// the attachment needs `mode`.
    ///
    /// # Errors
    /// 40010 without a name that is allowed, 40160 where the credentials or the attachment do not allow it.
    pub(crate) fn target(
        &self,
        link: LinkId,
        principal: &Principal,
        name: Option<&ChannelName>,
        mode: Flags,
    ) -> Result<ChannelKey, ErrorInfo> {
        let nameless = || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_NAME, 400, "the frame names no channel");
        let name = name.ok_or_else(nameless)?;
        let key = ChannelKey { app: principal.app.clone(), name: Address::parse(name)?.channel };
        let is_allowed = match self.attachment(&key, link, name) {
            // The credentials allowed these modes when the link attached.
            Some(attachment) => attachment.modes.contains(mode),
            None => principal.capability.modes(&key.name).contains(mode),
        };
        if !is_allowed {
            let why = "the credentials do not allow this here, or the channel is attached without the mode for it";
            return Err(not_permitted(why));
        }
        Ok(key)
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
        let AttachRequest { link, name, key, options, serial, attachment } = request;
        let node = &self.node;
        let channel = self.registry.open(&key, moment, &mut effects.timers)?;
        let start = match channel.attachments.get(link, &name) {
            Some(_) => channel.start_again(),
            None => channel.start(serial, &options, &attachment, node, moment.now),
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
        replay(&key.name, start.frames, link, &name, &mut effects.out);
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
        let Some(channel) = self.registry.get(key) else { return };
        let modes = channel.attachments.get(link, name).map_or(Flags::empty(), |attachment| attachment.modes);
        if !modes.contains(Flags::PRESENCE_SUBSCRIBE) {
            return;
        }
        for page in channel.members.sync(name, &sequence) {
            out.send(link, page);
        }
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
        channel.accept(publish, &self.node, &self.limits, moment.wall)
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
        let (load, limits) = (delivery.load(), &self.limits);
        let Effects { out, timers } = effects;
        self.registry.change(key, now, timers, |channel| {
            channel.publish(delivery.position, delivery.frame, now, limits, out, has_capacity);
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
        let changes = channel.update_members(update, moment.wall)?;
        let is_attached = channel.attachments.has_link(link);
        let is_present = !channel.members.of_connection(&owner).is_empty();
        self.send_presence(&owner, &key, changes, moment, effects);
        Ok(PresenceVerdict { is_present, is_attached })
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
        let changes = self.registry.open(key, moment, &mut effects.timers)?.members.apply(member);
        self.send_presence(owner, key, changes.into_iter().collect(), moment, effects);
        Ok(())
    }

    /// Has all members of a connection leave a channel.
    pub(crate) fn leave(
        &mut self,
        id: &ConnectionId,
        key: &ChannelKey,
        reason: LeaveReason,
        moment: Moment,
        effects: &mut Effects,
    ) {
        let sequence = self.next_sequence();
        let Some(channel) = self.registry.get_mut(key) else { return };
        let leave_id = |index| reason.id(id, &self.node, sequence, index);
        let changes = channel.members.remove_connection(id, leave_id, moment.wall);
        self.send_presence(id, key, changes, moment, effects);
    }

    /// Sends presence messages about members of `owner`, in several frames where one would be too large: a leave carries the
    /// data of its member.
    fn send_presence(
        &mut self,
        owner: &ConnectionId,
        key: &ChannelKey,
        messages: Vec<PresenceMessage>,
        moment: Moment,
        effects: &mut Effects,
    ) {
        let (node, limits) = (&self.node, &self.limits);
        let Effects { out, timers } = effects;
        self.registry.change(key, moment.now, timers, |channel| {
            channel.keep_presence(&messages, moment.now, limits);
            for presence in pages(messages) {
                let position = channel.advance(moment.wall);
                let frame = Frame {
                    channel_serial: Some(position.channel_serial(node)),
                    connection_id: Some(owner.clone()),
                    presence,
                    timestamp: Some(moment.wall),
                    ..Frame::for_channel(Action::Presence, key.name.clone())
                };
                channel.send_presence(owner, frame, out);
            }
        });
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
