//! Whether the line lives: silence, pings, frames that cannot be read, and what the operating system says (`RTN13`,
//! `RTN20`, `RTN23`).

use std::{collections::VecDeque, time::Duration};

use rand::RngExt;
use web_time::Instant;

use super::{
    Client, Timer,
    connection::disconnected,
    event::{ConnectionState, Event},
};
use rooms_protocol::{Action, ErrorCode, ErrorInfo, Frame};

/// How long after a line was dropped for a frame that could not be read another such frame does not drop it again: the
/// server would send the same frame for ever.
const MALFORMED_TRUCE: Duration = Duration::from_secs(60);

/// How long the server may take for a sign of life where there is reason to doubt that the line stands. To drop a line that
/// stands costs a resume, and loses nothing.
const LINE_CHECK: Duration = Duration::from_secs(2);

/// Most round trips that are measured at once; more say nothing that these do not.
const MAX_PINGS: usize = 16;

/// The round trips that are being measured.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// How many are to be measured once there is a line (`RTN13d`).
    wanted: usize,
    /// Those that were begun, the oldest first.
    sent: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    id: String,
    at: Instant,
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

    /// Asks the server for a sign of life, and drops the line where none comes soon.
    pub(super) fn want_sign_of_life(&mut self, now: Instant) {
        let id = self.ping_id();
        self.send(Frame { id: Some(id), ..Frame::new(Action::Heartbeat) });
        self.timers.hasten(Timer::Idle, now, LINE_CHECK);
    }

    pub(super) fn line_is_silent(&mut self, now: Instant) {
        if self.state() == ConnectionState::Connected {
            let message = "nothing came from the server for longer than it may take";
            self.lose_line(ErrorInfo::new(ErrorCode::DISCONNECTED, 408, message), now);
        }
    }

    /// The game says so, and it stands until the game says otherwise.
    pub(super) fn set_network(&mut self, up: bool, now: Instant) {
        self.connection.offline = !up;
        if up { self.network_up(now) } else { self.network_down(now) }
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
        let pings = &mut self.connection.pings;
        if pings.wanted + pings.sent.len() >= MAX_PINGS {
            let message = format!("{MAX_PINGS} pings wait for an answer already; wait for theirs");
            return self.emit(Event::PingFailed(ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message)));
        }
        match self.connection.state {
            ConnectionState::Connected => self.send_ping(now),
            ConnectionState::Connecting | ConnectionState::Disconnected => pings.wanted += 1,
            _ => {
                let reason = self.unusable_connection();
                self.emit(Event::PingFailed(reason));
            }
        }
    }

    fn send_ping(&mut self, now: Instant) {
        let id = self.ping_id();
        self.send(Frame { id: Some(id.clone()), ..Frame::new(Action::Heartbeat) });
        self.connection.pings.sent.push_back(Sent { id, at: now });
        self.await_oldest_ping(now);
    }

    fn ping_id(&mut self) -> String {
        format!("{:016x}", self.rng.random::<u64>())
    }

    fn await_oldest_ping(&mut self, now: Instant) {
        match self.connection.pings.sent.front() {
            Some(oldest) => {
                let waited = now.saturating_duration_since(oldest.at);
                let limit = self.options.timing.request_timeout.saturating_sub(waited);
                self.timers.start(Timer::Ping, now, limit);
            }
            None => self.timers.stop(&Timer::Ping),
        }
    }

    /// There is a line to measure.
    pub(super) fn send_wanted_pings(&mut self, now: Instant) {
        for _ in 0..std::mem::take(&mut self.connection.pings.wanted) {
            self.send_ping(now);
        }
    }

    pub(super) fn heartbeat(&mut self, id: Option<&str>, now: Instant) {
        let sent = &mut self.connection.pings.sent;
        let Some(answered) = sent.iter().position(|ping| id == Some(&ping.id)).and_then(|index| sent.remove(index))
        else {
            return;
        };
        let round_trip = now.saturating_duration_since(answered.at);
        self.connection.round_trip = Some(round_trip);
        self.await_oldest_ping(now);
        self.emit(Event::RoundTrip(round_trip));
    }

    pub(super) fn ping_timed_out(&mut self, now: Instant) {
        let limit = self.options.timing.request_timeout;
        if self.connection.pings.sent.pop_front().is_some() {
            let message = format!("the server did not answer the ping within {limit:?}");
            self.emit(Event::PingFailed(ErrorInfo::new(ErrorCode::TIMED_OUT, 408, message)));
        }
        self.await_oldest_ping(now);
    }

    /// The line is gone, and with it the answers.
    pub(super) fn lose_pings(&mut self) {
        self.timers.stop(&Timer::Ping);
        for _ in std::mem::take(&mut self.connection.pings.sent) {
            self.emit(Event::PingFailed(disconnected("the line was lost before the ping was answered")));
        }
    }

    /// There will be no line to measure (`RTN13b`).
    pub(super) fn end_pings(&mut self, reason: &ErrorInfo) {
        self.timers.stop(&Timer::Ping);
        let pings = std::mem::take(&mut self.connection.pings);
        for _ in 0..pings.wanted + pings.sent.len() {
            self.emit(Event::PingFailed(reason.clone()));
        }
    }
}
