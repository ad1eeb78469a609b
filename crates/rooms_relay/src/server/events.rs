//! Streams of events over HTTP: what happens on channels, for whoever has no SDK, as server-sent events or as lines of JSON.
//!
//! A stream is a connection of the hub that attaches to receive alone. It has a queue, a share and a budget as a WebSocket has. Only
//! what comes out differs: events instead of frames.

mod body;
mod position;
mod request;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    response::Response,
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{sleep, timeout},
};

use self::{body::EventBody, request::EventRequest, writer::EventWriter};
use super::{
    accept::Peer,
    actor::{Handling, Input, Opened},
    http,
    places::Place,
    queue::queue,
    routes::AppState,
    socket::SocketContext,
};
use crate::{
    LinkId,
    budget::Purpose,
    error::shutting_down,
    http::{Call, cors, respond},
    server::intake::Intake,
};
use rooms_protocol::{Action, ErrorInfo, Frame};

/// How long the client has to read the last events when the stream ends.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// A client that takes nothing of what waits for so long is gone. A phone on a bad network takes the largest frame in less.
const STALLED: Duration = Duration::from_secs(60);

/// How many things are taken from the queue at once.
const BATCH: usize = 64;

/// Tells proxies such as nginx to pass each event on at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether a request asks for a stream of events.
pub(super) fn is_for_events(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && matches!(path, "/sse" | "/event-stream")
}

/// Answers a request for a stream. What is wrong from the start is told as for any other request.
pub(super) async fn answer(state: &AppState, peer: Peer, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let address = peer.client(&parts.headers, state);
    let head = http::head(&parts);
    let refused = |error: ErrorInfo| {
        let mut response = http::translate(respond(&head, error.into()), None);
        // Each try needs a socket of its own, as it does over a WebSocket.
        response.headers_mut().remove("keep-alive");
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    };
    let asked = Call::parse(head.clone(), Some(address))
        .and_then(|call| EventRequest::parse(&call, &state.context.limits.now()));
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => {
            state.context.counters.refuse(error.code);
            return refused(error);
        }
    };
    let kind = asked.form.media_type();
    let (ready, opened) = oneshot::channel();
    // In a task of its own, so that nothing is left half done if the client goes away meanwhile.
    tokio::spawn(serve(asked, state.context.clone(), Arc::clone(&peer.place), peer.intake, ready));
    let body = match opened.await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return refused(*error),
        Err(_) => return refused(shutting_down()),
    };
    let mut response = Response::new(Body::from_stream(body.into_stream()));
    let headers = response.headers_mut();
    for (name, value) in cors(&head) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

/// What becomes of a request: its stream, or why there is none.
type Ready = oneshot::Sender<Result<EventBody, Box<ErrorInfo>>>;

/// Opens a stream and looks after it to its end.
async fn serve(asked: EventRequest, context: SocketContext, place: Arc<Place>, intake: Arc<Intake>, ready: Ready) {
    let limits = context.limits.now();
    let (outgoing, queue, cut) = queue(&limits, &context.budget);
    let (opened, link) = oneshot::channel();
    let EventRequest { connect, form, is_enveloped, has_heartbeats, channels, last_event } = asked;
    let open = Input::Open { request: Box::new(connect), outgoing, intake, opened };
    if context.inbox.send(open).await.is_err() {
        return;
    }
    let Ok(Opened { link, .. }) = link.await else { return };
    log::debug!("{link:?} opened for events");
    let mut writer = EventWriter::new(form, is_enveloped, has_heartbeats, channels);
    writer.resume(last_event.as_deref());
    let (alive, gone) = oneshot::channel();
    let progress = Arc::<Progress>::default();
    let mut body = EventBody::new(queue, writer, &context, Arc::clone(&progress), alive);
    let opened = attach(link, &mut body, &context).await;
    if let Err(error) = opened {
        let _ = ready.send(Err(error));
    } else {
        // From here on it counts as a connection, and not as a socket for requests.
        place.leave();
        // If nobody waits for it any more, the body is dropped, which ends the stream.
        let _ = ready.send(Ok(body));
        watch(cut, gone, &progress).await;
        close(link, &context).await;
        sleep(CLOSE_GRACE).await;
        return place.close();
    }
    close(link, &context).await;
}

/// Attaches to all channels, one after the other. What comes meanwhile waits in the body.
///
/// # Errors
/// Why the hub let the client not in, or refused a channel.
async fn attach(link: LinkId, body: &mut EventBody, context: &SocketContext) -> Result<(), Box<ErrorInfo>> {
    body.wait_for(Action::Connected).await?;
    let turn = Arc::new(Semaphore::new(1));
    for frame in body.attachments() {
        let charge = context.budget.charge(Purpose::Inbound, frame.held_bytes());
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&turn).acquire_owned().await else { return Err(body::ended()) };
        let handling = Handling { _turn: permit, _charge: charge };
        let input = Input::Frame { link, frame: Box::new(frame), handling };
        context.inbox.send(input).await.map_err(|_| body::ended())?;
        body.wait_for(Action::Attached).await?;
    }
    Ok(())
}

/// Ends the connection of a stream: nobody can resume it by its key.
async fn close(link: LinkId, context: &SocketContext) {
    log::debug!("{link:?} closed");
    let turn = Arc::new(Semaphore::new(1));
    // Errors mean that the relay is gone.
    if let Ok(permit) = turn.acquire_owned().await {
        let handling = Handling { _turn: permit, _charge: context.budget.charge(Purpose::Inbound, 0) };
        let frame = Box::new(Frame::new(Action::Close));
        let _ = context.inbox.send(Input::Frame { link, frame, handling }).await;
    }
    let _ = context.inbox.send(Input::Closed { link }).await;
}

/// Waits until the stream is over: the client is gone, reads nothing, or the hub ended it.
async fn watch(cut: oneshot::Receiver<()>, mut gone: oneshot::Receiver<()>, progress: &Progress) {
    tokio::select! {
        _ = &mut gone => {}
        cut = cut => if cut.is_err() {
            // The hub closed it in order. What is left to read has a moment.
            drop(timeout(CLOSE_GRACE, gone).await);
        },
        () = progress.stalled() => {}
    }
}

/// Whether the client takes what is sent: odd while it is to take something, and another number each time.
#[derive(Debug, Default)]
struct Progress(AtomicU64);

impl Progress {
    /// Notes that the client took the last part, or is to take the next.
    fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Done when the client took nothing of what waits for too long.
    async fn stalled(&self) {
        loop {
            let before = self.0.load(Ordering::Relaxed);
            sleep(STALLED).await;
            if before % 2 == 1 && self.0.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_stalled_and_one_that_gets_nothing_is_not() {
        let progress = Progress::default();
        let is_stalled = async |time| timeout(time, progress.stalled()).await.is_ok();
        assert!(!is_stalled(STALLED * 10).await, "nothing was sent");
        progress.step();
        assert!(!is_stalled(STALLED / 2).await);
        progress.step();
        assert!(!is_stalled(STALLED * 10).await, "it took everything");
        progress.step();
        assert!(is_stalled(STALLED + CLOSE_GRACE).await);
    }
}
