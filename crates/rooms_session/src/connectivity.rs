//! The connection as this player knows it: facts, and what a change of them means.

pub(crate) mod changes;
pub(crate) mod facts;
