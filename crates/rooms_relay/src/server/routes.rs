//! Which request leads where: WebSockets and everything else over HTTP to the hub, the files of a web page to browsers.

use axum::{
    Router,
    extract::{
        ConnectInfo, RawQuery, Request, State, WebSocketUpgrade, connect_info::IntoMakeServiceWithConnectInfo,
        ws::rejection::WebSocketUpgradeRejection,
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    accept::HandshakeSignal,
    files::StaticFiles,
    http,
    socket::{self, SocketContext},
};
use crate::ConnectRequest;

/// Bytes that a socket reads at once. The default of 128 KiB is too much for a thousand sockets with small frames.
const READ_BUFFER: usize = 16 * 1024;

/// What a browser shows that opens the relay's address.
const GREETING: &str = "This is a bevy_rooms relay: games meet here over WebSockets. Give its address to a game, with \
                        ws:// in front.\n";

pub(super) type Service = IntoMakeServiceWithConnectInfo<Router, HandshakeSignal>;

pub(super) fn service(context: SocketContext, files: Option<StaticFiles>) -> Service {
    let router = Router::new().route("/", get(handle_root)).fallback(handle_request);
    router.with_state(AppState { context, files }).into_make_service_with_connect_info()
}

/// What handlers of requests need.
#[derive(Clone, Debug)]
struct AppState {
    context: SocketContext,
    files: Option<StaticFiles>,
}

/// Accepts a WebSocket. The hub checks credentials and answers in a frame, since a browser cannot read an HTTP error here.
async fn handle_root(
    State(state): State<AppState>,
    ConnectInfo(signal): ConnectInfo<HandshakeSignal>,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return match &state.files {
            Some(files) => files.get(request).await.unwrap_or_else(|_| GREETING.into_response()),
            None => GREETING.into_response(),
        };
    };
    let context = state.context;
    let request = ConnectRequest::from_query(&query.unwrap_or_default());
    let max = context.limits.max_frame_size;
    upgrade.read_buffer_size(READ_BUFFER).max_message_size(max).max_frame_size(max).on_upgrade(move |socket| {
        signal.upgraded();
        socket::serve(socket, request, context)
    })
}

/// Answers a request that is not for a WebSocket: with a file if there is one, or else as the hub does.
async fn handle_request(
    State(state): State<AppState>,
    ConnectInfo(signal): ConnectInfo<HandshakeSignal>,
    request: Request,
) -> Response {
    signal.extend();
    let request = match &state.files {
        Some(files) => match files.get(request).await {
            Ok(file) => return file,
            Err(request) => request,
        },
        None => request,
    };
    http::answer(state.context, request).await
}
