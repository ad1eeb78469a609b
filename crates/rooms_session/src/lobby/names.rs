//! Names that are easy to say: random animals and short codes for rooms, and reading what people type.
//!
//! Random names are made from a seed, which the caller takes from wherever it has randomness.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smol_str::SmolStr;

use crate::id::{InvalidName, RoomName};

/// Short, well known, friendly, and hard to mistake for one another. None begins with another, so that three that were
/// typed without anything between them can still be told apart.
pub const ANIMALS: [&str; 64] = [
    "alpaca", "badger", "bear", "beaver", "bison", "camel", "cat", "cheetah", "cobra", "crab", "crow", "deer", "dingo",
    "dodo", "dolphin", "duck", "eagle", "falcon", "ferret", "fox", "frog", "gecko", "giraffe", "goat", "hamster",
    "hare", "heron", "hippo", "ibex", "iguana", "jackal", "jaguar", "kiwi", "koala", "lemur", "lion", "llama", "lynx",
    "magpie", "mole", "moose", "newt", "octopus", "otter", "owl", "panda", "parrot", "penguin", "puffin", "quail",
    "rabbit", "raven", "salmon", "seal", "shrew", "sloth", "stork", "tapir", "tiger", "toad", "walrus", "wolf", "yak",
    "zebra",
];

/// What codes are made of: letters and digits that neither look nor sound like one another, and no vowels, so that no
/// code spells a word.
pub const CODE_LETTERS: [char; 13] = ['d', 'f', 'h', 'k', 'm', 'r', 'w', 'x', 'y', '3', '4', '7', '9'];

/// Letters in a code: 4.8 million codes.
pub const CODE_LEN: usize = 6;

/// Animals in a room's name: 250,000 names.
const ROOM_ANIMALS: usize = 3;

impl RoomName {
    /// A name of three random animals, such as `otter-badger-fox`. Two rooms rarely get the same. A room's name is no secret.
    pub fn random_animals(seed: u64) -> Self {
        Self::known(animals(seed, ROOM_ANIMALS).join("-"))
    }

    /// A random code to say or to type, such as `km4-rx7`.
    pub fn random_code(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let letters: Vec<char> =
            (0..CODE_LEN).map(|_| CODE_LETTERS[random.random_range(0..CODE_LETTERS.len())]).collect();
        Self::known(hyphenated(&letters))
    }

    /// Reads a name as people type it: letter case does not matter, nor how many spaces or hyphens are between words. In
    /// codes and between animals there may be none at all. Elsewhere they are read as one hyphen.
    ///
    /// All names of [`random_animals`](Self::random_animals) and [`random_code`](Self::random_code) are read as
    /// themselves. A game that lets people type names makes all its rooms' names with this, so that everyone gets the
    /// same.
    ///
    /// ```
    /// use rooms_session::RoomName;
    ///
    /// let room = RoomName::new("otter-badger-fox")?;
    /// assert_eq!(RoomName::from_typed("  Otter badger FOX "), Ok(room.clone()));
    /// assert_eq!(RoomName::from_typed("otterbadgerfox"), Ok(room));
    /// assert_eq!(RoomName::from_typed("KM4 RX7")?.as_str(), "km4-rx7");
    /// # Ok::<(), rooms_session::InvalidName>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidName`] tells what is wrong with it.
    pub fn from_typed(text: &str) -> Result<Self, InvalidName> {
        let lower = text.to_lowercase();
        let parts: Vec<&str> = lower.split([' ', '\t', '-', '–']).filter(|part| !part.is_empty()).collect();
        let together = parts.concat();
        let letters: Vec<char> = together.chars().collect();
        if letters.len() == CODE_LEN && letters.iter().all(|letter| CODE_LETTERS.contains(letter)) {
            return Self::new(hyphenated(&letters));
        }
        let name = split_animals(&together).unwrap_or(parts).join("-");
        Self::new(name)
    }

    /// The name as it is best shown: codes in capitals.
    pub fn shown(&self) -> SmolStr {
        let letters = || self.as_str().chars().filter(|letter| *letter != '-');
        let is_code = letters().count() == CODE_LEN && letters().all(|letter| CODE_LETTERS.contains(&letter));
        if is_code { self.as_str().to_uppercase().into() } else { self.as_str().into() }
    }

