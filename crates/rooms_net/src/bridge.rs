//! The bridge between the ECS and the background task that owns the connection.
//!
//! Two sides, and bounded queues between them:
//!
//! ```text
//!  ECS side                                 background task
//!  Bridge::send     ── commands (256) ──▶   Driver ── frames ──▶ Link ──▶ socket
//!  Bridge::receive  ◀── events (1,024) ──   Driver ◀── frames ── Link ◀── socket
//! ```
//!
//! * The ECS side never blocks: [`send`](Bridge::send) hands a command back when the queue is full, and
//!   [`receive`](Bridge::receive) takes what is there.
//! * The background task owns the [`Client`], so heartbeats, acknowledgements and resume go on
//!   while a frame stalls.
//! * Events that the ECS does not take wait in a backlog of bounded length. Beyond it, messages and presence are
//!   dropped and counted, and an [`Event::Overflow`] stands in their place.
//! * Dropping the bridge closes the connection, which lets the others see it at once, and ends the task.
//!
//! [`watch_frames`](Bridge::watch_frames) opens the bridge's tap, which then copies frames without what is secret in them. The
//! tap is closed at first, and then nothing is copied.
//!
//! In a browser the background task runs on the page's event loop and follows the page's state: it reconnects at once when the
//! network is back or the page awakes with a dead line, and says goodbye to the server when the page ends.
//!
//! The background task holds a [`BridgeBackend`]. Whoever takes one with [`Bridge::pair`] does the task's work by hand, with
//! the same queues and the same bounds. So a simulation replaces the thread, the socket and the clock, and nothing else.

mod backend;
mod driver;
mod http;
mod page_events;
mod queue;
mod runtime;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::mpsc;

pub use self::{
    backend::BridgeBackend,
    runtime::{Runtime, now},
};
use self::{driver::Driver, queue::EventReceiver, runtime::Task};
use crate::transport::Connector;
pub use rooms_client::driver::{FrameDirection, FrameTap, TAP_CAPACITY, TappedFrame, TrafficSnapshot};
use rooms_client::{Client, ClientOptions, Command, Event};

/// Most commands that wait for the background task. A game's frame makes a handful.
pub const COMMAND_CAPACITY: usize = 256;

/// Why the background task could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The system gave no thread or no runtime.
    #[error("the background thread could not be started: {0}; free some memory or threads and try again")]
    Start(#[from] std::io::Error),
    /// The cryptography library offers no TLS version.
    #[error("TLS is not available: {0}")]
    Tls(String),
}

/// Why a command was not taken. The command comes back.
#[derive(Debug)]
pub enum SendRefused {
    /// The queue is full; try again in a later frame.
    Full(Command),
    /// The background task has ended.
    Ended(Command),
}

/// The ECS side of a connection.
#[derive(Debug)]
pub struct Bridge {
    // Fields drop in order: without commands the task closes the connection, and then it is waited for.
    commands: mpsc::Sender<Command>,
    events: EventReceiver,
    traffic: Arc<Traffic>,
    tap: FrameTap,
    /// `None` where somebody drives the backend by hand.
    _task: Option<Task>,
}

impl Bridge {
    /// Starts the background task. It connects when it gets a [`Command::Connect`].
    ///
    /// # Errors
    /// [`BridgeError::Start`] where the system gives no thread.
    pub fn start(
        options: ClientOptions,
        connector: impl Connector,
        runtime: &Runtime,
        seed: u64,
    ) -> Result<Self, BridgeError> {
        let (bridge, backend) = Self::pair();
        let task = runtime.spawn(Driver::new(Client::new(options, seed), connector, backend).run())?;
        Ok(Self { _task: Some(task), ..bridge })
    }

    /// A bridge without a background task, and the backend that the task would hold.
    pub fn pair() -> (Self, BridgeBackend) {
        let (commands, inbox) = mpsc::channel(COMMAND_CAPACITY);
        let (outbox, events) = queue::pair();
        let traffic = Arc::new(Traffic::default());
        let tap = FrameTap::default();
        let backend = BridgeBackend::new(inbox, outbox, Arc::clone(&traffic), tap.clone());
        (Self { commands, events, traffic, tap, _task: None }, backend)
    }

    /// Hands a command over.
    ///
    /// # Errors
    /// [`SendRefused`] gives it back when the queue is full or the task has ended.
    pub fn send(&self, command: Command) -> Result<(), SendRefused> {
        self.commands.try_send(command).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(command) => SendRefused::Full(command),
            mpsc::error::TrySendError::Closed(command) => SendRefused::Ended(command),
        })
    }

    /// How many commands can be handed over now.
    pub fn capacity(&self) -> usize {
        self.commands.capacity()
    }

    /// Takes the events that are there now; what comes meanwhile waits for the next call.
    pub fn receive(&mut self, take: impl FnMut(Event)) {
        self.events.drain(take);
    }

    /// What went over the line so far.
    pub fn traffic(&self) -> TrafficSnapshot {
        self.traffic.snapshot(self.events.waiting())
    }

    /// Copies frames from now on, or stops doing so.
    pub fn watch_frames(&self, watch: bool) {
        self.tap.set_open(watch);
    }

    /// Takes the copies of frames that wait, and how many were dropped since the last time, since too many waited.
    pub fn take_frames(&self) -> (impl Iterator<Item = TappedFrame> + use<>, u64) {
        let (frames, missed) = self.tap.take();
        (frames.into_iter(), missed)
    }
}

/// Counts what goes over the line; written by the background task, read by the ECS.
#[derive(Debug, Default)]
struct Traffic {
    frames_in: AtomicU64,
    frames_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    malformed: AtomicU64,
    dropped: AtomicU64,
    sockets: AtomicU64,
}

impl Traffic {
    fn snapshot(&self, events_waiting: usize) -> TrafficSnapshot {
        TrafficSnapshot {
            frames_in: self.frames_in.load(Relaxed),
            frames_out: self.frames_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            sockets: self.sockets.load(Relaxed),
            events_waiting,
        }
    }
}
