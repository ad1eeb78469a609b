//! The relay with its socket: listening, and serving until it is stopped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinError,
};
use web_time::Instant;

use super::{
    accept,
    actor::Actor,
    address::{address_on_the_network, url},
    admin::Admin,
    config::RelayConfig,
    control::{Command, RelayControl},
    error::RelayError,
    files::StaticFiles,
    http::HeavyWork,
    memory,
    places::Places,
    routes::AppState,
    socket::SocketContext,
    tls::Tls,
    vitals::Vitals,
};
use crate::{Hub, budget::Purpose, http::Room};
use rooms_protocol::Timestamp;

/// How many events may wait for the hub before sockets have to wait. Enough for a burst of all players of a large room. With
/// the largest frames it is still only a few hundred megabytes.
const INBOX: usize = 256;

/// A relay that listens. Clients are served while [`run`](Self::run) runs.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    addr: SocketAddr,
    config: RelayConfig,
    tls: Option<Tls>,
    /// Where operators ask.
    metrics: Option<TcpListener>,
    control: RelayControl,
    commands: mpsc::Receiver<Command>,
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
        let mut config = config.with_what_a_page_needs(None)?;
        config.check()?;
        config.hub.limits.bound_durations();
        config.hub.limits.memory.get_or_insert_with(memory::default_budget);
        let tls = config.tls.as_ref().map(Tls::read).transpose()?;
        let started = (Instant::now(), wall_clock());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(RelayError::Random)?;
        let (listener, addr) = listen(config.listen).await?;
        let metrics = match config.metrics {
            Some(addr) => Some(listen(addr).await?.0),
            None => None,
        };
        let (control, commands) = RelayControl::new(config.clone(), tls.clone());
        Ok(Self { listener, addr, config, tls, metrics, control, commands, seed, started })
    }

    /// What steers the relay while it runs.
    pub fn control(&self) -> RelayControl {
        self.control.clone()
    }

    /// The address for operators, with its actual port. `None` without one.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// The address that it listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients on this machine connect to, such as `ws://127.0.0.1:8787`.
    pub fn url(&self) -> String {
        url(self.addr, self.tls.is_some())
    }

    /// Where clients elsewhere on the network connect to, such as `ws://192.168.1.20:8787`. `None` unless the relay listens on
    /// all interfaces and knows its address.
    pub fn url_from_the_network(&self) -> Option<String> {
        let ip = self.addr.ip().is_unspecified().then(address_on_the_network)??;
        Some(url(SocketAddr::new(ip, self.addr.port()), self.tls.is_some()))
    }

    /// Where players open the page that is [served](RelayConfig::serve). `None` without one.
    ///
    /// If the relay listens on all interfaces, it is the address by which others on the network reach this machine, if known.
    pub fn page(&self) -> Option<String> {
        self.config.serve.as_ref()?;
        let ip = match self.addr.ip() {
            ip if ip.is_unspecified() => address_on_the_network().unwrap_or(Ipv4Addr::LOCALHOST.into()),
            ip => ip,
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Some(format!("{scheme}://{}/", SocketAddr::new(ip, self.addr.port())))
    }

    /// Serves clients until `shutdown` is done. Then it tells them and closes their sockets, in 3 seconds at most. It ends by
    /// itself after a [drain](RelayControl::drain).
    ///
    /// # Errors
    /// When the listener for operators fails. That of clients is tried again.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RelayError> {
        let Self { listener, config, tls, metrics, control, commands, seed, started: (now, wall), .. } = self;
        let RelayConfig { hub, serve, drain, trusted_proxies, .. } = config;
        let (limits, most) = (control.limits(), hub.limits.clone());
        let (inbox, inputs) = mpsc::channel(INBOX);
        let vitals = Arc::new(Vitals::new(now));
        let hub = Hub::new(hub, seed, now, wall);
        let (counters, budget) = (hub.counters(), hub.budget().clone());
        let admin = Admin::new(control, Arc::clone(&vitals), Arc::clone(&counters), budget.clone(), drain);
        // It is dropped with this future, however that ends, and stops the actor.
        let (stop, stopped) = oneshot::channel();
        let mut actor = tokio::spawn(Actor::new(hub, inputs, commands, Arc::clone(&vitals)).run(stopped));
        let places = Places::new(&most, &budget);
        let bodies = Room::new(budget.clone(), Purpose::Bodies);
        let state = AppState {
            places: places.clone(),
            context: SocketContext { inbox, limits, budget, counters, heavy: Arc::default() },
            files: serve.map(StaticFiles::new),
            trusted_proxies,
            heavy: HeavyWork::default(),
            bodies,
            admin: admin.clone(),
            tls,
            vitals,
        };
        let served = tokio::select! {
            never = accept::serve(listener, Arc::new(state)) => match never {},
            served = serve_operators(admin, metrics) => served.map_err(RelayError::Serve),
            () = shutdown => Ok(()),
            ended = &mut actor => {
                places.close();
                return log_end(ended);
            }
        };
        places.close();
        drop(stop);
        log_end(actor.await)?;
        served
    }
}

/// Starts to listen. Returns the address with its actual port.
async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), RelayError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => RelayError::PortInUse { addr },
        _ => RelayError::Listen { addr, source },
    };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

/// Answers operators at their own address, if there is one, for ever.
async fn serve_operators(admin: Admin, listener: Option<TcpListener>) -> io::Result<()> {
    match listener {
        Some(listener) => admin.serve(listener).await,
        None => std::future::pending().await,
    }
}

fn log_end(ended: Result<(), JoinError>) -> Result<(), RelayError> {
    if let Err(error) = ended {
        log::error!("the relay's hub ended early: {error}");
    }
    Ok(())
}

/// What the wall clock shows.
pub(super) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}
