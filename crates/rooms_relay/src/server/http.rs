//! Requests over plain HTTP. The hub answers them all.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::sync::oneshot;

use super::{actor::Input, socket::SocketContext};
use crate::{RestRequest, RestResponse};

/// How long a client may keep an idle socket for its next request: less than the relay waits for one, so that no request
/// comes while the socket closes.
const KEEP_ALIVE: &str = "timeout=5";

/// Answers one request.
pub(super) async fn answer(context: SocketContext, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, context.limits.max_frame_size).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large, or came too slowly.\n").into_response();
    };
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    let request = RestRequest {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
            .collect(),
        body: body.into(),
    };
    let (answer, answered) = oneshot::channel();
    let input = Input::Rest { request: Box::new(request), answer };
    if context.inbox.send(input).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match answered.await {
        Ok(response) => translate(response),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn translate(response: RestResponse) -> Response {
    let mut translated = Response::new(Body::from(response.body));
    *translated.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            translated.headers_mut().append(name, value);
        }
    }
    translated.headers_mut().insert("keep-alive", HeaderValue::from_static(KEEP_ALIVE));
    translated.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    translated
}
