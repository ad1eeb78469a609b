//! What travels: the messages about the room, and how messages are encoded, split, sent, received and recognised.

pub(crate) mod bundle;
pub(crate) mod dedup;
pub(crate) mod fragment;
pub(crate) mod inbound;
pub(crate) mod message;
pub(crate) mod outbound;
pub(crate) mod pace;
pub(crate) mod payload;
pub(crate) mod pre_join;
