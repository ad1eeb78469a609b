//! Rates that each of many has: clients, keys or addresses.

use std::{collections::HashMap, hash::Hash};

use web_time::Instant;

use crate::limits::RateMeter;

/// Most whose rates are known at a time. Where more come at once, the rate of all together bounds them.
const MOST: usize = 4_096;

/// A meter for each, kept for a second.
#[derive(Debug)]
pub(crate) struct RateMeters<K> {
    by_key: HashMap<K, RateMeter>,
}

impl<K> Default for RateMeters<K> {
    fn default() -> Self {
        Self { by_key: HashMap::new() }
    }
}

impl<K: Eq + Hash> RateMeters<K> {
    /// Whether `key` may have one more in this second.
    pub(crate) fn has_capacity(&self, key: &K, rate: Option<u32>, now: Instant) -> bool {
        self.by_key.get(key).is_none_or(|meter| meter.has_capacity(1, rate, now))
    }

    /// Counts one for `key`.
    pub(crate) fn count(&mut self, key: K, now: Instant) {
        if self.by_key.len() >= MOST {
            self.by_key.retain(|_, meter| !meter.is_over(now));
        }
        if self.by_key.len() < MOST || self.by_key.contains_key(&key) {
            self.by_key.entry(key).or_default().count(1, now);
        }
    }
}

/// What one of all may take of a rate that all share: three quarters, so that the others have something left.
pub(crate) fn of_one(rate: Option<u32>) -> Option<u32> {
    rate.map(|rate| rate - rate / 4)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_has_a_rate_of_its_own_and_only_so_many_are_remembered() {
        let now = Instant::now();
        let mut meters = RateMeters::default();
        for _ in 0..2 {
            assert!(meters.has_capacity(&0, Some(2), now));
            meters.count(0, now);
        }
        assert!(!meters.has_capacity(&0, Some(2), now) && meters.has_capacity(&1, Some(2), now));
        for key in 0..2 * MOST {
            meters.count(key, now);
        }
        assert_eq!(meters.by_key.len(), MOST);
        meters.count(9 * MOST, now + Duration::from_secs(1));
        assert_eq!(meters.by_key.len(), 1);
    }

    #[test]
    fn one_may_take_most_of_a_rate_and_small_ones_whole() {
        assert_eq!([1, 2, 4, 50].map(|rate| of_one(Some(rate))), [Some(1), Some(2), Some(3), Some(38)]);
        assert_eq!(of_one(None), None);
    }
}
