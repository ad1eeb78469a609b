//! Which channels there are: they come into being here, share one budget of bytes, and are dropped here.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, hash_map::Entry},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use web_time::Instant;

use super::{budget::ReplayBudget, key::ChannelKey, state::HubChannel};
use crate::{
    auth::AppId,
    budget::MemoryBudget,
    hub::{
        config::HubStats,
        timer::{HubTimer, Timers},
    },
    limits::{Limits, RateMeter},
    moment::Moment,
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// The namespace whose channels keep their messages for longer, in apps of the sandbox.
const PERSISTED: &str = "persisted:";

/// How long they keep them: longer than a test suite takes, and as on Ably's free plan.
const PERSISTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Histories that are dropped at once when memory is short.
const LARGEST: usize = 16;

/// What a new channel may need of the memory, about, in bytes.
const NEW_CHANNEL_BYTES: usize = 16 * 1024;

/// All channels in memory.
#[derive(Debug)]
pub(crate) struct ChannelRegistry {
    by_key: HashMap<ChannelKey, HubChannel>,
    /// The keys of all of them, for lists.
    in_order: BTreeSet<ChannelKey>,
    replay: ReplayBudget,
    /// The account to which everything is charged.
    budget: MemoryBudget,
    /// Channels that come into being.
    created: RateMeter,
    limits: Arc<Limits>,
    /// Whether channels with a persisted name keep their messages for longer.
    is_sandbox: bool,
}

impl ChannelRegistry {
    /// No channels.
    pub(crate) fn new(limits: Arc<Limits>, budget: MemoryBudget, is_sandbox: bool) -> Self {
        let replay = ReplayBudget::new(limits.replay_bytes_total);
        Self {
            by_key: HashMap::new(),
            in_order: BTreeSet::new(),
            replay,
            budget,
            created: RateMeter::default(),
            limits,
            is_sandbox,
        }
    }

    /// Takes other limits.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>) {
        self.replay.set_total(limits.replay_bytes_total);
        self.limits = limits;
    }

    /// A channel, if it is in memory.
    pub(crate) fn get(&self, key: &ChannelKey) -> Option<&HubChannel> {
        self.by_key.get(key)
    }

    /// The same, to change what does not count towards the budget.
    pub(crate) fn get_mut(&mut self, key: &ChannelKey) -> Option<&mut HubChannel> {
        self.by_key.get_mut(key)
    }

    /// The keys of an app's channels whose names begin with `prefix` and come after `after`, in order.
    pub(crate) fn keys_from(
        &self,
        app: &AppId,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &ChannelKey> {
        let key = |name: &str| ChannelKey { app: app.clone(), name: name.into() };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(key(after)),
            _ => Bound::Included(key(prefix)),
        };
        let keys = self.in_order.range((start, Bound::Unbounded));
        keys.take_while(move |key| key.app == *app && key.name.as_str().starts_with(prefix))
    }

    /// Adds what the channels hold to `stats`. Looks at every channel.
    pub(crate) fn add_stats(&self, stats: &mut HubStats) {
        stats.channels = self.by_key.len();
        stats.members = self.by_key.values().map(|channel| channel.members.len()).sum();
        stats.messages = self.by_key.values().map(|channel| channel.log.messages()).sum();
        stats.message_bytes = self.replay.used();
    }

    /// The channel, which comes into being when it is first used.
    ///
    /// # Errors
    /// 40113 where there are too many channels, 42910 where too many come into being in this second.
    pub(crate) fn open(
        &mut self,
        key: &ChannelKey,
        moment: Moment,
        timers: &mut Timers,
    ) -> Result<&mut HubChannel, ErrorInfo> {
        let channels = self.by_key.len();
        match self.by_key.entry(key.clone()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                self.limits.check_channels(channels)?;
                self.budget.check(NEW_CHANNEL_BYTES)?;
                if !self.created.has_capacity(1, self.limits.new_channel_rate, moment.now) {
                    let why = "more channels come into being a second than may; attach a little later";
                    return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
                }
                self.created.count(1, moment.now);
                let trim = HubTimer::TrimChannel(key.clone());
                timers.set_if_stopped(trim, moment.now + self.limits.replay_window);
                self.in_order.insert(key.clone());
                let is_persisted = self.is_sandbox && key.name.as_str().starts_with(PERSISTED);
                let keep = if is_persisted { PERSISTED_FOR } else { self.limits.replay_window };
                let name = key.name.clone();
                Ok(entry.insert(HubChannel::new(name, keep, self.limits.resume_window, &self.budget, moment)))
            }
        }
    }

    /// Changes what a channel keeps, if it is in memory, and fits it into the budget afterwards.
    pub(crate) fn change(
        &mut self,
        key: &ChannelKey,
        now: Instant,
        timers: &mut Timers,
        change: impl FnOnce(&mut HubChannel),
    ) {
        let channels = self.by_key.len();
        let Some(channel) = self.by_key.get_mut(key) else { return };
        let before = channel.kept_bytes();
        change(channel);
        self.replay.fit(channel, before, channels);
        self.touch(key, now, timers);
    }

    /// Notes that a channel was used, and makes sure that it does not keep its messages, or itself, for ever.
    pub(crate) fn touch(&mut self, key: &ChannelKey, now: Instant, timers: &mut Timers) {
        if let Some(channel) = self.by_key.get_mut(key) {
            channel.touch(now);
            timers.set_if_stopped(HubTimer::TrimChannel(key.clone()), now + self.limits.replay_window);
        }
    }

    /// Drops what a channel kept long enough, and the channel itself where nobody would notice.
    pub(crate) fn trim(&mut self, key: ChannelKey, now: Instant, timers: &mut Timers) {
        let Some(channel) = self.by_key.get_mut(&key) else { return };
        let before = channel.kept_bytes();
        let again = channel.trim(&self.limits, now);
        self.replay.release(before.saturating_sub(channel.kept_bytes()));
        if channel.is_idle(&self.limits, now) {
            self.by_key.remove(&key);
            self.in_order.remove(&key);
        } else if let Some(at) = again {
            timers.set(HubTimer::TrimChannel(key), at);
        }
    }

    /// Drops the histories of the channels that keep most, until about `bytes` are dropped. Returns how many that were.
    pub(crate) fn shed(&mut self, bytes: usize) -> usize {
        let mut largest: Vec<(usize, &mut HubChannel)> =
            self.by_key.values_mut().map(|channel| (channel.kept_bytes(), channel)).collect();
        // Few of them hold most of it, and finding these costs less than sorting all.
        if largest.len() > LARGEST {
            largest.select_nth_unstable_by_key(LARGEST, |(kept, _)| Reverse(*kept));
            largest.truncate(LARGEST);
        }
        largest.sort_unstable_by_key(|(kept, _)| Reverse(*kept));
        let mut shed = 0_usize;
        for (kept, channel) in largest {
            if shed >= bytes {
                break;
            }
            channel.shrink_to(0);
            shed += kept;
        }
        self.replay.release(shed);
        shed
    }

    /// Drops all channels of an app.
    pub(crate) fn remove_app(&mut self, app: &AppId, timers: &mut Timers) {
        let keys: Vec<ChannelKey> = self.by_key.keys().filter(|key| key.app == *app).cloned().collect();
        for key in keys {
            if let Some(channel) = self.by_key.remove(&key) {
                self.replay.release(channel.kept_bytes());
            }
            self.in_order.remove(&key);
            timers.stop(&HubTimer::TellOccupancy(key.clone()));
            timers.stop(&HubTimer::TrimChannel(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKey, hub::channel::kept_presence::KeptPresence};
    use rooms_protocol::{PresenceMessage, Timestamp};

    fn key(name: &str) -> ChannelKey {
        ChannelKey { app: ApiKey::development().app().clone(), name: name.into() }
    }

    fn budget() -> MemoryBudget {
        MemoryBudget::new(1 << 30)
    }

    fn keep_one(registry: &mut ChannelRegistry, name: &str, moment: Moment, timers: &mut Timers) {
        let limits = Limits::default();
        registry.open(&key(name), moment, timers).unwrap();
        let message = Arc::new(KeptPresence::new(PresenceMessage::default(), &budget()));
        registry.change(&key(name), moment.now, timers, |channel| channel.keep_presence(&[message], moment, &limits));
    }

    #[test]
    fn channels_keep_no_more_than_their_shares_of_the_budget() {
        let moment = Moment { now: Instant::now(), wall: Timestamp(0) };
        let mut timers = Timers::default();
        let mut registry = ChannelRegistry::new(Arc::new(Limits::default()), budget(), false);
        keep_one(&mut registry, "a", moment, &mut timers);
        let one = registry.get(&key("a")).unwrap().kept_bytes();
        assert!(one > 0);

        let limits = Limits { replay_bytes_total: 2 * one, ..Limits::default() };
        let mut registry = ChannelRegistry::new(Arc::new(limits), budget(), false);
        for name in ["a", "a", "b"] {
            keep_one(&mut registry, name, moment, &mut timers);
        }
        let mut stats = HubStats::default();
        registry.add_stats(&mut stats);
        assert_eq!((stats.channels, stats.message_bytes), (2, 3 * one), "b keeps its share beside what a has");
        keep_one(&mut registry, "a", moment, &mut timers);
        registry.add_stats(&mut stats);
        assert_eq!(stats.message_bytes, 2 * one, "a comes down to its share");
        registry.remove_app(ApiKey::development().app(), &mut timers);
        registry.add_stats(&mut stats);
        assert_eq!((stats.channels, stats.message_bytes, timers.next()), (0, 0, None));
    }

    #[test]
    fn a_channel_that_nobody_uses_is_dropped_one_replay_window_later() {
        let moment = Moment { now: Instant::now(), wall: Timestamp(0) };
        let mut timers = Timers::default();
        let mut registry = ChannelRegistry::new(Arc::new(Limits::default()), budget(), false);
        registry.open(&key("a"), moment, &mut timers).unwrap();
        let at = timers.next().unwrap();
        assert_eq!(at, moment.now + Limits::default().replay_window);
        assert_eq!(timers.pop_due(at), Some(HubTimer::TrimChannel(key("a"))));
        registry.trim(key("a"), at, &mut timers);
        assert!(registry.get(&key("a")).is_none() && timers.next().is_none());
    }

    #[test]
    fn the_largest_histories_are_dropped_first_when_memory_is_short() {
        let moment = Moment { now: Instant::now(), wall: Timestamp(0) };
        let mut timers = Timers::default();
        let mut registry = ChannelRegistry::new(Arc::new(Limits::default()), budget(), false);
        for name in ["a", "b", "b", "b", "c", "c"] {
            keep_one(&mut registry, name, moment, &mut timers);
        }
        let kept = |registry: &ChannelRegistry, name| registry.get(&key(name)).unwrap().kept_bytes();
        let one = kept(&registry, "a");
        assert_eq!(registry.shed(one), 3 * one);
        assert_eq!(["a", "b", "c"].map(|name| kept(&registry, name)), [one, 0, 2 * one]);
        assert_eq!(registry.shed(usize::MAX), 3 * one);
        let mut stats = HubStats::default();
        registry.add_stats(&mut stats);
        assert_eq!((stats.channels, stats.message_bytes), (3, 0));
    }
}
