//! What the relay counts for those who run it. All parts share one set of counters; nobody who counts waits for anybody.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rooms_protocol::ErrorCode;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds so many.
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(u64::try_from(amount).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What it stands at.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages and presence messages that clients sent.
    pub(crate) messages_in: Counter,
    /// Messages and presence messages that went to clients, once for each receiver.
    pub(crate) messages_out: Counter,
    /// Bytes of frames that clients sent.
    pub(crate) bytes_in: Counter,
    /// Bytes of frames that went to clients.
    pub(crate) bytes_out: Counter,
    /// Sockets that were cut off, since they read slower than the relay sends, or held too much of its memory.
    pub(crate) cut_offs: Counter,
    /// Bytes of histories that the relay dropped early, since its memory was nearly full.
    pub(crate) shed_bytes: Counter,
    refusals: Mutex<BTreeMap<ErrorCode, u64>>,
}

impl Counters {
    /// Counts something that was refused with this code.
    pub(crate) fn refuse(&self, code: ErrorCode) {
        *self.locked_refusals().entry(code).or_default() += 1;
    }

    /// How often each code was the reason to refuse something.
    pub(crate) fn refusals(&self) -> BTreeMap<ErrorCode, u64> {
        self.locked_refusals().clone()
    }

    fn locked_refusals(&self) -> MutexGuard<'_, BTreeMap<ErrorCode, u64>> {
        // Whoever panicked while it counted left a whole map behind.
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_their_code() {
        let counters = Counters::default();
        for code in [40009, 42910, 40009] {
            counters.refuse(ErrorCode(code));
        }
        assert_eq!(counters.refusals(), BTreeMap::from([(ErrorCode(40009), 2), (ErrorCode(42910), 1)]));
        counters.cut_offs.add(3);
        assert_eq!(counters.cut_offs.get(), 3);
    }
}