    /// A name that was put together from known parts.
    fn known(text: String) -> Self {
        #[expect(clippy::expect_used, reason = "short words of letters, digits and hyphens are a valid name")]
        Self::new(text).expect("short words of letters, digits and hyphens are a valid name")
    }
}

/// A name of two random animals for a player, such as `Otter Fox`.
pub fn random_player(seed: u64) -> String {
    let capitalized = |animal: &'static str| {
        let mut letters = animal.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    animals(seed, 2).into_iter().map(capitalized).collect::<Vec<_>>().join(" ")
}

fn animals(seed: u64, count: usize) -> Vec<&'static str> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut left = ANIMALS.to_vec();
    (0..count).map(|_| left.swap_remove(random.random_range(0..left.len()))).collect()
}

/// A code in two halves.
fn hyphenated(letters: &[char]) -> String {
    let (first, second) = letters.split_at(letters.len() / 2);
    first.iter().chain(&['-']).chain(second).collect()
}

/// The animals that a text is made of. `None` if it is not three of them.
fn split_animals(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::with_capacity(ROOM_ANIMALS);
    let mut rest = text;
    while !rest.is_empty() && found.len() < ROOM_ANIMALS {
        let animal = ANIMALS.iter().find(|animal| rest.starts_with(*animal))?;
        let (word, more) = rest.split_at(animal.len());
        found.push(word);
        rest = more;
    }
    (rest.is_empty() && found.len() == ROOM_ANIMALS).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> String {
        RoomName::from_typed(text).unwrap().to_string()
    }

    #[test]
    fn animals_are_named_once_and_none_begins_with_another() {
        for one in ANIMALS {
            let same = ANIMALS.iter().filter(|other| other.starts_with(one)).count();
            assert_eq!(same, 1, "{one}");
            assert!(one.chars().all(|letter| letter.is_ascii_lowercase()) && one.len() <= 8, "{one}");
        }
        assert!(ANIMALS.is_sorted());
    }

    #[test]
    fn random_names_are_read_as_themselves_however_they_are_typed() {
        for seed in 0..500 {
            for room in [RoomName::random_animals(seed), RoomName::random_code(seed)] {
                let text = room.as_str();
                let variants = [
                    text.to_owned(),
                    text.to_uppercase(),
                    text.replace('-', " "),
                    text.replace('-', ""),
                    format!("  {} ", text.replace('-', " - ")),
                    room.shown().to_string(),
                ];
                for variant in variants {
                    assert_eq!(RoomName::from_typed(&variant), Ok(room.clone()), "{variant}");
                }
            }
        }
        assert_eq!(typed("k m 4 r x 7"), "km4-rx7");
    }

    #[test]
    fn a_name_of_the_games_own_is_read_in_lower_case_with_one_hyphen_between_words() {
        assert_eq!(typed("My  Room -- 2"), "my-room-2");
        assert_eq!(typed("test_1"), "test_1");
        assert!(matches!(RoomName::from_typed(" - "), Err(InvalidName::Empty { .. })));
        assert!(matches!(RoomName::from_typed("a:b"), Err(InvalidName::Character { character: ':', .. })));
    }

    #[test]
    fn codes_are_short_in_capitals_and_differ() {
        let codes: std::collections::BTreeSet<_> = (0..1000).map(RoomName::random_code).collect();
        assert!(codes.len() > 995, "{}", codes.len());
        let code = RoomName::new("km4-rx7").unwrap();
        assert_eq!(code.shown(), "KM4-RX7");
        assert_eq!(RoomName::new("otter-badger-fox").unwrap().shown(), "otter-badger-fox");
    }

    #[test]
    fn a_room_is_three_animals_and_a_player_two() {
        assert_eq!(RoomName::random_animals(7).as_str().split('-').count(), 3);
        let player = random_player(7);
        assert_eq!(player.split(' ').count(), 2);
        assert!(player.split(' ').all(|word| word.starts_with(|letter: char| letter.is_ascii_uppercase())), "{player}");
        assert_ne!(RoomName::random_animals(1), RoomName::random_animals(2));
    }
}
