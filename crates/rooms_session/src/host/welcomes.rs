//! Whom the host has to welcome, and when.
//!
//! Owns the list and its pace. `publish.rs` writes the welcomes.

use std::{collections::BTreeMap, time::Duration};

use web_time::Instant;

use crate::{id::PlayerId, wire::message::Nonce};

/// Whom to welcome after the next state.
#[derive(Debug, Default)]
pub(super) struct Welcomes {
    /// The players, each with the nonce of its hello. No more than have a seat.
    waiting: BTreeMap<PlayerId, Nonce>,
    /// The next welcomes do not go out before this. Each holds the whole document, so a flood of hellos must not set their
    /// pace.
    not_before: Option<Instant>,
}

impl Welcomes {
    /// Plans the welcome of a player.
    pub(super) fn plan(&mut self, player: &PlayerId, nonce: Nonce) {
        self.waiting.insert(player.clone(), nonce);
    }

    /// Drops the welcome of a player that has no seat any more.
    pub(super) fn drop(&mut self, player: &PlayerId) {
        self.waiting.remove(player);
    }

    /// Drops all welcomes.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Whether nobody waits for a welcome.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next welcomes do not go out before this.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Takes all that are due. The next ones wait for `interval`.
    pub(super) fn take_due(&mut self, interval: Duration, now: Instant) -> BTreeMap<PlayerId, Nonce> {
        if self.waiting.is_empty() || self.not_before.is_some_and(|at| at > now) {
            return BTreeMap::new();
        }
        self.not_before = Some(now + interval);
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welcomes_go_out_together_and_not_more_often_than_the_interval() {
        let (now, interval, mut welcomes) = (Instant::now(), Duration::from_millis(100), Welcomes::default());
        let [ada, bob, zoe] = ["ada", "bob", "zoe"].map(|player| PlayerId::new(player).unwrap());
        welcomes.plan(&ada, "a".into());
        welcomes.plan(&bob, "b".into());
        welcomes.drop(&bob);
        assert_eq!(welcomes.take_due(interval, now).into_keys().collect::<Vec<_>>(), [ada]);
        welcomes.plan(&zoe, "z".into());
        assert!(welcomes.take_due(interval, now + interval / 2).is_empty() && !welcomes.is_empty());
        assert_eq!(welcomes.take_due(interval, now + interval).into_keys().collect::<Vec<_>>(), [zoe]);
    }
}
