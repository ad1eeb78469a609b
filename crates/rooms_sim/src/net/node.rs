//! One client of the simulated network.

use web_time::Instant;

use crate::{faults::LinkConditions, halt::Halt, socket::SocketId};
use rooms_client::{Event, driver::Pump};

/// A client, its link, and what holds it up.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) pump: Pump,
    pub(super) link: LinkConditions,
    /// Until when the client gets no socket.
    pub(super) refused_until: Instant,
    pub(super) events: Vec<Event>,
    pub(super) socket: Option<SocketId>,
    /// Cut off from the relay.
    pub(super) isolated: Halt,
    /// Nothing of it reaches the relay.
    pub(super) mute: Halt,
    /// Nothing reaches it.
    pub(super) deaf: Halt,
    /// The process stands still.
    pub(super) frozen: Halt,
    /// The process has ended.
    pub(super) dead: bool,
}

impl Node {
    /// Whether its process is there and runs.
    pub(super) fn can_act(&self) -> bool {
        !self.dead && !self.frozen.is_on()
    }

    /// When it acts by itself next.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let timeout = self.pump.poll_timeout().filter(|_| self.can_act());
        [timeout, self.isolated.end(), self.mute.end(), self.deaf.end(), self.frozen.end()].into_iter().flatten().min()
    }

    pub(super) fn is_due(&self, at: Instant) -> bool {
        self.can_act() && self.pump.poll_timeout().is_some_and(|due| due <= at)
    }
}
