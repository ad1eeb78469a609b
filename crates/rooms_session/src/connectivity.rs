//! The connection as this player knows it, and what its changes mean.

pub(crate) mod changes;
pub(crate) mod facts;
