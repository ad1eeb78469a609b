//! Where a connection published on channels before it attached them.
//!
//! SDKs send what a program published before the ATTACH of its channel. A client that attaches soon after gets these messages with
//! its attachment. The channel's log has the messages, so what is kept here is only where they begin.

use std::{collections::BTreeMap, time::Duration};

use web_time::Instant;

use super::Connections;
use crate::{
    hub::channel::{key::ChannelKey, serial::Position},
    limits::EARLY_CHANNELS,
};
use rooms_protocol::ConnectionId;

/// What one channel takes here beside its name, about, in bytes.
const ENTRY_BYTES: usize = 256;

/// The channels of one connection on which it published first and is to attach later, or did so a moment ago.
#[derive(Debug, Default)]
pub(crate) struct EarlyPublishes(BTreeMap<ChannelKey, EarlyPublish>);

#[derive(Debug)]
struct EarlyPublish {
    /// Where the first message is.
    first: Position,
    /// Where the first message is that came after the connection's latest attachment to the channel. A client that knows of
    /// that attachment got what is before.
    unattached: Option<Position>,
    /// When the latest was published, or the channel attached.
    at: Instant,
}

impl EarlyPublish {
    fn is_old(&self, window: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.at) > window
    }
}

impl EarlyPublishes {
    /// Notes a publish at `position` of a channel that the connection is not attached to. Forgets those older than `window`, and
    /// the oldest where there are too many.
    pub(crate) fn note_published(&mut self, key: ChannelKey, position: Position, window: Duration, now: Instant) {
        if let Some(early) = self.0.get_mut(&key).filter(|early| !early.is_old(window, now)) {
            early.at = now;
            early.unattached.get_or_insert(position);
            return;
        }
        if self.0.len() >= EARLY_CHANNELS {
            self.0.retain(|_, early| !early.is_old(window, now));
        }
        if self.0.len() >= EARLY_CHANNELS
            && let Some(oldest) = self.0.iter().min_by_key(|(_, early)| early.at).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        self.0.insert(key, EarlyPublish { first: position, unattached: Some(position), at: now });
    }

    /// Notes that the connection attached a channel. Its early messages are on their way to the client, and may be lost with the
    /// link. The client then attaches once more.
    pub(crate) fn note_attached(&mut self, key: &ChannelKey, now: Instant) {
        if let Some(early) = self.0.get_mut(key) {
            early.at = now;
            early.unattached = None;
        }
    }

    /// Forgets a channel, which the connection is no longer attached to.
    pub(crate) fn forget(&mut self, key: &ChannelKey) {
        self.0.remove(key);
    }

    /// Where the first early message on a channel is that the client did not get. `None` where there is none. A client that had
    /// attached the channel since then, and knows that it had, got those from before.
    pub(crate) fn first(
        &self,
        key: &ChannelKey,
        had_attached: bool,
        window: Duration,
        now: Instant,
    ) -> Option<Position> {
        let early = self.0.get(key).filter(|early| !early.is_old(window, now))?;
        if had_attached { early.unattached } else { Some(early.first) }
    }

    /// The bytes that it holds in memory, about.
    pub(crate) fn held_bytes(&self) -> usize {
        self.0.keys().map(|key| ENTRY_BYTES + key.name.as_str().len()).sum()
    }
}

impl Connections {
    /// Notes that a connection published at `position` of a channel that it is not attached to.
    pub(crate) fn note_early(&mut self, id: &ConnectionId, key: ChannelKey, position: Position, now: Instant) {
        if let Some(connection) = self.by_id.get_mut(id) {
            connection.early.note_published(key, position, self.limits.resume_window, now);
            connection.recharge();
        }
    }

    /// Where a connection first published on a channel before it attached, if it was not long ago. `had_attached` says that the
    /// client knows of an earlier attachment.
    pub(crate) fn early(
        &self,
        id: &ConnectionId,
        key: &ChannelKey,
        had_attached: bool,
        now: Instant,
    ) -> Option<Position> {
        self.by_id.get(id)?.early.first(key, had_attached, self.limits.resume_window, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiKey;
    use rooms_protocol::Timestamp;

    const WINDOW: Duration = Duration::from_secs(120);

    fn key(name: &str) -> ChannelKey {
        ChannelKey { app: ApiKey::development().app().clone(), name: name.into() }
    }

    #[test]
    fn the_first_place_counts_until_nothing_was_published_for_a_while() {
        let (mut early, now) = (EarlyPublishes::default(), Instant::now());
        let (first, second) = (Position::at(Timestamp(1)), Position::at(Timestamp(2)));
        early.note_published(key("a"), first, WINDOW, now);
        early.note_published(key("a"), second, WINDOW, now + WINDOW);
        assert_eq!(early.first(&key("a"), false, WINDOW, now + 2 * WINDOW), Some(first));
        let later = now + 2 * WINDOW + Duration::from_millis(1);
        assert_eq!(early.first(&key("a"), false, WINDOW, later), None);
        early.note_published(key("a"), second, WINDOW, later);
        assert_eq!(early.first(&key("a"), false, WINDOW, later), Some(second));
        assert_eq!(early.first(&key("b"), false, WINDOW, later), None);
    }

    #[test]
    fn a_client_that_knows_that_it_was_attached_gets_them_once() {
        let (mut early, now) = (EarlyPublishes::default(), Instant::now());
        let first = Position::at(Timestamp(1));
        early.note_published(key("a"), first, WINDOW, now);
        assert_eq!(early.first(&key("a"), true, WINDOW, now), Some(first), "not since it published");
        early.note_attached(&key("a"), now);
        assert_eq!(early.first(&key("a"), true, WINDOW, now), None);
        assert_eq!(early.first(&key("a"), false, WINDOW, now), Some(first), "its ATTACHED was lost");
        let second = Position::at(Timestamp(2));
        early.note_published(key("a"), second, WINDOW, now);
        assert_eq!(early.first(&key("a"), true, WINDOW, now), Some(second), "what came after the attachment");
        assert_eq!(early.first(&key("a"), false, WINDOW, now), Some(first));
        early.forget(&key("a"));
        assert_eq!((early.first(&key("a"), false, WINDOW, now), early.held_bytes()), (None, 0));
    }

    #[test]
    fn of_many_channels_the_latest_are_kept() {
        let (mut early, mut now) = (EarlyPublishes::default(), Instant::now());
        for index in 0..2 * EARLY_CHANNELS {
            now += Duration::from_millis(1);
            early.note_published(key(&format!("c{index}")), Position::at(Timestamp(1)), WINDOW, now);
        }
        assert_eq!(early.0.len(), EARLY_CHANNELS);
        assert!(early.held_bytes() < EARLY_CHANNELS * 300);
        assert!(early.0.contains_key(&key(&format!("c{}", 2 * EARLY_CHANNELS - 1))));
        early.note_published(key("d"), Position::at(Timestamp(1)), WINDOW, now + 2 * WINDOW);
        assert_eq!(early.0.len(), 1, "old ones make room first");
    }
}
