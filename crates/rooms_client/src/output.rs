//! What the client has its driver do.

use std::fmt;

use crate::auth::token::TokenParams;
use rooms_protocol::Frame;

/// Names one socket of a client; no two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub(crate) u64);

/// What the driver is to do. Credentials in it are not shown in debug output.
#[derive(Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every output is a frame, and a box for each would cost more")]
pub enum Output {
    /// Open a socket. The URL holds credentials; do not log it.
    Open {
        /// Names the socket.
        transport: TransportId,
        /// Where to.
        url: String,
    },
    /// Send a frame.
    Send {
        /// The socket, which was reported open or will be.
        transport: TransportId,
        /// The frame.
        frame: Frame,
    },
    /// Send what is left and close the socket. No further output names it.
    Shut {
        /// The socket.
        transport: TransportId,
    },
    /// Get a token, from the callback or the URL of the credentials, or a request for one that is signed with their key.
    /// The answer goes to [`handle_token`](crate::Client::handle_token); one that comes too late is ignored.
    NeedToken {
        /// Names the answer.
        request: RequestId,
        /// What the token must be.
        params: TokenParams,
    },
    /// POST a signed token request, without credentials. The token details that come back go to
    /// [`handle_token`](crate::Client::handle_token).
    ExchangeToken {
        /// Names the answer.
        request: RequestId,
        /// What to send.
        http: HttpRequest,
    },
    /// Send a request over HTTP. The answer goes to [`handle_http`](crate::Client::handle_http).
    Http {
        /// Names the answer.
        request: RequestId,
        /// What to send.
        http: HttpRequest,
    },
    /// GET the URL. Whether an answer came that holds `yes` goes to
    /// [`handle_connectivity`](crate::Client::handle_connectivity).
    CheckConnectivity {
        /// Names the answer.
        request: RequestId,
        /// What to ask.
        url: String,
    },
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The query holds the key or token.
            Self::Open { transport, url } => {
                let place = url.split('?').next().unwrap_or_default();
                f.debug_struct("Open").field("transport", transport).field("url", &place).finish_non_exhaustive()
            }
            Self::Send { transport, frame } => {
                f.debug_struct("Send").field("transport", transport).field("frame", frame).finish()
            }
            Self::Shut { transport } => f.debug_struct("Shut").field("transport", transport).finish(),
            Self::NeedToken { request, params } => {
                f.debug_struct("NeedToken").field("request", request).field("params", params).finish()
            }
            Self::ExchangeToken { request, http } => {
                f.debug_struct("ExchangeToken").field("request", request).field("http", http).finish()
            }
            Self::Http { request, http } => {
                f.debug_struct("Http").field("request", request).field("http", http).finish()
            }
            Self::CheckConnectivity { request, url } => {
                f.debug_struct("CheckConnectivity").field("request", request).field("url", url).finish()
            }
        }
    }
}

/// Names something that the driver was asked to find out; no two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// What the driver is to send over HTTP. Debug output shows neither the headers, which hold credentials, nor the body, which
/// may hold a signature with which anybody could get a token.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where to.
    pub url: String,
    /// Headers, by name.
    pub headers: Vec<(&'static str, String)>,
    /// What to POST, as JSON; none: GET.
    pub body: Option<String>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Server` header; empty: there is none.
    pub server: String,
    /// The `Link` headers, joined by commas.
    pub link: String,
    /// The body, as JSON.
    pub body: Vec<u8>,
}
