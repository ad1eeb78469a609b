//! The relay behind a real socket: an HTTP listener whose WebSockets lead to the hub.
//!
//! One task, the [`actor`], owns the hub; every socket has a task of its own. Sockets feed the actor over one bounded
//! queue and wait when it is full; the actor feeds each socket over a bounded queue and cuts a socket whose queue is
//! full. So a slow client delays nobody, and a fast one is slowed down.

mod accept;
mod actor;
mod http;
mod page;
mod socket;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    sync::mpsc as std_mpsc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{
        ConnectInfo, RawQuery, Request, State, WebSocketUpgrade, connect_info::IntoMakeServiceWithConnectInfo,
        ws::rejection::WebSocketUpgradeRejection,
    },
    response::{IntoResponse, Response},
    routing::get,
};
use smol_str::SmolStr;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use web_time::Instant;

use self::{
    accept::{Gate, GuardedListener},
    actor::Actor,
    page::Pages,
    socket::Door,
};
use super::{ApiKey, ConnectRequest, Hub, HubConfig, TokenEndpoint};
use rooms_protocol::Timestamp;

/// Inputs that wait for the hub before sockets have to. Enough for a burst of all players of a large room, and with the
/// largest frames still only a few hundred megabytes.
const INBOX: usize = 256;

/// Bytes that a socket reads at once. The default of 128 KiB each is much for a thousand small talkers.
const READ_BUFFER: usize = 16 * 1024;

/// What somebody sees who comes with a browser.
const GREETING: &str = "This is a bevy_rooms relay: games meet here over WebSockets. Give its address to a game, with \
                        ws:// in front.\n";

/// Where the relay listens and what it takes.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The address to listen on. Defaults to a free port on loopback, `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Keys and limits. With the development key the relay listens on loopback only.
    pub hub: HubConfig,
    /// A folder with a web page and what belongs to it, which browsers get from the relay's address. Defaults to none.
    ///
    /// A page needs tokens: where no token endpoint is set, whoever reaches the relay gets one for all that the first key
    /// allows, other players' inboxes among it. One that is set has to be
    /// [`for_every_channel`](TokenEndpoint::for_every_channel), unless the page asks for the tokens of a room. Beyond loopback a
    /// key of this run alone takes the place of the development key.
    pub serve: Option<PathBuf>,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), hub: HubConfig::default(), serve: None }
    }
}

impl RelayConfig {
    /// The same with what the page in the folder needs, if there is one.
    fn with_what_a_page_needs(mut self) -> Result<Self, RelayError> {
        let Some(folder) = &self.serve else { return Ok(self) };
        if !folder.join(page::INDEX).is_file() {
            return Err(RelayError::NoPage { folder: folder.clone() });
        }
        let hub = &mut self.hub;
        if !self.listen.ip().is_loopback() && matches!(&hub.keys[..], [key] if key.is_development()) {
            let mut secret = [0; 16];
            getrandom::fill(&mut secret).map_err(RelayError::Random)?;
            hub.keys = vec![ApiKey::of_run(secret)];
        }
        if let (None, Some(key)) = (&hub.token_endpoint, hub.keys.first()) {
            hub.token_endpoint = Some(TokenEndpoint::new(key.name()).for_every_channel());
        }
        Ok(self)
    }
}

