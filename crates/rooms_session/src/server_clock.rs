//! The server's time, as a client can know it: from the stamps on messages and from round trips.
//!
//! The server stamps each message with its own time. A message takes some time from there to here, so its stamp is behind when it
//! arrives. Of many messages the quickest tells most: [`ServerClock`] adds half of the shortest round trip to it. What is shown is
//! brought to that slowly, so that it never goes back and never jumps over a moment that a game waits for.

use std::{collections::VecDeque, time::Duration};

use rooms_client::{Command, ConnectionState, Event};
use web_time::Instant;

/// How long the best of what came is kept apart from what comes later.
const SPAN: Duration = Duration::from_secs(10);

/// How many such spans count. Clocks of machines go apart by a few milliseconds in that time.
const SPANS: usize = 12;

/// Round trips that are measured quickly when a connection is new.
const FIRST_PINGS: u32 = 20;
const FIRST_PINGS_EVERY: Duration = Duration::from_millis(250);

/// Round trips that are measured after that, until the clock is as good as it gets; and then.
const NEXT_PINGS: u32 = 60;
const NEXT_PINGS_EVERY: Duration = Duration::from_secs(1);
const PINGS_EVERY: Duration = Duration::from_secs(3);

/// How much faster or slower than time itself the shown time goes, at most, while it is brought to the right one.
const SLEW: f64 = 0.1;

/// How far behind the shown time may be before it jumps ahead, as after a sleep of the machine.
const JUMP: f64 = 1_000.0;

/// The server's time, kept from what a client receives. It goes on over reconnects and is the same whoever hosts.
///
/// # How to drive it
/// 1. Hand it every event of the client with [`handle_event`](Self::handle_event).
/// 2. Once a frame call [`step`](Self::step), after the frame's events.
/// 3. Give what [`poll_command`](Self::poll_command) returns to the client.
#[derive(Debug)]
pub struct ServerClock {
    /// Where this machine's milliseconds begin.
    origin: Instant,
    spans: VecDeque<Span>,
    is_connected: bool,
    pings: u32,
    next_ping: Option<Instant>,
    wants_ping: bool,
    shown: Option<Shown>,
}

/// The best of what came within a [`SPAN`].
#[derive(Debug)]
struct Span {
    began: Instant,
    /// By how many milliseconds the stamp of the quickest message was ahead of this machine's clock on arrival.
    ahead: Option<f64>,
    /// The shortest round trip, in milliseconds.
    round_trip: Option<f64>,
}

/// What is shown.
#[derive(Clone, Copy, Debug)]
struct Shown {
    at: Instant,
    /// Milliseconds since 1970.
    time: f64,
}

impl ServerClock {
    /// Knows nothing yet.
    pub fn new(now: Instant) -> Self {
        Self {
            origin: now,
            spans: VecDeque::new(),
            is_connected: false,
            pings: 0,
            next_ping: None,
            wants_ping: false,
            shown: None,
        }
    }

