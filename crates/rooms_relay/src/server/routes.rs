//! Which request leads where: WebSockets and the relay's own paths to the hub, everything else to the files of a web page.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequestParts, Request, WebSocketUpgrade},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};

use super::{
    accept::Peer,
    admin::Admin,
    events,
    files::StaticFiles,
    http::{self, HeavyWork},
    intake::Intake,
    places::{Place, Places},
    proxy::AddressRange,
    socket::{self, SocketContext},
    tls::Tls,
    vitals::Vitals,
};
use crate::{
    ConnectRequest,
    http::{Room, is_own_path},
};

/// Bytes that a socket reads at once, and holds while it is idle. The default of 128 KiB is too much for a thousand sockets with
/// small frames.
const READ_BUFFER: usize = 2 * 1024;

/// Bytes that a socket collects before it writes them. The default of 128 KiB would be held for each that does not read.
pub(super) const WRITE_BUFFER: usize = 8 * 1024;

/// Bytes a second that a client must read or send at least. A phone on a bad network does.
const SLOWEST: u64 = 16 * 1024;

/// How long a socket may be idle between two requests: a second longer than clients are told, so that no request comes while the
/// socket closes.
const REST: Duration = Duration::from_secs(6);

/// What may still be on its way when the last part of an answer was handed over.
const LAST_PART: u64 = 64 * 1024;

/// What a browser shows that opens the relay's address.
const GREETING: &str = "This is a bevy_rooms relay: games meet here over WebSockets. Give its address to a game, with \
                        ws:// in front.\n";

/// What requests need.
#[derive(Debug)]
pub(super) struct AppState {
    /// The places of sockets that are not WebSockets.
    pub(super) places: Places,
    pub(super) context: SocketContext,
    pub(super) files: Option<StaticFiles>,
    /// The proxies whose word about a client's address counts.
    pub(super) trusted_proxies: Vec<AddressRange>,
    /// What takes long for requests over HTTP. Frames have their own, so that answers do not delay them.
    pub(super) heavy: HeavyWork,
    /// Where bodies of requests take room.
    pub(super) bodies: Room,
    pub(super) admin: Admin,
    /// The certificate, where clients connect over TLS.
    pub(super) tls: Option<Tls>,
    pub(super) vitals: Arc<Vitals>,
}

/// Answers one request. Its body, and then the answer, have the time that their sizes ask for.
pub(super) async fn handle(state: Arc<AppState>, peer: Peer, request: Request) -> Response {
    let limits = state.context.limits.now();
    let time = limits.handshake_timeout;
    peer.intake.end_head();
    let length = |value: &HeaderValue| value.to_str().ok()?.parse::<u64>().ok();
    let body = request.headers().get(header::CONTENT_LENGTH).and_then(length).unwrap_or(0);
    let most = u64::try_from(limits.max_frame_size).unwrap_or(u64::MAX);
    let has_body = !request.body().is_end_stream();
    let allowed = time + time_for(body.min(most));
    if has_body {
        peer.place.work(allowed)
    } else {
        peer.place.own(allowed)
    }
    let (place, intake) = (Arc::clone(&peer.place), Arc::clone(&peer.intake));
    let response = dispatch(&state, peer, request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let size = response.headers().get(header::CONTENT_LENGTH).and_then(length);
    let size = size.or(response.body().size_hint().exact()).unwrap_or(0);
    place.work(time + time_for(size));
    let rest = REST.min(time) + time_for(size.min(LAST_PART));
    response.map(|inner| Body::new(AnswerBody { inner, place, intake, rest }))
}

fn time_for(bytes: u64) -> Duration {
    Duration::from_secs(bytes / SLOWEST)
}

async fn dispatch(state: &Arc<AppState>, peer: Peer, request: Request) -> Response {
    let path = request.uri().path();
    if let Some(answer) = state.admin.answer(request.method(), path) {
        return answer;
    }
    if Admin::is_for_metrics(request.method(), path) {
        // The hub says whether the client may read them.
        let allowed = http::answer(state, &peer, request).await;
        return if allowed.status() == StatusCode::NO_CONTENT { state.admin.metrics().await } else { allowed };
    }
    if events::is_for_events(request.method(), path) {
        return events::answer(state, peer, request).await;
    }
    if path != "/" && is_own_path(path) {
        return http::answer(state, &peer, request).await;
    }
    let (mut parts, body) = request.into_parts();
    if parts.uri.path() == "/"
        && let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await
    {
        let mut request = ConnectRequest::from_query(parts.uri.query().unwrap_or_default());
        request.address = Some(peer.client(&parts.headers, state));
        return open(state, peer, Box::new(request), upgrade);
    }
    let request = Request::from_parts(parts, body);
    let request = match &state.files {
        Some(files) => match files.get(request).await {
            Ok(file) => return file,
            Err(request) => request,
        },
        None => request,
    };
    if request.uri().path() == "/" && matches!(*request.method(), Method::GET | Method::HEAD) {
        return GREETING.into_response();
    }
    http::answer(state, &peer, request).await
}

/// Accepts a WebSocket. The hub checks credentials and answers in a frame, since a browser cannot read an HTTP error here.
fn open(state: &AppState, peer: Peer, request: Box<ConnectRequest>, upgrade: WebSocketUpgrade) -> Response {
    let context = state.context.clone();
    let max = context.limits.now().max_frame_size;
    upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(max)
        .max_frame_size(max)
        .write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| socket::serve(socket, request, context, peer.place, peer.intake))
}

/// The body of an answer. When its last part is handed over, the socket is idle.
struct AnswerBody {
    inner: Body,
    place: Arc<Place>,
    intake: Arc<Intake>,
    /// How long the socket may be idle then.
    rest: Duration,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.intake.next_head();
        self.place.rest(self.rest);
    }
}
