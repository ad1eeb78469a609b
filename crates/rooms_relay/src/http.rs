//! The relay's HTTP side without a socket: what a request asks for, and what an answer looks like.
//!
//! [`Hub::rest`](super::Hub::rest) answers a [`RestRequest`] with a [`RestResponse`]; a listener only translates. Paths
//! and bodies are those of Ably's REST interface, so that its SDKs can be used. Nothing here knows the hub.

mod answer;
mod call;
mod message;
mod paging;

pub use self::message::{RestRequest, RestResponse};
pub(crate) use self::{
    answer::{Body, Reply, respond},
    call::Call,
    paging::{Direction, HistoryQuery, Paging, invalid},
};
