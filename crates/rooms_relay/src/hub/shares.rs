//! The shares part: what each client, address and key has of the connections and channels that all share.
//!
//! It counts who brought what into being, and refuses whoever has its share already, before the limits of the whole relay are
//! looked at. So nobody takes all, and whoever tries is refused alone. A new connection may take the place of one that its client
//! dropped. It knows connections and channels by their ids alone. [`Hub`](super::Hub) drives it.

mod tally;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use web_time::Instant;

use self::tally::{Bounds, Tally, UsedUp};
use super::channel::key::ChannelKey;
use crate::{
    ApiKey,
    auth::{
        AppId,
        owner::{Holder, Owner},
    },
    limits::Limits,
    rate::of_one,
};
use rooms_protocol::{ConnectionId, ErrorCode, ErrorInfo};

/// Dropped connections that are looked at for one that may go.
const LOOKS: usize = 1_024;

/// What everybody has.
#[derive(Debug)]
pub(crate) struct Shares {
    limits: Arc<Limits>,
    /// Whether there are several keys, so that each has a share.
    has_several_keys: bool,
    connections: Tally,
    channels: Tally,
    /// Whose each connection is.
    seats: HashMap<ConnectionId, Seat>,
    /// Whose each channel is, unless it is a sandbox's own.
    creators: HashMap<ChannelKey, Owner>,
    /// The dropped connections of each holder, those first that may go first.
    dropped: HashMap<Holder, BTreeSet<Dropped>>,
    /// The dropped connections that were never used: nothing is lost with them.
    unused: BTreeSet<(u64, ConnectionId)>,
    /// Numbers drops in their order.
    drops: u64,
}

/// What is known of a connection.
#[derive(Debug)]
struct Seat {
    owner: Owner,
    /// Whether its client attached or published anything.
    is_used: bool,
    /// Its place among the dropped ones.
    dropped: Option<u64>,
}

/// A connection without a link. Those that were never used go first, then the oldest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dropped {
    is_used: bool,
    number: u64,
    id: ConnectionId,
}

/// Whether a new connection may begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// There is room.
    Free,
    /// There is when this connection, which was dropped, has ended.
    After(ConnectionId),
}

impl Shares {
    /// Nobody has anything.
    pub(crate) fn new(limits: Arc<Limits>, has_several_keys: bool) -> Self {
        Self {
            limits,
            has_several_keys,
            connections: Tally::default(),
            channels: Tally::default(),
            seats: HashMap::new(),
            creators: HashMap::new(),
            dropped: HashMap::new(),
            unused: BTreeSet::new(),
            drops: 0,
        }
    }

