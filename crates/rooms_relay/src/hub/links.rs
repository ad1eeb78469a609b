//! The links part: it owns the transports that carry connections now.
//!
//! It shows liveness, limits how many messages a link gets, and remembers where messages were left out. It knows connections
//! and channels by their ids alone. [`Hub`](super::Hub) drives it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use web_time::Instant;

use super::{
    channel::key::ChannelKey,
    connect_request::ConnectRequest,
    effects::Effects,
    output::LinkId,
    timer::{HubTimer, Timers},
};
use crate::limits::{Limits, RateMeter};
use rooms_protocol::{Action, ChannelName, ConnectionId, Frame};

/// How long after the first message that was left out the relay tells the client: when the second that rates count is over.
const GAP_NOTICE: Duration = Duration::from_secs(1);

/// The transport of one connection.
struct Link {
    connection: ConnectionId,
    /// Where its client comes from, as far as that is known.
    address: Option<IpAddr>,
    /// Whether its client does not want its own messages back.
    no_echo: bool,
    /// The longest silence that the relay promised its client.
    idle: Duration,
    liveness: Liveness,
    /// Messages that its client was sent.
    deliveries: RateMeter,
    /// The channels on which messages were left out for it, by the name that the client uses. The client does not know yet.
    gaps: BTreeMap<ChannelName, ChannelKey>,
}

/// How the relay shows a client that it is there.
#[derive(Clone, Copy)]
struct Liveness {
    /// Whether it sends HEARTBEAT frames beside pings.
    in_frames: bool,
    /// How often.
    interval: Duration,
}

/// All links of the hub.
pub(crate) struct Links {
    by_id: BTreeMap<LinkId, Link>,
    next: u64,
    limits: Arc<Limits>,
}

