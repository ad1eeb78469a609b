//! Accepting sockets: a bounded number of them, and a bounded time to become a WebSocket.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

use crate::Limits;

/// Sockets beyond the limit of connections, so that the relay can tell their clients so, and for plain HTTP.
const SPARE_SOCKETS: usize = 64;

/// Pause after the system did not accept a socket. Most often it has no free file descriptor, and has one a little later.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Accepts no more sockets than it may have. Further ones wait in the system's queue.
#[derive(Debug)]
pub(super) struct GuardedListener {
    listener: TcpListener,
    addr: SocketAddr,
    capacity: Arc<Semaphore>,
    handshake_timeout: Duration,
}

impl GuardedListener {
    pub(super) fn new(listener: TcpListener, addr: SocketAddr, limits: &Limits) -> Self {
        let sockets = limits.connections.saturating_add(SPARE_SOCKETS).min(Semaphore::MAX_PERMITS);
        let capacity = Arc::new(Semaphore::new(sockets));
        Self { listener, addr, capacity, handshake_timeout: limits.handshake_timeout }
    }

    async fn accept_stream(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_about_one_socket(&error) => {}
                Err(error) => {
                    log::error!("cannot accept a socket: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn is_about_one_socket(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Listener for GuardedListener {
    type Io = GuardedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (GuardedStream, SocketAddr) {
        // The semaphore is never closed. If it were, the socket would have no permit.
        let permit = Arc::clone(&self.capacity).acquire_owned().await.ok();
        let (stream, addr) = self.accept_stream().await;
        // Frames are small, and players wait for them.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("cannot turn off Nagle's algorithm for {addr}: {error}");
        }
        let deadline = Box::pin(tokio::time::sleep(self.handshake_timeout));
        let timeout = self.handshake_timeout;
        (
            GuardedStream {
                stream,
                signal: HandshakeSignal::default(),
                timeout,
                deadline: Some(deadline),
                _permit: permit,
            },
            addr,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

/// Signals that a socket became a WebSocket, so that it does not time out, or that it made a request, which gives it the same
/// time again.
#[derive(Clone, Debug, Default)]
pub(super) struct HandshakeSignal(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    is_upgraded: AtomicBool,
    is_extended: AtomicBool,
}

impl HandshakeSignal {
    pub(super) fn upgraded(&self) {
        self.0.is_upgraded.store(true, Ordering::Relaxed);
    }

    pub(super) fn extend(&self) {
        self.0.is_extended.store(true, Ordering::Relaxed);
    }

    fn take_extension(&self) -> bool {
        self.0.is_extended.swap(false, Ordering::Relaxed)
    }

    fn is_upgraded(&self) -> bool {
        self.0.is_upgraded.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, GuardedListener>> for HandshakeSignal {
    fn connect_info(stream: IncomingStream<'_, GuardedListener>) -> Self {
        stream.io().signal.clone()
    }
}

/// A socket whose reads fail if it neither becomes a WebSocket nor makes a request in time.
#[derive(Debug)]
pub(super) struct GuardedStream {
    stream: TcpStream,
    signal: HandshakeSignal,
    /// How long it may take to become a WebSocket, or to make its next request.
    timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl GuardedStream {
    /// Gives a file that is sent slowly all the time that it needs.
    fn note_progress(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(bytes)) if *bytes > 0) {
            self.signal.extend();
        }
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.signal.is_upgraded() {
            self.deadline = None;
        }
        if self.signal.take_extension() {
            let until = Instant::now() + self.timeout;
            if let Some(deadline) = self.deadline.as_mut() {
                deadline.as_mut().reset(until);
            }
        }
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_progress(&written);
        written
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_progress(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
