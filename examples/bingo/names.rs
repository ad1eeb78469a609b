//! Random names of animals, for players and rooms.

use bevy_rooms::prelude::*;
use rand::{SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Short, well known, and hard to mistake for one another.
const ANIMALS: [&str; 48] = [
    "ant", "badger", "bat", "bear", "beaver", "bee", "bison", "camel", "cat", "cobra", "crab", "crow", "deer", "dingo",
    "dodo", "eagle", "eel", "falcon", "fox", "frog", "gecko", "goat", "hare", "heron", "hippo", "ibex", "jackal",
    "koala", "lemur", "lion", "lynx", "mole", "moose", "newt", "otter", "owl", "panda", "puffin", "quail", "raven",
    "seal", "shrew", "stork", "tapir", "toad", "walrus", "wolf", "zebra",
];

/// A generator that nobody can guess.
pub fn random() -> ChaCha8Rng {
    // Without a source of randomness names repeat, which is harmless.
    ChaCha8Rng::seed_from_u64(getrandom::u64().unwrap_or_default())
}

/// Two animals, for a player: "Otter Fox".
pub fn player() -> String {
    let capitalized = |animal: &&str| animal[..1].to_uppercase() + &animal[1..];
    ANIMALS.sample(&mut random(), 2).map(capitalized).collect::<Vec<_>>().join(" ")
}

/// Three animals, for a room: "otter-badger-fox".
pub fn room() -> RoomName {
    let name = ANIMALS.sample(&mut random(), 3).copied().collect::<Vec<_>>().join("-");
    #[expect(clippy::expect_used, reason = "letters and hyphens make a valid name")]
    RoomName::new(name).expect("letters and hyphens make a valid name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_is_two_animals_and_a_room_three() {
        assert_eq!(player().split(' ').count(), 2);
        assert_eq!(room().as_str().split('-').count(), 3);
    }

    #[test]
    fn animals_are_named_once() {
        let mut animals = ANIMALS.to_vec();
        animals.dedup();
        assert!(animals.is_sorted() && animals.len() == ANIMALS.len());
    }
}
