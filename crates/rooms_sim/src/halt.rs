//! Something that stands still for a while.

use web_time::Instant;

/// Whether something stands still, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Halt {
    /// It does not.
    #[default]
    No,
    /// Until then.
    Until(Instant),
    /// Until somebody ends it.
    UntilTold,
}

impl Halt {
    pub(super) fn is_on(self) -> bool {
        self != Self::No
    }

    /// When it ends by itself.
    pub(super) fn end(self) -> Option<Instant> {
        match self {
            Self::Until(end) => Some(end),
            Self::No | Self::UntilTold => None,
        }
    }

    /// Makes it last until `end` at least.
    pub(super) fn extend(&mut self, end: Instant) {
        *self = match *self {
            Self::UntilTold => Self::UntilTold,
            Self::Until(before) => Self::Until(before.max(end)),
            Self::No => Self::Until(end),
        };
    }

    /// Ends it if its time is over, and returns whether it did.
    pub(super) fn end_if_over(&mut self, now: Instant) -> bool {
        let over = self.end().is_some_and(|end| end <= now);
        if over {
            *self = Self::No;
        }
        over
    }
}
