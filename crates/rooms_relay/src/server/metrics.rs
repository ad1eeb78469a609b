//! What the relay tells Prometheus.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::histogram::Histogram;
use crate::{
    HubStats,
    budget::{MemoryBudget, Purpose},
    counters::Counters,
};

/// The media type of the text.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What all names begin with.
const PREFIX: &str = "rooms_relay";

/// The relay at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// How much the hub holds.
    pub(super) stats: HubStats,
    /// How long the turns of the hub's task took.
    pub(super) turns: Histogram,
    /// How long the hub took to answer this very question, with what waited before it.
    pub(super) answered_in: Duration,
    pub(super) counters: Arc<Counters>,
    pub(super) budget: MemoryBudget,
    /// WebSockets that are open.
    pub(super) web_sockets: usize,
    /// Other sockets that are open.
    pub(super) http_sockets: usize,
    pub(super) is_draining: bool,
    /// How long the relay has run.
    pub(super) age: Duration,
    /// What the process takes of the machine's memory.
    pub(super) resident: Option<u64>,
}

impl Snapshot {
    /// The text for Prometheus.
    ///
    /// # Errors
    /// None in practice: a text takes whatever is written.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(self));
        let mut written = String::new();
        text::encode(&mut written, &registry)?;
        Ok(written)
    }
}

/// Writes metrics one after the other.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, usize)]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (of, value) in values {
            ConstGauge::new(number(*value)).encode(metric.encode_family(&[(label, *of)])?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(String, u64)]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (of, value) in values {
            ConstCounter::new(*value).encode(metric.encode_family(&[(label, of.as_str())])?)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is as exact as a number with 52 bits")]
fn number(value: usize) -> f64 {
    value as f64
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(encoder);
        let mut info = out.0.encode_descriptor("build", "The version that runs", None, MetricType::Info)?;
        info.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        out.gauge("uptime_seconds", "How long the relay has run", self.age.as_secs_f64())?;
        out.gauge("draining", "1 while the relay lets nobody new in", f64::from(u8::from(self.is_draining)))?;
        self.write_sizes(&mut out)?;
        self.write_traffic(&mut out)?;
        self.write_memory(&mut out)?;
        let help = "How long the hub took to handle one thing, such as a frame, and to hand out what follows";
        let mut turns = out.0.encode_descriptor("hub_turn_seconds", help, None, MetricType::Histogram)?;
        turns.encode_histogram::<[(&str, &str); 0]>(
            self.turns.seconds(),
            self.turns.total(),
            &self.turns.classes(),
            None,
        )?;
        let help = "How long the hub took to answer this request for metrics, with what waited before it";
        out.gauge("hub_answer_seconds", help, self.answered_in.as_secs_f64())
    }
}

impl Snapshot {
    fn write_sizes(&self, out: &mut Writer<'_>) -> fmt::Result {
        let stats = &self.stats;
        let connections = "Connections, with those that can still be resumed";
        out.gauge("connections", connections, number(stats.connections))?;
        out.gauge("channels", "Channels in memory", number(stats.channels))?;
        out.gauge("members", "Members of all channels", number(stats.members))?;
        out.gauge("kept_messages", "Messages that channels keep for clients that come back", number(stats.messages))?;
        let sockets = [("websocket", self.web_sockets), ("http", self.http_sockets)];
        out.gauges("sockets", "Sockets that are open", "kind", &sockets)
    }

    fn write_traffic(&self, out: &mut Writer<'_>) -> fmt::Result {
        let counters = &self.counters;
        let both = |inward: u64, outward: u64| [("in".to_owned(), inward), ("out".to_owned(), outward)];
        let messages = both(counters.messages_in.get(), counters.messages_out.get());
        let help = "Messages and presence messages that clients sent, and that went to clients, once for each receiver";
        out.counters("messages", help, "direction", &messages)?;
        let bytes = both(counters.bytes_in.get(), counters.bytes_out.get());
        out.counters("frame_bytes", "Bytes of frames over WebSockets", "direction", &bytes)?;
        let refusals = counters.refusals().into_iter().map(|(code, count)| (code.0.to_string(), count));
        out.counters("refusals", "What was refused, by the code of the error", "code", &refusals.collect::<Vec<_>>())?;
        out.counter("cut_offs", "Sockets that were cut off, since they read too slowly", counters.cut_offs.get())?;
        let shed = "Bytes of histories that were dropped early, since memory was nearly full";
        out.counter("shed_bytes", shed, counters.shed_bytes.get())
    }

    fn write_memory(&self, out: &mut Writer<'_>) -> fmt::Result {
        let used = Purpose::ALL.map(|purpose| (purpose.name(), self.budget.used_for(purpose)));
        out.gauge("memory_budget_bytes", "Bytes that may be held for clients", number(self.budget.total()))?;
        out.gauges("memory_used_bytes", "Bytes that are held for clients", "purpose", &used)?;
        let queues = self.budget.used_for(Purpose::Queues);
        out.gauge("queue_bytes", "Bytes of the queues to sockets and of frames for one client", number(queues))?;
        let Some(resident) = self.resident.and_then(|bytes| usize::try_from(bytes).ok()) else { return Ok(()) };
        out.gauge("resident_memory_bytes", "What the process takes of the machine's memory", number(resident))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::ErrorCode;

    #[test]
    fn the_text_has_every_metric_with_its_labels() {
        let counters = Arc::new(Counters::default());
        counters.messages_out.add(7);
        counters.refuse(ErrorCode::MESSAGE_TOO_LARGE);
        let budget = MemoryBudget::new(1_000);
        let _held = budget.charge(Purpose::Queues, 40);
        let mut turns = Histogram::default();
        turns.count(Duration::from_micros(30));
        let stats = HubStats { connections: 3, ..HubStats::default() };
        let snapshot = Snapshot {
            stats,
            turns,
            answered_in: Duration::from_micros(500),
            counters,
            budget,
            web_sockets: 2,
            http_sockets: 1,
            is_draining: false,
            age: Duration::from_secs(9),
            resident: Some(5),
        };
        let text = snapshot.text().unwrap();
        for line in [
            "rooms_relay_connections 3.0",
            "rooms_relay_sockets{kind=\"websocket\"} 2.0",
            "rooms_relay_messages_total{direction=\"out\"} 7",
            "rooms_relay_refusals_total{code=\"40009\"} 1",
            "rooms_relay_memory_used_bytes{purpose=\"queues\"} 40.0",
            "rooms_relay_memory_budget_bytes 1000.0",
            "rooms_relay_hub_turn_seconds_bucket{le=\"0.00005\"} 1",
            "rooms_relay_hub_turn_seconds_bucket{le=\"+Inf\"} 1",
            "rooms_relay_hub_answer_seconds 0.0005",
            "rooms_relay_draining 0.0",
            "# EOF",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(text.contains("rooms_relay_build_info{version=\""), "{text}");
    }
}
