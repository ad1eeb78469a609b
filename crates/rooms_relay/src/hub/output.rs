//! What the driver of the hub does next.

use std::{collections::VecDeque, sync::Arc};

use super::{batch::Batch, kept_frame::KeptFrame};
use crate::{budget::MemoryBudget, counters::Counters};
use rooms_protocol::{ChannelName, Frame};

/// One transport to the hub, such as a socket. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(u64);

impl LinkId {
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }
}

/// What the driver has to do next.
#[derive(Debug)]
pub enum Output {
    /// Send frames. A driver that cannot keep up with a link closes it and calls
    /// [`handle_closed`](super::Hub::handle_closed).
    Send {
        /// Over which link.
        link: LinkId,
        /// The frames, in order: all of them before what is sent later.
        batch: Batch,
    },
    /// Send a WebSocket ping, since the link may have been silent for a while.
    Ping {
        /// Over which link.
        link: LinkId,
    },
    /// Close a link when everything before is sent. The hub has forgotten the link already.
    Close {
        /// Which link.
        link: LinkId,
    },
}

/// What the driver does next, in order. It takes all of it after each input.
#[derive(Debug)]
pub(crate) struct Outputs {
    queue: VecDeque<Output>,
    budget: MemoryBudget,
    counters: Arc<Counters>,
}

impl Outputs {
    /// Nothing to do. What is sent is charged to `budget`.
    pub(crate) fn new(budget: MemoryBudget, counters: Arc<Counters>) -> Self {
        Self { queue: VecDeque::new(), budget, counters }
    }

    /// Sends a frame to one receiver.
    pub(crate) fn send(&mut self, link: LinkId, frame: Frame) {
        let batch = Batch::own(frame, &self.budget);
        self.send_batch(link, batch);
    }

    /// Sends a frame to one of its receivers, who calls its channel `name`: the channel's own name unless there is another.
    pub(crate) fn send_kept(&mut self, link: LinkId, frame: &Arc<KeptFrame>, name: Option<ChannelName>) {
        self.counters.messages_out.add(frame.messages());
        self.send_batch(link, Batch::kept(Arc::clone(frame), name));
    }

    /// Sends frames.
    pub(crate) fn send_batch(&mut self, link: LinkId, batch: Batch) {
        self.queue.push_back(Output::Send { link, batch });
    }

    pub(crate) fn ping(&mut self, link: LinkId) {
        self.queue.push_back(Output::Ping { link });
    }

    pub(crate) fn close(&mut self, link: LinkId) {
        self.queue.push_back(Output::Close { link });
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// How much there is to do.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
