//! Whether the socket still works: silence, pings, and frames that cannot be read (`RTN13`, `RTN23`).

use std::{collections::VecDeque, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

use crate::{
    context::Context,
    error::{disconnected, timed_out, unusable_connection},
    event::{ConnectionState, Event},
    timer::Timer,
};
use rooms_protocol::{Action, ErrorCode, ErrorInfo, Frame};

/// How long the client waits before it drops a socket again because of a frame that it cannot read. Without the wait, the
/// server could send the same frame again and again.
const MALFORMED_TRUCE: Duration = Duration::from_secs(60);

/// How long the server may take to answer when the socket may be dead. Dropping a socket that still works costs a resume, and
/// loses nothing.
const SIGN_OF_LIFE_WAIT: Duration = Duration::from_secs(2);

/// Most round trips that are measured at once. More would not tell more.
const MAX_PINGS: usize = 16;

/// What is known about the socket.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// Longest silence of the server, if it promised one.
    max_idle: Option<Duration>,
    /// How many round trips are to be measured once the client is connected (`RTN13d`).
    wanted_pings: usize,
    /// The pings that wait for an answer, the oldest first.
    sent_pings: VecDeque<SentPing>,
    /// The ping that asked for a sign of life last.
    asked: Option<SentPing>,
    round_trip: Option<Duration>,
    /// Frames that could not be read.
    malformed: u64,
    /// When the socket was last dropped because of a frame that could not be read.
    last_malformed: Option<Instant>,
}

#[derive(Debug)]
struct SentPing {
    id: String,
    at: Instant,
}

