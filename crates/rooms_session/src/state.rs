//! The state that all players of a room share: the document, its parts, and the local copy.

pub(crate) mod document;
pub(crate) mod fingerprint;
pub(crate) mod json;
pub(crate) mod replica;
pub(crate) mod roster;
pub(crate) mod rules;
