//! What can go wrong on a simulated network, and how often.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Frames that the native socket's queue holds. The compiler checks that it is not 0.
const SOCKET_CAPACITY: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// The link between one client and the relay while nothing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConditions {
    /// Time that everything takes, each way. Defaults to 20 ms.
    pub latency: Duration,
    /// Most that is added to it, at random. What is sent first still arrives first. Defaults to 10 ms.
    pub jitter: Duration,
    /// Bytes of frames a second that get through, each way; what is more waits. Where more waits on the way down than the
    /// relay's limits allow for one socket, the relay cuts the client off. Defaults to any number.
    pub bandwidth: Option<NonZeroU32>,
    /// Most frames of the client that its socket holds until they arrive at the relay. Further ones wait in the client, as with
    /// a socket that writes slowly. Defaults to 256.
    pub socket_capacity: NonZeroUsize,
}

impl LinkConditions {
    /// The default with so many bytes a second: a slow reader.
    pub fn slow(bandwidth: NonZeroU32) -> Self {
        Self { bandwidth: Some(bandwidth), ..Self::default() }
    }
}

impl Default for LinkConditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            bandwidth: None,
            socket_capacity: SOCKET_CAPACITY,
        }
    }
}

/// A direction of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the client to the relay.
    Up,
    /// From the relay to the client.
    Down,
}

/// One thing that goes wrong between one client and the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The socket breaks, and both ends learn of it soon. What was on its way may or may not arrive.
    Cut,
    /// The socket breaks once this many frames more were sent, in either direction; the next one is lost.
    CutAfter(u32),
    /// From now on nothing arrives, and after this time both ends learn that the socket is gone.
    Stall(Duration),
    /// Nothing arrives for this time, and then all of it, in order.
    Delay(Duration),
    /// The next frame in this direction is cut short.
    Truncate(Direction),
    /// The socket breaks, and none can be had for this time.
    Refuse(Duration),
    /// Nothing gets through for this time, not even a new socket, and neither end learns of it: a partition of the network
    /// separates the client from the relay. What was sent meanwhile over a socket that still stands arrives afterwards.
    Isolate(Duration),
    /// Nothing gets through in this direction for this time, and neither end learns of it: a router lost the way there, and not
    /// the way back. No new socket can be had. What was sent meanwhile arrives afterwards.
    OneWay(Direction, Duration),
    /// The client's process stands still for this time, as one that was sent SIGSTOP, or a page that a browser froze: it
    /// reads nothing, sends nothing, and its timers do not run. The relay goes on sending.
    Freeze(Duration),
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// [`Fault::Cut`].
    Cut,
    /// [`Fault::CutAfter`], after up to 12 frames: enough for every step of connecting and attaching.
    CutAfter,
    /// [`Fault::Stall`], for up to 40 s: beyond the time after which silence is noticed.
    Stall,
    /// [`Fault::Delay`], for up to 8 s.
    Delay,
    /// [`Fault::Truncate`].
    Truncate,
    /// [`Fault::Refuse`], for up to 20 s.
    Refuse,
    /// [`Fault::Isolate`], for up to 40 s: beyond the time after which silence is noticed.
    Isolate,
    /// [`Fault::OneWay`], in either direction, for up to 40 s.
    OneWay,
    /// [`Fault::Freeze`], for up to 20 s: beyond a host's lease.
    Freeze,
    /// The relay restarts with an empty memory, after up to 5 s.
    RestartRelay,
}

impl FaultKind {
    /// All that lose nothing for good: a client that comes back in time has all messages.
    pub const LINES: [Self; 6] = [Self::Cut, Self::CutAfter, Self::Stall, Self::Delay, Self::Truncate, Self::Refuse];

    /// All kinds. A relay that restarts has forgotten all messages, so not everything is kept.
    pub const ALL: [Self; 10] = [
        Self::Cut,
        Self::CutAfter,
        Self::Stall,
        Self::Delay,
        Self::Truncate,
        Self::Refuse,
        Self::Isolate,
        Self::OneWay,
        Self::Freeze,
        Self::RestartRelay,
    ];

    pub(super) fn roll(self, rng: &mut ChaCha8Rng) -> Rolled {
        let either = [Direction::Up, Direction::Down][usize::from(self.has_direction() && rng.random::<bool>())];
        let mut up_to = |most: u64| Duration::from_millis(rng.random_range(0..=most * 1000));
        Rolled::Line(match self {
            Self::Cut => Fault::Cut,
            Self::Stall => Fault::Stall(up_to(40)),
            Self::Delay => Fault::Delay(up_to(8)),
            Self::Refuse => Fault::Refuse(up_to(20)),
            Self::Isolate => Fault::Isolate(up_to(40)),
            Self::OneWay => Fault::OneWay(either, up_to(40)),
            Self::Freeze => Fault::Freeze(up_to(20)),
            Self::RestartRelay => return Rolled::RestartRelay(up_to(5)),
            Self::CutAfter => Fault::CutAfter(rng.random_range(0..=12)),
            Self::Truncate => Fault::Truncate(either),
        })
    }

    fn has_direction(self) -> bool {
        matches!(self, Self::OneWay | Self::Truncate)
    }
}

/// A fault whose details were drawn at random.
pub(super) enum Rolled {
    Line(Fault),
    RestartRelay(Duration),
}

/// Faults that come by themselves, at random clients and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// Time between two faults, on average.
    pub every: Duration,
    /// What may happen; each is as likely as the others.
    pub kinds: Vec<FaultKind>,
}

impl FaultPlan {
    /// All faults of lines, every so often.
    pub fn lines(every: Duration) -> Self {
        Self { every, kinds: FaultKind::LINES.to_vec() }
    }

    pub(super) fn wait(&self, rng: &mut ChaCha8Rng) -> Duration {
        self.every.mul_f64(rng.random_range(0.0..=2.0))
    }

    pub(super) fn pick(&self, rng: &mut ChaCha8Rng) -> Option<Rolled> {
        let kind = *self.kinds.choose(rng)?;
        Some(kind.roll(rng))
    }
}
