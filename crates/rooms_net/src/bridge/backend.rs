//! The backend of a bridge. The background task holds it, or a simulation that does the work of the task.

use std::sync::Arc;

use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{queue::EventSender, traffic::Traffic};
use rooms_client::{
    Command, Event,
    driver::{FrameTap, TrafficSnapshot},
};

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
            self.traffic.count_dropped();
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

    /// Tells the ECS what was sent and received so far. Events that were dropped or that wait are counted here already.
    pub fn set_traffic(&self, counted: &TrafficSnapshot) {
        self.traffic.set(counted);
    }
}
