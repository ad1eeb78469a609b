//! What the client does to the outside: the current socket, and the queues to the driver and to the game.
//!
//! Parts append to both queues in the order in which things happen. The driver empties them after each input.

use std::collections::VecDeque;

use crate::{
    event::Event,
    output::{Output, RequestId, TransportId},
};
use rooms_protocol::Frame;

/// The current socket, and the queues to the driver and to the game.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// The current socket, opening or open.
    transport: Option<TransportId>,
    /// All sockets so far, for their names.
    sockets: u64,
    /// All requests so far, for their names.
    requests: u64,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
}

impl Effects {
    /// Tells the game.
    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Has the driver do something that is not about the socket.
    pub(crate) fn request(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Names the next request to the driver.
    pub(crate) fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Opens a socket, which is the current one from now on.
    pub(crate) fn open(&mut self, url: String) {
        self.sockets += 1;
        let transport = TransportId(self.sockets);
        self.transport = Some(transport);
        self.outputs.push_back(Output::Open { transport, url });
    }

    /// Sends `frame` on the current socket. Without one the frame is lost, as it would be with a socket that just closed.
    pub(crate) fn send(&mut self, frame: Frame) {
        if let Some(transport) = self.transport {
            self.outputs.push_back(Output::Send { transport, frame });
        }
    }

    /// Gives up the current socket. Later events of it are ignored.
    pub(crate) fn shut(&mut self) {
        if let Some(transport) = self.transport.take() {
            self.outputs.push_back(Output::Shut { transport });
        }
    }

    /// The current socket closed without a request of this client.
    pub(crate) fn forget_socket(&mut self) {
        self.transport = None;
    }

    /// Whether there is a socket, opening or open.
    pub(crate) fn has_socket(&self) -> bool {
        self.transport.is_some()
    }

    /// Whether this is the current socket.
    pub(crate) fn is_current(&self, transport: TransportId) -> bool {
        self.transport == Some(transport)
    }

    /// The next thing for the driver to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next thing for the game to know.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::Action;

    fn outputs(effects: &mut Effects) -> Vec<Output> {
        std::iter::from_fn(|| effects.poll_output()).collect()
    }

    #[test]
    fn a_frame_goes_to_the_current_socket_and_is_lost_without_one() {
        let mut effects = Effects::default();
        effects.send(Frame::new(Action::Close));
        effects.open("ws://a".to_owned());
        effects.open("ws://b".to_owned());
        effects.send(Frame::new(Action::Heartbeat));
        let frame = Frame::new(Action::Heartbeat);
        let (first, second) = (TransportId(1), TransportId(2));
        assert_eq!(
            outputs(&mut effects),
            [
                Output::Open { transport: first, url: "ws://a".to_owned() },
                Output::Open { transport: second, url: "ws://b".to_owned() },
                Output::Send { transport: second, frame },
            ]
        );
        assert!(effects.is_current(second) && !effects.is_current(first));
    }

    #[test]
    fn a_socket_is_shut_once_and_one_that_closed_by_itself_not_at_all() {
        let mut effects = Effects::default();
        effects.open("ws://a".to_owned());
        effects.shut();
        effects.shut();
        effects.open("ws://b".to_owned());
        effects.forget_socket();
        effects.shut();
        let shut = |output: &Output| matches!(output, Output::Shut { .. });
        assert_eq!(outputs(&mut effects).iter().filter(|output| shut(output)).count(), 1);
        assert!(!effects.has_socket());
    }
}
