//! The body of a stream: takes what the hub sends from the queue, as fast as the client reads.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::body::Bytes;
use futures_util::{Stream, stream::unfold};
use tokio::sync::oneshot;

use super::{BATCH, Progress, writer::EventWriter};
use crate::{
    Batch,
    budget::{Charge, MemoryBudget, Purpose},
    counters::Counters,
    error::shutting_down,
    server::{
        http::HeavyWork,
        queue::{Item, Queue, Size},
        socket::SocketContext,
    },
};
use rooms_protocol::{Action, ErrorInfo, Frame};

/// Bytes with which a part is handed over before more is written.
const PART: usize = 16 * 1024;

/// What it takes to read a frame, for each byte of its text: as much as four bytes of what is only to be written.
const READING: usize = 4;

/// The events of one stream, to be sent.
pub(super) struct EventBody {
    queue: Queue,
    /// What was taken from the queue and not written yet. It counts as if it waited there.
    taken: VecDeque<(Item, Size)>,
    writer: EventWriter,
    is_over: bool,
    budget: MemoryBudget,
    counters: Arc<Counters>,
    progress: Arc<Progress>,
    heavy: Arc<HeavyWork>,
    /// Tells whoever looks after the stream when this is dropped.
    _alive: oneshot::Sender<()>,
}

impl EventBody {
    pub(super) fn new(
        queue: Queue,
        writer: EventWriter,
        context: &SocketContext,
        progress: Arc<Progress>,
        alive: oneshot::Sender<()>,
    ) -> Self {
        Self {
            queue,
            taken: VecDeque::new(),
            writer,
            is_over: false,
            budget: context.budget.clone(),
            counters: Arc::clone(&context.counters),
            progress,
            heavy: Arc::clone(&context.heavy),
            _alive: alive,
        }
    }

    /// The frames that attach the channels.
    pub(super) fn attachments(&self) -> Vec<Frame> {
        self.writer.attachments()
    }

    /// Waits for the answer of the hub to something that was sent to it. What comes before it is written later.
    ///
    /// # Errors
    /// What the hub says instead.
    pub(super) async fn wait_for(&mut self, action: Action) -> Result<(), Box<ErrorInfo>> {
        let mut looked = self.taken.len();
        loop {
            while let Some((item, _)) = self.taken.get(looked) {
                looked += 1;
                let Some(frame) = own_frame(item) else { continue };
                if frame.action == action {
                    // The first event may be of an earlier channel, and its id has a place in this one already.
                    self.writer.note_start(frame);
                    return Ok(());
                }
                if matches!(frame.action, Action::Error | Action::Disconnected | Action::Closed) {
                    return Err(frame.error.clone().unwrap_or_else(ended));
                }
            }
            if !self.take().await {
                return Err(ended());
            }
        }
    }

    /// Takes what waits in the queue. Returns false where the hub has closed it.
    async fn take(&mut self) -> bool {
        let mut taken = Vec::new();
        self.queue.take(BATCH, &mut taken).await;
        let goes_on = !taken.is_empty();
        self.taken.extend(taken);
        goes_on
    }

    /// Its parts, one after the other.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        self.progress.step();
        unfold(self, async |mut body| {
            body.progress.step();
            let part = body.next_part().await?;
            body.progress.step();
            Some((Ok(part), body))
        })
    }

    /// The next events. `None` at the end.
    async fn next_part(&mut self) -> Option<Bytes> {
        let mut bytes = Vec::new();
        while bytes.len() < PART && !self.is_over {
            let Some((item, size)) = self.taken.front_mut() else {
                if !bytes.is_empty() || !self.take().await {
                    break;
                }
                continue;
            };
            let is_written = match item {
                Item::Ping => {
                    self.writer.write_liveness(&mut bytes);
                    true
                }
                Item::Batch(batch) => {
                    // Large frames are read on a thread of their own, a few at a time, as those that come in.
                    let work = READING.saturating_mul(batch.next_length());
                    let mut own = std::mem::replace(batch, Batch::empty());
                    let read = move || {
                        let frame = own.next_frame();
                        (own, frame)
                    };
                    let (rest, frame) = self.heavy.run(work, read).await?;
                    *batch = rest;
                    if let Some(frame) = frame {
                        self.is_over = self.writer.write(frame, &mut bytes);
                        false
                    } else {
                        true
                    }
                }
            };
            if is_written {
                self.queue.written(*size);
                self.taken.pop_front();
            }
        }
        if bytes.is_empty() {
            return None;
        }
        self.counters.bytes_out.add(bytes.len());
        let charge = self.budget.charge(Purpose::Queues, bytes.capacity());
        Some(Bytes::from_owner(Part { bytes, _charge: charge }))
    }
}

/// The frame that an item is, where it is for this stream alone.
fn own_frame(item: &Item) -> Option<&Frame> {
    match item {
        Item::Batch(batch) => batch.own_frame(),
        Item::Ping => None,
    }
}

/// What a client is told whose stream the relay ended before it began.
pub(super) fn ended() -> Box<ErrorInfo> {
    Box::new(shutting_down())
}

/// A part that is charged until it is written.
struct Part {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
