//! The bounded queue from the hub to one socket.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, oneshot};

use crate::{
    Batch, Limits,
    budget::{Charge, MemoryBudget, Purpose},
};

/// What a ping counts towards the queue's bytes.
const PING_BYTES: usize = 2;

/// Places that a queue keeps when it is empty. It gives back what it needed beyond that in a burst.
const KEPT_PLACES: usize = 64;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Item {
    Batch(Batch),
    Ping,
}

impl Item {
    /// What it counts towards the bytes that may wait.
    fn waiting_bytes(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.waiting_bytes(),
            Self::Ping => PING_BYTES,
        }
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.held_bytes(),
            Self::Ping => 0,
        }
    }
}

/// An item and what it was counted with. Both may change while it is written.
#[derive(Debug)]
struct Place {
    item: Item,
    size: Size,
}

/// What an item counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Towards the bytes that may wait.
    waiting: usize,
    /// Bytes that may become free when it is dropped.
    held: usize,
}

#[derive(Debug)]
struct State {
    places: VecDeque<Place>,
    /// Of the places themselves.
    charge: Charge,
    /// Whether the hub's end is gone, so that nothing more comes.
    is_closed: bool,
    /// Whether the socket's end is gone, so that nothing more is written.
    is_gone: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the socket's end.
    wake: Notify,
    waiting: AtomicUsize,
    held: AtomicUsize,
    /// What the socket's buffer for writing holds.
    buffered: Charge,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clear(&self, state: &mut State) {
        state.places = VecDeque::new();
        state.charge.set(0);
        self.waiting.store(0, Ordering::Relaxed);
        self.held.store(0, Ordering::Relaxed);
    }
}

/// The hub's end of a socket's queue. When it is dropped, the socket writes what is left and closes.
#[derive(Debug)]
pub(super) struct Outgoing {
    shared: Arc<Shared>,
    max_frames: usize,
    max_bytes: usize,
    cut: Option<oneshot::Sender<()>>,
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
        let size = Size { waiting: item.waiting_bytes(), held: item.held_bytes() };
        // Only this end adds items, so the free space that it sees stays free.
        if self.shared.waiting.load(Ordering::Relaxed).saturating_add(size.waiting) > self.max_bytes {
            return Err(NotQueued::Full);
        }
        let mut state = self.shared.lock();
        if state.is_gone {
            return Err(NotQueued::Gone);
        }
        if state.places.len() >= self.max_frames {
            return Err(NotQueued::Full);
        }
        self.shared.waiting.fetch_add(size.waiting, Ordering::Relaxed);
        self.shared.held.fetch_add(size.held, Ordering::Relaxed);
        let capacity = state.places.capacity();
        state.places.push_back(Place { item, size });
        if state.places.capacity() != capacity {
            state.charge.set(state.places.capacity() * size_of::<Place>());
        }
        let was_empty = state.places.len() == 1;
        drop(state);
        if was_empty {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// The bytes that may become free when the socket is cut off.
    pub(super) fn held_bytes(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed) + self.shared.buffered.bytes()
    }

    /// Ends the socket at once, and drops what is still queued.
    pub(super) fn cut(mut self) {
        let mut state = self.shared.lock();
        self.shared.clear(&mut state);
        drop(state);
        // An error means that the socket has ended already.
        let _ = self.cut.take().map(|cut| cut.send(()));
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
    }
}

/// The socket's end of its queue.
#[derive(Debug)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

impl Queue {
    /// Takes up to `most` items. Waits for the first; there is none when the hub closed the queue.
    pub(super) async fn take(&self, most: usize, taken: &mut Vec<(Item, Size)>) {
        loop {
            let notified = self.shared.wake.notified();
            {
                let mut state = self.shared.lock();
                let count = state.places.len().min(most);
                taken.extend(state.places.drain(..count).map(|place| (place.item, place.size)));
                if state.places.is_empty() && state.places.capacity() > KEPT_PLACES {
                    state.places = VecDeque::new();
                    state.charge.set(0);
                } else if !state.places.is_empty() {
                    // What is left wakes this end again.
                    self.shared.wake.notify_one();
                }
                if count > 0 || state.is_closed {
                    return;
                }
            }
            notified.await;
        }
    }

