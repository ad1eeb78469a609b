//! The bounded queue from the hub to one socket.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{mpsc, oneshot};

use crate::{Limits, SharedFrame};
use rooms_protocol::Format;

/// What a ping counts towards the queue's bytes.
const PING_BYTES: usize = 2;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Item {
    Frame(Arc<SharedFrame>),
    Ping,
}

impl Item {
    pub(super) fn bytes(&self, format: Format) -> usize {
        match self {
            Self::Frame(frame) => frame.wire(format).len(),
            Self::Ping => PING_BYTES,
        }
    }
}

/// The hub's end of a socket's queue. When it is dropped, the socket writes what is left and closes.
#[derive(Debug)]
pub(super) struct Outgoing {
    queue: mpsc::Sender<Item>,
    format: Format,
    waiting: Arc<AtomicUsize>,
    max_bytes: usize,
    cut: oneshot::Sender<()>,
}

/// Why an item was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotQueued {
    /// The client reads slower than the hub sends.
    Full,
    /// The socket has ended. It will report that itself.
    Gone,
}

impl Outgoing {
    /// Queues an item. Never waits.
    pub(super) fn push(&self, item: Item) -> Result<(), NotQueued> {
        let bytes = item.bytes(self.format);
        // Only this end adds items, so the free space that it sees stays free.
        if self.waiting.load(Ordering::Relaxed).saturating_add(bytes) > self.max_bytes {
            return Err(NotQueued::Full);
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.queue.try_send(item).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotQueued::Full,
            mpsc::error::TrySendError::Closed(_) => NotQueued::Gone,
        })
    }

    /// Ends the socket at once, whatever is still queued.
    pub(super) fn cut(self) {
        // An error means that the socket has ended already.
        let _ = self.cut.send(());
    }
}

/// The socket's end of its queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) items: mpsc::Receiver<Item>,
    pub(super) format: Format,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) cut: oneshot::Receiver<()>,
}

pub(super) fn queue(limits: &Limits, format: Format) -> (Outgoing, Queue) {
    let (queue, items) = mpsc::channel(limits.queue_frames.max(1));
    let (cut, is_cut) = oneshot::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let outgoing = Outgoing { queue, format, waiting: Arc::clone(&waiting), max_bytes: limits.queue_bytes, cut };
    (outgoing, Queue { items, format, waiting, cut: is_cut })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Action, Frame};

    fn item() -> Item {
        Item::Frame(Arc::new(Frame::new(Action::Heartbeat).into()))
    }

    #[test]
    fn a_queue_is_full_by_frames_or_by_bytes() {
        let mut limits = Limits { queue_frames: 2, ..Limits::default() };
        let (outgoing, _queue) = queue(&limits, Format::Json);
        assert_eq!([(); 3].map(|()| outgoing.push(item())), [Ok(()), Ok(()), Err(NotQueued::Full)]);

        limits.queue_bytes = item().bytes(Format::Json);
        let (outgoing, mut queue) = queue(&limits, Format::Json);
        assert_eq!([(); 2].map(|()| outgoing.push(item())), [Ok(()), Err(NotQueued::Full)]);
        let taken = queue.items.try_recv().unwrap();
        queue.waiting.fetch_sub(taken.bytes(Format::Json), Ordering::Relaxed);
        assert_eq!(outgoing.push(Item::Ping), Ok(()));
        drop(queue);
        assert_eq!(outgoing.push(Item::Ping), Err(NotQueued::Gone));
    }
}
