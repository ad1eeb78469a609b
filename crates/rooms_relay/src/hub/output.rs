//! What the driver of the hub does next.

use std::{collections::VecDeque, sync::Arc};

use crate::SharedFrame;
use rooms_protocol::Frame;

/// One transport to the hub, such as a socket. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(u64);

impl LinkId {
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }
}

/// What the driver has to do next.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a frame. A driver that cannot keep up with a link closes it and calls
    /// [`handle_closed`](super::Hub::handle_closed).
    Send {
        /// Over which link.
        link: LinkId,
        /// The frame, shared with its other receivers.
        frame: Arc<SharedFrame>,
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
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    queue: VecDeque<Output>,
}

impl Outputs {
    pub(crate) fn send(&mut self, link: LinkId, frame: Frame) {
        self.send_shared(link, Arc::new(frame.into()));
    }

    pub(crate) fn send_shared(&mut self, link: LinkId, frame: Arc<SharedFrame>) {
        self.queue.push_back(Output::Send { link, frame });
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
}
