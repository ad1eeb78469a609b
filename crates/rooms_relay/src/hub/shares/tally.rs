//! How many of one kind, connections or channels, each holder, key and address has.

use std::collections::HashMap;

use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    auth::owner::{Address, Holder, Owner},
    limits::RateMeter,
};

/// How many holders without anything are remembered for the rate of theirs, before those whose second is over are forgotten.
const REMEMBERED: usize = 256;

/// What each may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) holder: usize,
    pub(super) address: usize,
    pub(super) key: Option<usize>,
    /// How many a holder may begin in a second.
    pub(super) rate: Option<u32>,
}

/// Whose share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsedUp {
    /// The holder began too many in this second.
    Rate,
    Holder,
    Address,
    Key,
}

/// What all have.
#[derive(Debug, Default)]
pub(super) struct Tally {
    holders: HashMap<Holder, Share>,
    keys: HashMap<SmolStr, usize>,
    addresses: HashMap<Address, usize>,
    /// How many holders have nothing, and are remembered for their rate.
    empty: usize,
}

#[derive(Debug, Default)]
struct Share {
    count: usize,
    begun: RateMeter,
}

impl Tally {
    /// Whether `owner` may have one more.
    pub(super) fn check(&self, owner: &Owner, bounds: Bounds, now: Instant) -> Result<(), UsedUp> {
        let share = self.holders.get(&owner.holder);
        if share.is_some_and(|share| !share.begun.has_capacity(1, bounds.rate, now)) {
            return Err(UsedUp::Rate);
        }
        if share.map_or(0, |share| share.count) >= bounds.holder {
            return Err(UsedUp::Holder);
        }
        let at_address = owner.address.and_then(|address| self.addresses.get(&address));
        if at_address.is_some_and(|count| *count >= bounds.address) {
            return Err(UsedUp::Address);
        }
        let of_key = self.keys.get(&owner.key).copied().unwrap_or(0);
        if bounds.key.is_some_and(|most| of_key >= most) {
            return Err(UsedUp::Key);
        }
        Ok(())
    }

    /// Counts one more.
    pub(super) fn add(&mut self, owner: &Owner, now: Instant) {
        if self.empty > REMEMBERED {
            self.holders.retain(|_, share| share.count > 0 || !share.begun.is_over(now));
            self.empty = self.holders.values().filter(|share| share.count == 0).count();
        }
        let before = self.holders.len();
        let share = self.holders.entry(owner.holder.clone()).or_default();
        let is_remembered = share.count == 0;
        share.count += 1;
        share.begun.count(1, now);
        if is_remembered && self.holders.len() == before {
            self.empty = self.empty.saturating_sub(1);
        }
        *self.keys.entry(owner.key.clone()).or_default() += 1;
        if let Some(address) = owner.address {
            *self.addresses.entry(address).or_default() += 1;
        }
    }

    /// Counts one less.
    pub(super) fn remove(&mut self, owner: &Owner) {
        if let Some(share) = self.holders.get_mut(&owner.holder) {
            share.count = share.count.saturating_sub(1);
            // It is remembered for a while, so that who drops what it began does not begin anew.
            self.empty += usize::from(share.count == 0);
        }
        take_one(&mut self.keys, &owner.key);
        if let Some(address) = owner.address {
            take_one(&mut self.addresses, &address);
        }
    }
}

fn take_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{ApiKey, Identity, auth::Principal};

    const BOUNDS: Bounds = Bounds { holder: 2, address: 3, key: Some(4), rate: Some(9) };

    fn owner(key: &str, client: &str, address: u8) -> Owner {
        let key: ApiKey = key.parse().unwrap();
        Owner::of(&Principal::of_key(&Arc::new(key), Identity::Known(client.into())), Some([10, 0, 0, address].into()))
    }

    #[test]
    fn the_share_of_the_holder_is_used_up_before_those_of_its_address_and_key() {
        let (now, mut tally) = (Instant::now(), Tally::default());
        let ada = owner("app.id:s", "ada", 1);
        for _ in 0..2 {
            assert_eq!(tally.check(&ada, BOUNDS, now), Ok(()));
            tally.add(&ada, now);
        }
        assert_eq!(tally.check(&ada, BOUNDS, now), Err(UsedUp::Holder));
        tally.add(&owner("app.id:s", "bob", 1), now);
        assert_eq!(tally.check(&owner("app.id:s", "eve", 1), BOUNDS, now), Err(UsedUp::Address));
        assert_eq!(tally.check(&owner("app.id:s", "eve", 2), BOUNDS, now), Ok(()));
        tally.add(&owner("app.id:s", "eve", 2), now);
        assert_eq!(tally.check(&owner("app.id:s", "kay", 3), BOUNDS, now), Err(UsedUp::Key));
        assert_eq!(tally.check(&owner("app.other:s", "kay", 3), BOUNDS, now), Ok(()));
        tally.remove(&ada);
        assert_eq!(tally.check(&ada, BOUNDS, now), Ok(()));
    }

    #[test]
    fn who_drops_what_it_began_keeps_its_rate_and_is_forgotten_later() {
        let (now, mut tally) = (Instant::now(), Tally::default());
        let bounds = Bounds { rate: Some(3), ..BOUNDS };
        let ada = owner("app.id:s", "ada", 1);
        for _ in 0..3 {
            assert_eq!(tally.check(&ada, bounds, now), Ok(()));
            tally.add(&ada, now);
            tally.remove(&ada);
        }
        assert_eq!(tally.check(&ada, bounds, now), Err(UsedUp::Rate));
        let later = now + Duration::from_secs(1);
        assert_eq!(tally.check(&ada, bounds, later), Ok(()));
        for client in 0..4 * REMEMBERED {
            let client = owner("app.id:s", &client.to_string(), 1);
            let at = now + Duration::from_secs(u64::try_from(client_number(&client)).unwrap());
            tally.add(&client, at);
            tally.remove(&client);
        }
        assert!(tally.holders.len() <= REMEMBERED + 2 && tally.keys.is_empty() && tally.addresses.is_empty());
    }

    fn client_number(owner: &Owner) -> usize {
        let Holder::Client(_, id) = &owner.holder else { panic!("a client") };
        id.as_str().parse().unwrap()
    }
}
