//! What a socket has sent of a message that is not complete yet. It waits in the socket's buffer, and is charged like everything
//! else.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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

/// How long it waits before it looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// The bytes that came over one socket and are not a message yet.
#[derive(Debug)]
pub(super) struct Intake {
    budget: MemoryBudget,
    charge: Charge,
    /// Whether the socket is a WebSocket, so that somebody takes its messages.
    is_counting: AtomicBool,
}

impl Intake {
    pub(super) fn new(budget: &MemoryBudget) -> Arc<Self> {
        let charge = budget.charge(Purpose::Inbound, 0);
        Arc::new(Self { budget: budget.clone(), charge, is_counting: AtomicBool::new(false) })
    }

    /// Counts from now on: the socket became a WebSocket.
    pub(super) fn begin(&self) {
        self.is_counting.store(true, Ordering::Relaxed);
    }

    /// Notes that a message is complete. What came after it, less than one read, begins the next.
    pub(super) fn reset(&self) {
        self.charge.set(0);
    }

    /// The bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.charge.bytes()
    }

    fn note(&self, bytes: usize) {
        if bytes > 0 && self.is_counting.load(Ordering::Relaxed) {
            self.charge.grow(bytes);
        }
    }

    fn must_wait(&self) -> bool {
        self.bytes() > SMALL && self.budget.is_nearly_full()
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
        assert_eq!(budget.used(), 0);
    }
}
