//! The relay with its socket: listening, and serving until it is stopped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use web_time::Instant;

use super::{
    accept,
    actor::Actor,
    address::{address_on_the_network, url},
    config::RelayConfig,
    error::RelayError,
    files::StaticFiles,
    http::HeavyWork,
    memory,
    places::Places,
    proxy::AddressRange,
    routes::AppState,
    socket::SocketContext,
};
use crate::{Hub, HubConfig};
use rooms_protocol::Timestamp;

/// How many events may wait for the hub before sockets have to wait. Enough for a burst of all players of a large room. With
/// the largest frames it is still only a few hundred megabytes.
const INBOX: usize = 256;

/// A relay that listens. Clients are served while [`run`](Self::run) runs.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    addr: SocketAddr,
    config: HubConfig,
    serve: Option<PathBuf>,
    trusted_proxies: Vec<AddressRange>,
    seed: [u8; 32],
    /// The time before it listened: nobody made a token request for it earlier.
    started: (Instant, Timestamp),
}

impl Relay {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the relay cannot listen on the address, or must not with these keys.
    pub async fn bind(config: RelayConfig) -> Result<Self, RelayError> {
        let config = config.with_what_a_page_needs()?;
        config.check()?;
        let RelayConfig { listen, mut hub, serve, trusted_proxies } = config;
        hub.limits.memory.get_or_insert_with(memory::default_budget);
        let started = (Instant::now(), wall_clock());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(RelayError::Random)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => RelayError::PortInUse { addr: listen },
            _ => RelayError::Listen { addr: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, addr, config: hub, serve, trusted_proxies, seed, started })
    }

    /// The address that it listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients on this machine connect to, such as `ws://127.0.0.1:8787`.
    pub fn url(&self) -> String {
        url(self.addr)
    }

    /// Where clients elsewhere on the network connect to, such as `ws://192.168.1.20:8787`. `None` unless the relay listens on
    /// all interfaces and knows its address.
    pub fn url_from_the_network(&self) -> Option<String> {
        let ip = self.addr.ip().is_unspecified().then(address_on_the_network)??;
        Some(url(SocketAddr::new(ip, self.addr.port())))
    }

    /// Where players open the page that is [served](RelayConfig::serve). `None` without one.
    ///
    /// If the relay listens on all interfaces, it is the address by which others on the network reach this machine, if known.
    pub fn page(&self) -> Option<String> {
        self.serve.as_ref()?;
        let ip = match self.addr.ip() {
            ip if ip.is_unspecified() => address_on_the_network().unwrap_or(Ipv4Addr::LOCALHOST.into()),
            ip => ip,
        };
        Some(format!("http://{}/", SocketAddr::new(ip, self.addr.port())))
    }

    /// Serves clients until `shutdown` is done. Then it tells them and closes their sockets, in 3 seconds at most.
    ///
    /// # Errors
    /// None at present: a listener that fails is tried again.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RelayError> {
        let limits = self.config.limits.clone();
        let (inbox, inputs) = mpsc::channel(INBOX);
        let (now, wall) = self.started;
        let hub = Hub::new(self.config, self.seed, now, wall);
        // It is dropped with this future, however that ends, and stops the actor.
        let (stop, stopped) = oneshot::channel();
        let budget = hub.budget();
        let actor = tokio::spawn(Actor::new(hub, inputs).run(stopped));
        let places = Places::new(&limits, &budget);
        let state = AppState {
            places: places.clone(),
            context: SocketContext { inbox, limits: Arc::new(limits), budget },
            files: self.serve.map(StaticFiles::new),
            trusted_proxies: self.trusted_proxies,
            heavy: HeavyWork::default(),
        };
        tokio::select! {
            never = accept::serve(self.listener, Arc::new(state)) => match never {},
            () = shutdown => {}
        }
        places.close();
        drop(stop);
        if let Err(error) = actor.await {
            log::error!("the relay's hub ended early: {error}");
        }
        Ok(())
    }
}

/// What the wall clock shows.
pub(super) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}
