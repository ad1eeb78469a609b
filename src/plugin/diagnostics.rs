//! Figures for Bevy's diagnostics: how the line does.

use std::time::Duration;

use bevy::{
    diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic},
    prelude::*,
};
use web_time::Instant;

use super::{Room, link::RoomsLink};
use crate::{
    bridge::TrafficSnapshot,
    client::{Command, ConnectionState},
};

/// The time that a word to the server and back took, in milliseconds.
pub const ROUND_TRIP: DiagnosticPath = DiagnosticPath::const_new("rooms/round_trip");
/// Frames that came, per second.
pub const FRAMES_IN: DiagnosticPath = DiagnosticPath::const_new("rooms/frames_in");
/// Frames that went, per second.
pub const FRAMES_OUT: DiagnosticPath = DiagnosticPath::const_new("rooms/frames_out");
/// Bytes that came, per second.
pub const BYTES_IN: DiagnosticPath = DiagnosticPath::const_new("rooms/bytes_in");
/// Bytes that went, per second.
pub const BYTES_OUT: DiagnosticPath = DiagnosticPath::const_new("rooms/bytes_out");
/// Events that wait for the game.
pub const QUEUE: DiagnosticPath = DiagnosticPath::const_new("rooms/queue");
/// Sockets that were opened to replace one that was gone, since the start.
pub const RECONNECTS: DiagnosticPath = DiagnosticPath::const_new("rooms/reconnects");
/// Events that were dropped since the game did not take them, since the start.
pub const DROPPED: DiagnosticPath = DiagnosticPath::const_new("rooms/dropped");

/// How often figures are taken.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often the round trip is measured: every fifth time that figures are taken.
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
    ] {
        app.register_diagnostic(Diagnostic::new(path).with_suffix(suffix));
    }
}

/// What was counted when figures were last taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    at: Option<Instant>,
    count: u32,
    traffic: TrafficSnapshot,
}

/// Whether it is time to take figures. A condition, since a system that is skipped costs a frame next to nothing.
pub(super) fn is_due(link: Res<RoomsLink>, mut next: Local<Option<Instant>>) -> bool {
    let now = link.clock().now();
    let due = next.is_none_or(|next| now >= next);
    if due {
        *next = Some(now + INTERVAL);
    }
    due
}

pub(super) fn measure(link: Res<RoomsLink>, room: Res<Room>, mut taken: Local<Taken>, mut figures: Diagnostics) {
    let now = link.clock().now();
    let Some(before) = taken.at else {
        taken.at = Some(now);
        return;
    };
    let elapsed = now.saturating_duration_since(before);
    if elapsed.is_zero() {
        return;
    }
    let Some(traffic) = link.traffic() else { return };
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed.as_secs_f64();
    figures.add_measurement(&FRAMES_IN, || rate(traffic.frames_in, taken.traffic.frames_in));
    figures.add_measurement(&FRAMES_OUT, || rate(traffic.frames_out, taken.traffic.frames_out));
    figures.add_measurement(&BYTES_IN, || rate(traffic.bytes_in, taken.traffic.bytes_in));
    figures.add_measurement(&BYTES_OUT, || rate(traffic.bytes_out, taken.traffic.bytes_out));
    figures.add_measurement(&QUEUE, || traffic.events_waiting as f64);
    figures.add_measurement(&RECONNECTS, || traffic.sockets.saturating_sub(1) as f64);
    figures.add_measurement(&DROPPED, || traffic.dropped as f64);
    if let Some(round_trip) = room.round_trip {
        figures.add_measurement(&ROUND_TRIP, || round_trip.as_secs_f64() * 1000.0);
    }
    if taken.count.is_multiple_of(PING_EVERY) && room.connection == ConnectionState::Connected {
        link.send(Command::Ping);
    }
    *taken = Taken { at: Some(now), count: taken.count.wrapping_add(1), traffic };
}
