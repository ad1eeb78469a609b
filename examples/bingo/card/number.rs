//! The ninety numbers of the game, and sets of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::COLUMNS;

/// A number of the game, 1 to 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Number(u8);

impl Number {
    /// The smallest number.
    pub const MIN: Self = Self(1);
    /// The largest number.
    pub const MAX: Self = Self(90);

    /// All numbers, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::MIN.0..=Self::MAX.0).map(Self)
    }

    /// The number as an integer.
    pub fn get(self) -> u8 {
        self.0
    }

    /// The column of a ticket that the number belongs to, counted from 0: that of its tens, and the last one for 90.
    pub fn column(self) -> usize {
        usize::from(self.0 / 10).min(COLUMNS - 1)
    }

    fn bit(self) -> u128 {
        1 << self.0
    }
}

impl TryFrom<u8> for Number {
    type Error = NumberError;

    fn try_from(value: u8) -> Result<Self, NumberError> {
        let number = Self(value);
        if (Self::MIN..=Self::MAX).contains(&number) { Ok(number) } else { Err(NumberError(value)) }
    }
}

impl From<Number> for u8 {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An integer that is not a number of the game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a number of the game; use 1 to 90")]
pub struct NumberError(pub u8);

/// A set of numbers, as small as an integer. It travels as an ascending list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Number>", into = "Vec<Number>")]
pub struct NumberSet(u128);

impl NumberSet {
    /// Adds a number; says whether it is new.
    pub fn insert(&mut self, number: Number) -> bool {
        let new = !self.contains(number);
        self.0 |= number.bit();
        new
    }

    /// Takes a number out; says whether it was in.
    pub fn remove(&mut self, number: Number) -> bool {
        let was_in = self.contains(number);
        self.0 &= !number.bit();
        was_in
    }

    /// Whether the number is in.
    pub fn contains(self, number: Number) -> bool {
        self.0 & number.bit() != 0
    }

    /// How many numbers are in.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no number is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The numbers that are in both sets.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The numbers that are in either set.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The numbers of this set that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The numbers, ascending.
    pub fn iter(self) -> impl Iterator<Item = Number> {
        Number::all().filter(move |number| self.contains(*number))
    }
}

impl FromIterator<Number> for NumberSet {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Self {
        Self(numbers.into_iter().fold(0, |bits, number| bits | number.bit()))
    }
}

impl From<Vec<Number>> for NumberSet {
    fn from(numbers: Vec<Number>) -> Self {
        numbers.into_iter().collect()
    }
}

impl From<NumberSet> for Vec<Number> {
    fn from(set: NumberSet) -> Self {
        set.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: u8) -> Number {
        Number::try_from(value).unwrap()
    }

    #[test]
    fn only_1_to_90_are_numbers() {
        assert_eq!(Number::try_from(0), Err(NumberError(0)));
        assert_eq!(Number::try_from(91), Err(NumberError(91)));
        assert_eq!(Number::all().count(), 90);
        assert_eq!(Number::all().map(Number::get).collect::<Vec<_>>(), (1..=90).collect::<Vec<u8>>());
    }

    #[test]
    fn a_number_travels_as_a_plain_integer_and_is_checked() {
        assert_eq!(serde_json::to_value(number(7)).unwrap(), json!(7));
        assert_eq!(serde_json::from_value::<Number>(json!(90)).unwrap(), number(90));
        for wrong in [json!(0), json!(91), json!(256), json!(-1), json!(1.5), json!("1")] {
            assert!(serde_json::from_value::<Number>(wrong.clone()).is_err(), "{wrong} must be refused");
        }
    }

    #[test]
    fn columns_hold_nine_then_tens_then_eleven_numbers() {
        let mut counts = [0; COLUMNS];
        Number::all().for_each(|number| counts[number.column()] += 1);
        assert_eq!(counts, [9, 10, 10, 10, 10, 10, 10, 10, 11]);
        let edges = [(9, 0), (10, 1), (19, 1), (79, 7), (80, 8), (90, 8)];
        assert!(edges.iter().all(|(value, column)| number(*value).column() == *column));
    }

    #[test]
    fn a_set_holds_each_number_once() {
        let mut set = NumberSet::default();
        assert!(set.is_empty());
        assert!(set.insert(number(90)));
        assert!(set.insert(number(1)));
        assert!(!set.insert(number(90)), "it was in already");
        assert_eq!((set.len(), set.contains(number(2))), (2, false));
        assert!(set.remove(number(90)));
        assert!(!set.remove(number(90)), "it was out already");
        assert_eq!(set.iter().collect::<Vec<_>>(), [number(1)]);
    }

    #[test]
    fn a_set_travels_as_an_ascending_list() {
        let set: NumberSet = serde_json::from_value(json!([88, 3, 3, 21])).unwrap();
        assert_eq!(serde_json::to_value(set).unwrap(), json!([3, 21, 88]));
        assert!(serde_json::from_value::<NumberSet>(json!([0])).is_err(), "0 is no number");
    }

    #[test]
    fn all_ninety_fit_into_a_set() {
        let all: NumberSet = Number::all().collect();
        assert_eq!(all.len(), 90);
        let few = NumberSet::from(vec![number(1), number(90)]);
        assert_eq!((all.both(few), all.without(few).len()), (few, 88));
        assert_eq!(few.with(all.without(few)), all);
    }
}
