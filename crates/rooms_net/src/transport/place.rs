//! Where a socket goes, as people read it: the host and its port, without what is secret in the URL.

use url::Url;

/// The host and the port of a URL, if it has them.
pub(super) fn place(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// The same for a URL that may be none.
#[cfg(target_arch = "wasm32")]
pub(super) fn place_of(url: &str) -> String {
    let place = Url::parse(url).ok().as_ref().and_then(place);
    place.unwrap_or_else(|| "this address".to_owned())
}
