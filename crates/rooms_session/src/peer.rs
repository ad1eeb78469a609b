//! A player that follows a host, or is on its way in: the host's lease, and the hellos.

pub(crate) mod hello;
pub(crate) mod regularity;
pub(crate) mod state;
