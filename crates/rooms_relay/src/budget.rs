//! The memory budget: one account of the bytes that the relay holds for its clients.
//!
//! Who holds bytes for a client has a [`Charge`] for them, and gives them back by dropping it. So the account is right
//! wherever the bytes go: a frame that waits for a thousand sockets and lies in a history is charged once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rooms_protocol::{ErrorCode, ErrorInfo};

/// One request may take this part of what is free. So the largest requests are the first that a full relay refuses.
pub(crate) const LARGEST_PART: usize = 8;

/// This part of the total is for what is small and cannot be refused, such as answers.
const RESERVE_PART: usize = 16;

/// What bytes are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What came in and waits for the hub.
    Inbound,
    /// Heads of requests that are not complete.
    Heads,
    /// Messages, in histories and on their way to sockets.
    Messages,
    /// Members, and what presence histories keep of them.
    Presence,
    /// Places in the queues to sockets, and frames for one client.
    Queues,
    /// Bodies of requests over HTTP.
    Bodies,
    /// Answers over HTTP.
    Answers,
    /// Connections, attachments and channels themselves.
    Tables,
}

impl Purpose {
    /// All purposes, in the order of the account.
    pub(crate) const ALL: [Self; 8] = [
        Self::Inbound,
        Self::Heads,
        Self::Messages,
        Self::Presence,
        Self::Queues,
        Self::Bodies,
        Self::Answers,
        Self::Tables,
    ];

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Heads => "heads",
            Self::Messages => "messages",
            Self::Presence => "presence",
            Self::Queues => "queues",
            Self::Bodies => "bodies",
            Self::Answers => "answers",
            Self::Tables => "tables",
        }
    }
}

/// The account of the bytes that are held. Its clones are the same account.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<Account>);

#[derive(Debug)]
struct Account {
    total: usize,
    used: [AtomicUsize; Purpose::ALL.len()],
}

impl MemoryBudget {
    /// An account of `total` bytes, all of them free.
    pub(crate) fn new(total: usize) -> Self {
        Self(Arc::new(Account { total, used: Default::default() }))
    }

    /// The bytes that may be held.
    pub(crate) fn total(&self) -> usize {
        self.0.total
    }

    /// The bytes that are held.
    pub(crate) fn used(&self) -> usize {
        Purpose::ALL.iter().map(|purpose| self.used_for(*purpose)).fold(0, usize::saturating_add)
    }

    /// The bytes that are held for one purpose.
    pub(crate) fn used_for(&self, purpose: Purpose) -> usize {
        self.0.used[purpose as usize].load(Ordering::Relaxed)
    }

    /// Whether so much is held that somebody has to give bytes back: nine tenths.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.used() / 9 >= self.total() / 10
    }

    /// The bytes that are held beyond what leaves room for everybody: as many are to be given back. Nothing until four fifths are
    /// held, and then what is beyond seven tenths, so that there is room for a while.
    pub(crate) fn excess(&self) -> usize {
        let (used, tenth) = (self.used(), self.total() / 10);
        if used < 8 * tenth { 0 } else { used - 7 * tenth }
    }

    /// Whether there is room for `bytes` more.
    ///
    /// # Errors
    /// 42910 for more than an eighth of what is free, apart from a reserve.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), ErrorInfo> {
        let free = (self.total() - self.total() / RESERVE_PART).saturating_sub(self.used());
        if bytes <= free / LARGEST_PART {
            return Ok(());
        }
        let why = "the relay's memory is nearly full; send less, or try again in a moment";
        Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why))
    }

    /// Charges `bytes` if there is room for them.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) fn admit(&self, purpose: Purpose, bytes: usize) -> Result<Charge, ErrorInfo> {
        self.check(bytes)?;
        Ok(self.charge(purpose, bytes))
    }

    /// Charges `bytes` in any case: what was admitted before in another form, or what is small and cannot be refused.
    pub(crate) fn charge(&self, purpose: Purpose, bytes: usize) -> Charge {
        self.0.used[purpose as usize].fetch_add(bytes, Ordering::Relaxed);
        Charge { account: Arc::clone(&self.0), purpose, bytes: AtomicUsize::new(bytes) }
    }
}

/// Bytes that somebody holds. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    purpose: Purpose,
    /// Changes behind a shared reference, since a frame gets its forms on the wire when they are first needed.
    bytes: AtomicUsize,
}

impl Charge {
    /// The bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Charges `bytes` more.
    pub(crate) fn grow(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.account.used[self.purpose as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Charges `bytes` from now on, more or less than before. Only the holder of the bytes calls this.
    pub(crate) fn set(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        let used = &self.account.used[self.purpose as usize];
        if bytes > before {
            used.fetch_add(bytes - before, Ordering::Relaxed);
        } else if bytes < before {
            used.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.used[self.purpose as usize].fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = MemoryBudget::new(1_000);
        let kept = budget.charge(Purpose::Messages, 100);
        kept.grow(20);
        kept.set(300);
        kept.set(120);
        let clone = budget.clone();
        let queued = clone.admit(Purpose::Queues, 30).unwrap();
        assert_eq!((budget.used(), budget.used_for(Purpose::Messages), kept.bytes()), (150, 120, 120));
        drop((kept, queued));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_fuller_it_is_the_smaller_is_what_it_admits() {
        let budget = MemoryBudget::new(1_600);
        assert!(budget.check(187).is_ok());
        assert_eq!(budget.check(188).map_err(|error| error.code), Err(ErrorCode::RATE_EXCEEDED));
        let _most = budget.charge(Purpose::Messages, 1_440);
        assert!(budget.is_nearly_full());
        assert!(budget.check(7).is_ok() && budget.check(8).is_err());
    }

    #[test]
    fn from_four_fifths_on_bytes_are_to_be_given_back() {
        let budget = MemoryBudget::new(1_000);
        let held = budget.charge(Purpose::Messages, 799);
        assert_eq!(budget.excess(), 0);
        held.grow(1);
        assert_eq!(budget.excess(), 100);
    }

    #[test]
    fn never_is_more_admitted_than_there_is() {
        let budget = MemoryBudget::new(10_000);
        let mut charges = Vec::new();
        for bytes in (1..2_000).rev() {
            charges.extend(budget.admit(Purpose::Inbound, bytes).ok());
        }
        assert!(budget.used() <= 10_000 && budget.is_nearly_full());
    }
}
