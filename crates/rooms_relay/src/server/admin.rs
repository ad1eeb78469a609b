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
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
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
use crate::{Credentials, budget::MemoryBudget, counters::Counters};
use rooms_protocol::ErrorInfo;

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

    /// The answer to a request at the clients' address, if it is one for operators. Anybody may ask whether the relay is well. The
    /// metrics are for whoever has a key or a token that allows statistics.
    pub(super) async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        match uri.path() {
            "/health" => Some(self.health()),
            "/ready" => Some(self.ready()),
            "/metrics" => {
                let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                Some(match Credentials::from_http(authorization, uri.query().unwrap_or_default()) {
                    Ok(credentials) => self.metrics_for(credentials).await,
                    Err(error) => refused(&error),
                })
            }
            _ => None,
        }
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

    async fn metrics_for(&self, credentials: Option<Credentials>) -> Response {
        match timeout(PATIENCE, self.0.control.check_stats(credentials)).await {
            Ok(Ok(Ok(()))) => self.metrics().await,
            Ok(Ok(Err(error))) => refused(&error),
            Ok(Err(_)) | Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the hub does not answer\n"),
        }
    }

    async fn metrics(&self) -> Response {
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

fn refused(error: &ErrorInfo) -> Response {
    let status = StatusCode::from_u16(error.status_code).unwrap_or(StatusCode::UNAUTHORIZED);
    plain(status, format!("{} ({})\n", error.message, error.code.0))
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
