//! Files of a folder: a web page that plays on this relay.

use std::path::PathBuf;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower_http::services::ServeDir;

/// What the address of a folder stands for.
pub(super) const INDEX: &str = "index.html";

/// A folder of files.
#[derive(Clone, Debug)]
pub(super) struct Pages(ServeDir);

impl Pages {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(ServeDir::new(folder).precompressed_gzip())
    }

    /// The file that the request names; the request again where there is none.
    pub(super) async fn get(&self, request: Request) -> Result<Response, Request> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(request);
        }
        let mut asked = Request::new(Body::empty());
        *asked.method_mut() = request.method().clone();
        *asked.uri_mut() = request.uri().clone();
        asked.headers_mut().clone_from(request.headers());
        let mut files = self.0.clone();
        match files.try_call(asked).await {
            Ok(found) if found.status() != StatusCode::NOT_FOUND => {
                let mut found = found.map(Body::new);
                // Asked for anew each time, since a page that is built again keeps its name; unchanged, it is not sent.
                found.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                Ok(found)
            }
            Ok(_) => Err(request),
            Err(error) => {
                log::warn!("cannot read the file of {}: {error}", request.uri().path());
                Ok((StatusCode::INTERNAL_SERVER_ERROR, "The file cannot be read.\n").into_response())
            }
        }
    }
}
