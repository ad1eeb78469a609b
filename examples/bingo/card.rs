//! What players hold: numbers, tickets, and strips of six tickets.
//!
//! A [`Ticket`] or [`Strip`] that exists obeys the rules of 90-ball bingo: it was generated, or checked when it came
//! from elsewhere. Knows nothing of calls, marks or prizes; those are in [`rules`](crate::rules).

mod generate;
mod number;

use serde::{Deserialize, Serialize};

pub use generate::deal;
pub use number::{Number, NumberError, NumberSet};

/// Rows of a ticket.
pub const ROWS: usize = 3;
/// Columns of a ticket.
pub const COLUMNS: usize = 9;
/// Numbers in each row of a ticket.
pub const NUMBERS_PER_ROW: usize = 5;
/// Tickets of a strip.
pub const TICKETS: usize = 6;

/// The cells of a ticket as they travel: rows of numbers, with 0 for a blank.
type Cells = [[u8; COLUMNS]; ROWS];

/// One row of a ticket, from the leftmost column on.
pub type Row = [Option<Number>; COLUMNS];

/// A ticket: three rows of five numbers, each number in the column of its tens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Cells", into = "Cells")]
pub struct Ticket {
    rows: [Row; ROWS],
}

impl Ticket {
    /// The rows, from top to bottom.
    pub fn rows(&self) -> &[Row; ROWS] {
        &self.rows
    }

    /// The numbers of each row, from top to bottom.
    pub fn row_sets(&self) -> [NumberSet; ROWS] {
        self.rows.map(|row| row.into_iter().flatten().collect())
    }

    /// All fifteen numbers.
    pub fn numbers(&self) -> NumberSet {
        self.rows.iter().flatten().flatten().copied().collect()
    }

    /// Reads the cells, whatever their order; [`validate`](Self::validate) is still to be asked.
    fn from_cells(cells: Cells) -> Result<Self, NumberError> {
        let mut rows = [[None; COLUMNS]; ROWS];
        for (row, values) in rows.iter_mut().zip(cells) {
            for (cell, value) in row.iter_mut().zip(values) {
                *cell = if value == 0 { None } else { Some(Number::try_from(value)?) };
            }
        }
        Ok(Self { rows })
    }

    /// Checks the rules of a ticket.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), TicketError> {
        for (row, cells) in self.rows.iter().enumerate() {
            let found = cells.iter().flatten().count();
            if found != NUMBERS_PER_ROW {
                return Err(TicketError::RowCount { row, found });
            }
        }
        for column in 0..COLUMNS {
            let mut above = None;
            for number in self.rows.iter().filter_map(|row| row[column]) {
                if number.column() != column {
                    return Err(TicketError::WrongColumn { number, column });
                }
                if above >= Some(number) {
                    return Err(TicketError::NotAscending { column });
                }
                above = Some(number);
            }
            if above.is_none() {
                return Err(TicketError::EmptyColumn { column });
            }
        }
        Ok(())
    }
}

impl TryFrom<Cells> for Ticket {
    type Error = TicketError;

    fn try_from(cells: Cells) -> Result<Self, TicketError> {
        let ticket = Self::from_cells(cells)?;
        ticket.validate()?;
        Ok(ticket)
    }
}

impl From<Ticket> for Cells {
    fn from(ticket: Ticket) -> Self {
        ticket.rows.map(|row| row.map(|cell| cell.map_or(0, Number::get)))
    }
}

/// Why something is not a ticket. Rows and columns count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// A cell holds something that is neither blank nor a number of the game.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// A row has too few or too many numbers.
    #[error("row {row} has {found} numbers; give each row exactly 5")]
    RowCount {
        /// The row.
        row: usize,
        /// How many numbers it has.
        found: usize,
    },
    /// A number stands in the column of other tens.
    #[error("number {number} is in column {column}; put it in the column of its tens")]
    WrongColumn {
        /// The number.
        number: Number,
        /// The column it is in.
        column: usize,
    },
    /// A column does not ascend from top to bottom.
    #[error("column {column} does not ascend; sort its numbers from top to bottom")]
    NotAscending {
        /// The column.
        column: usize,
    },
    /// A column is empty.
    #[error("column {column} is empty; give each column at least one number")]
    EmptyColumn {
        /// The column.
        column: usize,
    },
}

/// What a player plays a round with: six tickets that together use every number exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[Cells; TICKETS]", into = "[Cells; TICKETS]")]
pub struct Strip {
    tickets: [Ticket; TICKETS],
}

impl Strip {
    /// The tickets, in order.
    pub fn tickets(&self) -> &[Ticket; TICKETS] {
        &self.tickets
    }

    /// Checks the rules of a strip and of each of its tickets.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), StripError> {
        let mut seen = NumberSet::default();
        for (ticket, held) in self.tickets.iter().enumerate() {
            held.validate().map_err(|error| StripError::Ticket { ticket, error })?;
            // Six tickets of fifteen different numbers each are all ninety.
            let numbers = held.numbers();
            if let Some(number) = seen.both(numbers).iter().next() {
                return Err(StripError::Repeated { number });
            }
            seen = seen.with(numbers);
        }
        Ok(())
    }
}

