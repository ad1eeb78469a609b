//! What follows from an input: what the driver does next, and what the hub does later.
//!
//! The parts of the hub add to it. They never read it.

use super::{output::Outputs, timer::Timers};

/// The output queue and the timers.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What the driver does next.
    pub(crate) out: Outputs,
    /// What the hub does later.
    pub(crate) timers: Timers,
}