    /// Takes in what the client tells.
    pub fn handle_event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Connection(change) => {
                let is_connected = change.current == ConnectionState::Connected;
                if is_connected && !self.is_connected {
                    if !change.resumed {
                        // It may be another server, with another clock.
                        self.spans.clear();
                        self.pings = 0;
                    }
                    self.next_ping = Some(now);
                }
                self.is_connected = is_connected;
            }
            Event::Messages { messages, .. } => {
                let here = self.here(now);
                // Messages of the past, as of a rewind, are only later than others.
                let stamps = messages.iter().filter_map(|message| message.timestamp);
                for stamp in stamps {
                    let (span, ahead) = (self.span(now), stamp.0 as f64 - here);
                    span.ahead = Some(span.ahead.map_or(ahead, |best| best.max(ahead)));
                }
            }
            Event::RoundTrip(round_trip) => {
                let (span, millis) = (self.span(now), round_trip.as_secs_f64() * 1000.0);
                span.round_trip = Some(span.round_trip.map_or(millis, |best| best.min(millis)));
            }
            _ => {}
        }
    }

    /// Moves the shown time on. Measures round trips while `measures` is set, as it is in a room.
    pub fn step(&mut self, measures: bool, now: Instant) {
        if measures && self.is_connected && self.next_ping.is_some_and(|at| now >= at) {
            self.wants_ping = true;
            self.pings = self.pings.saturating_add(1);
            let wait = if self.pings <= FIRST_PINGS {
                FIRST_PINGS_EVERY
            } else if self.pings <= NEXT_PINGS {
                NEXT_PINGS_EVERY
            } else {
                PINGS_EVERY
            };
            self.next_ping = Some(now + wait);
        }
        let estimate = self.estimate(now);
        self.shown = match (self.shown, estimate) {
            (None, None) => None,
            (None, Some(time)) => Some(Shown { at: now, time }),
            (Some(shown), estimate) => {
                let passed = millis(now.saturating_duration_since(shown.at));
                let expected = shown.time + passed;
                let off = estimate.unwrap_or(expected) - expected;
                let moved = if off > JUMP { off } else { off.clamp(-SLEW * passed, SLEW * passed) };
                Some(Shown { at: now, time: expected + moved })
            }
        };
    }

    /// A ping, when one is due.
    pub fn poll_command(&mut self) -> Option<Command> {
        std::mem::take(&mut self.wants_ping).then_some(Command::Ping)
    }

    /// The server's time at the last step, since 1970-01-01T00:00:00Z. It never goes back. `None` before a message and a round trip
    /// are known.
    pub fn now(&self) -> Option<Duration> {
        self.shown.map(|shown| Duration::from_micros((shown.time.max(0.0) * 1000.0).round() as u64))
    }

    /// About how far the time may be off: half of the shortest round trip, as if a message took all of it one way, and what the shown
    /// time has still to be moved by. In the first seconds, before a quick message has come, it may be more. `None` before the time is
    /// known.
    pub fn error(&self) -> Option<Duration> {
        let (shown, round_trip) = (self.shown?, self.round_trip()?);
        let left = self.estimate(shown.at)? - shown.time;
        Some(Duration::from_micros(((round_trip / 2.0 + left.abs()) * 1000.0).round() as u64))
    }

    /// The server's time as it is known best, in milliseconds since 1970.
    fn estimate(&self, now: Instant) -> Option<f64> {
        let ahead = self.spans.iter().filter_map(|span| span.ahead).reduce(f64::max)?;
        Some(self.here(now) + ahead + self.round_trip()? / 2.0)
    }

    fn round_trip(&self) -> Option<f64> {
        self.spans.iter().filter_map(|span| span.round_trip).reduce(f64::min)
    }

    /// This machine's milliseconds.
    fn here(&self, now: Instant) -> f64 {
        millis(now.saturating_duration_since(self.origin))
    }

    /// The span that now belongs to.
    fn span(&mut self, now: Instant) -> &mut Span {
        let is_over = self.spans.back().is_none_or(|span| now.saturating_duration_since(span.began) >= SPAN);
        if is_over {
            if self.spans.len() == SPANS {
                self.spans.pop_front();
            }
            self.spans.push_back(Span { began: now, ahead: None, round_trip: None });
        }
        let last = self.spans.len() - 1;
        &mut self.spans[last]
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rooms_client::ConnectionChange;
    use rooms_protocol::{Message, Timestamp};

    use super::*;

    /// The server's time when the test begins, in milliseconds.
    const BEGIN: i64 = 1_800_000_000_000;

    fn connected(resumed: bool) -> Event {
        Event::Connection(ConnectionChange {
            previous: ConnectionState::Connecting,
            current: ConnectionState::Connected,
            reason: None,
            retry_in: None,
            connection_id: None,
            client_id: None,
            resumed,
            max_inbound_rate: None,
            attempt: 1,
        })
    }

    fn stamped(millis: i64) -> Event {
        let message = Message { timestamp: Some(Timestamp(millis)), ..Message::default() };
        Event::Messages { channel: "room:den".into(), messages: vec![message] }
    }

    /// A line to a server, whose clock and this machine's both are right.
    struct Line {
        start: Instant,
        luck: ChaCha8Rng,
        time: ServerClock,
        /// When what is on the way arrives.
        on_the_way: Vec<(Instant, Event)>,
    }

    impl Line {
        fn new(seed: u64) -> Self {
            let start = Instant::now();
            let mut time = ServerClock::new(start);
            time.handle_event(&connected(false), start);
            Self { start, luck: ChaCha8Rng::seed_from_u64(seed), time, on_the_way: Vec::new() }
        }

        fn one_way(&mut self) -> Duration {
            Duration::from_micros(self.luck.random_range(50_000..150_000))
        }

        /// One frame: a message each 1.5 s, and what the clock asks for.
        fn frame(&mut self, frame: u32) -> Instant {
            let now = self.start + Duration::from_millis(16) * frame;
            if frame.is_multiple_of(94) {
                let arrives = now + self.one_way();
                self.on_the_way.push((arrives, stamped(self.server(now))));
            }
            let (come, rest) = std::mem::take(&mut self.on_the_way).into_iter().partition(|(at, _)| *at <= now);
            self.on_the_way = rest;
            let come: Vec<(Instant, Event)> = come;
            come.iter().for_each(|(_, event)| self.time.handle_event(event, now));
            self.time.step(true, now);
            while let Some(Command::Ping) = self.time.poll_command() {
                let round_trip = self.one_way() + self.one_way();
                self.on_the_way.push((now + round_trip, Event::RoundTrip(round_trip)));
            }
            now
        }

        fn server(&self, now: Instant) -> i64 {
            BEGIN + i64::try_from((now - self.start).as_millis()).unwrap()
        }

        fn off(&self, now: Instant) -> Option<f64> {
            self.time.now().map(|time| millis(time) - self.server(now) as f64)
        }
    }

    #[test]
    fn on_a_line_of_100_and_50_ms_the_time_is_right_to_20_ms_and_never_goes_back() {
        let mut worst = 0.0_f64;
        for seed in 0..50 {
            let (mut line, mut before) = (Line::new(seed), Duration::ZERO);
            for frame in 0..15_000 {
                let now = line.frame(frame);
                let Some(time) = line.time.now() else { continue };
                assert!(time > before, "seed {seed}: it went back at frame {frame}");
                before = time;
                let (off, error) = (line.off(now).unwrap(), line.time.error().unwrap());
                worst = worst.max(off.abs());
                assert!(off.abs() < 110.0, "seed {seed}: {off} ms off");
                if frame > 3_750 {
                    assert!(off.abs() < 20.0, "seed {seed}: {off} ms off after a minute");
                    assert!((50.0..100.0).contains(&millis(error)), "seed {seed}: {error:?}");
                }
            }
        }
        assert!(worst > 20.0, "the line does not disturb: {worst}");
    }

    #[test]
    fn it_is_known_after_a_message_and_a_round_trip() {
        let start = Instant::now();
        let mut time = ServerClock::new(start);
        time.handle_event(&stamped(BEGIN), start);
        time.step(false, start);
        assert_eq!(time.now(), None);
        time.handle_event(&Event::RoundTrip(Duration::from_millis(40)), start);
        time.step(false, start);
        assert_eq!(time.now(), Some(Duration::from_millis(1_800_000_000_020)));
        assert_eq!(time.error(), Some(Duration::from_millis(20)));
        let later = start + Duration::from_secs(5);
        time.step(false, later);
        assert_eq!(time.now(), Some(Duration::from_millis(1_800_000_005_020)), "it goes on by itself");
        time.handle_event(&stamped(BEGIN - 60_000), later);
        time.step(false, later);
        assert_eq!(time.now(), Some(Duration::from_millis(1_800_000_005_020)), "what is late tells nothing");
    }

    #[test]
    fn it_jumps_ahead_after_a_sleep_and_slows_down_for_a_server_that_is_behind() {
        let start = Instant::now();
        let mut time = ServerClock::new(start);
        time.handle_event(&Event::RoundTrip(Duration::ZERO), start);
        time.handle_event(&stamped(BEGIN), start);
        time.step(false, start);
        // The machine's clock stood still while it slept for an hour.
        time.handle_event(&stamped(BEGIN + 3_600_000), start);
        time.step(false, start);
        assert_eq!(time.now(), Some(Duration::from_millis(1_800_003_600_000)));
        // Another server is half a second behind.
        time.handle_event(&connected(false), start);
        time.handle_event(&Event::RoundTrip(Duration::ZERO), start);
        time.handle_event(&stamped(BEGIN + 3_599_500), start);
        let second = start + Duration::from_secs(1);
        time.step(false, second);
        assert_eq!(time.now(), Some(Duration::from_millis(1_800_003_600_900)), "a tenth slower");
        let late = start + Duration::from_secs(9);
        time.step(false, late);
        assert_eq!(time.now(), Some(Duration::from_millis(1_800_003_608_500)));
    }

    #[test]
    fn round_trips_are_measured_often_at_first_and_only_in_a_room() {
        let start = Instant::now();
        let mut time = ServerClock::new(start);
        let pings = |time: &mut ServerClock, from: u64, to: u64, measures| {
            let frames = (from * 100..to * 100).map(|frame| start + Duration::from_millis(frame * 10));
            frames
                .filter(|now| {
                    time.step(measures, *now);
                    time.poll_command().is_some()
                })
                .count()
        };
        assert_eq!(pings(&mut time, 0, 10, true), 0, "there is no connection");
        time.handle_event(&connected(false), start + Duration::from_secs(10));
        assert_eq!(pings(&mut time, 10, 20, false), 0);
        assert_eq!(pings(&mut time, 20, 25, true), 20);
        assert_eq!(pings(&mut time, 25, 95, true), 40 + 10, "every second, then every 3 s");
    }
}
