//! The relay's HTTP side without a socket: what a request asks for, and what an answer looks like.
//!
//! [`Hub::rest`](super::Hub::rest) answers a [`RestRequest`] with a [`RestResponse`]; a listener only translates. Paths
//! and bodies are those of Ably's REST interface, so that its SDKs can be used. Nothing here knows the hub.

mod answer;
mod call;
mod message;
mod paging;
mod room;

pub use self::message::{RestRequest, RestResponse};
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub(crate) use self::{answer::cors, call::unescape};
pub(crate) use self::{
    answer::{Body, Reply, respond, with_help},
    call::{Call, unreadable},
    paging::{Direction, HistoryQuery, Paging, invalid},
    room::{Room, RoomTaken},
};

/// The first parts of the paths that are the relay's own, whatever files a page has.
const OWN_PATHS: [&str; 9] = ["apps", "channels", "comet", "event-stream", "keys", "sse", "stats", "time", "token"];

/// Whether a path is the relay's own, so that no file can hide it.
#[cfg_attr(any(not(feature = "server"), target_arch = "wasm32"), expect(dead_code, reason = "the server serves files"))]
pub(crate) fn is_own_path(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    OWN_PATHS.contains(&first)
}