/// Why the relay does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Something else listens there.
    #[error(
        "port {} is in use at {addr}, perhaps by another relay: stop that program, or listen on another port (port 0 \
         takes a free one)",
        addr.port()
    )]
    PortInUse {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {addr}: {source}; give {}",
        if source.kind() == io::ErrorKind::PermissionDenied { "a port from 1024 on" } else { "an address of this machine" }
    )]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Everybody knows the development key, so it must not open the relay to others.
    #[error(
        "refusing to listen on {addr} with the development key, which everybody knows: set a key of your own, or listen \
         on 127.0.0.1"
    )]
    DevelopmentKeyExposed {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// In the sandbox anybody gets keys, so it must not be open to others.
    #[error(
        "refusing to listen on {addr} with the sandbox, where anybody gets keys: leave it out, or listen on 127.0.0.1"
    )]
    SandboxExposed {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The key that tokens for games are to be made with is not one of the relay's.
    #[error("the relay has no API key with the name {name:?} to make tokens with: give it one, or name another")]
    UnknownTokenKey {
        /// The name that was given.
        name: SmolStr,
    },
    /// The folder to serve holds no page.
    #[error(
        "{} holds no index.html: build a page into it first, such as with `web/build bingo`, or name another folder",
        folder.display()
    )]
    NoPage {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// Without a key nobody could connect.
    #[error("the relay has no API key, so nobody could connect: give it one")]
    NoKey,
    /// The system gave no random bytes for secrets.
    #[error("the system gives no random bytes, without which keys could be guessed: {0}")]
    Random(getrandom::Error),
    /// The thread or its runtime could not start.
    #[error("cannot start the relay's thread: {0}; the system may be out of threads or memory")]
    Thread(io::Error),
    /// The listener broke.
    #[error("the relay's listener failed: {0}; start the relay again")]
    Serve(io::Error),
}

/// A relay that listens. Clients are served while [`run`](Self::run) runs.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    addr: SocketAddr,
    config: HubConfig,
    serve: Option<PathBuf>,
    seed: [u8; 32],
}

impl Relay {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address cannot be listened on, or should not be with these keys.
    pub async fn bind(config: RelayConfig) -> Result<Self, RelayError> {
        let RelayConfig { listen, hub, serve } = config.with_what_a_page_needs()?;
        if hub.keys.is_empty() {
            return Err(RelayError::NoKey);
        }
        if let Some(TokenEndpoint { key: name, .. }) = &hub.token_endpoint
            && !hub.keys.iter().any(|key| key.name() == name)
        {
            return Err(RelayError::UnknownTokenKey { name: name.clone() });
        }
        if !listen.ip().is_loopback() && hub.sandbox {
            return Err(RelayError::SandboxExposed { addr: listen });
        }
        if !listen.ip().is_loopback() && hub.keys.iter().any(ApiKey::is_development) {
            return Err(RelayError::DevelopmentKeyExposed { addr: listen });
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(RelayError::Random)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => RelayError::PortInUse { addr: listen },
            _ => RelayError::Listen { addr: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, addr, config: hub, serve, seed })
    }

    /// The address that it listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients on this machine connect to, such as `ws://127.0.0.1:8787`.
    pub fn url(&self) -> String {
        url(self.addr)
    }

    /// Where clients elsewhere on the network connect to, such as `ws://192.168.1.20:8787`: where it listens on all interfaces,
    /// as far as the address is known.
    pub fn url_from_the_network(&self) -> Option<String> {
        let ip = self.addr.ip().is_unspecified().then(address_on_the_network)??;
        Some(url(SocketAddr::new(ip, self.addr.port())))
    }

    /// Where players open the page that is [served](RelayConfig::serve); nowhere without one.
    ///
    /// On all interfaces it is the address by which others on the network reach this machine, as far as that is known.
    pub fn page(&self) -> Option<String> {
        self.serve.as_ref()?;
        let ip = match self.addr.ip() {
            ip if ip.is_unspecified() => address_on_the_network().unwrap_or(Ipv4Addr::LOCALHOST.into()),
            ip => ip,
        };
        Some(format!("http://{}/", SocketAddr::new(ip, self.addr.port())))
    }

    /// Serves clients until `shutdown` is done; then tells them and closes their sockets, in 3 seconds at most.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RelayError> {
        let limits = self.config.limits.clone();
        let (inbox, inputs) = mpsc::channel(INBOX);
        let hub = Hub::new(self.config, self.seed, Instant::now(), wall_clock());
        // Dropped with this future, whichever way it ends: that is what stops the actor.
        let (stop, stopped) = oneshot::channel();
        let actor = tokio::spawn(Actor::new(hub, inputs).run(stopped));
        let listener = GuardedListener::new(self.listener, self.addr, &limits);
        let service = service(Door { inbox, limits }, self.serve.map(Pages::new));
        let served = tokio::select! {
            served = axum::serve(listener, service).into_future() => served.map_err(RelayError::Serve),
            () = shutdown => Ok(()),
        };
        drop(stop);
        if let Err(error) = actor.await {
            log::error!("the relay's hub ended early: {error}");
        }
        served
    }
}

