//! Connections.

pub(crate) mod ack_log;
pub(crate) mod state;
