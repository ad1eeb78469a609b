//! An in-process pair: sockets that never leave the program, for tests.

use tokio::sync::mpsc;

use super::{Connector, Incoming, Link, LinkEnd};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// Most sockets that wait to be accepted.
const BACKLOG: usize = 64;

/// A connector and the listener that accepts what it opens.
pub fn pair() -> (MemoryConnector, MemoryListener) {
    let (sockets, accept) = mpsc::channel(BACKLOG);
    (MemoryConnector { sockets }, MemoryListener { accept })
}

/// Opens sockets to a [`MemoryListener`]. Clone it for several clients of one server.
#[derive(Clone, Debug)]
pub struct MemoryConnector {
    sockets: mpsc::Sender<MemorySocket>,
}

impl Connector for MemoryConnector {
    fn open(&mut self, url: &str) -> Link {
        let (link, end) = Link::pair();
        // The queue of a new link has capacity, so neither send can fail.
        if let Err(refused) = self.sockets.try_send(MemorySocket { url: url.to_owned(), end }) {
            let error =
                ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "the listener of this process accepts no more sockets");
            let _ = refused.into_inner().end.incoming.try_send(Incoming::Closed(Some(error)));
        }
        link
    }
}

/// Accepts what [`MemoryConnector`]s open.
#[derive(Debug)]
pub struct MemoryListener {
    accept: mpsc::Receiver<MemorySocket>,
}

impl MemoryListener {
    /// Waits for the next socket; `None` once all connectors are gone.
    pub async fn accept(&mut self) -> Option<MemorySocket> {
        let socket = self.accept.recv().await?;
        let _ = socket.end.incoming.try_send(Incoming::Opened);
        Some(socket)
    }
}

/// The server's end of a socket. Dropping it closes the socket.
#[derive(Debug)]
pub struct MemorySocket {
    /// What the client asked for.
    pub url: String,
    /// The frames.
    pub end: LinkEnd,
}

impl MemorySocket {
    /// The part of the URL behind the question mark.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(not(target_arch = "wasm32"))]
    use tokio::test;

    use super::*;
    use rooms_protocol::WireFrame;

    #[test]
    async fn frames_travel_both_ways_and_dropping_one_end_ends_the_other() {
        let (mut connector, mut listener) = pair();
        let mut link = connector.open("memory:/?v=6");
        let mut socket = listener.accept().await.unwrap();
        assert_eq!(socket.query(), "v=6");
        assert_eq!(link.incoming.recv().await, Some(Incoming::Opened));
        let (up, down) = (WireFrame::Text("up".to_owned()), WireFrame::Binary(vec![0xff]));
        link.outgoing.send(up.clone()).await.unwrap();
        assert_eq!(socket.end.outgoing.recv().await, Some(up));
        socket.end.incoming.send(Incoming::Frame(down.clone())).await.unwrap();
        drop(socket);
        assert_eq!(link.incoming.recv().await, Some(Incoming::Frame(down)));
        assert_eq!(link.incoming.recv().await, None);
    }

    #[test]
    async fn a_socket_that_nobody_accepts_is_closed_with_a_reason() {
        let (mut connector, listener) = pair();
        drop(listener);
        let mut link = connector.open("memory:/");
        assert!(matches!(link.incoming.recv().await, Some(Incoming::Closed(Some(_)))));
        assert_eq!(link.incoming.recv().await, None);
    }
}
