//! When each of many acts by itself next.

use std::collections::BTreeSet;

use web_time::Instant;

/// When each of many acts by itself next, in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    times: Vec<Option<Instant>>,
    order: BTreeSet<(Instant, usize)>,
}

impl Agenda {
    /// Enters when one acts next, in place of what was entered before.
    pub(super) fn set(&mut self, index: usize, at: Option<Instant>) {
        if self.times.len() <= index {
            self.times.resize(index + 1, None);
        }
        let before = std::mem::replace(&mut self.times[index], at);
        if before != at {
            before.map(|before| self.order.remove(&(before, index)));
            self.order.extend(at.map(|at| (at, index)));
        }
    }

    /// When the first of them acts.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Those whose time has come, by their numbers.
    pub(super) fn due(&self, now: Instant) -> Vec<usize> {
        let mut due: Vec<usize> = self.order.iter().take_while(|(at, _)| *at <= now).map(|(_, index)| *index).collect();
        due.sort_unstable();
        due
    }
}
