//! One WebSocket: a task that reads and one that writes.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{Message, Utf8Bytes, WebSocket},
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    actor::{Handling, Input, Opened},
    http::HeavyWork,
    intake::Intake,
    live_limits::LiveLimits,
    places::Place,
    queue::{Item, Queue, queue},
    routes::WRITE_BUFFER,
};
use crate::{
    Batch, ConnectRequest, LinkId,
    budget::{Charge, MemoryBudget, Purpose},
    counters::Counters,
};
use rooms_protocol::{ErrorInfo, Format, Frame, Outline, Unreadable, json, msgpack};

/// How long the relay waits, when it closes a socket, until everything is sent, and then until the client closes its side.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Items that are written before the socket is flushed.
const BATCH: usize = 64;

/// Turns that one socket has at the hub at a time: one for each frame that waits, and one more for each so many bytes. When they
/// are taken, the socket is not read, so that it does not delay others. Small frames that come together are handled together,
/// and what follows from them goes out in one write.
const TURNS: u32 = 64;
const TURN_BYTES: usize = 1024;

/// How long a frame waits for room in memory before it is refused, and how often it looks for some.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
const ROOM_INTERVAL: Duration = Duration::from_millis(20);

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
    /// What takes long, of all sockets.
    pub(super) heavy: Arc<HeavyWork>,
}

/// Serves one WebSocket to its end. One that the hub refuses keeps its place until it is closed, which may be at once.
pub(super) async fn serve(
    socket: WebSocket,
    request: Box<ConnectRequest>,
    context: SocketContext,
    place: Arc<Place>,
    intake: Arc<Intake>,
) {
    let format = request.wire_format();
    let limits = context.limits.now();
    let (outgoing, queue, cut) = queue(&limits, &context.budget);
    let idle = request.idle_interval(limits.max_idle_interval);
    // The relay pings the client twice in that time. So it notices a client that vanished, perhaps in a power cut, long before
    // the system gives the socket up, a quarter of an hour later.
    let timeout_after = (!idle.is_zero()).then(|| idle.saturating_mul(5) / 3);
    intake.begin();
    let (opened, link) = oneshot::channel();
    let open = Input::Open { request, outgoing, intake: Arc::clone(&intake), opened };
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
    let (sink, stream) = socket.split();
    let writer = Writer(tokio::spawn(write(sink, queue, format, context.clone())));
    let reader = Reader { stream, link, timeout_after, intake, context: &context };
    tokio::select! {
        () = exchange(reader, writer, cut) => {}
        () = place.ended() => {}
    }
    log::debug!("{link:?} closed");
    // An error means that the relay is gone.
    let _ = context.inbox.send(Input::Closed { link }).await;
}

/// Reads and writes until one side ends it.
async fn exchange(mut reader: Reader<'_>, mut writer: Writer, cut: oneshot::Receiver<()>) {
    tokio::select! {
        () = reader.read() => return,
        _ = &mut writer.0 => {}
        // The hub cuts the socket off, or dropped its end of the queue to close the link.
        cut = cut => match cut {
            Ok(()) => return,
            Err(_) => drop(timeout(CLOSE_GRACE, &mut writer.0).await),
        },
    }
    // Wait until the client closes its side too. Closing a socket with unread input may lose what was sent.
    let rest = async { while reader.stream.next().await.is_some_and(|message| message.is_ok()) {} };
    let _ = timeout(CLOSE_GRACE, rest).await;
}

/// The task that writes. It ends with the one that reads.
struct Writer(JoinHandle<()>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Reader<'a> {
    stream: SplitStream<WebSocket>,
    link: LinkId,
    timeout_after: Option<Duration>,
    intake: Arc<Intake>,
    context: &'a SocketContext,
}

impl Reader<'_> {
    /// Passes frames on to the hub until the client closes the socket, or is silent for too long.
    async fn read(&mut self) {
        let turns = Arc::new(Semaphore::new(TURNS as usize));
        while let Some(message) = self.next().await {
            // What was read of this message is charged with it from here on.
            self.intake.reset();
            let wire = match message {
                Message::Text(text) => Wire::Text(text),
                Message::Binary(bytes) => Wire::of_binary(bytes),
                // The library answers pings and closes by itself while the socket is read.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
            };
            self.context.counters.bytes_in.add(wire.len());
            let raw = self.context.budget.charge(Purpose::Inbound, wire.len());
            // The semaphore is never closed.
            let Ok(turn) = Arc::clone(&turns).acquire_many_owned(turns_of(wire.len())).await else { return };
            let Some(input) = self.decode(wire, |charge| Handling { _turn: turn, _charge: charge }).await else {
                return;
            };
            drop(raw);
            if self.context.inbox.send(input).await.is_err() {
                return;
            }
        }
    }

    /// The next message; `None` at the end, however it came.
    async fn next(&mut self) -> Option<Message> {
        let next = match self.timeout_after {
            Some(timeout_after) => timeout(timeout_after, self.stream.next()).await,
            None => Ok(self.stream.next().await),
        };
        match next {
            Ok(Some(Ok(message))) => return Some(message),
            Ok(Some(Err(error))) => log::debug!("{:?} failed: {error}", self.link),
            Ok(None) => {}
            Err(_) => log::debug!("{:?} was silent for {:?}", self.link, self.timeout_after),
        }
        None
    }

    /// Builds a frame as soon as there is room for it. `None` where the relay stops.
    async fn decode(&self, wire: Wire, handling: impl FnOnce(Charge) -> Handling) -> Option<Input> {
        let link = self.link;
        let outline = wire.outline();
        let charge = match self.room_for(outline.most_bytes(wire.len())).await {
            Ok(charge) => charge,
            Err(error) => return Some(Input::Refused { link, outline: Box::new(outline), error: Box::new(error) }),
        };
        let most = self.context.limits.now().messages_per_frame;
        // Large frames, and those of many messages, are read on a thread of their own, a few at a time.
        let decoded =
            self.context.heavy.run(outline.most_bytes(wire.len()), move || wire.decode(outline, most)).await?;
        Some(match decoded {
            Ok(frame) => {
                charge.set(frame.held_bytes());
                Input::Frame { link, frame, handling: handling(charge) }
            }
            Err(unreadable) => Input::Malformed { link, unreadable },
        })
    }

    /// Charges the bytes that a frame may need. If there is no room, this socket alone waits for some.
    ///
    /// # Errors
    /// 42910 if there is still none a while later.
    async fn room_for(&self, bytes: usize) -> Result<Charge, ErrorInfo> {
        let mut waited = Duration::ZERO;
        loop {
            match self.context.budget.admit(Purpose::Inbound, bytes) {
                Ok(charge) => return Ok(charge),
                Err(error) if waited >= ROOM_PATIENCE => return Err(error),
                Err(_) => {}
            }
            sleep(ROOM_INTERVAL).await;
            waited += ROOM_INTERVAL;
        }
    }
}

