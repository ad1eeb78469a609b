//! A player that follows a host.

pub(crate) mod follow;
pub(crate) mod state;
