//! Figures about the connection for Bevy's diagnostics.

use std::time::Duration;

use bevy::{
    diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic},
    prelude::*,
};
use web_time::Instant;

use super::{connection::Connection, engine::RoomsEngine, room::LeftOut};
use crate::{bridge::TrafficSnapshot, client::Command};

/// The time that a ping to the server and back took, in milliseconds.
pub const ROUND_TRIP: DiagnosticPath = DiagnosticPath::const_new("rooms/round_trip");
/// Frames received, per second.
pub const FRAMES_IN: DiagnosticPath = DiagnosticPath::const_new("rooms/frames_in");
/// Frames sent, per second.
pub const FRAMES_OUT: DiagnosticPath = DiagnosticPath::const_new("rooms/frames_out");
/// Bytes received, per second.
pub const BYTES_IN: DiagnosticPath = DiagnosticPath::const_new("rooms/bytes_in");
/// Bytes sent, per second.
pub const BYTES_OUT: DiagnosticPath = DiagnosticPath::const_new("rooms/bytes_out");
/// Events that wait for the game.
pub const QUEUE: DiagnosticPath = DiagnosticPath::const_new("rooms/queue");
/// Sockets opened to replace a lost one, since the start.
pub const RECONNECTS: DiagnosticPath = DiagnosticPath::const_new("rooms/reconnects");
/// Events dropped because the game did not take them in time, since the start.
pub const DROPPED: DiagnosticPath = DiagnosticPath::const_new("rooms/dropped");
/// How much of what the server takes in a second the room used in the last one, in percent. Only on servers with limits.
pub const BUDGET: DiagnosticPath = DiagnosticPath::const_new("rooms/budget");
/// Messages that went out together with others because of the server's limits, per second. Only on servers with limits.
pub const MERGED: DiagnosticPath = DiagnosticPath::const_new("rooms/merged");

/// Publishes that the server refused because they were one too many in that second, per second. They go out again.
pub const REFUSED: DiagnosticPath = DiagnosticPath::const_new("rooms/refused");
/// Messages of the game that were not sent because too many waited already, per second; see
/// [`RoomError::LeftOut`](crate::plugin::RoomError).
pub const LEFT_OUT: DiagnosticPath = DiagnosticPath::const_new("rooms/left_out");

/// The time between two measurements.
const INTERVAL: Duration = Duration::from_secs(1);

/// The round trip is measured with every fifth measurement.
const PING_EVERY: u32 = 5;

pub(super) fn build(app: &mut App) {
    for (path, suffix) in [
        (ROUND_TRIP, " ms"),
        (FRAMES_IN, "/s"),
        (FRAMES_OUT, "/s"),
        (BYTES_IN, " B/s"),
        (BYTES_OUT, " B/s"),
        (QUEUE, ""),
        (RECONNECTS, ""),
        (DROPPED, ""),
        (BUDGET, " %"),
        (MERGED, "/s"),
        (REFUSED, "/s"),
        (LEFT_OUT, "/s"),
    ] {
        app.register_diagnostic(Diagnostic::new(path).with_suffix(suffix));
    }
}

/// The counters at the last measurement.
#[derive(Debug, Default)]
pub(super) struct Taken {
    at: Option<Instant>,
    count: u32,
    traffic: TrafficSnapshot,
    merged: u64,
    refused: u64,
    left_out: u64,
}

/// Whether it is time to measure. This is a run condition, since a skipped system costs a frame next to nothing.
pub(super) fn is_due(engine: Res<RoomsEngine>, mut next: Local<Option<Instant>>) -> bool {
    let now = engine.clock().now();
    let due = next.is_none_or(|next| now >= next);
    if due {
        *next = Some(now + INTERVAL);
    }
    due
}

pub(super) fn measure(
    engine: Res<RoomsEngine>,
    connection: Res<Connection>,
    left_out: Res<LeftOut>,
    mut taken: Local<Taken>,
    mut figures: Diagnostics,
) {
    let now = engine.clock().now();
    let Some(before) = taken.at else {
        taken.at = Some(now);
        return;
    };
    let elapsed = now.saturating_duration_since(before);
    if elapsed.is_zero() {
        return;
    }
    let Some(traffic) = engine.traffic() else { return };
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed.as_secs_f64();
    figures.add_measurement(&FRAMES_IN, || rate(traffic.frames_in, taken.traffic.frames_in));
    figures.add_measurement(&FRAMES_OUT, || rate(traffic.frames_out, taken.traffic.frames_out));
    figures.add_measurement(&BYTES_IN, || rate(traffic.bytes_in, taken.traffic.bytes_in));
    figures.add_measurement(&BYTES_OUT, || rate(traffic.bytes_out, taken.traffic.bytes_out));
    figures.add_measurement(&QUEUE, || traffic.events_waiting as f64);
    figures.add_measurement(&RECONNECTS, || traffic.sockets.saturating_sub(1) as f64);
    figures.add_measurement(&DROPPED, || traffic.dropped as f64);
    let pace = engine.session.as_ref().filter(|session| session.is_paced()).map(|session| session.stats().pace);
    if let Some(pace) = pace {
        figures.add_measurement(&BUDGET, || f64::from(pace.used) * 100.0);
        figures.add_measurement(&MERGED, || rate(pace.merged, taken.merged));
        figures.add_measurement(&REFUSED, || rate(pace.refused, taken.refused));
    }
    figures.add_measurement(&LEFT_OUT, || rate(left_out.total(), taken.left_out));
    if let Some(round_trip) = connection.round_trip {
        figures.add_measurement(&ROUND_TRIP, || round_trip.as_secs_f64() * 1000.0);
    }
    if taken.count.is_multiple_of(PING_EVERY) && connection.is_connected() {
        engine.send(Command::Ping);
    }
    *taken = Taken {
        at: Some(now),
        count: taken.count.wrapping_add(1),
        traffic,
        merged: pace.map_or(0, |pace| pace.merged),
        refused: pace.map_or(0, |pace| pace.refused),
        left_out: left_out.total(),
    };
}