impl Liveness {
    /// The round trip that was measured last.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// How many frames could not be read.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed
    }

    pub(super) fn count_malformed(&mut self) {
        self.malformed = self.malformed.saturating_add(1);
    }

    /// Whether to drop the socket because of a frame that could not be read: only if that was not done a short while ago.
    pub(super) fn may_drop_socket_for_malformed(&mut self, now: Instant) -> bool {
        let may = self.last_malformed.is_none_or(|last| now.saturating_duration_since(last) >= MALFORMED_TRUCE);
        if may {
            self.last_malformed = Some(now);
        }
        may
    }

    /// What the server promised (`CD2h`).
    pub(super) fn set_max_idle(&mut self, max_idle: Option<Duration>) {
        self.max_idle = max_idle;
    }

    /// Starts to wait for the next sign of life (`RTN23a`).
    pub(crate) fn watch_silence(&self, cx: &mut Context<'_>) {
        if cx.timers.runs(&Timer::Doubt) {
            cx.start_doubt();
        }
        match self.max_idle {
            Some(idle) => cx.start(Timer::Idle, idle.saturating_add(cx.options.timing.request_timeout)),
            None => cx.timers.stop(&Timer::Idle),
        }
    }

    /// Asks the server for a sign of life. If none comes soon, the client drops the socket.
    pub(super) fn request_sign_of_life(&mut self, cx: &mut Context<'_>) {
        // One whose answer may still come is not asked again: only the answer to the last one is known.
        let is_asked = |ping: &SentPing| cx.now.saturating_duration_since(ping.at) < SIGN_OF_LIFE_WAIT;
        if !self.asked.as_ref().is_some_and(is_asked) {
            let id = ping_id(cx.rng);
            cx.effects.send(Frame { id: Some(id.clone()), ..Frame::new(Action::Heartbeat) });
            self.asked = Some(SentPing { id, at: cx.now });
        }
        cx.timers.hasten(Timer::Idle, cx.now, SIGN_OF_LIFE_WAIT);
    }

    /// Measures the round trip, now or once the client is connected.
    pub(crate) fn ping(&mut self, state: ConnectionState, cx: &mut Context<'_>) {
        if self.wanted_pings + self.sent_pings.len() >= MAX_PINGS {
            let message = format!("{MAX_PINGS} pings already wait for an answer; wait until they have it");
            return cx.effects.emit(Event::PingFailed(ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message)));
        }
        match state {
            ConnectionState::Connected => self.send_ping(cx),
            ConnectionState::Connecting | ConnectionState::Disconnected => self.wanted_pings += 1,
            _ => cx.effects.emit(Event::PingFailed(unusable_connection(state))),
        }
    }

    fn send_ping(&mut self, cx: &mut Context<'_>) {
        let id = ping_id(cx.rng);
        cx.effects.send(Frame { id: Some(id.clone()), ..Frame::new(Action::Heartbeat) });
        self.sent_pings.push_back(SentPing { id, at: cx.now });
        self.await_oldest_ping(cx);
    }

    fn await_oldest_ping(&self, cx: &mut Context<'_>) {
        match self.sent_pings.front() {
            Some(oldest) => {
                let waited = cx.now.saturating_duration_since(oldest.at);
                cx.start(Timer::Ping, cx.options.timing.request_timeout.saturating_sub(waited));
            }
            None => cx.timers.stop(&Timer::Ping),
        }
    }

    /// The client is connected: sends the pings that waited for this.
    pub(crate) fn send_wanted_pings(&mut self, cx: &mut Context<'_>) {
        for _ in 0..std::mem::take(&mut self.wanted_pings) {
            self.send_ping(cx);
        }
    }

    /// The server answered a ping, if this is the id of one.
    pub(crate) fn on_heartbeat(&mut self, id: Option<&str>, cx: &mut Context<'_>) {
        let (asked, sent) = (&mut self.asked, &mut self.sent_pings);
        let is_answered = |ping: &SentPing| id == Some(&ping.id);
        let measured = || sent.iter().position(is_answered).and_then(|index| sent.remove(index));
        let Some(answered) = asked.take_if(|ping| is_answered(ping)).or_else(measured) else { return };
        let round_trip = cx.now.saturating_duration_since(answered.at);
        self.round_trip = Some(round_trip);
        self.await_oldest_ping(cx);
        cx.effects.emit(Event::RoundTrip(round_trip));
    }

    /// The server did not answer the oldest ping in time (`RTN13c`).
    pub(crate) fn on_ping_timeout(&mut self, cx: &mut Context<'_>) {
        let limit = cx.options.timing.request_timeout;
        if self.sent_pings.pop_front().is_some() {
            let message = format!("the server did not answer the ping within {limit:?}");
            cx.effects.emit(Event::PingFailed(timed_out(&message)));
        }
        self.await_oldest_ping(cx);
    }

    /// The socket is gone, and with it the answers to pings.
    pub(super) fn lose_pings(&mut self, cx: &mut Context<'_>) {
        cx.timers.stop(&Timer::Ping);
        self.asked = None;
        for _ in std::mem::take(&mut self.sent_pings) {
            cx.effects.emit(Event::PingFailed(disconnected("the socket was lost before the ping was answered")));
        }
    }

    /// The client will not be connected, so no ping is answered (`RTN13b`).
    pub(crate) fn fail_pings(&mut self, reason: &ErrorInfo, cx: &mut Context<'_>) {
        cx.timers.stop(&Timer::Ping);
        let sent = std::mem::take(&mut self.sent_pings);
        for _ in 0..std::mem::take(&mut self.wanted_pings) + sent.len() {
            cx.effects.emit(Event::PingFailed(reason.clone()));
        }
    }
}

fn ping_id(rng: &mut ChaCha8Rng) -> String {
    format!("{:016x}", rng.random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_unreadable_frame_drops_the_line_only_after_the_truce() {
        let (mut liveness, now) = (Liveness::default(), Instant::now());
        assert!(liveness.may_drop_socket_for_malformed(now));
        assert!(!liveness.may_drop_socket_for_malformed(now + MALFORMED_TRUCE - Duration::from_secs(1)));
        assert!(liveness.may_drop_socket_for_malformed(now + MALFORMED_TRUCE));
    }
}
