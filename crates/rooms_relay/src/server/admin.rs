//! What operators and their machines ask: whether the relay is well, whether it takes clients, and its metrics.
//!
//! They ask at an address of its own, or, except for a drain, at the address of the clients.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{net::TcpListener, time::timeout};
use web_time::Instant;

use super::{
    control::{RelayControl, Report},
    memory,
    metrics::{self, Snapshot},
    vitals::Vitals,
};
use crate::{budget::MemoryBudget, counters::Counters};

/// How long whoever asks waits for the hub.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a text of metrics is good for the next who asks: to make it, the hub looks at every channel.
const FRESH: Duration = Duration::from_secs(1);

/// Answers operators. Its clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Admin(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    control: RelayControl,
    vitals: Arc<Vitals>,
    counters: Arc<Counters>,
    budget: MemoryBudget,
    /// How long a drain takes unless the request says otherwise.
    drain: Duration,
    /// The metrics that were told last.
    told: Mutex<Option<(Instant, String)>>,
}

impl Admin {
    pub(super) fn new(
        control: RelayControl,
        vitals: Arc<Vitals>,
        counters: Arc<Counters>,
        budget: MemoryBudget,
        drain: Duration,
    ) -> Self {
        Self(Arc::new(Inner { control, vitals, counters, budget, drain, told: Mutex::default() }))
    }

    /// The answer to a request at the clients' address, if it is one that anybody may ask: whether the relay is well.
    pub(super) fn answer(&self, method: &Method, path: &str) -> Option<Response> {
        match (is_read(method), path) {
            (true, "/health") => Some(self.health()),
            (true, "/ready") => Some(self.ready()),
            _ => None,
        }
    }

    /// Whether a request at the clients' address asks for the metrics, which are not for everybody.
    pub(super) fn is_for_metrics(method: &Method, path: &str) -> bool {
        is_read(method) && path == "/metrics"
    }

    /// 200 while the hub's task goes on.
    fn health(&self) -> Response {
        match self.0.vitals.is_alive(Instant::now()) {
            true => plain(StatusCode::OK, "ok\n"),
            false => plain(StatusCode::SERVICE_UNAVAILABLE, "the hub does not answer\n"),
        }
    }

    /// 200 while new clients are welcome.
    fn ready(&self) -> Response {
        let inner = &self.0;
        if !inner.vitals.is_alive(Instant::now()) {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the hub does not answer\n")
        } else if inner.vitals.is_draining() {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the relay is being emptied\n")
        } else if inner.budget.is_nearly_full() {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the relay's memory is nearly full\n")
        } else {
            plain(StatusCode::OK, "ready\n")
        }
    }

    /// The metrics, for Prometheus.
    pub(super) async fn metrics(&self) -> Response {
        let start = Instant::now();
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, text)) = told.filter(|(at, _)| start.saturating_duration_since(*at) < FRESH) {
            return openmetrics(text);
        }
        let Ok(Ok(report)) = timeout(PATIENCE, self.0.control.report()).await else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "the hub does not answer\n");
        };
        let Ok(text) = self.snapshot(report, start).text() else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n");
        };
        *self.0.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((start, text.clone()));
        openmetrics(text)
    }

    fn snapshot(&self, Report { stats, turns }: Report, asked: Instant) -> Snapshot {
        let (inner, now) = (&self.0, Instant::now());
        Snapshot {
            stats,
            turns,
            answered_in: now.saturating_duration_since(asked),
            counters: Arc::clone(&inner.counters),
            budget: inner.budget.clone(),
            web_sockets: inner.vitals.web_sockets(),
            http_sockets: inner.vitals.sockets().saturating_sub(inner.vitals.web_sockets()),
            is_draining: inner.vitals.is_draining(),
            age: inner.vitals.age(now),
            resident: memory::resident(),
        }
    }

    /// Answers operators at an address of their own for ever.
    pub(super) async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new()
            .route("/health", get(|State(admin): State<Self>| async move { admin.health() }))
            .route("/ready", get(|State(admin): State<Self>| async move { admin.ready() }))
            .route("/metrics", get(|State(admin): State<Self>| async move { admin.metrics().await }))
            .route("/drain", post(drain))
            .with_state(self);
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
    }
}

/// What a request for a drain may say.
#[derive(Deserialize)]
struct DrainQuery {
    seconds: Option<u32>,
}

/// Empties the relay, after which it ends. Only from this machine, and not for a web page that is open on it.
async fn drain(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(query): Query<DrainQuery>,
    headers: HeaderMap,
) -> Response {
    if !peer.ip().is_loopback() || headers.contains_key(header::ORIGIN) {
        return plain(StatusCode::FORBIDDEN, "a drain is asked for on the relay's own machine, and not by a page\n");
    }
    let over = query.seconds.map_or(admin.0.drain, |seconds| Duration::from_secs(seconds.into()));
    match admin.0.control.drain(over).await {
        Ok(()) => plain(StatusCode::ACCEPTED, format!("the relay is emptied within {} s and ends\n", over.as_secs())),
        Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = (status, text.into()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn openmetrics(text: String) -> Response {
    let mut response = plain(StatusCode::OK, text);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE));
    response
}
