//! A request over HTTP and its answer, as the driver of the hub hands them over.

use std::fmt;

/// A request as it came over HTTP.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RestRequest {
    /// The method in upper case, such as `GET`.
    pub method: String,
    /// The path and the query with their escapes, as they came.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for RestRequest {
    /// Leaves out headers, query and body, which may contain secrets.
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
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body. Where the request is HEAD, whoever writes the answer leaves it out.
    pub body: Vec<u8>,
}

impl RestResponse {
    /// The values of all headers with this name, which is in lower case, with commas between them.
    pub fn list(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(", ")
    }

    /// The value of a header, or of the first with this name. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for RestResponse {
    /// Leaves out the body, which may contain a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
