//! Requests over plain HTTP. The hub looks at the head of each; body and answer are read and written here, in the task of the
//! request, so that they delay nobody else.

use std::{fmt, future::poll_fn, num::NonZero, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::sync::{Semaphore, oneshot};
use web_time::Instant;

use super::{accept::Peer, actor::Input, routes::AppState, waiting::Whose};
use crate::{
    Hub, RestRequest, RestResponse,
    auth::owner::Address,
    http::{Call, Reply, RoomTaken, respond},
    hub::rest::{Asked, Done, Job, Work},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// How long a client may keep an idle socket for its next request: less than the relay waits for one, so that no request
/// comes while the socket closes.
const KEEP_ALIVE: &str = "timeout=5";

/// A body or an answer of so many bytes is read or written on a thread of its own: it takes about a millisecond.
const HEAVY: usize = 64 * 1024;

/// How long the answer to one request too many is held back. Whoever asks at once again, over all its sockets, asks a thousand
/// times a second and not ten thousand.
const PAUSE: Duration = Duration::from_millis(200);

/// Something for the hub, and where its answer goes. The answer is lost if the socket is gone already.
pub(super) enum RestInput {
    /// The head of a request.
    Ask { call: Arc<Call>, answer: oneshot::Sender<Asked> },
    /// What its body asks for.
    Finish { job: Box<Job>, whose: Whose, answer: oneshot::Sender<Reply> },
}

impl RestInput {
    /// Whose turn it is when it is handled. Who asks is not known before the hub has looked at the head.
    pub(super) fn whose(&self) -> Whose {
        match self {
            Self::Ask { call, .. } => Whose::stranger(call.address.map(Address::from)),
            Self::Finish { whose, .. } => whose.clone(),
        }
    }

    /// Gives it to the hub.
    pub(super) fn handle(self, hub: &mut Hub, now: Instant) {
        // An error means that the client no longer waits for the answer.
        match self {
            Self::Ask { call, answer } => drop(answer.send(hub.ask(&call, now))),
            Self::Finish { job, answer, .. } => drop(answer.send(hub.finish(*job, now))),
        }
    }
}

impl fmt::Debug for RestInput {
    /// Leaves out the request, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestInput(…)")
    }
}

/// What takes long, a few at a time: the machine's other cores are for everything else. Each takes a few times its size while it
/// is.
#[derive(Debug)]
pub(super) struct HeavyWork(Semaphore);

impl Default for HeavyWork {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Semaphore::new((cores / 2).max(1)))
    }
}

impl HeavyWork {
    /// Runs `work` on `bytes` bytes: here where they are few, and otherwise on a thread of its own. `None` where the relay stops.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if bytes < HEAVY {
            return Some(work());
        }
        let _permit = self.0.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

/// Answers one request.
pub(super) async fn answer(state: &AppState, peer: &Peer, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let address = peer.client(&parts.headers, state);
    let head = Arc::new(head(&parts));
    let reply = match Call::parse(head.as_ref().clone(), Some(address)) {
        Ok(call) => reply(state, peer, Arc::new(call), body).await,
        Err(error) => Some(error.into()),
    };
    let Some(reply) = reply else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    if reply.code() == Some(ErrorCode::REQUEST_RATE_EXCEEDED) {
        peer.place.work(state.context.limits.now().handshake_timeout);
        tokio::time::sleep(PAUSE).await;
    }
    let written = state.heavy.run(reply.bytes(), move || written(&head, reply)).await;
    written.unwrap_or_else(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

/// The head of a request.
pub(super) fn head(parts: &Parts) -> RestRequest {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers = parts.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
    RestRequest {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    }
}

/// What the hub says to a request. `None` where it is gone.
async fn reply(state: &AppState, peer: &Peer, call: Arc<Call>, body: Body) -> Option<Reply> {
    let inbox = &state.context.inbox;
    let (answer, asked) = oneshot::channel();
    inbox.send(Input::Rest(RestInput::Ask { call: Arc::clone(&call), answer })).await.ok()?;
    let work = match asked.await.ok()? {
        Asked::Answer(reply) => return Some(reply),
        Asked::Work(work) => work,
    };
    // Held until the hub has done what the body asks for.
    let stranger = || Whose::stranger(call.address.map(Address::from));
    let whose = work.owner().map_or_else(stranger, Whose::from);
    let (done, _room) = match run(state, peer, call, *work, body).await? {
        Ok(done) => done,
        Err(error) => {
            state.context.counters.refuse(error.code);
            return Some(error.into());
        }
    };
    let job = match done {
        Done::Answer(reply) => return Some(reply),
        Done::Job(job) => job,
    };
    let (answer, finished) = oneshot::channel();
    inbox.send(Input::Rest(RestInput::Finish { job, whose, answer })).await.ok()?;
    finished.await.ok()
}

/// Reads the body and does what it asks for outside the hub. `None` where the relay stops.
async fn run(
    state: &AppState,
    peer: &Peer,
    call: Arc<Call>,
    work: Work,
    body: Body,
) -> Option<Result<(Done, Option<RoomTaken>), ErrorInfo>> {
    let limits = state.context.limits.now();
    let room = work.owner().map(|owner| state.bodies.admit(owner, 0)).transpose();
    let read = async { read(body, work.most_bytes(&limits), room?).await };
    let (body, room) = match read.await {
        Ok(read) => read,
        Err(error) => return Some(Err(error)),
    };
    peer.place.own(limits.handshake_timeout);
    let done = state.heavy.run(body.len(), move || work.run(&call, &body, &limits)).await?;
    Some(done.map(|done| (done, room)))
}

/// Reads a body of `most` bytes at most, which takes room as it comes.
///
/// # Errors
/// 40009 for a larger one, 40001 for one that ends too early, 42910 where there is no room.
async fn read(
    mut body: Body,
    most: usize,
    mut room: Option<RoomTaken>,
) -> Result<(Vec<u8>, Option<RoomTaken>), ErrorInfo> {
    let too_large = || {
        let why = format!("the body of this request may have {most} bytes; send less");
        ErrorInfo::new(ErrorCode::MESSAGE_TOO_LARGE, 413, why)
    };
    let mut bytes = Vec::new();
    if most == 0 {
        return Ok((bytes, room));
    }
    if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let early = |_| ErrorInfo::new(ErrorCode::INVALID_BODY, 400, "the body ended early; send all of it");
        // What is no data follows the body, and nobody asked for it.
        let Ok(data) = frame.map_err(early)?.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > most {
            return Err(too_large());
        }
        room.as_mut().map_or(Ok(()), |room| room.grow(data.len()))?;
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, room))
}

/// Writes an answer. It takes room until it is written out, which may be more than before: a character may take six as JSON.
fn written(head: &RestRequest, mut reply: Reply) -> Response {
    let room = reply.take_bytes();
    let response = respond(head, reply);
    match room.map(|room| room.rewritten(response.body.len())).transpose() {
        Ok(room) => translate(response, room),
        Err(error) => translate(respond(head, error.into()), None),
    }
}

/// An answer as it is sent.
pub(super) fn translate(response: RestResponse, room: Option<RoomTaken>) -> Response {
    let body = Bytes::from_owner(Charged { bytes: response.body, _room: room });
    let mut translated = Response::new(Body::from(body));
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

/// Bytes that take room until the last of them is written.
struct Charged {
    bytes: Vec<u8>,
    _room: Option<RoomTaken>,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
