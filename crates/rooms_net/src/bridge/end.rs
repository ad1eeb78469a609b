//! The other end of a bridge: what the background task holds, or whoever does its work by hand.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{FrameTap, Traffic, TrafficSnapshot, queue::EventSender};
use rooms_client::{Command, Event};

/// The other end of a [`Bridge`](super::Bridge): commands come out of it, and events go in.
///
/// Who holds it owns the [`Client`](rooms_client::Client). Nothing here waits: take the commands with
/// [`poll_command`](Self::poll_command), hand every event to [`tell`](Self::tell), and call [`flush`](Self::flush) now and
/// then, so that what waited moves on when the ECS made room. Once [`is_ended`](Self::is_ended), close the client.
#[derive(Debug)]
pub struct BridgeEnd {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: EventSender,
    pub(super) traffic: Arc<Traffic>,
    pub(super) tap: FrameTap,
    ended: bool,
}

impl BridgeEnd {
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

    /// Queues an event for the ECS. Where there is no room it is dropped and counted, and an [`Event::Overflow`] follows.
    pub fn tell(&mut self, event: Event) {
        if !self.events.push(event) {
            self.traffic.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Where to show the frames that pass.
    pub fn tap(&self) -> &FrameTap {
        &self.tap
    }

    /// Moves on what waited for room.
    pub fn flush(&mut self) {
        self.events.flush();
    }

    /// Tells the ECS what went over the line so far. What was dropped and what waits is counted here already.
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
        let (mut bridge, mut end) = Bridge::pair();
        bridge.send(Command::Connect).unwrap();
        assert_eq!((end.poll_command(), end.poll_command()), (Some(Command::Connect), None));
        end.tell(Event::RoundTrip(Duration::ZERO));
        let mut events = Vec::new();
        bridge.receive(|event| events.push(event));
        assert_eq!(events, [Event::RoundTrip(Duration::ZERO)]);
    }

    #[test]
    fn what_was_commanded_before_the_end_is_still_taken() {
        let (bridge, mut end) = Bridge::pair();
        bridge.send(Command::Ping).unwrap();
        drop(bridge);
        assert_eq!((end.poll_command(), end.is_ended()), (Some(Command::Ping), false));
        assert_eq!((end.poll_command(), end.is_ended()), (None, true));
    }

    #[test]
    fn commands_that_nobody_takes_come_back() {
        let (bridge, end) = Bridge::pair();
        (0..COMMAND_CAPACITY).for_each(|_| bridge.send(Command::Ping).unwrap());
        assert!(matches!(bridge.send(Command::Ping), Err(SendRefused::Full(Command::Ping))));
        drop(end);
        assert!(matches!(bridge.send(Command::Ping), Err(SendRefused::Ended(Command::Ping))));
    }

    #[test]
    fn the_figures_of_the_line_are_the_ones_that_were_told() {
        let (bridge, end) = Bridge::pair();
        let told = TrafficSnapshot { frames_in: 3, bytes_out: 70, sockets: 2, ..TrafficSnapshot::default() };
        end.set_traffic(&told);
        assert_eq!(bridge.traffic(), told);
    }
}
