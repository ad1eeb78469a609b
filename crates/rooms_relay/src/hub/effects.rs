//! What follows from an input: what the driver does next, and what the hub does later.
//!
//! The parts of the hub add to it. They never read it.

use std::sync::Arc;

use super::{output::Outputs, timer::Timers};
use crate::{budget::MemoryBudget, counters::Counters};

/// The output queue and the timers.
#[derive(Debug)]
pub(crate) struct Effects {
    /// What the driver does next.
    pub(crate) out: Outputs,
    /// What the hub does later.
    pub(crate) timers: Timers,
}

impl Effects {
    /// Nothing yet. What is sent is charged to `budget`.
    pub(crate) fn new(budget: MemoryBudget, counters: Arc<Counters>) -> Self {
        Self { out: Outputs::new(budget, counters), timers: Timers::default() }
    }
}
