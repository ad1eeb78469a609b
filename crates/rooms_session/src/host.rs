//! The host: its own copy of the document, the seats, and the room's rules.

pub(crate) mod control;
pub(crate) mod lead;
pub(crate) mod seats;
pub(crate) mod state;