    /// The bytes that the socket's buffer holds.
    pub(super) fn buffered(&self) -> usize {
        self.shared.buffered.bytes()
    }

    /// Notes that the socket's buffer holds `bytes` more. It keeps what it once needed until the socket ends.
    pub(super) fn buffer(&self, bytes: usize) {
        self.shared.buffered.grow(bytes);
    }

    /// Notes that an item was written.
    pub(super) fn written(&self, size: Size) {
        release(&self.shared.waiting, size.waiting);
        release(&self.shared.held, size.held);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_gone = true;
        self.shared.clear(&mut state);
    }
}

/// Subtracts, down to zero: a queue that was cut off counts nothing, and what was taken from it before may still be written.
fn release(counter: &AtomicUsize, amount: usize) {
    let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |value| Some(value.saturating_sub(amount)));
}

/// A queue, and what resolves when the hub cuts its socket off. It fails when the hub closes the queue in order.
pub(super) fn queue(limits: &Limits, budget: &MemoryBudget) -> (Outgoing, Queue, oneshot::Receiver<()>) {
    let (cut, is_cut) = oneshot::channel();
    let state =
        State { places: VecDeque::new(), charge: budget.charge(Purpose::Queues, 0), is_closed: false, is_gone: false };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        wake: Notify::new(),
        waiting: AtomicUsize::new(0),
        held: AtomicUsize::new(0),
        buffered: budget.charge(Purpose::Queues, 0),
    });
    let outgoing = Outgoing {
        shared: Arc::clone(&shared),
        max_frames: limits.queue_frames,
        max_bytes: limits.queue_bytes,
        cut: Some(cut),
    };
    (outgoing, Queue { shared }, is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Action, Frame};

    fn budget() -> MemoryBudget {
        MemoryBudget::new(1_000_000)
    }

    fn item(budget: &MemoryBudget) -> Item {
        Item::Batch(Batch::own(Frame::new(Action::Heartbeat), budget))
    }

    async fn take(queue: &Queue, most: usize) -> usize {
        let mut taken = Vec::new();
        queue.take(most, &mut taken).await;
        taken.iter().for_each(|(_, size)| queue.written(*size));
        taken.len()
    }

    #[tokio::test]
    async fn a_queue_is_full_by_frames_or_by_bytes() {
        let budget = budget();
        let mut limits = Limits { queue_frames: 2, ..Limits::default() };
        let (outgoing, _queue, _cut) = queue(&limits, &budget);
        assert_eq!([(); 3].map(|()| outgoing.push(item(&budget))), [Ok(()), Ok(()), Err(NotQueued::Full)]);

        limits.queue_bytes = item(&budget).waiting_bytes();
        let (outgoing, queue, _cut) = queue(&limits, &budget);
        assert_eq!([(); 2].map(|()| outgoing.push(item(&budget))), [Ok(()), Err(NotQueued::Full)]);
        assert_eq!(take(&queue, 9).await, 1);
        assert_eq!(outgoing.push(Item::Ping), Ok(()));
        drop(queue);
        assert_eq!(outgoing.push(Item::Ping), Err(NotQueued::Gone));
    }

    #[tokio::test]
    async fn what_waits_is_taken_in_portions_and_then_the_end() {
        let budget = budget();
        let (outgoing, queue, cut) = queue(&Limits::default(), &budget);
        for _ in 0..5 {
            outgoing.push(item(&budget)).unwrap();
        }
        assert!(budget.used() > 0 && outgoing.held_bytes() > 0);
        drop(outgoing);
        assert_eq!(
            (take(&queue, 2).await, take(&queue, 2).await, take(&queue, 2).await, take(&queue, 2).await),
            (2, 2, 1, 0)
        );
        assert!(cut.await.is_err(), "it was closed in order");
        drop(queue);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn what_is_cut_off_frees_what_it_held_at_once() {
        let budget = budget();
        let (outgoing, queue, cut) = queue(&Limits::default(), &budget);
        outgoing.push(item(&budget)).unwrap();
        outgoing.cut();
        assert_eq!((cut.await, budget.used()), (Ok(()), 0));
        assert_eq!(take(&queue, 2).await, 0);
    }
}
