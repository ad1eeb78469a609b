//! Static files: a web page whose players use this relay.
//!
//! Only what is inside the folder is served: no file whose name begins with a dot, and no link that leads elsewhere.

use std::{
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower_http::services::ServeDir;

use crate::http::unescape;

/// The file that a folder's address stands for.
pub(super) const INDEX: &str = "index.html";

/// What the name of a packed file has after that of the file itself.
const PACKED: &str = ".gz";

/// A folder of files.
#[derive(Clone, Debug)]
pub(super) struct StaticFiles {
    folder: PathBuf,
    service: ServeDir,
}

impl StaticFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { service: ServeDir::new(&folder).precompressed_gzip(), folder }
    }

    /// The file that the request names. Gives the request back if there is none.
    pub(super) async fn get(&self, request: Request) -> Result<Response, Request> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) || !self.may_serve(request.uri().path()).await {
            return Err(request);
        }
        let mut asked = Request::new(Body::empty());
        *asked.method_mut() = request.method().clone();
        *asked.uri_mut() = request.uri().clone();
        asked.headers_mut().clone_from(request.headers());
        let mut files = self.service.clone();
        match files.try_call(asked).await {
            Ok(found) if found.status() != StatusCode::NOT_FOUND => {
                let mut found = found.map(Body::new);
                // Browsers ask each time, since a page that is built again keeps its name. A file that did not change is not
                // sent.
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

    /// Whether everything that may be read for this path is inside the folder.
    async fn may_serve(&self, path: &str) -> bool {
        let Some(path) = unescape(path.trim_start_matches('/')) else { return false };
        let folder = self.folder.clone();
        // Looking at links takes the disk's time.
        let looking = tokio::task::spawn_blocking(move || is_inside(&folder, Path::new(&path)));
        looking.await.unwrap_or(false)
    }
}

fn is_inside(folder: &Path, path: &Path) -> bool {
    // Upwards and other drives lead out of the folder.
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return false;
    }
    let Ok(folder) = folder.canonicalize() else { return false };
    let file = match folder.join(path) {
        path if path.is_dir() => path.join(INDEX),
        path => path,
    };
    let packed = PathBuf::from([file.as_os_str(), PACKED.as_ref()].into_iter().collect::<OsString>());
    // A file that does not exist is not served, and does no harm.
    let is_fine = |file: &Path| file.canonicalize().is_err() || is_visible_in(&folder, file);
    is_fine(&file) && is_fine(&packed)
}

/// Whether a file is in the folder, by its name and, where links lead elsewhere, by its true place, and hidden in neither.
fn is_visible_in(folder: &Path, file: &Path) -> bool {
    let place = file.canonicalize();
    [Some(file), place.as_deref().ok()].into_iter().all(|file| {
        let inner = file.and_then(|file| file.strip_prefix(folder).ok());
        inner.is_some_and(|inner| !inner.iter().any(|name| name.as_encoded_bytes().starts_with(b".")))
    })
}
