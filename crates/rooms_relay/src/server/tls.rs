//! TLS with a certificate and a key in files.

use std::{
    fmt, io,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    Accept, TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use super::error::RelayError;

/// The one protocol over TLS. WebSockets begin as its requests.
const HTTP: &[u8] = b"http/1.1";

/// The files with which the relay shows clients that it is the right one, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and one that clients trust, in this order.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
}

/// The certificate that the relay shows now. Its clones are the same.
#[derive(Clone)]
pub(super) struct Tls(Arc<RwLock<TlsAcceptor>>);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`RelayError::Tls`] where they cannot be read, or do not belong together.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, RelayError> {
        Ok(Self(Arc::new(RwLock::new(acceptor(files)?))))
    }

    /// Shows another certificate from now on. Clients that are connected do not notice.
    pub(super) fn replace(&self, other: &Self) {
        let other = other.acceptor();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// What greets a client.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, RelayError> {
    let wrong = |path: &PathBuf| {
        let file = path.clone();
        move |why: &dyn fmt::Display| RelayError::Tls { file: file.clone(), why: why.to_string() }
    };
    let wrong_certificate = wrong(&files.certificate);
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong_certificate(&error))?;
    if certificates.is_empty() {
        return Err(wrong_certificate(&"it holds no certificate in PEM form"));
    }
    let wrong_key = wrong(&files.key);
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong_key(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key));
    let mut config = config.map_err(|error| wrong_key(&error))?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A socket with or without TLS. The handshake is a part of reading and writing, so that it delays no other socket, and takes no
/// longer than whoever reads and writes allows.
pub(super) enum Stream {
    Plain(TcpStream),
    Greeting(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

impl Stream {
    /// With TLS if there is a certificate.
    pub(super) fn new(stream: TcpStream, tls: Option<&Tls>) -> Self {
        match tls {
            Some(tls) => Self::Greeting(Box::new(tls.acceptor().accept(stream))),
            None => Self::Plain(stream),
        }
    }

    /// Goes on with the handshake.
    fn poll_greeted(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self::Greeting(greeting) = self else { return Poll::Ready(Ok(())) };
        let (next, result) = match ready!(Pin::new(greeting).poll(cx)) {
            Ok(secure) => (Self::Secure(Box::new(secure)), Ok(())),
            Err(error) => (Self::Failed, Err(error)),
        };
        *self = next;
        Poll::Ready(result)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(…)")
    }
}

/// Polls the stream behind the handshake.
macro_rules! poll_stream {
    ($self:ident, $cx:ident, $stream:ident => $poll:expr) => {{
        let this = $self.get_mut();
        ready!(this.poll_greeted($cx))?;
        match this {
            Self::Plain($stream) => $poll,
            Self::Secure($stream) => $poll,
            Self::Greeting(_) | Self::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }};
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll_stream!(self, cx, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        poll_stream!(self, cx, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_stream!(self, cx, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_stream!(self, cx, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_stream!(self, cx, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
            Self::Greeting(_) | Self::Failed => false,
        }
    }
}
