//! What travels: the messages about the room, how they are split, sent, received and told apart.

pub(crate) mod dedup;
pub(crate) mod fragment;
pub(crate) mod inbound;
pub(crate) mod message;
pub(crate) mod outbound;
pub(crate) mod pre_join;
