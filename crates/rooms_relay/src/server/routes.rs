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
    accept::Gate,
    files::Pages,
    http,
    socket::{self, Door},
};
use crate::ConnectRequest;

/// Bytes that a socket reads at once. The default of 128 KiB each is much for a thousand small talkers.
const READ_BUFFER: usize = 16 * 1024;

/// What somebody sees who comes with a browser.
const GREETING: &str = "This is a bevy_rooms relay: games meet here over WebSockets. Give its address to a game, with \
                        ws:// in front.\n";

pub(super) type Service = IntoMakeServiceWithConnectInfo<Router, Gate>;

pub(super) fn service(door: Door, pages: Option<Pages>) -> Service {
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
