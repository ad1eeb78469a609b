//! One WebSocket and its task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    actor::{Input, Opened},
    live_limits::LiveLimits,
    places::Place,
    queue::{Item, Queue, queue},
};
use crate::{ConnectRequest, LinkId, budget::MemoryBudget, counters::Counters};
use rooms_protocol::{Format, WireFrame, json, msgpack};

/// How long the relay waits, when it closes a socket, until everything is sent, and then until the client closes its side.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Items that are written before the socket is flushed.
const BATCH: usize = 64;

/// What a new socket needs to know.
#[derive(Clone, Debug)]
pub(super) struct SocketContext {
    /// The queue to the hub.
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) limits: LiveLimits,
    /// The account of the bytes that are held.
    pub(super) budget: MemoryBudget,
    /// What is counted for operators.
    pub(super) counters: Arc<Counters>,
}

/// Serves one WebSocket to its end. One that the hub refuses keeps its place until it is closed, which may be at once.
pub(super) async fn serve(socket: WebSocket, request: ConnectRequest, context: SocketContext, place: Arc<Place>) {
    let limits = context.limits.now();
    let (outgoing, queue) = queue(&limits, request.wire_format());
    let idle = request.idle_interval(limits.max_idle_interval);
    // The relay pings the client twice in that time. So it notices a client that vanished, perhaps in a power cut, long before
    // the system gives the socket up, a quarter of an hour later.
    let timeout_after = (!idle.is_zero()).then(|| idle.saturating_mul(5) / 3);
    let (opened, link) = oneshot::channel();
    let open = Input::Open { request: Box::new(request), outgoing, opened };
    if context.inbox.send(open).await.is_err() {
        return;
    }
    let Ok(Opened { link, is_let_in }) = link.await else { return };
    log::debug!("{link:?} opened");
    if is_let_in {
        place.leave()
    } else {
        place.work(2 * CLOSE_GRACE)
    }
    tokio::select! {
        () = exchange(socket, queue, link, timeout_after, &context) => {}
        () = place.ended() => {}
    }
    log::debug!("{link:?} closed");
    // An error means that the relay is gone.
    let _ = context.inbox.send(Input::Closed { link }).await;
}

/// Reads and writes until one side ends it.
async fn exchange(
    socket: WebSocket,
    queue: Queue,
    link: LinkId,
    timeout_after: Option<Duration>,
    context: &SocketContext,
) {
    let (sink, mut stream) = socket.split();
    let Queue { items, format, waiting, cut } = queue;
    let mut writing = std::pin::pin!(write(sink, items, format, waiting, &context.counters));
    tokio::select! {
        () = read(&mut stream, link, timeout_after, context) => return,
        () = &mut writing => {}
        // The hub cuts the socket off, or dropped its end of the queue to close the link.
        cut = cut => match cut {
            Ok(()) => return,
            Err(_) => drop(timeout(CLOSE_GRACE, &mut writing).await),
        },
    }
    // Wait until the client closes its side too. Closing a socket with unread input may lose what was sent.
    let rest = async { while stream.next().await.is_some_and(|message| message.is_ok()) {} };
    let _ = timeout(CLOSE_GRACE, rest).await;
}

async fn read(
    stream: &mut SplitStream<WebSocket>,
    link: LinkId,
    timeout_after: Option<Duration>,
    context: &SocketContext,
) {
    let most = context.limits.now().messages_per_frame;
    loop {
        let next = match timeout_after {
            Some(timeout_after) => timeout(timeout_after, stream.next()).await,
            None => Ok(stream.next().await),
        };
        let message = match next {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(_) => return log::debug!("{link:?} was silent for {timeout_after:?}"),
        };
        if let Ok(message) = &message {
            context.counters.bytes_in.add(message_bytes(message));
        }
        let decoded = match message {
            Ok(Message::Text(text)) => json::decode_checked(&text, most),
            Ok(Message::Binary(bytes)) => msgpack::decode_checked(&bytes, most),
            // The library answers pings and closes by itself while the socket is read.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => continue,
            Err(error) => return log::debug!("{link:?} failed: {error}"),
        };
        let input = match decoded {
            Ok(frame) => Input::Frame { link, frame: Box::new(frame) },
            Err(unreadable) => Input::Malformed { link, unreadable: Box::new(unreadable) },
        };
        if context.inbox.send(input).await.is_err() {
            return;
        }
    }
}

/// What a message counts, without what the protocol of WebSockets adds.
fn message_bytes(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut items: mpsc::Receiver<Item>,
    format: Format,
    waiting: Arc<AtomicUsize>,
    counters: &Counters,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while items.recv_many(&mut batch, BATCH).await > 0 {
        for item in batch.drain(..) {
            let message = match &item {
                Item::Frame(frame) => match frame.wire(format) {
                    WireFrame::Text(text) => Message::text(text),
                    WireFrame::Binary(bytes) => Message::binary(bytes.clone()),
                },
                Item::Ping => Message::Ping(Bytes::new()),
            };
            if sink.feed(message).await.is_err() {
                return;
            }
            let bytes = item.bytes(format);
            counters.bytes_out.add(bytes);
            waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    // An error means that the client closed first.
    let _ = sink.close().await;
}