impl Links {
    /// No links.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { by_id: BTreeMap::new(), next: 0, limits }
    }

    /// Takes other limits. Links that there are keep the silence that their clients were promised.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
    }

    /// An id for a new link.
    pub(crate) fn next_id(&mut self) -> LinkId {
        let link = LinkId::new(self.next);
        self.next += 1;
        link
    }

    /// How many links there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All links, in the order in which they were opened.
    pub(crate) fn iter(&self) -> impl Iterator<Item = LinkId> {
        self.by_id.keys().copied()
    }

    /// The connection that a link carries. `None` where the hub has closed the link.
    pub(crate) fn connection(&self, link: LinkId) -> Option<&ConnectionId> {
        self.by_id.get(&link).map(|link| &link.connection)
    }

    /// Where the client of a link comes from, as far as that is known.
    pub(crate) fn address(&self, link: LinkId) -> Option<IpAddr> {
        self.by_id.get(&link)?.address
    }

    /// Whether the client of a link does not want its own messages back.
    pub(crate) fn is_without_echo(&self, link: LinkId) -> bool {
        self.by_id.get(&link).is_some_and(|link| link.no_echo)
    }

    /// The longest silence that the relay promised the client of a link.
    pub(crate) fn idle(&self, link: LinkId) -> Duration {
        self.by_id.get(&link).map_or(Duration::ZERO, |link| link.idle)
    }

    /// Has a link carry a connection, as its client asks.
    pub(crate) fn insert(
        &mut self,
        link: LinkId,
        connection: ConnectionId,
        request: &ConnectRequest,
        now: Instant,
        timers: &mut Timers,
    ) {
        let idle = request.idle_interval(self.limits.max_idle_interval);
        // The last third is for the way to the client.
        let liveness = Liveness { in_frames: request.heartbeats, interval: idle * 2 / 3 };
        let (deliveries, gaps) = (RateMeter::default(), BTreeMap::new());
        self.by_id.insert(
            link,
            Link { connection, address: request.address, no_echo: request.no_echo, idle, liveness, deliveries, gaps },
        );
        if !liveness.interval.is_zero() {
            timers.set(HubTimer::Heartbeat(link), now + liveness.interval);
        }
    }

    /// Forgets a link. Returns the connection that it carried; `None` where the hub has closed the link already.
    pub(crate) fn remove(&mut self, link: LinkId, timers: &mut Timers) -> Option<ConnectionId> {
        let gone = self.by_id.remove(&link)?;
        timers.stop(&HubTimer::Heartbeat(link));
        timers.stop(&HubTimer::ReportGaps(link));
        Some(gone.connection)
    }

    /// Sends something over a link that may have been silent.
    ///
    /// It does so over a busy link too. To know which links are silent, each message to a thousand subscribers would have to
    /// note it.
    pub(crate) fn show_liveness(&self, link: LinkId, now: Instant, effects: &mut Effects) {
        let Some(Liveness { in_frames, interval }) = self.by_id.get(&link).map(|link| link.liveness) else { return };
        if in_frames {
            effects.out.send(link, Frame::new(Action::Heartbeat));
        }
        // The library of every client answers a ping, so that the relay knows in turn that the client is there.
        effects.out.ping(link);
        effects.timers.set(HubTimer::Heartbeat(link), now + interval);
    }

    /// Whether messages to one link are limited at all.
    pub(crate) fn limits_deliveries(&self) -> bool {
        self.limits.delivery_rate.is_some()
    }

    /// Whether a link has capacity for so many messages in this second. Counts them if it has.
    pub(crate) fn admit_delivery(&mut self, link: LinkId, messages: usize, now: Instant) -> bool {
        let Some(link) = self.by_id.get_mut(&link) else { return true };
        let has_capacity = link.deliveries.has_capacity(messages, self.limits.delivery_rate, now);
        if has_capacity {
            link.deliveries.count(messages, now);
        }
        has_capacity
    }

    /// Notes that messages of a channel were left out for a link, whose client is told soon.
    pub(crate) fn note_gap(
        &mut self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        now: Instant,
        timers: &mut Timers,
    ) {
        let Some(entry) = self.by_id.get_mut(&link) else { return };
        if entry.gaps.insert(name.clone(), key.clone()).is_none() {
            timers.set_if_stopped(HubTimer::ReportGaps(link), now + GAP_NOTICE);
        }
    }

    /// The channels on which messages were left out for a link since this was last asked.
    pub(crate) fn take_gaps(&mut self, link: LinkId) -> BTreeMap<ChannelName, ChannelKey> {
        self.by_id.get_mut(&link).map(|link| std::mem::take(&mut link.gaps)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiKey;

    #[test]
    fn a_link_without_capacity_reports_its_gaps_a_second_later_and_once() {
        let (now, mut timers) = (Instant::now(), Timers::default());
        let mut links = Links::new(Arc::new(Limits { delivery_rate: Some(2), ..Limits::default() }));
        let link = links.next_id();
        let request = ConnectRequest { heartbeat_interval: Some(Duration::MAX), ..ConnectRequest::default() };
        links.insert(link, "c".into(), &request, now, &mut timers);
        assert!(links.admit_delivery(link, 2, now) && !links.admit_delivery(link, 1, now));
        let key = ChannelKey { app: ApiKey::development().app().clone(), name: "a".into() };
        links.note_gap(link, &"a".into(), &key, now, &mut timers);
        assert_eq!(timers.pop_due(now + GAP_NOTICE), Some(HubTimer::ReportGaps(link)));
        assert_eq!(links.take_gaps(link).into_values().collect::<Vec<_>>(), [key]);
        assert!(links.take_gaps(link).is_empty());
    }

    #[test]
    fn a_link_that_is_gone_has_no_timers() {
        let (now, mut timers) = (Instant::now(), Timers::default());
        let mut links = Links::new(Arc::new(Limits::default()));
        let link = links.next_id();
        links.insert(link, "c".into(), &ConnectRequest::default(), now, &mut timers);
        assert!(timers.next().is_some());
        assert_eq!(links.remove(link, &mut timers), Some("c".into()));
        assert_eq!((timers.next(), links.remove(link, &mut timers)), (None, None));
    }
}
