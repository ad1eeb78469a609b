//! Channels.

pub(crate) mod attach_request;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod members;
pub(crate) mod replay;
pub(crate) mod serial;
pub(crate) mod state;
