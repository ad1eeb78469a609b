//! The room that bodies, or answers, may take on their way: a part of the relay's memory, of which each client has a share.
//!
//! So a client that sends slowly, or asks for much and reads little, is refused alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    auth::owner::{Holder, Owner},
    budget::{Charge, MemoryBudget, Purpose},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// All on their way together may take this part of the memory, and one client's this part of that.
const PART: usize = 8;

/// The bytes on their way for one purpose. Its clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: MemoryBudget,
    purpose: Purpose,
    by_holder: Mutex<HashMap<Holder, usize>>,
}

/// The bytes of one body or answer. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct RoomTaken {
    room: Room,
    holder: Holder,
    charge: Charge,
}

impl Room {
    /// Room in the memory of `budget`.
    pub(crate) fn new(budget: MemoryBudget, purpose: Purpose) -> Self {
        Self(Arc::new(Inner { budget, purpose, by_holder: Mutex::default() }))
    }

    /// Takes room for something of `owner`. One at a time is always there for each, as long as all together leave room.
    ///
    /// # Errors
    /// 42910 where there is none.
    pub(crate) fn admit(&self, owner: &Owner, bytes: usize) -> Result<RoomTaken, ErrorInfo> {
        self.admit_holder(owner.holder.clone(), bytes)
    }

    fn admit_holder(&self, holder: Holder, bytes: usize) -> Result<RoomTaken, ErrorInfo> {
        let charge = self.0.budget.charge(self.0.purpose, 0);
        let mut taken = RoomTaken { room: self.clone(), holder, charge };
        taken.grow(bytes)?;
        Ok(taken)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        // Nothing panics while it has the lock.
        self.0.by_holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomTaken {
    /// The bytes.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn bytes(&self) -> usize {
        self.charge.bytes()
    }

    /// Takes room for more.
    ///
    /// # Errors
    /// As [`Room::admit`].
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), ErrorInfo> {
        let Inner { budget, purpose, .. } = &*self.room.0;
        let most = budget.total() / PART;
        if budget.used_for(*purpose).saturating_add(bytes) > most {
            return Err(full("too many requests are on their way; try again in a moment"));
        }
        budget.check(bytes)?;
        let mut by_holder = self.room.lock();
        let held = by_holder.get(&self.holder).copied().unwrap_or(0);
        let is_alone = held == self.charge.bytes();
        if !is_alone && held.saturating_add(bytes) > most / PART {
            return Err(full("this client has too much on its way; send, or read, what is under way first"));
        }
        if bytes > 0 {
            *by_holder.entry(self.holder.clone()).or_default() += bytes;
        }
        self.charge.grow(bytes);
        Ok(())
    }

    /// The room for the same in another form, which takes so many bytes.
    ///
    /// # Errors
    /// As [`Room::admit`].
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn rewritten(self, bytes: usize) -> Result<Self, ErrorInfo> {
        let (room, holder) = (self.room.clone(), self.holder.clone());
        drop(self);
        room.admit_holder(holder, bytes)
    }
}

impl Drop for RoomTaken {
    fn drop(&mut self) {
        let mut by_holder = self.room.lock();
        if let Some(held) = by_holder.get_mut(&self.holder) {
            *held = held.saturating_sub(self.charge.bytes());
            if *held == 0 {
                by_holder.remove(&self.holder);
            }
        }
    }
}

fn full(why: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKey, Identity, auth::Principal};

    fn owner(client: &str) -> Owner {
        let key = Arc::new(ApiKey::development());
        Owner::of(&Principal::of_key(&key, Identity::Known(client.into())), None)
    }

    fn room() -> (Room, MemoryBudget) {
        let budget = MemoryBudget::new(64_000);
        (Room::new(budget.clone(), Purpose::Answers), budget)
    }

    #[test]
    fn who_leaves_its_answers_unread_is_refused_alone() {
        let (room, budget) = room();
        let code = |client: &str, bytes| room.admit(&owner(client), bytes).map_err(|error| error.code.0);
        let first = room.admit(&owner("mallory"), 900).unwrap();
        assert_eq!(code("mallory", 101).map(|_| ()), Err(42910));
        assert_eq!(code("mallory", 100).map(|_| ()), Ok(()));
        assert!(code("ada", 900).is_ok());
        drop(first);
        assert!(code("mallory", 5_000).is_ok(), "one at a time may be larger");
        assert_eq!((budget.used(), room.lock().len()), (0, 0));
    }

    #[test]
    fn all_together_take_a_part_of_the_memory() {
        let (room, budget) = room();
        let answers: Vec<_> =
            (0..100).filter_map(|client| room.admit(&owner(&format!("client{client}")), 1_000).ok()).collect();
        assert_eq!((answers.len(), budget.used_for(Purpose::Answers)), (8, 8_000));
        drop(answers);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_body_takes_room_as_it_comes() {
        let (room, budget) = room();
        let (mut one, mut two) = (room.admit(&owner("ada"), 0).unwrap(), room.admit(&owner("ada"), 0).unwrap());
        assert!(one.grow(600).is_ok() && two.grow(300).is_ok());
        assert_eq!(two.grow(200).map_err(|error| error.code.0), Err(42910));
        drop(one);
        assert!(two.grow(2_000).is_ok());
        drop(two);
        assert_eq!((budget.used(), room.lock().len()), (0, 0));
    }

    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    #[test]
    fn an_answer_that_grows_as_it_is_written_is_counted_as_it_is() {
        let (room, budget) = room();
        let answer = room.admit(&owner("ada"), 500).unwrap().rewritten(800).unwrap();
        assert_eq!((answer.bytes(), budget.used()), (800, 800));
        assert!(answer.rewritten(9_000).is_err());
        assert_eq!(budget.used(), 0);
    }
}
