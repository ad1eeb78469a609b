//! What a socket has sent of a message, or of the head of a request, that is not complete yet. It waits in the socket's buffer, and
//! is charged like everything else.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::budget::{Charge, MemoryBudget, Purpose};

/// Bytes of an incomplete message with which a socket has to wait while memory is short. Most messages are smaller.
const SMALL: usize = 16 * 1024;

/// The heads of requests that are not complete may take this part of the memory budget. Nobody knows yet who sends them.
const HEADS_PART: usize = 16;

/// Bytes of an incomplete head with which a socket has to wait while the heads of all take more. Most heads are smaller, and come at
/// once.
const SMALL_HEAD: usize = 4 * 1024;

/// How long it waits before it looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// A message up to this size leaves nothing in the library's buffer that counts.
const LEAVES_NOTHING: usize = 8 * 1024;

/// The head of a request is to come.
const HEAD: u8 = 0;

/// A request is under way. Who reads its body counts it.
const REQUEST: u8 = 1;

/// The socket is a WebSocket, so that somebody takes its messages.
const MESSAGES: u8 = 2;

/// The bytes that came over one socket and are not a message, or the head of a request, yet.
#[derive(Debug)]
pub(super) struct Intake {
    budget: MemoryBudget,
    /// What came of a message, and what is kept.
    charge: Charge,
    /// What the library's buffer keeps for the next message: as much as the largest one took.
    kept: AtomicUsize,
    /// What came of a head.
    head: Charge,
    /// What is to come.
    phase: AtomicU8,
}

impl Intake {
    pub(super) fn new(budget: &MemoryBudget) -> Arc<Self> {
        let (charge, head) = (budget.charge(Purpose::Inbound, 0), budget.charge(Purpose::Heads, 0));
        Arc::new(Self { budget: budget.clone(), charge, head, kept: AtomicUsize::new(0), phase: AtomicU8::new(HEAD) })
    }

    /// The head of a request is complete.
    pub(super) fn end_head(&self) {
        self.phase.store(REQUEST, Ordering::Relaxed);
        self.head.set(0);
    }

    /// The request is answered. Another may come.
    pub(super) fn next_head(&self) {
        self.phase.store(HEAD, Ordering::Relaxed);
    }

    /// Counts messages from now on: the socket became a WebSocket.
    pub(super) fn begin(&self) {
        self.phase.store(MESSAGES, Ordering::Relaxed);
    }

    /// Notes that a message is complete. What came after it, less than one read, begins the next.
    pub(super) fn reset(&self) {
        let (kept, message) = (self.kept.load(Ordering::Relaxed), self.pending());
        let kept = if message > LEAVES_NOTHING { kept.max(message) } else { kept };
        self.kept.store(kept, Ordering::Relaxed);
        self.charge.set(kept);
    }

    /// The bytes that came of a message.
    fn pending(&self) -> usize {
        self.bytes().saturating_sub(self.kept.load(Ordering::Relaxed))
    }

    /// The bytes that wait, and those that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.charge.bytes()
    }

    fn note(&self, bytes: usize) {
        match self.phase.load(Ordering::Relaxed) {
            _ if bytes == 0 => {}
            HEAD => self.head.grow(bytes),
            MESSAGES => self.charge.grow(bytes),
            _ => {}
        }
    }

    fn must_wait(&self) -> bool {
        match self.phase.load(Ordering::Relaxed) {
            HEAD => {
                let heads = self.budget.total() / HEADS_PART;
                self.head.bytes() > SMALL_HEAD && self.budget.used_for(Purpose::Heads) > heads
            }
            _ => self.pending() > SMALL && self.budget.is_nearly_full(),
        }
    }
}

/// A stream whose bytes are counted while they wait for the rest of their message. It is not read while memory is short.
#[derive(Debug)]
pub(super) struct MeteredStream<S> {
    stream: S,
    intake: Arc<Intake>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> MeteredStream<S> {
    pub(super) fn new(stream: S, intake: Arc<Intake>) -> Self {
        Self { stream, intake, pause: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.intake.must_wait() {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.intake.note(buffer.filled().len().saturating_sub(before));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::timeout,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_incomplete_message_is_charged_and_waits_while_memory_is_short() {
        let budget = MemoryBudget::new(1_000_000);
        let intake = Intake::new(&budget);
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let mut stream = MeteredStream::new(server, Arc::clone(&intake));
        let mut buffer = vec![0; 20_000];
        client.write_all(&[1; 100]).await.unwrap();
        intake.end_head();
        stream.read_exact(&mut buffer[..100]).await.unwrap();
        assert_eq!(budget.used(), 0, "it is no WebSocket yet");
        intake.begin();
        client.write_all(&[1; 20_000]).await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!((budget.used(), intake.bytes()), (20_000, 20_000));

        let others = budget.charge(Purpose::Messages, 900_000);
        client.write_all(&[1; 10]).await.unwrap();
        let mut read = Box::pin(stream.read_exact(&mut buffer[..10]));
        assert!(timeout(PAUSE * 10, &mut read).await.is_err(), "memory is short");
        drop(others);
        assert_eq!(timeout(PAUSE * 2, read).await.unwrap().unwrap(), 10);
        intake.reset();
        assert_eq!((budget.used(), intake.pending()), (20_010, 0), "the buffer is there for the next");
        client.write_all(&[1; 10]).await.unwrap();
        let others = budget.charge(Purpose::Messages, 900_000);
        assert_eq!(
            timeout(PAUSE, stream.read_exact(&mut buffer[..10])).await.unwrap().unwrap(),
            10,
            "a small one goes on"
        );
        drop((stream, intake, others));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_incomplete_head_is_charged_and_waits_while_those_of_all_take_their_part() {
        let budget = MemoryBudget::new(1_000_000);
        let mut sockets: Vec<_> = (0..20)
            .map(|_| {
                let (client, server) = tokio::io::duplex(64 * 1024);
                let intake = Intake::new(&budget);
                (client, Arc::clone(&intake), MeteredStream::new(server, intake))
            })
            .collect();
        let mut buffer = vec![0; 10_000];
        let mut read = 0;
        for (client, _, stream) in &mut sockets {
            client.write_all(&[1; 10_000]).await.unwrap();
            while let Ok(Ok(bytes)) = timeout(PAUSE, stream.read(&mut buffer[..2_000])).await {
                read += bytes;
            }
        }
        assert!(budget.used_for(Purpose::Heads) == read && read > 1_000_000 / HEADS_PART, "{read}");
        assert!(read <= 1_000_000 / HEADS_PART + 20 * (SMALL_HEAD + 2_000), "small ones go on: {read}");
        let (_, first, _) = &sockets[0];
        first.end_head();
        sockets.truncate(1);
        assert_eq!(budget.used(), 0, "what is complete, and what is gone, is free again");
    }
}
