//! The relay's HTTP side without a socket: what a request asks for, and what an answer looks like.
//!
//! [`Hub::rest`](super::Hub::rest) answers a [`RestRequest`] with a [`RestResponse`]; a listener only translates. Paths
//! and bodies are those of Ably's REST interface, so that its SDKs can be used. Nothing here knows the hub.

mod answer;
mod call;
mod paging;

use std::fmt;

pub(crate) use self::{
    answer::{Body, Reply, respond},
    call::Call,
    paging::{Direction, HistoryQuery, Paging, invalid},
};

/// A request as it came over HTTP.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RestRequest {
    /// The method, in capitals, such as `GET`.
    pub method: String,
    /// Path and query as they stood in the request, with their escapes.
    pub target: String,
    /// Names, in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for RestRequest {
    /// Leaves out headers, query and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("RestRequest").field("method", &self.method).field("path", &path).finish_non_exhaustive()
    }
}

/// The answer to a [`RestRequest`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RestResponse {
    /// The HTTP status.
    pub status: u16,
    /// Names, in small letters, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl RestResponse {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for RestResponse {
    /// Leaves out the body, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
