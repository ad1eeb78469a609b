//! The bytes that all channels keep together.

use super::state::HubChannel;

/// What channels may keep together, and what they keep.
#[derive(Debug)]
pub(crate) struct ReplayBudget {
    total: usize,
    used: usize,
}

impl ReplayBudget {
    /// A budget of `total` bytes, all of it free.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, used: 0 }
    }

    /// Sets what channels may keep together.
    pub(crate) fn set_total(&mut self, total: usize) {
        self.total = total;
    }

    /// The bytes that all channels keep, about.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Fits a channel into the budget after it kept something new. `before` is what it kept until then, and `channels` is how
    /// many channels there are.
    ///
    /// The channel may keep what the others leave of the total, and its equal share at least. So all together keep twice the
    /// total at most, and a channel that keeps more than its share comes down to it as soon as it keeps something new.
    pub(crate) fn fit(&mut self, channel: &mut HubChannel, before: usize, channels: usize) {
        let (others, share) = (self.used.saturating_sub(before), self.total / channels.max(1));
        channel.shrink_to(self.total.saturating_sub(others).max(share));
        self.used = others.saturating_add(channel.kept_bytes());
    }

    /// Gives back bytes that a channel no longer keeps.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}
