//! WebSockets on tokio, with TLS by rustls.

mod failure;
mod opening;
mod overheard;

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::WebSocketConfig};

use self::opening::{Socket, open};
use super::{Connector, Incoming, Link, LinkEnd};
use rooms_protocol::{DEFAULT_MAX_FRAME_SIZE, ErrorCode, ErrorInfo, WireFrame};

/// Most bytes of one incoming frame: twice what servers promise, so that only a broken server meets it.
const MAX_INCOMING: usize = 2 * DEFAULT_MAX_FRAME_SIZE;

/// Longest time for the last frames and the closing handshake of a socket that is given up.
const LINGER: Duration = Duration::from_millis(500);

/// Opens WebSockets. Needs a tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct NativeConnector {
    tls: Arc<ClientConfig>,
}

impl NativeConnector {
    /// A connector that trusts the certificate authorities that Mozilla trusts.
    ///
    /// # Errors
    /// [`rustls::Error`] if the cryptography library offers no TLS version. No such platform is known.
    pub fn new() -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // The provider is named, since a game may link several and rustls then has no default.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(config) })
    }
}

impl Connector for NativeConnector {
    fn open(&mut self, url: &str) -> Link {
        let (link, end) = Link::pair();
        tokio::spawn(run(url.to_owned(), Arc::clone(&self.tls), end));
        link
    }
}

/// Opens the socket, then carries frames until either side ends it.
async fn run(url: String, tls: Arc<ClientConfig>, end: LinkEnd) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_INCOMING)).max_frame_size(Some(MAX_INCOMING));
    let socket = tokio::select! {
        opened = open(&url, tls, config, &end.incoming) => match opened {
            Ok(socket) => socket,
            Err(reason) => {
                let _ = end.incoming.send(Incoming::Closed(Some(reason))).await;
                return;
            }
        },
        () = end.incoming.closed() => return,
    };
    if end.incoming.send(Incoming::Opened).await.is_err() {
        return;
    }
    carry(socket, end).await;
}

/// Reads and writes at the same time, so that a socket that takes no more bytes still reports that it broke.
async fn carry(socket: Socket, end: LinkEnd) {
    let LinkEnd { mut outgoing, incoming } = end;
    let (mut sink, mut stream) = socket.split();
    let write = async {
        while let Some(frame) = outgoing.recv().await {
            let message = match frame {
                WireFrame::Text(text) => Message::text(text),
                WireFrame::Binary(bytes) => Message::binary(bytes),
            };
            if sink.send(message).await.is_err() {
                // The reader learns the reason.
                return;
            }
        }
        // The link was dropped and all of its frames are out.
        let _ = sink.close().await;
    };
    let read = async {
        let reason = loop {
            match stream.next().await {
                Some(Ok(message)) => {
                    if let Some(item) = translate(message)
                        && incoming.send(item).await.is_err()
                    {
                        // The link was dropped; read on until the server answers the close.
                        while let Some(Ok(_)) = stream.next().await {}
                        return;
                    }
                }
                Some(Err(Error::ConnectionClosed)) | None => break None,
                Some(Err(error)) => break Some(describe(&error)),
            }
        };
        let _ = incoming.send(Incoming::Closed(reason)).await;
    };
    tokio::pin!(write, read);
    tokio::select! {
        () = &mut write => {
            // Either the link was dropped or the socket is broken. Reading ends soon; if not, the time limit ends it.
            let _ = tokio::time::timeout(LINGER, read).await;
        }
        () = &mut read => {}
        () = abandoned(&incoming) => {}
    }
}

/// Resolves when the link was dropped long enough for its last frames to be out.
async fn abandoned(incoming: &mpsc::Sender<Incoming>) {
    incoming.closed().await;
    tokio::time::sleep(LINGER).await;
}

/// What a WebSocket message means to the driver; `None` if it means nothing.
fn translate(message: Message) -> Option<Incoming> {
    match message {
        Message::Text(text) => Some(Incoming::Frame(WireFrame::Text(text.as_str().to_owned()))),
        Message::Binary(bytes) => Some(Incoming::Frame(WireFrame::Binary(bytes.into()))),
        Message::Ping(_) | Message::Pong(_) => Some(Incoming::Activity),
        Message::Close(_) | Message::Frame(_) => None,
    }
}

fn describe(error: &Error) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, format!("the socket failed: {error}"))
}
