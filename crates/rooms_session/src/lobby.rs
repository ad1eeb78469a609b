//! How players find a room: names, invite links, and the public list.

pub(crate) mod directory;
pub(crate) mod invite;
pub(crate) mod names;
