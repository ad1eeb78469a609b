//! One simulated socket: its two directions, and what it carries.

use std::{collections::VecDeque, time::Duration};

use web_time::Instant;

use crate::faults::{Direction, LinkConditions};
use rooms_client::TransportId;
use rooms_protocol::WireFrame;
use rooms_relay::LinkId;

/// Names a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SocketId(pub(super) u64);

/// What arrives at one end of a socket.
#[derive(Debug)]
pub(super) enum Parcel {
    /// At the relay: a client wants a connection, with this query.
    Dial(String),
    /// At the client: the socket is open.
    Opened,
    /// One frame.
    Frame(WireFrame),
    /// At the client: a WebSocket ping.
    Ping,
    /// The other end is gone.
    Gone,
}

impl Parcel {
    /// What it counts towards bandwidth and the relay's queue.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Frame(wire) => wire.len(),
            Self::Dial(_) | Self::Opened | Self::Ping | Self::Gone => 0,
        }
    }
}

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    /// Which client has it.
    pub(super) client: usize,
    /// What the client calls it.
    pub(super) transport: TransportId,
    /// What the relay calls it, once it knows of it.
    pub(super) link: Option<LinkId>,
    pub(super) up: Lane,
    pub(super) down: Lane,
    /// After how many frames more it breaks.
    pub(super) frames_left: Option<u32>,
}

/// One direction of a socket.
#[derive(Debug)]
pub(super) struct Lane {
    /// When the last thing that was sent arrives; nothing overtakes it.
    pub(super) last: Instant,
    /// Nothing more can be sent.
    pub(super) cut: bool,
    /// What arrives is dropped.
    pub(super) deaf: bool,
    /// The next frame is cut short.
    pub(super) truncate: bool,
    /// When a narrow link has sent all that it was given.
    pub(super) busy_until: Instant,
    /// What a narrow link has not sent yet: when it will have, and how many bytes that is.
    pub(super) waiting: VecDeque<(Instant, usize)>,
    /// Frames that are held up, and their bytes.
    pub(super) held: (usize, usize),
    /// Frames that were sent and have not arrived.
    pub(super) on_the_way: usize,
}

impl Lane {
    pub(super) fn new(now: Instant) -> Self {
        let waiting = VecDeque::new();
        Self {
            last: now,
            cut: false,
            deaf: false,
            truncate: false,
            busy_until: now,
            waiting,
            held: (0, 0),
            on_the_way: 0,
        }
    }

    /// When so many bytes have left the sender.
    pub(super) fn depart(&mut self, bytes: usize, link: LinkConditions, now: Instant) -> Instant {
        let Some(bandwidth) = link.bandwidth else { return now };
        let takes = Duration::from_secs_f64(bytes as f64 / f64::from(bandwidth.get()));
        self.busy_until = self.busy_until.max(now) + takes;
        self.waiting.push_back((self.busy_until, bytes));
        self.busy_until
    }

    /// Frames and bytes that have not left the sender.
    pub(super) fn backlog(&mut self, now: Instant) -> (usize, usize) {
        while self.waiting.front().is_some_and(|(left, _)| *left <= now) {
            self.waiting.pop_front();
        }
        let waiting: usize = self.waiting.iter().map(|(_, bytes)| bytes).sum();
        (self.waiting.len() + self.held.0, waiting + self.held.1)
    }
}

impl Socket {
    pub(super) fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}
