//! Events on their way to the ECS: a bounded channel, a bounded backlog, and a count of what did not fit.

use std::{collections::VecDeque, sync::Arc};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::Notify;

use rooms_client::Event;

/// Events that the ECS can take at once: half a minute of a busy room at 50 messages a second.
const CAPACITY: usize = 1024;

/// Messages and presence that wait behind it while the game stalls: two minutes of a busy room more.
const BACKLOG: usize = 4096;

/// The length of the backlog up to which changes of connection and channels are still taken. A socket that breaks again and
/// again makes few of them a second.
const BACKLOG_FOR_CHANGES: usize = 2 * BACKLOG;

/// A queue's two ends.
pub(super) fn pair() -> (EventSender, EventReceiver) {
    let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
    let capacity = Arc::new(Notify::new());
    let sender = EventSender { sender, capacity: Arc::clone(&capacity), backlog: VecDeque::new() };
    (sender, EventReceiver { receiver, capacity })
}

/// The background task's end. Never waits.
#[derive(Debug)]
pub(super) struct EventSender {
    sender: Sender<Event>,
    capacity: Arc<Notify>,
    backlog: VecDeque<Event>,
}

impl EventSender {
    /// Queues an event; returns false where it was dropped.
    pub(super) fn push(&mut self, event: Event) -> bool {
        let limit = match event {
            Event::Messages { .. } | Event::Presence { .. } => BACKLOG,
            _ => BACKLOG_FOR_CHANGES,
        };
        let fits = self.backlog.len() < limit;
        if fits {
            self.backlog.push_back(event);
        } else if let Some(Event::Overflow { dropped }) = self.backlog.back_mut() {
            *dropped += 1;
        } else {
            // In the place of what is missing, so that the reader knows what came after it.
            self.backlog.push_back(Event::Overflow { dropped: 1 });
        }
        self.flush();
        fits
    }

    /// Moves what waits into the channel as far as there is capacity.
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            match self.sender.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return;
                }
                // The ECS side is gone, and the task ends with it.
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    /// Whether events wait for capacity.
    pub(super) fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Tells when the ECS took events.
    pub(super) fn capacity(&self) -> Arc<Notify> {
        Arc::clone(&self.capacity)
    }
}

/// The ECS side's end.
#[derive(Debug)]
pub(super) struct EventReceiver {
    receiver: Receiver<Event>,
    capacity: Arc<Notify>,
}

impl EventReceiver {
    /// Takes as many events as were there at the start, so that a fast sender cannot hold the frame up.
    pub(super) fn drain(&mut self, take: impl FnMut(Event)) {
        let waiting = self.receiver.len();
        if waiting > 0 {
            self.receiver.try_iter().take(waiting).for_each(take);
            self.capacity.notify_one();
        }
    }

    /// How many events are there.
    pub(super) fn waiting(&self) -> usize {
        self.receiver.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn numbered(number: usize) -> Event {
        Event::Messages { channel: number.to_string().as_str().into(), messages: Vec::new() }
    }

    fn taken(receiver: &mut EventReceiver) -> Vec<Event> {
        let mut events = Vec::new();
        receiver.drain(|event| events.push(event));
        events
    }

    #[test]
    fn a_stalled_game_gets_everything_up_to_the_backlog_in_order() {
        let (mut sender, mut receiver) = pair();
        for number in 0..CAPACITY + BACKLOG {
            assert!(sender.push(numbered(number)));
        }
        let mut events = Vec::new();
        while sender.is_waiting() || receiver.waiting() > 0 {
            events.extend(taken(&mut receiver));
            sender.flush();
        }
        assert_eq!(events, (0..CAPACITY + BACKLOG).map(numbered).collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_fit_is_dropped_counted_and_told() {
        let (mut sender, mut receiver) = pair();
        let dropped = (0..CAPACITY + BACKLOG + 7).filter(|number| !sender.push(numbered(*number))).count();
        assert_eq!(dropped, 7);
        assert!(sender.push(Event::RoundTrip(Duration::ZERO)), "changes still fit where messages do not");
        let mut events = Vec::new();
        while sender.is_waiting() || receiver.waiting() > 0 {
            events.extend(taken(&mut receiver));
            sender.flush();
        }
        assert_eq!(events[CAPACITY + BACKLOG..], [Event::Overflow { dropped: 7 }, Event::RoundTrip(Duration::ZERO)]);
    }

    #[test]
    fn what_is_missing_is_told_in_its_place() {
        let (mut sender, mut receiver) = pair();
        assert_eq!((0..CAPACITY + BACKLOG + 7).filter(|number| !sender.push(numbered(*number))).count(), 7);
        // Capacity for the next event, behind what still waits.
        let mut events = taken(&mut receiver);
        sender.flush();
        assert!(sender.push(numbered(9_999)));
        while sender.is_waiting() || receiver.waiting() > 0 {
            events.extend(taken(&mut receiver));
            sender.flush();
        }
        assert_eq!(events[CAPACITY + BACKLOG..], [Event::Overflow { dropped: 7 }, numbered(9_999)]);
    }

    #[test]
    fn changes_are_bounded_too() {
        let (mut sender, _receiver) = pair();
        let fitting = (0..3 * BACKLOG_FOR_CHANGES).filter(|_| sender.push(Event::RoundTrip(Duration::ZERO))).count();
        assert_eq!(fitting, CAPACITY + BACKLOG_FOR_CHANGES);
    }

    #[test]
    fn draining_stops_at_what_was_there_at_the_start() {
        let (mut sender, mut receiver) = pair();
        sender.push(numbered(1));
        let mut count = 0;
        receiver.drain(|_| {
            count += 1;
            sender.push(numbered(2));
        });
        assert_eq!((count, receiver.waiting()), (1, 1));
    }
}
