//! Occupancy: how many use a channel and for what, and the events that tell it to clients who watch.
//!
//! A watching client gets an event with its attachment and when numbers change: at once where somebody is there who was not, or
//! the last one left, and a little later where there are merely more or fewer. Events have no place in the channel's stream.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value, json};
use web_time::Instant;

use super::{Channels, key::ChannelKey, state::HubChannel};
use crate::{
    hub::{
        effects::Effects,
        kept_frame::KeptFrame,
        output::{LinkId, Outputs},
        timer::{HubTimer, Timers},
    },
    moment::Moment,
};
use rooms_protocol::{Action, ChannelName, Data, Frame, Message, MessageAction};

/// The param that asks for events.
pub(crate) const OCCUPANCY: &str = "occupancy";

/// The name of an event.
const EVENT: &str = "[meta]occupancy";

/// The value of the param that asks for all numbers, and the beginning of those that ask for one.
const ALL: &str = "metrics";

/// Time between two events that tell of more or fewer. The cloud takes 15 s at most.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// Time between two counts of one channel, which look at all its attachments.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// Attachments up to which a channel is counted for each newcomer: a count takes a few microseconds.
const FEW: usize = 500;

/// How many use a channel, and for what (`CHM2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Occupancy {
    pub(crate) connections: usize,
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
    pub(crate) presence_connections: usize,
    pub(crate) presence_members: usize,
    pub(crate) presence_subscribers: usize,
    /// Nobody: the relay has no objects.
    pub(crate) object_publishers: usize,
    /// Nobody.
    pub(crate) object_subscribers: usize,
}

/// A number's name, and how to read it.
type Category = (&'static str, fn(&Occupancy) -> usize);

/// The numbers by their names.
const CATEGORIES: [Category; 8] = [
    ("connections", |occupancy| occupancy.connections),
    ("publishers", |occupancy| occupancy.publishers),
    ("subscribers", |occupancy| occupancy.subscribers),
    ("presenceConnections", |occupancy| occupancy.presence_connections),
    ("presenceMembers", |occupancy| occupancy.presence_members),
    ("presenceSubscribers", |occupancy| occupancy.presence_subscribers),
    ("objectPublishers", |occupancy| occupancy.object_publishers),
    ("objectSubscribers", |occupancy| occupancy.object_subscribers),
];

/// Which numbers a client wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metrics {
    /// All of them.
    All,
    /// The one at this index of the categories.
    One(usize),
}

impl Metrics {
    /// Reads the value of the param; `None` where it makes no sense.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(ALL)?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let name = rest.strip_prefix('.')?;
        CATEGORIES.iter().position(|(known, _)| *known == name).map(Self::One)
    }

    /// These numbers of an occupancy, with their names.
    fn of(self, occupancy: &Occupancy) -> impl Iterator<Item = (&'static str, usize)> {
        let wanted = match self {
            Self::All => &CATEGORIES[..],
            Self::One(index) => CATEGORIES.get(index..=index).unwrap_or_default(),
        };
        wanted.iter().map(|(name, number)| (*name, number(occupancy)))
    }

    /// The text of an event.
    fn event(self, occupancy: &Occupancy) -> Data {
        let numbers: Map<String, Value> =
            self.of(occupancy).map(|(name, number)| (name.to_owned(), json!(number))).collect();
        Data::Text(json!({ ALL: numbers }).to_string())
    }
}

/// What a client that watches was told.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    metrics: Metrics,
    told: Option<Occupancy>,
}

impl Watch {
    /// A client that was told nothing yet.
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics, told: None }
    }

    /// Whether the client has to be told `occupancy`. It is told then.
    fn tell(&mut self, occupancy: Occupancy) -> bool {
        let told = self.told.replace(occupancy);
        told.is_none_or(|told| !self.metrics.of(&told).eq(self.metrics.of(&occupancy)))
    }
}

/// When those who watch a channel were told its occupancy.
#[derive(Debug, Default)]
pub(crate) struct Told {
    latest: Option<(Occupancy, Instant)>,
    counted: Option<Instant>,
}

impl Told {
    /// When the channel may be counted again.
    fn next_count(&self, now: Instant) -> Instant {
        self.counted.map_or(now, |counted| now.max(counted + COUNT_INTERVAL))
    }

    /// When to tell that a channel has this occupancy now; `None` where everybody knows who got the latest event.
    fn due(&self, occupancy: &Occupancy, now: Instant) -> Option<Instant> {
        let Some((told, at)) = &self.latest else { return Some(now) };
        let mut changed =
            Metrics::All.of(told).zip(Metrics::All.of(occupancy)).filter(|(before, after)| before != after);
        let first = changed.next()?;
        let comes_or_goes = |((_, before), (_, after)): ((_, usize), (_, usize))| (before == 0) != (after == 0);
        let is_urgent = comes_or_goes(first) || changed.any(comes_or_goes);
        Some(if is_urgent { now } else { now.max(*at + DEBOUNCE) })
    }
}

impl HubChannel {
    /// How many use it, or used it a moment ago where there are many to count. Whoever is told the latter is told again soon.
    fn recent_occupancy(&mut self, now: Instant) -> Occupancy {
        if self.attachments.len() <= FEW {
            return self.occupancy();
        }
        match self.told.latest {
            Some((latest, _)) if self.told.next_count(now) > now => latest,
            _ => {
                self.told.counted = Some(now);
                self.occupancy()
            }
        }
    }
}

impl Channels {
    /// Notes that perhaps others use a channel than before. If anybody watches, the timer has it counted.
    pub(crate) fn note_use(&self, key: &ChannelKey, now: Instant, timers: &mut Timers) {
        let channel = self.registry.get(key).filter(|channel| channel.attachments.has_watchers());
        if let Some(channel) = channel {
            timers.set_no_later(HubTimer::TellOccupancy(key.clone()), channel.told.next_count(now));
        }
    }