    /// Takes other limits.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>, has_several_keys: bool) {
        self.limits = limits;
        self.has_several_keys = has_several_keys;
    }

    /// Whether `owner` may begin a connection. Whoever has its share takes the place of a connection that it dropped. A full
    /// address, key or relay makes room by one that nobody used.
    ///
    /// # Errors
    /// 42910 for too many in this second, 40111 where the share is used up.
    pub(crate) fn admit_connection(&self, owner: &Owner, now: Instant) -> Result<Admission, ErrorInfo> {
        let bounds = self.connection_bounds(owner);
        let expendable = match self.connections.check(owner, bounds, now) {
            Ok(()) if self.seats.len() < self.limits.connections => return Ok(Admission::Free),
            // The relay itself is full. It refuses where nothing can go.
            Ok(()) => return Ok(self.unused_of(|_| true).map_or(Admission::Free, Admission::After)),
            Err(UsedUp::Rate) => {
                let why = "this client begins too many connections in one second; try again in a moment";
                return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
            }
            Err(UsedUp::Holder) => {
                let own = self.dropped.get(&owner.holder).and_then(BTreeSet::first);
                own.map(|own| own.id.clone()).ok_or_else(|| full("client", bounds.holder))
            }
            Err(UsedUp::Address) => {
                self.unused_of(|other| other.address == owner.address).ok_or_else(|| full("address", bounds.address))
            }
            Err(UsedUp::Key) => self
                .unused_of(|other| other.key == owner.key)
                .ok_or_else(|| full("key", bounds.key.unwrap_or_default())),
        };
        expendable.map(Admission::After)
    }

    /// The oldest connection that was dropped and never used, of an owner that `fits`.
    fn unused_of(&self, fits: impl Fn(&Owner) -> bool) -> Option<ConnectionId> {
        let mut ids = self.unused.iter().take(LOOKS).map(|(_, id)| id);
        ids.find(|id| self.seats.get(*id).is_some_and(|seat| fits(&seat.owner))).cloned()
    }

    /// A connection began.
    pub(crate) fn add_connection(&mut self, id: ConnectionId, owner: Owner, now: Instant) {
        self.connections.add(&owner, now);
        self.seats.insert(id, Seat { owner, is_used: false, dropped: None });
    }

    /// A connection lost its link. `is_used` tells whether its client attached or published anything over it.
    pub(crate) fn drop_connection(&mut self, id: &ConnectionId, is_used: bool) {
        let Some(seat) = self.seats.get_mut(id) else { return };
        seat.is_used |= is_used;
        let number = self.drops;
        self.drops += 1;
        seat.dropped = Some(number);
        let dropped = Dropped { is_used: seat.is_used, number, id: id.clone() };
        self.dropped.entry(seat.owner.holder.clone()).or_default().insert(dropped);
        if !seat.is_used {
            self.unused.insert((number, id.clone()));
        }
    }

    /// A connection is resumed.
    pub(crate) fn resume_connection(&mut self, id: &ConnectionId) {
        let Some(seat) = self.seats.get_mut(id) else { return };
        let Some(number) = seat.dropped.take() else { return };
        self.unused.remove(&(number, id.clone()));
        if let Some(own) = self.dropped.get_mut(&seat.owner.holder) {
            own.remove(&Dropped { is_used: seat.is_used, number, id: id.clone() });
            if own.is_empty() {
                self.dropped.remove(&seat.owner.holder);
            }
        }
    }

    /// A connection ended.
    pub(crate) fn remove_connection(&mut self, id: &ConnectionId) {
        self.resume_connection(id);
        if let Some(seat) = self.seats.remove(id) {
            self.connections.remove(&seat.owner);
        }
    }

    /// Whose a connection is.
    pub(crate) fn owner(&self, id: &ConnectionId) -> Option<&Owner> {
        self.seats.get(id).map(|seat| &seat.owner)
    }

    /// Refuses a channel that would come into being for `owner`.
    ///
    /// # Errors
    /// 42910 for too many in this second, 40113 where the share is used up.
    pub(crate) fn check_channel(&self, owner: &Owner, now: Instant) -> Result<(), ErrorInfo> {
        let bounds = self.channel_bounds(owner);
        let (whose, most) = match self.channels.check(owner, bounds, now) {
            Ok(()) => return Ok(()),
            Err(UsedUp::Rate) => {
                let why = "this client brings too many channels into being in one second; attach a little later";
                return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
            }
            Err(UsedUp::Holder) => ("client", bounds.holder),
            Err(UsedUp::Address) => ("address", bounds.address),
            Err(UsedUp::Key) => ("key", bounds.key.unwrap_or_default()),
        };
        let why = format!("this {whose} brought {most} channels into being; come back when some of them are idle");
        Err(ErrorInfo::new(ErrorCode::SERVER_FULL_OF_CHANNELS, 429, why))
    }

    /// A channel came into being for `owner`.
    pub(crate) fn add_channel(&mut self, key: ChannelKey, owner: Owner, now: Instant) {
        self.channels.add(&owner, now);
        if let Some(before) = self.creators.insert(key, owner) {
            self.channels.remove(&before);
        }
    }

    /// A channel is gone.
    pub(crate) fn remove_channel(&mut self, key: &ChannelKey) {
        if let Some(owner) = self.creators.remove(key) {
            self.channels.remove(&owner);
        }
    }

    /// All channels of an app are gone.
    pub(crate) fn remove_channels_of(&mut self, app: &AppId) {
        let gone: Vec<_> = self.creators.keys().filter(|key| key.app == *app).cloned().collect();
        gone.iter().for_each(|key| self.remove_channel(key));
    }

    fn connection_bounds(&self, owner: &Owner) -> Bounds {
        let limits = &self.limits;
        let address = limits.connections_of_address();
        let (holder, rate) = match owner.has_name() {
            true => (limits.connections_per_client, limits.client_connection_rate),
            false => (limits.connections_of_nameless(), None),
        };
        let rate = lower(rate, of_one(limits.new_connection_rate));
        let several = self.has_several_keys.then(|| nine_tenths(limits.connections));
        Bounds { holder, address, key: limits.connections_per_key.or(several), rate }
    }

    fn channel_bounds(&self, owner: &Owner) -> Bounds {
        let limits = &self.limits;
        let address = limits.channels_of_address();
        let (holder, rate) = match owner.has_name() {
            true => (limits.channels_per_client, limits.client_channel_rate),
            false => (limits.channels_of_nameless(), None),
        };
        let rate = lower(rate, of_one(limits.new_channel_rate));
        let key = self.has_several_keys.then(|| nine_tenths(limits.channels));
        Bounds { holder, address, key, rate }
    }
}

/// Whether keys differ in more than a secret that is replaced.
pub(crate) fn has_several_keys(keys: &[ApiKey]) -> bool {
    keys.first().is_some_and(|first| keys.iter().any(|key| key.name() != first.name()))
}

/// The lower of two rates.
fn lower(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

fn nine_tenths(most: usize) -> usize {
    most - most / 10
}

fn full(whose: &str, most: usize) -> ErrorInfo {
    let why = format!("this {whose} has {most} connections; close some, or come back later");
    ErrorInfo::new(ErrorCode::TOO_MANY_CONNECTIONS, 403, why)
}

#[cfg(test)]
mod tests;
