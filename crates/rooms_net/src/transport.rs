//! Sockets: what carries frames as WebSocket messages between a client and a server.
//!
//! Owns the life of one socket, from opening to the last byte. Knows nothing of the protocol inside the messages. The
//! [`bridge`](crate::bridge) drives it: it opens a [`Link`] with a [`Connector`], and drops the link to end the socket.
//!
//! | implementation | where |
//! | --- | --- |
//! | `native` | tokio and tokio-tungstenite, TLS by rustls; every target but wasm32 |
//! | `web` | the browser's WebSocket; wasm32 |
//! | [`memory`] | an in-process pair, for tests |

pub mod memory;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod place;
#[cfg(target_arch = "wasm32")]
pub mod web;

use tokio::sync::mpsc;

use rooms_protocol::{ErrorInfo, WireFrame};

/// Most items that wait in each direction of a link. Where more come, the sender waits.
pub const LINK_CAPACITY: usize = 256;

/// An event of a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The machine takes the connection, and the socket is being opened. A socket that does not know leaves this out, as in a
    /// browser.
    Reached,
    /// The socket is open.
    Opened,
    /// One frame.
    Frame(WireFrame),
    /// Something came that is not a frame, such as a WebSocket ping. It shows that the server is still there.
    Activity,
    /// The socket is gone, or could not be opened; nothing follows.
    Closed(Option<ErrorInfo>),
}

/// One socket, opening or open. Dropping it sends what is still waiting and closes the socket.
#[derive(Debug)]
pub struct Link {
    /// Frames to send. Closed once the socket is gone.
    pub outgoing: mpsc::Sender<WireFrame>,
    /// Events of the socket. Ends once the socket is gone.
    pub incoming: mpsc::Receiver<Incoming>,
}

/// The other ends of a [`Link`], held by what runs the socket.
#[derive(Debug)]
pub struct LinkEnd {
    /// Frames to send.
    pub outgoing: mpsc::Receiver<WireFrame>,
    /// Where events of the socket go.
    pub incoming: mpsc::Sender<Incoming>,
}

impl Link {
    /// A link and its other end.
    pub fn pair() -> (Self, LinkEnd) {
        let (to_socket, outgoing) = mpsc::channel(LINK_CAPACITY);
        let (incoming, from_socket) = mpsc::channel(LINK_CAPACITY);
        (Self { outgoing: to_socket, incoming: from_socket }, LinkEnd { outgoing, incoming })
    }
}

/// Opens sockets.
///
/// * [`open`](Self::open) returns at once; how it went comes as the link's first [`Incoming`], but for [`Incoming::Reached`].
/// * It is called on the background task, inside its runtime.
/// * A dropped link ends its socket; several links may be open while one takes over from another.
/// * Frames arrive in the order sent, whole, or the socket is closed.
pub trait Connector: Send + 'static {
    /// Opens a socket to `url`.
    fn open(&mut self, url: &str) -> Link;
}

impl Connector for Box<dyn Connector> {
    fn open(&mut self, url: &str) -> Link {
        (**self).open(url)
    }
}
