//! Static files: a web page whose players use this relay.

use std::path::PathBuf;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower_http::services::ServeDir;

/// The file that a folder's address stands for.
pub(super) const INDEX: &str = "index.html";

/// A folder of files.
#[derive(Clone, Debug)]
pub(super) struct StaticFiles(ServeDir);

impl StaticFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(ServeDir::new(folder).precompressed_gzip())
    }

    /// The file that the request names. Gives the request back if there is none.
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
                // Browsers ask each time, since a page that is built again keeps its name. A file that did not change is not sent.
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