type Service = IntoMakeServiceWithConnectInfo<Router, Gate>;

fn service(door: Door, pages: Option<Pages>) -> Service {
    let router = Router::new().route("/", get(enter)).fallback(ask);
    router.with_state(Entrance { door, pages }).into_make_service_with_connect_info()
}

/// What a request may lead to.
#[derive(Clone, Debug)]
struct Entrance {
    door: Door,
    pages: Option<Pages>,
}

/// Lets a WebSocket in. Credentials are the hub's business, which answers in-band: a browser could not read more.
async fn enter(
    State(entrance): State<Entrance>,
    ConnectInfo(gate): ConnectInfo<Gate>,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return match &entrance.pages {
            Some(pages) => pages.get(request).await.unwrap_or_else(|_| GREETING.into_response()),
            None => GREETING.into_response(),
        };
    };
    let door = entrance.door;
    let request = ConnectRequest::from_query(&query.unwrap_or_default());
    let max = door.limits.max_frame_size;
    upgrade.read_buffer_size(READ_BUFFER).max_message_size(max).max_frame_size(max).on_upgrade(move |socket| {
        gate.open();
        socket::serve(socket, request, door)
    })
}

/// Answers a request that is for no WebSocket: with a file where there is one, and else the hub does.
async fn ask(State(entrance): State<Entrance>, ConnectInfo(gate): ConnectInfo<Gate>, request: Request) -> Response {
    gate.renew();
    let request = match &entrance.pages {
        Some(pages) => match pages.get(request).await {
            Ok(file) => return file,
            Err(request) => request,
        },
        None => request,
    };
    http::answer(entrance.door, request).await
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

/// Where a client on the same machine reaches `addr`: one that stands for all interfaces is reached over loopback.
fn url(addr: SocketAddr) -> String {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("ws://{}", SocketAddr::new(ip, addr.port()))
}

/// The address of this machine that leads to other networks. Nothing is sent to find out.
fn address_on_the_network() -> Option<IpAddr> {
    // An address of documentation: any that is not on this machine would do.
    const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// A relay on a thread of its own. Stops when dropped, telling its clients.
#[derive(Debug)]
pub struct RelayHandle {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl RelayHandle {
    /// The address that it listens on, with its actual port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients on this machine connect to, such as `ws://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        url(self.addr)
    }

    /// Stops the relay: clients are told. Returns when its thread has ended, 3 seconds later at most.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for RelayHandle {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the relay's thread panicked");
        }
    }
}

/// Runs a relay on a thread named `rooms-relay`. Returns when it listens.
///
/// # Errors
/// When the thread cannot start, and as [`Relay::bind`].
pub fn spawn(config: RelayConfig) -> Result<RelayHandle, RelayError> {
    let (ready, is_ready) = std_mpsc::sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let body = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(RelayError::Thread(error)))),
        };
        runtime.block_on(async {
            let relay = match Relay::bind(config).await {
                Ok(relay) => relay,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok(relay.local_addr())));
            let shutdown = async {
                // An error means that the handle is gone, which is the wish to stop.
                let _ = stopped.await;
            };
            if let Err(error) = relay.run(shutdown).await {
                log::error!("{error}");
            }
        });
    };
    let thread = thread::Builder::new().name("rooms-relay".to_owned()).spawn(body).map_err(RelayError::Thread)?;
    let ended = || RelayError::Thread(io::Error::other("it ended before it listened"));
    let addr = is_ready.recv().map_err(|_| ended())??;
    Ok(RelayHandle { addr, stop: Some(stop), thread: Some(thread) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_on_all_interfaces_is_reached_over_loopback() {
        let url = |addr: &str| url(addr.parse().unwrap());
        assert_eq!(url("0.0.0.0:80"), "ws://127.0.0.1:80");
        assert_eq!(url("[::]:80"), "ws://[::1]:80");
        assert_eq!(url("192.168.1.2:80"), "ws://192.168.1.2:80");
    }
}
