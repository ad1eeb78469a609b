//! The caller: which number comes next, and what it is called.
//!
//! There is no list of numbers to come. Each is drawn at the moment of its call from those not yet called, with a
//! generator that only the host has. So nobody can read ahead, and a new host goes on with nothing but the called
//! numbers and a generator of its own.

use rand::{Rng, seq::IteratorRandom};

use crate::card::{Number, NumberSet};

/// Draws a number that was not called yet, each with the same chance; `None` when all were called.
///
/// Give it a generator that was seeded in secret, unless the draw is meant to be repeatable.
pub fn draw_next(called: &[Number], rng: &mut impl Rng) -> Option<Number> {
    let called: NumberSet = called.iter().copied().collect();
    Number::all().filter(|number| !called.contains(*number)).choose(rng)
}

/// The traditional nickname of a number.
pub fn nickname(number: Number) -> &'static str {
    NICKNAMES[usize::from(number.get() - Number::MIN.get())]
}

/// What the caller says, such as "Kelly's Eye, number 1".
pub fn call(number: Number) -> String {
    format!("{}, number {number}", nickname(number))
}

/// The nicknames, from that of 1 on.
const NICKNAMES: [&str; 90] = [
    "Kelly's Eye",
    "One Little Duck",
    "Cup of Tea",
    "Knock at the Door",
    "Man Alive",
    "Half a Dozen",
    "Lucky Seven",
    "Garden Gate",
    "Doctor's Orders",
    "Downing Street",
    "Legs Eleven",
    "One Dozen",
    "Unlucky for Some",
    "Valentine's Day",
    "Young and Keen",
    "Never Been Kissed",
    "Dancing Queen",
    "Coming of Age",
    "Goodbye Teens",
    "One Score",
    "Key of the Door",
    "Two Little Ducks",
    "Thee and Me",
    "Two Dozen",
    "Duck and Dive",
    "Pick and Mix",
    "Gateway to Heaven",
    "In a State",
    "Rise and Shine",
    "Dirty Gertie",
    "Get Up and Run",
    "Buckle My Shoe",
    "All the Threes",
    "Ask for More",
    "Jump and Jive",
    "Three Dozen",
    "More than Eleven",
    "Christmas Cake",
    "Thirty-Nine Steps",
    "Life Begins",
    "Time for Fun",
    "Winnie the Pooh",
    "Down on Your Knees",
    "Droopy Drawers",
    "Halfway There",
    "Up to Tricks",
    "Four and Seven",
    "Four Dozen",
    "PC",
    "Half a Century",
    "Tweak of the Thumb",
    "Weeks in a Year",
    "Stuck in the Tree",
    "Clean the Floor",
    "Snakes Alive",
    "Was She Worth It?",
    "Heinz Varieties",
    "Make Them Wait",
    "Brighton Line",
    "Five Dozen",
    "Baker's Bun",
    "Tickety-Boo",
    "Tickle Me",
    "Red Raw",
    "Old Age Pension",
    "Clickety Click",
    "Made in Heaven",
    "Saving Grace",
    "Either Way Up",
    "Three Score and Ten",
    "Bang on the Drum",
    "Six Dozen",
    "Queen Bee",
    "Candy Store",
    "Strive and Strive",
    "Trombones",
    "Sunset Strip",
    "Heaven's Gate",
    "One More Time",
    "Eight and Blank",
    "Stop and Run",
    "Straight On Through",
    "Time for Tea",
    "Seven Dozen",
    "Staying Alive",
    "Between the Sticks",
    "Torquay in Devon",
    "Two Fat Ladies",
    "Nearly There",
    "Top of the Shop",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn number(value: u8) -> Number {
        Number::try_from(value).unwrap()
    }

    fn draw_all(mut called: Vec<Number>, seed: u64) -> Vec<Number> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        while let Some(next) = draw_next(&called, &mut rng) {
            called.push(next);
        }
        called
    }

    #[test]
    fn all_ninety_come_once_and_then_no_more() {
        for seed in 0..100 {
            let mut called = draw_all(Vec::new(), seed);
            called.sort_unstable();
            assert_eq!(called, Number::all().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_seed_repeats_its_draw_and_no_other() {
        assert_eq!(draw_all(Vec::new(), 5), draw_all(Vec::new(), 5));
        assert_ne!(draw_all(Vec::new(), 5), draw_all(Vec::new(), 6));
    }

    #[test]
    fn a_new_host_goes_on_with_what_was_not_called() {
        let before = draw_all(Vec::new(), 1)[..40].to_vec();
        let mut after = draw_all(before.clone(), 2);
        assert_eq!(after[..40], before);
        after.sort_unstable();
        assert_eq!(after, Number::all().collect::<Vec<_>>());
    }

    #[test]
    fn each_number_that_is_left_has_the_same_chance() {
        let called: Vec<_> = (11..=90).map(number).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut drawn = [0; 10];
        for _ in 0..10_000 {
            drawn[usize::from(draw_next(&called, &mut rng).unwrap().get()) - 1] += 1;
        }
        assert!(drawn.iter().all(|times| (900..=1100).contains(times)), "{drawn:?}");
    }

    #[test]
    fn every_number_has_a_nickname_of_its_own() {
        let names: BTreeSet<_> = Number::all().map(nickname).collect();
        assert_eq!(names.len(), 90);
        assert!(names.iter().all(|name| name.trim() == *name && !name.is_empty()));
    }

    #[test]
    fn the_well_known_calls_are_with_their_numbers() {
        assert_eq!(call(number(1)), "Kelly's Eye, number 1");
        assert_eq!(call(number(90)), "Top of the Shop, number 90");
        let known = [(11, "Legs Eleven"), (22, "Two Little Ducks"), (45, "Halfway There"), (57, "Heinz Varieties")];
        let more = [(66, "Clickety Click"), (77, "Sunset Strip"), (80, "Eight and Blank"), (88, "Two Fat Ladies")];
        assert!(known.iter().chain(&more).all(|(value, name)| nickname(number(*value)) == *name));
    }
}
