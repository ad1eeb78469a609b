//! What a player marked on the tickets.

use serde::{Deserialize, Serialize};

use crate::card::{Number, NumberSet};

/// The numbers a player marked. A strip has every number once, so a number says which cell is meant.
///
/// Any number can be marked; those that were not called do not count. Travels as an ascending list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(NumberSet);

impl Marks {
    /// Marks a number; says whether it was unmarked.
    pub fn mark(&mut self, number: Number) -> bool {
        self.0.insert(number)
    }

    /// Takes a mark away; says whether there was one.
    pub fn unmark(&mut self, number: Number) -> bool {
        self.0.remove(number)
    }

    /// Marks what is unmarked and the other way round, as a click does; says whether the number is marked now.
    pub fn toggle(&mut self, number: Number) -> bool {
        let unmarked = self.mark(number);
        if !unmarked {
            self.unmark(number);
        }
        unmarked
    }

    /// Marks every called number.
    pub fn automark(&mut self, called: &[Number]) {
        called.iter().for_each(|number| {
            self.mark(*number);
        });
    }

    /// Whether the number is marked.
    pub fn contains(self, number: Number) -> bool {
        self.0.contains(number)
    }

    /// The marked numbers.
    pub fn numbers(self) -> NumberSet {
        self.0
    }

    /// The marks that count: of numbers that were called.
    pub fn hits(self, called: NumberSet) -> NumberSet {
        self.0.both(called)
    }
}

impl FromIterator<Number> for Marks {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(values: &[u8]) -> Vec<Number> {
        values.iter().map(|value| Number::try_from(*value).unwrap()).collect()
    }

    #[test]
    fn a_click_marks_and_another_takes_the_mark_away() {
        let mut marks = Marks::default();
        let seven = numbers(&[7])[0];
        assert!(marks.toggle(seven) && marks.contains(seven));
        assert!(!marks.toggle(seven) && !marks.contains(seven));
    }

    #[test]
    fn automark_adds_what_was_called_and_keeps_the_rest() {
        let mut marks: Marks = numbers(&[5, 80]).into_iter().collect();
        marks.automark(&numbers(&[1, 5, 9]));
        assert_eq!(serde_json::to_value(marks).unwrap(), json!([1, 5, 9, 80]));
    }

    #[test]
    fn marks_of_uncalled_numbers_are_no_hits() {
        let marks: Marks = numbers(&[1, 2, 3]).into_iter().collect();
        let called = numbers(&[2, 3, 4]).into_iter().collect();
        assert_eq!(marks.hits(called), numbers(&[2, 3]).into_iter().collect());
    }
}
