//! Opens a WebSocket step by step, so that a failure can say how far it came.
//!
//! First the name is looked up, then the machine is reached, then TLS and the WebSocket are agreed upon. On a line that loses
//! packets each of these steps may take seconds. So another socket is opened beside one that takes long, and the first that is
//! open is used.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
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

/// After how long another socket is opened beside those that are not open yet. A server on the other side of the world takes half
/// of it, with TLS.
const BESIDE: Duration = Duration::from_millis(1500);

/// Most sockets that are opened at once.
const MOST: usize = 3;

/// Opens a WebSocket. Tells `incoming` once the machine is reached.
///
/// # Errors
/// Tells what answered first, and what to look at.
pub(super) async fn open(
    url: &str,
    tls: Arc<ClientConfig>,
    config: WebSocketConfig,
    incoming: &mpsc::Sender<Incoming>,
) -> Result<Socket, ErrorInfo> {
    let one = || open_one(url, Arc::clone(&tls), config, incoming);
    let most = if asks_to_resume(url) { 1 } else { MOST };
    let mut opening = FuturesUnordered::from_iter([one()]);
    let mut failed = None;
    loop {
        tokio::select! {
            Some(opened) = opening.next() => match (opened, failed.take()) {
                (Ok(socket), _) => return Ok(socket),
                // The others may still come about.
                (Err(reason), first) if !opening.is_empty() => failed = Some(first.unwrap_or(reason)),
                (Err(reason), first) => return Err(first.unwrap_or(reason)),
            },
            () = tokio::time::sleep(BESIDE), if opening.len() < most && failed.is_none() => opening.push(one()),
        }
    }
}

/// Whether a connection that was there before is asked for. The server gives it to the socket that asked last, so that two would
/// take it from each other.
fn asks_to_resume(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.query_pairs().any(|(name, _)| name == "resume" || name == "recover"))
}

/// Opens a WebSocket.
async fn open_one(
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
