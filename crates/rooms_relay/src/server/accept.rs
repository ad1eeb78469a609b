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

/// Sockets beyond the limit of connections: room to tell them so, and for plain HTTP.
const SPARE_SOCKETS: usize = 64;

/// Pause after the system refused to accept, most often for want of file descriptors: some may be free then.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Accepts no more sockets than it may hold; further ones wait in the system's queue.
#[derive(Debug)]
pub(super) struct GuardedListener {
    listener: TcpListener,
    addr: SocketAddr,
    room: Arc<Semaphore>,
    handshake_timeout: Duration,
}

impl GuardedListener {
    pub(super) fn new(listener: TcpListener, addr: SocketAddr, limits: &Limits) -> Self {
        let sockets = limits.connections.saturating_add(SPARE_SOCKETS).min(Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(sockets));
        Self { listener, addr, room, handshake_timeout: limits.handshake_timeout }
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
        // The semaphore is never closed; if it were, the socket would go without a permit.
        let permit = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, addr) = self.accept_stream().await;
        // Frames are small and wanted at once.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("cannot turn off Nagle's algorithm for {addr}: {error}");
        }
        let deadline = Box::pin(tokio::time::sleep(self.handshake_timeout));
        let patience = self.handshake_timeout;
        (GuardedStream { stream, gate: Gate::default(), patience, deadline: Some(deadline), _permit: permit }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

/// Says that a socket became a WebSocket, so that its time does not run out, or that it made a request, which gives it
/// as much time again.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<Signs>);

#[derive(Debug, Default)]
struct Signs {
    is_open: AtomicBool,
    is_renewed: AtomicBool,
}

impl Gate {
    pub(super) fn open(&self) {
        self.0.is_open.store(true, Ordering::Relaxed);
    }

    pub(super) fn renew(&self) {
        self.0.is_renewed.store(true, Ordering::Relaxed);
    }

    fn take_renewal(&self) -> bool {
        self.0.is_renewed.swap(false, Ordering::Relaxed)
    }

    fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, GuardedListener>> for Gate {
    fn connect_info(stream: IncomingStream<'_, GuardedListener>) -> Self {
        stream.io().gate.clone()
    }
}

/// A socket that fails to read when it is no WebSocket, and makes no request, in time.
#[derive(Debug)]
pub(super) struct GuardedStream {
    stream: TcpStream,
    gate: Gate,
    /// How long it may take to become a WebSocket, or to make its next request.
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl GuardedStream {
    /// A file that goes out slowly, but goes, has its time.
    fn note_progress(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(bytes)) if *bytes > 0) {
            self.gate.renew();
        }
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.gate.is_open() {
            self.deadline = None;
        }
        if self.gate.take_renewal() {
            let until = Instant::now() + self.patience;
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
