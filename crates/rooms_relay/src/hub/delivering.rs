//! How messages get to those who subscribe, and what those are told who get too many.

use std::{sync::Arc, time::Duration};

use web_time::Instant;

use crate::{
    LinkId, SharedFrame,
    hub::{
        Hub,
        channel::{key::ChannelKey, serial::Position, state::Channel},
        publishing::size,
        timer::Timer,
    },
};
use rooms_protocol::{Action, ChannelName, ConnectionId, ErrorCode, ErrorInfo, Flags, Frame};

/// How long after the first message that was left out a client is told: when the second is over that rates go by.
const GAP_NOTICE: Duration = Duration::from_secs(1);

/// Has a channel keep no more than what the others leave of the total, but no less than its share: those that kept more come
/// down to theirs with what they keep next. Gives what all keep together now, at most twice the total.
pub(super) fn keep_share(channel: &mut Channel, before: usize, kept: usize, total: usize, channels: usize) -> usize {
    let (others, share) = (kept.saturating_sub(before), total / channels.max(1));
    channel.shrink_to(total.saturating_sub(others).max(share));
    others.saturating_add(channel.kept_bytes())
}

impl Hub {
    /// Sends a frame of messages to all who subscribe and have room, and keeps it for those who come back.
    pub(super) fn deliver(
        &mut self,
        publisher: Option<&ConnectionId>,
        key: &ChannelKey,
        position: Position,
        frame: Arc<SharedFrame>,
        now: Instant,
    ) {
        let channels = self.channels.len();
        let Some(channel) = self.channels.get_mut(key) else { return };
        let count = frame.frame().messages.len();
        let bytes = frame.frame().messages.iter().map(size).fold(0, usize::saturating_add);
        let before = channel.kept_bytes();
        let (links, account, timers, limits) =
            (&mut self.links, &mut self.account, &mut self.timers, &self.config.limits);
        account.count(count, now);
        channel.publish(position, frame, now, limits, &mut self.out, |id, name| {
            if limits.delivery_rate.is_none() && limits.account_rate.is_none() {
                return true;
            }
            let Some(link) = links.get_mut(&id) else { return true };
            let has_room = link.deliveries.has_room(count, limits.delivery_rate, now);
            if has_room {
                link.deliveries.count(count, now);
                account.count(count, now);
            } else if link.gaps.insert(name.clone(), key.clone()).is_none() {
                timers.set_if_stopped(Timer::TellGaps(id), now + GAP_NOTICE);
            }
            has_room
        });
        channel.rate.count(count, now);
        channel.bandwidth.count(bytes, now);
        self.kept_bytes = keep_share(channel, before, self.kept_bytes, limits.replay_bytes_total, channels);
        if let Some(connection) = publisher.and_then(|id| self.connections.get_mut(id)) {
            connection.rate.count(count, now);
        }
        self.watch(key, now);
    }

    /// Tells a client on which channels it missed messages since it was to get too many.
    pub(super) fn tell_gaps(&mut self, link: LinkId, now: Instant) {
        let gaps = self.links.get_mut(&link).map(|link| std::mem::take(&mut link.gaps)).unwrap_or_default();
        for (name, key) in gaps {
            let why = "messages were left out, since the connection was to get more a second than it may; spread them \
                       over time, or put several into one";
            let error = ErrorInfo::new(ErrorCode::DELIVERY_RATE_EXCEEDED, 400, why);
            self.tell_attached(link, &name, &key, Some(error), now);
            // The flag that it carries promises the members.
            if self.channels.get(&key).is_some_and(|channel| !channel.members.is_empty()) {
                self.sync(link, &name, &key);
            }
        }
    }

    /// Tells a client how it is attached now, and with an error that it missed something.
    pub(super) fn tell_attached(
        &mut self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        error: Option<ErrorInfo>,
        now: Instant,
    ) {
        let Some(channel) = self.channels.get(key) else { return };
        let Some(attachment) = channel.attachment(link, name) else { return };
        let continuity = if error.is_none() { Flags::RESUMED } else { Flags::empty() };
        // Without RESUMED and this flag a client takes it that there are no members any more.
        let has_members = attachment.modes.contains(Flags::PRESENCE_SUBSCRIBE) && !channel.members.is_empty();
        let members = if error.is_some() && has_members { Flags::HAS_PRESENCE } else { Flags::empty() };
        let attached = Frame {
            channel_serial: Some(channel.head().channel_serial(&self.node)),
            flags: Some(attachment.modes | continuity | members),
            params: attachment.params.clone(),
            error: error.map(Box::new),
            timestamp: Some(self.clock.at(now)),
            ..Frame::for_channel(Action::Attached, name.clone())
        };
        self.out.send(link, attached);
    }
}
