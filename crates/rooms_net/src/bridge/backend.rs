//! The backend of a bridge: the background task holds it, or whoever does its work by hand.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{FrameTap, Traffic, TrafficSnapshot, queue::EventSender};
use rooms_client::{Command, Event};

/// The backend of a [`Bridge`](super::Bridge): commands come out of it, and events go in.
///
/// Its holder owns the [`Client`](rooms_client::Client). Nothing here waits: take the commands with
/// [`poll_command`](Self::poll_command), hand every event to [`emit`](Self::emit), and call [`flush`](Self::flush) now and
/// then, so that waiting events move on when the ECS took some. Once [`is_ended`](Self::is_ended), close the client.
#[derive(Debug)]
pub struct BridgeBackend {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: EventSender,
    pub(super) traffic: Arc<Traffic>,
    pub(super) tap: FrameTap,
    ended: bool,
}

impl BridgeBackend {
    pub(super) fn new(
        commands: mpsc::Receiver<Command>,
        events: EventSender,
        traffic: Arc<Traffic>,
        tap: FrameTap,
    ) -> Self {
        Self { commands, events, traffic, tap, ended: false }
    }

    /// The next command for the client; `None` while there is none.
    pub fn poll_command(&mut self) -> Option<Command> {
        match self.commands.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.ended = true;
                None
            }
        }
    }

    /// Whether the bridge was dropped and all of its commands were taken.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Queues an event for the ECS. Where the queue is full, the event is dropped and counted, and an [`Event::Overflow`]
    /// takes its place.
    pub fn emit(&mut self, event: Event) {
        if !self.events.push(event) {
            self.traffic.dropped.fetch_add(1, Relaxed);
        }
    }

    /// The tap that shows the frames that pass.
    pub fn tap(&self) -> &FrameTap {
        &self.tap
    }

    /// Moves waiting events on, as far as there is capacity.
    pub fn flush(&mut self) {
        self.events.flush();
    }

    /// Tells the ECS what went over the line so far. Events that were dropped or that wait are counted here already.
    pub fn set_traffic(&self, counted: &TrafficSnapshot) {
        let traffic = &self.traffic;
        for (counter, value) in [
            (&traffic.frames_in, counted.frames_in),
            (&traffic.frames_out, counted.frames_out),
            (&traffic.bytes_in, counted.bytes_in),
            (&traffic.bytes_out, counted.bytes_out),
            (&traffic.malformed, counted.malformed),
            (&traffic.sockets, counted.sockets),
        ] {
            counter.store(value, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bridge::{Bridge, COMMAND_CAPACITY, SendRefused};

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
