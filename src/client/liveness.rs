//! Whether the line lives: silence, pings, frames that cannot be read, and what the operating system says (`RTN13`,
//! `RTN20`, `RTN23`).

use std::time::Duration;

use rand::RngExt;
use web_time::Instant;

use super::{
    Client, Timer,
    connection::disconnected,
    event::{ConnectionState, Event},
};
use crate::protocol::{Action, ErrorCode, ErrorInfo, Frame};

/// How long after a line was dropped for a frame that could not be read another such frame does not drop it again: the
/// server would send the same frame for ever.
const MALFORMED_TRUCE: Duration = Duration::from_secs(60);

/// The round trip that is being measured.
#[derive(Debug, Default)]
pub(super) enum Ping {
    #[default]
    None,
    /// To be measured once there is a line (`RTN13b`).
    Wanted,
    Sent {
        id: String,
        at: Instant,
    },
}

impl Client {
    pub(super) fn malformed(&mut self, reason: ErrorInfo, now: Instant) {
        self.connection.malformed = self.connection.malformed.saturating_add(1);
        let last = self.connection.last_malformed;
        match self.state() {
            ConnectionState::Connecting => self.attempt_failed(reason, now),
            ConnectionState::Connected => {
                if last.is_some_and(|last| now.saturating_duration_since(last) < MALFORMED_TRUCE) {
                    self.lose_continuity(&reason);
                } else {
                    self.connection.last_malformed = Some(now);
                    self.lose_line(reason, now);
                }
            }
            _ => {}
        }
    }

    /// Starts to wait for the next sign of life (`RTN23a`).
    pub(super) fn watch_silence(&mut self, now: Instant) {
        match self.connection.max_idle {
            Some(idle) => {
                let limit = idle.saturating_add(self.options.timing.request_timeout);
                self.timers.start(Timer::Idle, now, limit);
            }
            None => self.timers.stop(&Timer::Idle),
        }
    }

    pub(super) fn line_is_silent(&mut self, now: Instant) {
        if self.state() == ConnectionState::Connected {
            let message = "nothing came from the server for longer than it promised";
            self.lose_line(ErrorInfo::new(ErrorCode::DISCONNECTED, 408, message), now);
        }
    }

    pub(super) fn network_down(&mut self, now: Instant) {
        if matches!(self.state(), ConnectionState::Connecting | ConnectionState::Connected) {
            self.line_ended(disconnected("the network went away"), now);
        }
    }

    pub(super) fn network_up(&mut self, now: Instant) {
        if matches!(
            self.state(),
            ConnectionState::Disconnected | ConnectionState::Suspended | ConnectionState::Connecting
        ) {
            self.attempt(now);
        }
    }

    pub(super) fn ping(&mut self, now: Instant) {
        match (self.state(), &self.connection.ping) {
            // The answer that is awaited serves both.
            (_, Ping::Sent { .. }) => {}
            (ConnectionState::Connected, _) => {
                let id = format!("{:016x}", self.rng.random::<u64>());
                self.send(Frame { id: Some(id.clone()), ..Frame::new(Action::Heartbeat) });
                self.timers.start(Timer::Ping, now, self.options.timing.request_timeout);
                self.connection.ping = Ping::Sent { id, at: now };
            }
            (ConnectionState::Connecting | ConnectionState::Disconnected, _) => self.connection.ping = Ping::Wanted,
            (state, _) => log::debug!("no ping while {state:?}"),
        }
    }

    pub(super) fn ping_if_wanted(&mut self, now: Instant) {
        if matches!(self.connection.ping, Ping::Wanted) {
            self.ping(now);
        }
    }

    pub(super) fn heartbeat(&mut self, id: Option<&str>, now: Instant) {
        if let Ping::Sent { id: sent, at } = &self.connection.ping
            && id == Some(sent)
        {
            let round_trip = now.saturating_duration_since(*at);
            self.timers.stop(&Timer::Ping);
            self.connection.ping = Ping::None;
            self.connection.round_trip = Some(round_trip);
            self.emit(Event::RoundTrip(round_trip));
        }
    }

    pub(super) fn ping_timed_out(&mut self) {
        log::debug!("a ping was not answered");
        self.connection.ping = Ping::None;
    }
}