    /// Counts a channel and tells those who watch, if it is time to.
    pub(crate) fn tell_occupancy(&mut self, key: ChannelKey, moment: Moment, effects: &mut Effects) {
        let id = self.event_id();
        let Some(channel) = self.registry.get_mut(&key).filter(|channel| channel.attachments.has_watchers()) else {
            return;
        };
        let occupancy = channel.occupancy();
        channel.told.counted = Some(moment.now);
        match channel.told.due(&occupancy, moment.now) {
            Some(later) if later > moment.now => {
                return effects.timers.set_no_later(HubTimer::TellOccupancy(key), later);
            }
            Some(_) => channel.told.latest = Some((occupancy, moment.now)),
            // A newcomer may have been told other numbers since the latest event.
            None => {}
        }
        // Those who want the same numbers share a frame.
        let mut frames: Vec<(Metrics, Arc<KeptFrame>)> = Vec::new();
        for (link, name, watch) in channel.attachments.watchers() {
            if !watch.tell(occupancy) {
                continue;
            }
            let made = frames.iter().find(|(metrics, _)| *metrics == watch.metrics).map(|(_, frame)| Arc::clone(frame));
            let frame = made.unwrap_or_else(|| {
                let frame = event(&key.name, &id, watch.metrics.event(&occupancy), moment);
                let frame = Arc::new(KeptFrame::new(frame, &self.budget));
                frames.push((watch.metrics, Arc::clone(&frame)));
                frame
            });
            effects.out.send_kept(link, &frame, (*name != key.name).then(|| name.clone()));
        }
    }

    /// Tells a client that attached just now how many use the channel, if it watches.
    pub(super) fn tell_newcomer(
        &mut self,
        link: LinkId,
        name: &ChannelName,
        key: &ChannelKey,
        moment: Moment,
        out: &mut Outputs,
    ) {
        let id = self.event_id();
        let Some(channel) = self.registry.get_mut(key).filter(|channel| channel.attachments.has_watchers()) else {
            return;
        };
        let occupancy = channel.recent_occupancy(moment.now);
        let Some(watch) = channel.attachments.watch(link, name) else { return };
        watch.tell(occupancy);
        out.send(link, event(name, &id, watch.metrics.event(&occupancy), moment));
        channel.told.latest.get_or_insert((occupancy, moment.now));
    }

    /// Ends the events for a client that may not have them any more.
    pub(crate) fn stop_watching(&mut self, link: LinkId, name: &ChannelName, key: &ChannelKey) {
        if let Some(channel) = self.registry.get_mut(key) {
            channel.attachments.stop_watching(link, name);
        }
    }

    /// The id of an event, which is the relay's own.
    fn event_id(&mut self) -> String {
        let sequence = self.next_sequence();
        format!("{}-{sequence}:0", self.node)
    }
}

/// The frame of an event. It has no serial, since it has no place in the stream.
fn event(name: &ChannelName, id: &str, data: Data, moment: Moment) -> Frame {
    let message =
        Message { action: Some(MessageAction::Meta), encoding: Some("json".to_owned()), ..Message::new(EVENT, data) };
    Frame {
        id: Some(id.to_owned()),
        messages: vec![message],
        timestamp: Some(moment.wall),
        ..Frame::for_channel(Action::Message, name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_param_names_all_numbers_or_one() {
        assert_eq!(Metrics::parse("metrics"), Some(Metrics::All));
        assert_eq!(Metrics::parse("metrics.publishers"), Some(Metrics::One(1)));
        for text in ["", "all", "metric", "metricspublishers", "metrics.", "metrics.spies", "Metrics"] {
            assert_eq!(Metrics::parse(text), None, "{text}");
        }
        let names: Vec<_> = CATEGORIES.iter().map(|(name, _)| *name).collect();
        let mut known: Vec<_> =
            serde_json::to_value(Occupancy::default()).unwrap().as_object().unwrap().keys().cloned().collect();
        known.sort_by_key(|name| names.iter().position(|known| known == name));
        assert_eq!(names, known);
    }

    #[test]
    fn an_event_has_the_numbers_that_were_asked_for() {
        let occupancy = Occupancy { publishers: 2, ..Occupancy::default() };
        assert_eq!(Metrics::One(1).event(&occupancy), Data::Text(r#"{"metrics":{"publishers":2}}"#.to_owned()));
        let Data::Text(all) = Metrics::All.event(&occupancy) else { panic!("it is text") };
        assert_eq!(serde_json::from_str::<Value>(&all).unwrap()["metrics"], serde_json::to_value(occupancy).unwrap());
    }

    #[test]
    fn who_comes_first_or_goes_last_is_told_at_once_and_others_later() {
        let now = Instant::now();
        let (one, two) = (
            Occupancy { connections: 1, ..Occupancy::default() },
            Occupancy { connections: 2, ..Occupancy::default() },
        );
        let told = Told { latest: Some((one, now)), counted: Some(now) };
        assert_eq!(told.due(&one, now), None);
        assert_eq!(told.due(&two, now), Some(now + DEBOUNCE));
        assert_eq!(told.due(&two, now + 2 * DEBOUNCE), Some(now + 2 * DEBOUNCE));
        assert_eq!(told.due(&Occupancy::default(), now), Some(now));
        assert_eq!(told.due(&Occupancy { publishers: 1, ..two }, now), Some(now));
        assert_eq!(told.next_count(now), now + COUNT_INTERVAL);
        assert_eq!(Told::default().next_count(now), now);
    }
}
