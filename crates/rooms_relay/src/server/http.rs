//! Requests over plain HTTP. The hub looks at the head of each; body and answer are read and written here, in the task of the
//! request, so that they delay nobody else.

use std::{fmt, num::NonZero, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::sync::{Semaphore, oneshot};
use web_time::Instant;

use super::{accept::Peer, actor::Input, routes::AppState};
use crate::{
    Hub, RestRequest, RestResponse,
    budget::{Charge, MemoryBudget, Purpose},
    http::{Call, Reply, respond},
    hub::rest::{Asked, Done, Job, Work},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// How long a client may keep an idle socket for its next request: less than the relay waits for one, so that no request
/// comes while the socket closes.
const KEEP_ALIVE: &str = "timeout=5";

/// A body or an answer of so many bytes is read or written on a thread of its own: it takes about a millisecond.
const HEAVY: usize = 64 * 1024;

/// How long the answer to one request too many is held back. Whoever asks at once again, over all its sockets, asks a thousand times
/// a second and not ten thousand.
const PAUSE: Duration = Duration::from_millis(200);

/// Something for the hub, and where its answer goes. The answer is lost if the socket is gone already.
pub(super) enum RestInput {
    /// The head of a request.
    Ask { call: Arc<Call>, answer: oneshot::Sender<Asked> },
    /// What its body asks for.
    Finish { job: Box<Job>, answer: oneshot::Sender<Reply> },
}

impl RestInput {
    /// Gives it to the hub.
    pub(super) fn handle(self, hub: &mut Hub, now: Instant) {
        // An error means that the client no longer waits for the answer.
        match self {
            Self::Ask { call, answer } => drop(answer.send(hub.ask(&call, now))),
            Self::Finish { job, answer } => drop(answer.send(hub.finish(*job, now))),
        }
    }
}

impl fmt::Debug for RestInput {
    /// Leaves out the request, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestInput(…)")
    }
}

/// What takes long, a few at a time: the machine's other cores are for everything else. Each takes a few times its size while it is.
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
    let (size, budget) = (reply.bytes(), state.context.budget.clone());
    let written = state.context.heavy.run(size, move || written(&head, reply, &budget)).await;
    written.unwrap_or_else(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

fn head(parts: &Parts) -> RestRequest {
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
    let (done, _charge) = match run(state, peer, call, *work, body).await? {
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
    inbox.send(Input::Rest(RestInput::Finish { job, answer })).await.ok()?;
    finished.await.ok()
}

/// Reads the body and does what it asks for outside the hub. `None` where the relay stops.
async fn run(
    state: &AppState,
    peer: &Peer,
    call: Arc<Call>,
    work: Work,
    body: Body,
) -> Option<Result<(Done, Charge), ErrorInfo>> {
    let limits = state.context.limits.now();
    let (body, charge) = match read(body, work.most_bytes(&limits), &state.context.budget).await {
        Ok(read) => read,
        Err(error) => return Some(Err(error)),
    };
    peer.place.own(limits.handshake_timeout);
    let done = state.context.heavy.run(body.len(), move || work.run(&call, &body, &limits)).await?;
    Some(done.map(|done| (done, charge)))
}

/// Reads a body of `most` bytes at most.
///
/// # Errors
/// 40009 for a larger one, 40001 for one that ends too early, 42910 where memory is short.
async fn read(body: Body, most: usize, budget: &MemoryBudget) -> Result<(Bytes, Charge), ErrorInfo> {
    let said = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let too_large = || {
        let why = format!("the body of this request may have {most} bytes; send less");
        ErrorInfo::new(ErrorCode::MESSAGE_TOO_LARGE, 413, why)
    };
    if most == 0 {
        return Ok((Bytes::new(), budget.charge(Purpose::Inbound, 0)));
    }
    if said.is_some_and(|bytes| bytes > most) {
        return Err(too_large());
    }
    let charge = budget.admit(Purpose::Inbound, said.unwrap_or(most))?;
    let is_over = |error: &axum::Error| {
        let source = std::error::Error::source(error);
        source.is_some_and(|source| source.to_string().contains("length limit"))
    };
    match to_bytes(body, most).await {
        Ok(bytes) => Ok((bytes, charge)),
        Err(error) if is_over(&error) => Err(too_large()),
        Err(_) => Err(ErrorInfo::new(ErrorCode::INVALID_BODY, 400, "the body ended early; send all of it")),
    }
}

/// Writes an answer, whose bytes are charged until they are written out.
fn written(head: &RestRequest, reply: Reply, budget: &MemoryBudget) -> Response {
    let mut response = respond(head, reply);
    let charge = if response.body.len() < HEAVY {
        budget.charge(Purpose::Answers, response.body.len())
    } else {
        match budget.admit(Purpose::Answers, response.body.len()) {
            Ok(charge) => charge,
            Err(error) => {
                response = respond(head, error.into());
                budget.charge(Purpose::Answers, response.body.len())
            }
        }
    };
    translate(response, charge)
}

fn translate(response: RestResponse, charge: Charge) -> Response {
    let body = Bytes::from_owner(Charged { bytes: response.body, _charge: charge });
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

/// Bytes that are charged until the last of them is written.
struct Charged {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