/// The turns that a frame of so many bytes takes: all of them at most.
fn turns_of(bytes: usize) -> u32 {
    u32::try_from(bytes / TURN_BYTES).map_or(TURNS, |more| more.saturating_add(1).min(TURNS))
}

/// A frame as it came.
enum Wire {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Wire {
    /// The frame of a binary message. The SDK for Java sends JSON in one. No frame in MessagePack begins as an object in JSON
    /// does: it is a map, and this is a number.
    fn of_binary(bytes: Bytes) -> Self {
        match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) if text.starts_with('{') => Self::Text(text),
            _ => Self::Binary(bytes),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    fn outline(&self) -> Outline {
        match self {
            Self::Text(text) => json::outline(text),
            Self::Binary(bytes) => msgpack::outline(bytes),
        }
    }

    /// The frame, in a box: each idle socket would have room for one otherwise.
    fn decode(&self, outline: Outline, most: usize) -> Result<Box<Frame>, Box<Unreadable>> {
        let decoded = match self {
            Self::Text(text) => json::decode_outlined(text, outline, most),
            Self::Binary(bytes) => msgpack::decode_outlined(bytes, outline, most),
        };
        decoded.map(Box::new).map_err(Box::new)
    }
}

/// Writes what the hub sends until the hub closes the queue or the socket fails. Frames are encoded here, not by the hub.
async fn write(mut sink: SplitSink<WebSocket, Message>, queue: Queue, format: Format, context: SocketContext) {
    let mut taken = Vec::new();
    loop {
        queue.take(BATCH, &mut taken).await;
        if taken.is_empty() {
            break;
        }
        for (item, size) in taken.drain(..) {
            match item {
                Item::Batch(mut batch) => loop {
                    let is_made = batch.work(format) > 0;
                    let bytes;
                    let Some(next) = next_bytes(batch, format, &context.heavy).await else { return };
                    (batch, bytes) = next;
                    let Some(bytes) = bytes else { break };
                    context.counters.bytes_out.add(bytes.len());
                    // It waits here for room in the socket. What many receive is charged where it is kept.
                    let _made = (is_made && bytes.len() > WRITE_BUFFER)
                        .then(|| context.budget.charge(Purpose::Queues, bytes.len()));
                    if !make_room(bytes.len(), &queue, &context.budget).await {
                        return;
                    }
                    if sink.feed(message(bytes, format)).await.is_err() {
                        return;
                    }
                },
                Item::Ping => {
                    if sink.feed(Message::Ping(Bytes::new())).await.is_err() {
                        return;
                    }
                }
            }
            queue.written(size);
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    // An error means that the client closed first.
    let _ = sink.close().await;
}

/// The bytes of a batch's next frame. What takes long to make is made on a thread of its own, a few at a time: the tasks of all
/// sockets share few threads. `None` where the relay stops.
async fn next_bytes(mut batch: Batch, format: Format, heavy: &HeavyWork) -> Option<(Batch, Option<Bytes>)> {
    heavy
        .run(batch.work(format), move || {
            let bytes = batch.next_bytes(format);
            (batch, bytes)
        })
        .await
}

/// Charges what the library's buffer needs for a frame of `bytes` bytes, beside the little that is there for every socket. The
/// buffer keeps it. Returns false if there is no room for too long: then the socket ends, and its client may resume.
async fn make_room(bytes: usize, queue: &Queue, budget: &MemoryBudget) -> bool {
    let needed = bytes.saturating_sub(WRITE_BUFFER).saturating_sub(queue.buffered());
    if needed == 0 {
        return true;
    }
    let mut waited = Duration::ZERO;
    while budget.check(needed).is_err() {
        if waited >= ROOM_PATIENCE {
            return false;
        }
        sleep(ROOM_INTERVAL).await;
        waited += ROOM_INTERVAL;
    }
    queue.buffer(needed);
    true
}

fn message(bytes: Bytes, format: Format) -> Message {
    match format {
        // The relay wrote it as text.
        Format::Json => Message::Text(Utf8Bytes::try_from(bytes).unwrap_or_default()),
        Format::MsgPack => Message::Binary(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_frames_or_one_large_one_wait_for_the_hub() {
        assert_eq!([0, 100, 1_023, 1_024, 60_000, 512 * 1024].map(turns_of), [1, 1, 1, 2, 59, TURNS]);
    }
}