impl TryFrom<[Cells; TICKETS]> for Strip {
    type Error = StripError;

    fn try_from(tickets: [Cells; TICKETS]) -> Result<Self, StripError> {
        let mut strip = Self { tickets: std::array::from_fn(|_| Ticket { rows: [[None; COLUMNS]; ROWS] }) };
        for (ticket, (held, cells)) in strip.tickets.iter_mut().zip(tickets).enumerate() {
            *held = Ticket::from_cells(cells).map_err(|error| StripError::Ticket { ticket, error: error.into() })?;
        }
        strip.validate()?;
        Ok(strip)
    }
}

impl From<Strip> for [Cells; TICKETS] {
    fn from(strip: Strip) -> Self {
        strip.tickets.map(Cells::from)
    }
}

/// Why six tickets are not a strip. Tickets count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StripError {
    /// One of the tickets is not valid.
    #[error("ticket {ticket}: {error}")]
    Ticket {
        /// The ticket.
        ticket: usize,
        /// What is wrong with it.
        error: TicketError,
    },
    /// A number occurs twice, so that another is missing.
    #[error("number {number} is on the strip twice; use each number once")]
    Repeated {
        /// The number.
        number: Number,
    },
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use serde_json::{Value, json};

    use super::*;

    fn wire_of(seed: u64) -> Value {
        serde_json::to_value(Strip::generate(&mut ChaCha8Rng::seed_from_u64(seed))).unwrap()
    }

    fn refusal(wire: Value) -> String {
        serde_json::from_value::<Strip>(wire).unwrap_err().to_string()
    }

    #[test]
    fn a_strip_travels_as_six_lists_of_three_rows_of_nine() {
        let wire = wire_of(1);
        let tickets = wire.as_array().unwrap();
        assert_eq!(tickets.len(), 6);
        for ticket in tickets {
            let rows = ticket.as_array().unwrap();
            assert_eq!(rows.len(), 3);
            for row in rows {
                let cells = row.as_array().unwrap();
                assert_eq!(cells.len(), 9);
                assert_eq!(cells.iter().filter(|cell| **cell == json!(0)).count(), 4);
            }
        }
        let back: Strip = serde_json::from_value(wire).unwrap();
        assert_eq!(back, Strip::generate(&mut ChaCha8Rng::seed_from_u64(1)));
    }

    #[test]
    fn a_strip_of_the_wrong_shape_is_refused() {
        let mut wire = wire_of(1);
        wire.as_array_mut().unwrap().pop();
        refusal(wire);
        let mut wire = wire_of(1);
        wire[0][0].as_array_mut().unwrap().push(json!(0));
        refusal(wire);
        for odd in [json!(91), json!(-1), json!(300), json!(null), json!("7")] {
            let mut wire = wire_of(1);
            wire[0][0][0] = odd;
            refusal(wire);
        }
    }

    #[test]
    fn a_row_with_a_number_too_many_or_too_few_is_refused() {
        let mut wire = wire_of(1);
        let cells = wire[2][1].as_array_mut().unwrap();
        let at = cells.iter().position(|cell| *cell != json!(0)).unwrap();
        cells[at] = json!(0);
        assert_eq!(refusal(wire), "ticket 2: row 1 has 4 numbers; give each row exactly 5");
    }

    #[test]
    fn a_number_in_the_column_of_other_tens_is_refused() {
        let mut wire = wire_of(1);
        let cells = wire[0][0].as_array_mut().unwrap();
        let blank = cells.iter().position(|cell| *cell == json!(0)).unwrap();
        let number = cells.iter().position(|cell| *cell != json!(0)).unwrap();
        cells.swap(blank, number);
        let reason = refusal(wire);
        assert!(reason.contains("put it in the column of its tens"), "{reason}");
    }

    #[test]
    fn a_column_that_does_not_ascend_is_refused() {
        let ticket =
            json!([[1, 10, 20, 30, 40, 0, 0, 0, 0], [3, 0, 0, 0, 0, 50, 60, 70, 80], [2, 11, 21, 31, 41, 0, 0, 0, 0]]);
        let error = serde_json::from_value::<Ticket>(ticket).unwrap_err().to_string();
        assert!(error.contains("column 0 does not ascend"), "{error}");
    }

    #[test]
    fn a_ticket_with_an_empty_column_is_refused() {
        let ticket =
            json!([[1, 10, 20, 30, 40, 0, 0, 0, 0], [2, 11, 21, 31, 41, 0, 0, 0, 0], [0, 12, 22, 32, 42, 50, 0, 0, 0]]);
        let error = serde_json::from_value::<Ticket>(ticket).unwrap_err().to_string();
        assert!(error.contains("column 6 is empty"), "{error}");
    }

    #[test]
    fn a_strip_that_repeats_a_ticket_is_refused() {
        let mut wire = wire_of(1);
        wire[5] = wire[0].clone();
        let reason = refusal(wire);
        assert!(reason.contains("on the strip twice"), "{reason}");
    }
}
