//! Members that leave because their connections ended: a page at a time, so that many of them delay nobody.

use std::{collections::VecDeque, time::Duration};

use super::{
    Hub,
    channel::{departure::Departure, key::ChannelKey, presence::LeaveReason},
    timer::HubTimer,
};
use crate::moment::Moment;
use rooms_protocol::ConnectionId;

/// Frames to clients after which the rest of the leaves waits for the next turn: less than a millisecond's work.
const TURN: usize = 500;

/// Pages of leaves after which it waits as well.
const PAGES: usize = 8;

/// Time between two turns.
const PAUSE: Duration = Duration::from_millis(1);

/// The leaves that are still to come.
pub(crate) type Departures = VecDeque<Departure>;

impl Hub {
    /// The members of a connection are to leave a channel. [`depart`](Self::depart) has them leave.
    pub(super) fn leave(&mut self, id: &ConnectionId, key: &ChannelKey, reason: LeaveReason) {
        self.connections.note_left(id, key);
        self.departures.extend(self.channels.depart(id, key, reason));
    }

    /// Has as many members leave as one turn allows. The others follow when other clients had their turn.
    pub(super) fn depart(&mut self, moment: Moment) {
        let most = self.effects.out.len() + TURN;
        for _ in 0..PAGES {
            if self.effects.out.len() >= most {
                break;
            }
            let Some(mut departure) = self.departures.pop_front() else { return };
            if self.came_back(&departure) {
                continue;
            }
            if self.channels.leave_page(&mut departure, moment, &mut self.effects) {
                self.departures.push_back(departure);
            }
        }
        if !self.departures.is_empty() {
            self.effects.timers.set(HubTimer::Departures, moment.now + PAUSE);
        }
    }

    /// Whether a connection that was gone came back to a channel before all its members had left it.
    fn came_back(&self, departure: &Departure) -> bool {
        let link = self.connections.get(&departure.owner).and_then(|connection| connection.link);
        departure.reason == LeaveReason::Gone && link.is_some_and(|link| self.channels.has_link(&departure.key, link))
    }
}
