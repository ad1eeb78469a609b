//! How links come to channels and leave them, and how channels come and go.

use std::collections::hash_map::Entry;

use web_time::Instant;

use crate::{
    LinkId,
    hub::{
        Caller, Hub,
        channel::{
            attach_request::{Address, AttachOptions},
            key::ChannelKey,
            state::{Attachment, Channel, Start},
        },
        timer::Timer,
    },
};
use rooms_protocol::{Action, ChannelName, ErrorCode, ErrorInfo, Flags, Frame};

impl Hub {
    /// Answers ATTACH with ATTACHED and what follows it, or with ERROR on the channel.
    pub(super) fn attach(&mut self, caller: &Caller, frame: &Frame, now: Instant) {
        let Some(name) = frame.channel.clone() else {
            return self.protocol_violation(caller.link, "an ATTACH came without its channel".to_owned(), now);
        };
        if let Err(error) = self.try_attach(caller, &name, frame, now) {
            self.drop_attachment(caller, &name, now);
            self.out.send(caller.link, Frame::error(Some(name), error));
        }
    }

    fn try_attach(
        &mut self,
        caller: &Caller,
        name: &ChannelName,
        frame: &Frame,
        now: Instant,
    ) -> Result<(), ErrorInfo> {
        let (link, id) = (caller.link, &caller.id);
        let address = Address::parse(name)?;
        let allowed = caller.principal.capability.modes(&address.channel);
        let options = AttachOptions::parse(&address, frame, allowed)?;
        let key = caller.key(address.channel);
        let no_echo = self.links.get(&link).is_some_and(|link| link.no_echo);
        let attachment = Attachment {
            connection: id.clone(),
            asked: options.asked,
            modes: options.modes,
            params: options.params.clone(),
            no_echo,
        };
        let already = self.channels.get(&key).is_some_and(|channel| channel.attachment(link, name).is_some());
        if !already {
            let attached = self.connections.get(id).map_or(0, |connection| connection.attached.len());
            self.config.limits.check_attached(attached)?;
        }
        let (clock, node) = (self.clock.at(now), self.node.clone());
        let channel = self.channel_mut(&key, now)?;
        let start = if already {
            // The link has had everything up to here.
            Start { position: channel.head(), flags: Flags::RESUMED, frames: Vec::new(), continuity_lost: false }
        } else {
            channel.start(frame.channel_serial.as_ref(), &options, &attachment, &node, now)
        };
        channel.touch(now);
        channel.attach(link, name.clone(), attachment);
        let has_presence = !channel.members.is_empty() && options.modes.contains(Flags::PRESENCE_SUBSCRIBE);
        let mut flags = options.modes | start.flags;
        flags.set(Flags::HAS_PRESENCE, has_presence);
        let lost = "messages since the channel serial are no longer kept; this starts at the newest";
        let attached = Frame {
            channel_serial: Some(start.position.channel_serial(&node)),
            flags: Some(flags),
            params: options.params,
            error: start.continuity_lost.then(|| Box::new(ErrorInfo::new(ErrorCode::CONTINUITY_LOST, 404, lost))),
            timestamp: Some(clock),
            ..Frame::for_channel(Action::Attached, name.clone())
        };
        self.out.send(link, attached);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.attached.insert(name.clone(), key.clone());
        }
        if has_presence {
            self.sync(link, name, &key);
        }
        if let Some(channel) = self.channels.get(&key) {
            channel.replay(link, name, start.frames, &mut self.out);
        }
        Ok(())
    }

    /// Answers DETACH: the connection's members leave, then DETACHED, even if it was not attached.
    pub(super) fn detach(&mut self, caller: &Caller, frame: &Frame, now: Instant) {
        let Some(name) = frame.channel.clone() else {
            return self.protocol_violation(caller.link, "a DETACH came without its channel".to_owned(), now);
        };
        self.drop_attachment(caller, &name, now);
        self.out.send(caller.link, Frame::for_channel(Action::Detached, name));
    }

    /// Ends an attachment, if there is one. With the last to a channel, the connection's members leave it.
    pub(super) fn drop_attachment(&mut self, caller: &Caller, name: &ChannelName, now: Instant) {
        let Ok(address) = Address::parse(name) else { return };
        let key = caller.key(address.channel);
        let Some(connection) = self.connections.get(&caller.id) else { return };
        let others = connection.attached.iter().filter(|(other, of)| **of == key && *other != name).count();
        // Before the attachment goes, so that the client hears of it too.
        if others == 0 {
            self.leave_channel(&caller.id, &key, now);
        }
        if let Some(connection) = self.connections.get_mut(&caller.id) {
            connection.attached.remove(name);
        }
        self.detach_link(caller.link, name, &key, now);
    }

    /// Takes an attachment off its channel.
    pub(super) fn detach_link(&mut self, link: LinkId, name: &ChannelName, key: &ChannelKey, now: Instant) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.detach(link, name);
        }
        self.watch(key, now);
    }

    /// Answers a client's SYNC with all members.
    pub(super) fn resync(&mut self, caller: &Caller, frame: &Frame) {
        let Some(name) = &frame.channel else { return };
        let attached = self.connections.get(&caller.id).and_then(|connection| connection.attached.get(name));
        if let Some(key) = attached.cloned() {
            self.sync(caller.link, name, &key);
        }
    }

    /// Tells all members to an attachment that may hear of them.
    pub(super) fn sync(&mut self, link: LinkId, name: &ChannelName, key: &ChannelKey) {
        let sequence = format!("s{}", self.next_sequence());
        let Some(channel) = self.channels.get(key) else { return };
        let modes = channel.attachment(link, name).map_or(Flags::empty(), |attachment| attachment.modes);
        if !modes.contains(Flags::PRESENCE_SUBSCRIBE) {
            return;
        }
        for page in channel.members.sync(name, &sequence) {
            self.out.send(link, page);
        }
    }

    /// The channel, which comes into being when first used.
    pub(super) fn channel_mut(&mut self, key: &ChannelKey, now: Instant) -> Result<&mut Channel, ErrorInfo> {
        let channels = self.channels.len();
        match self.channels.entry(key.clone()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                self.config.limits.check_channels(channels)?;
                if !self.new_channels.has_room(1, self.config.limits.new_channel_rate, now) {
                    let why = "more channels come into being a second than may; attach a little later";
                    return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
                }
                self.new_channels.count(1, now);
                let trim = Timer::TrimChannel(key.clone());
                self.timers.set_if_stopped(trim, now + self.config.limits.replay_window);
                let keep = self.config.keeps(&key.name);
                let resume = self.config.limits.resume_window;
                Ok(entry.insert(Channel::new(key.name.clone(), keep, resume, self.clock.at(now), now)))
            }
        }
    }

    /// Sees to it that a channel which was just used does not keep things, or itself, for ever.
    pub(super) fn watch(&mut self, key: &ChannelKey, now: Instant) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.touch(now);
            self.timers.set_if_stopped(Timer::TrimChannel(key.clone()), now + self.config.limits.replay_window);
        }
    }

    /// Drops what a channel keeps too long, and the channel itself where nobody would notice.
    pub(super) fn trim(&mut self, key: ChannelKey, now: Instant) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        let before = channel.kept_bytes();
        let again = channel.trim(&self.config.limits, now);
        self.kept_bytes = self.kept_bytes.saturating_sub(before.saturating_sub(channel.kept_bytes()));
        if channel.is_idle(&self.config.limits, now) {
            self.channels.remove(&key);
        } else if let Some(at) = again {
            self.timers.set(Timer::TrimChannel(key), at);
        }
    }
}
