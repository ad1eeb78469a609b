//! The host: its own copy of the document, the seats, and who is let in.
//!
//! What the host does to the document is provisional until the echo of its publish brings it back. The replica holds that
//! confirmed state, and a host that steps down returns to it.

pub(crate) mod admission;
pub(crate) mod document;
pub(crate) mod intake;
pub(crate) mod lease;
pub(crate) mod newcomers;
pub(crate) mod players;
pub(crate) mod publish;
pub(crate) mod seats;
pub(crate) mod state;
pub(crate) mod welcomes;
