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
//!   dropped and counted, and the ECS gets an [`Event::Overflow`] instead.
//! * Dropping the bridge closes the connection, which lets the others see it at once, and ends the task.
//!
//! [`watch_frames`](Bridge::watch_frames) opens the bridge's tap, which then copies frames without what is secret in them. The
//! tap is closed at first, and then nothing is copied.
//!
//! In a browser the background task runs on the page's event loop and follows the page's state: it reconnects at once when the
//! network is back or the page wakes up with a dead socket, and says goodbye to the server when the page ends.
//!
//! The background task holds a [`BridgeBackend`]. A simulation takes one with [`Bridge::pair`] and does the task's work itself,
//! with the same queues and the same bounds. So it replaces the thread, the socket and the clock, and nothing else.

mod backend;
mod driver;
mod error;
mod http;
mod page_events;
mod queue;
mod runtime;
mod traffic;

use std::sync::Arc;

use tokio::sync::mpsc;

pub use self::{
    backend::BridgeBackend,
    error::BridgeError,
    runtime::{Runtime, now},
};
use self::{driver::Driver, queue::EventReceiver, runtime::Task, traffic::Traffic};
use crate::transport::Connector;
pub use rooms_client::driver::{FrameDirection, FrameTap, TAP_CAPACITY, TappedFrame, TrafficSnapshot};
use rooms_client::{Client, ClientOptions, Command, Event};

/// Most commands that wait for the background task. A game's frame makes a handful.
pub const COMMAND_CAPACITY: usize = 256;

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
    /// `None` where the caller drives the backend itself.
    _task: Option<Task>,
}

impl Bridge {
    /// Starts the background task. It connects when it gets a [`Command::Connect`].
    ///
    /// # Errors
    /// [`BridgeError::Start`] if the system cannot start a thread.
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

    /// A bridge without a background task, and the backend that the task would hold. The caller drives the backend.
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

    /// What was sent and received so far.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn commands_and_events_cross_without_a_task() {
        let (mut bridge, mut backend) = Bridge::pair();
        bridge.send(Command::Connect).unwrap();
        assert_eq!((backend.poll_command(), backend.poll_command()), (Some(Command::Connect), None));
        backend.emit(Event::RoundTrip(Duration::ZERO));
        let mut events = Vec::new();
        bridge.receive(|event| events.push(event));
        assert_eq!(events, [Event::RoundTrip(Duration::ZERO)]);
    }

    #[test]
    fn what_was_commanded_before_the_end_is_still_taken() {
        let (bridge, mut backend) = Bridge::pair();
        bridge.send(Command::Ping).unwrap();
        drop(bridge);
        assert_eq!((backend.poll_command(), backend.is_ended()), (Some(Command::Ping), false));
        assert_eq!((backend.poll_command(), backend.is_ended()), (None, true));
    }

    #[test]
    fn commands_that_nobody_takes_come_back() {
        let (bridge, backend) = Bridge::pair();
        (0..COMMAND_CAPACITY).for_each(|_| bridge.send(Command::Ping).unwrap());
        assert!(matches!(bridge.send(Command::Ping), Err(SendRefused::Full(Command::Ping))));
        drop(backend);
        assert!(matches!(bridge.send(Command::Ping), Err(SendRefused::Ended(Command::Ping))));
    }

    #[test]
    fn the_figures_of_the_line_are_the_ones_that_were_told() {
        let (bridge, backend) = Bridge::pair();
        let told = TrafficSnapshot { frames_in: 3, bytes_out: 70, sockets: 2, ..TrafficSnapshot::default() };
        backend.set_traffic(&told);
        assert_eq!(bridge.traffic(), told);
    }
}
