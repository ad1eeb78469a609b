//! Opens a WebSocket step by step, so that a failure can say how far it came.
//!
//! First the name is looked up, then the machine is reached, then TLS and the WebSocket are agreed upon.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::ClientConfig;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::mpsc,
};
use tokio_tungstenite::{
    Connector as Tls, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::protocol::WebSocketConfig,
};
use url::{Host, Url};

use super::{
    failure::{Failure, describe},
    overheard::Overheard,
};
use crate::transport::{Incoming, place::place};
use rooms_protocol::ErrorInfo;

/// An open WebSocket.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<Overheard>>;

/// Opens a WebSocket. Tells `incoming` once the machine is reached.
///
/// # Errors
/// Tells what answered, and what to look at.
pub(super) async fn open(
    url: &str,
    tls: Arc<ClientConfig>,
    config: WebSocketConfig,
    incoming: &mpsc::Sender<Incoming>,
) -> Result<Socket, ErrorInfo> {
    let no_url = || describe("", Failure::NoUrl);
    let parsed = Url::parse(url).map_err(|_| no_url())?;
    let place = place(&parsed).ok_or_else(no_url)?;
    let (stream, heard) = reach(&parsed).await.map(Overheard::new).map_err(|failure| describe(&place, failure))?;
    let _ = incoming.send(Incoming::Reached).await;
    let opened = client_async_tls_with_config(url, stream, Some(config), Some(Tls::Rustls(tls))).await;
    let is_secure = parsed.scheme() == "wss";
    let failed = |error| describe(&place, Failure::Handshake { error, is_secure, heard: heard.bytes() });
    opened.map(|(socket, _)| socket).map_err(failed)
}

/// Sets what a line of a game needs. It works without it too, only later.
fn prepare(stream: &TcpStream) {
    // A frame goes out when it is there, not when more follow.
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("a small frame may wait for the next one: {error}");
    }
    // On a line that loses packets, the pauses between two tries do not double: with few packets on the way, as in a game, it is the
    // doubling that makes a frame come seconds late. Other systems have no such option.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_thin_linear_timeouts(true) {
        log::debug!("what is lost is sent again at longer and longer intervals: {error}");
    }
}

/// Reaches the machine, at the first of its addresses that takes the connection.
async fn reach(url: &Url) -> Result<TcpStream, Failure<'static>> {
    let port = url.port_or_known_default().unwrap_or_default();
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => lookup_host((name, port)).await.map_err(Failure::UnknownName)?.collect(),
        None => Vec::new(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                prepare(&stream);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Failure::Unreached(last))
}
