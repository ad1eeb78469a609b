//! Making strips at random: valid by construction, without trial and error.
//!
//! Three steps, each of which always succeeds: how many numbers each ticket has in each column, which numbers those
//! are, and in which rows they stand.

use std::mem;

use rand::{Rng, RngExt, seq::SliceRandom};

use super::{COLUMNS, Number, ROWS, Row, Strip, TICKETS, Ticket};

/// How many numbers each ticket has in each column.
type Counts = [[usize; COLUMNS]; TICKETS];

/// Exchanges that mix the counts. Each touches four of the 54 cells, so that each cell is met about nine times.
const EXCHANGES: usize = 120;

const PAIRS_OF_TICKETS: usize = TICKETS * (TICKETS - 1);
const PAIRS_OF_COLUMNS: usize = COLUMNS * (COLUMNS - 1);

/// One strip for each of so many players, no two alike.
pub fn deal(players: usize, rng: &mut impl Rng) -> Vec<Strip> {
    let mut dealt = Vec::new();
    for _ in 0..players {
        let strip = Strip::generate_unlike(&dealt, rng);
        dealt.push(strip);
    }
    dealt
}

impl Strip {
    /// A strip at random. The same state of the generator gives the same strip.
    pub fn generate(rng: &mut impl Rng) -> Self {
        let counts = counts(rng);
        let mut numbers: [Vec<Number>; COLUMNS] = Default::default();
        Number::all().for_each(|number| numbers[number.column()].push(number));
        numbers.iter_mut().for_each(|column| column.shuffle(rng));
        Self {
            tickets: counts.map(|counts| {
                let columns = std::array::from_fn(|column: usize| {
                    // The counts of a column add up to its numbers, so each ticket finds what it needs.
                    let rest = numbers[column].len().saturating_sub(counts[column]);
                    numbers[column].split_off(rest)
                });
                ticket(columns, rng)
            }),
        }
    }

    /// A strip at random that is none of those given.
    pub fn generate_unlike(others: &[Self], rng: &mut impl Rng) -> Self {
        let strip = Self::generate(rng);
        if !others.contains(&strip) {
            return strip;
        }
        // Turned strips all differ, so one of the first `others.len() + 1` is not among the others.
        let turned = (1..=others.len()).map(|turn| strip.turned(turn)).find(|turned| !others.contains(turned));
        turned.unwrap_or(strip)
    }

    /// The strip with the numbers of its columns moved on: `turn` is written with one digit per column, and each digit
    /// says by how many numbers that column moves.
    ///
    /// A column of 9 to 11 numbers over six tickets has a ticket with one number only, so each move gives another
    /// strip: every `turn` under 9 × 10⁷ × 11 gives a different one.
    fn turned(&self, turn: usize) -> Self {
        let mut strip = self.clone();
        let mut digits = turn;
        for column in 0..COLUMNS {
            let numbers: Vec<_> = Number::all().filter(|number| number.column() == column).collect();
            let shift = digits % numbers.len();
            digits /= numbers.len();
            for ticket in &mut strip.tickets {
                let cells = || (0..ROWS).filter(|row| ticket.rows[*row][column].is_some());
                let mut moved: Vec<_> = cells()
                    .filter_map(|row| numbers.iter().position(|number| Some(*number) == ticket.rows[row][column]))
                    .map(|at| numbers[(at + shift) % numbers.len()])
                    .collect();
                moved.sort_unstable();
                let rows: Vec<_> = cells().collect();
                rows.into_iter().zip(moved).for_each(|(row, number)| ticket.rows[row][column] = Some(number));
            }
        }
        strip
    }
}

/// Chooses the counts: 1 to 3 in each cell, 15 for each ticket, and for each column as many as it has numbers.
fn counts(rng: &mut impl Rng) -> Counts {
    // One number everywhere; the other 36 go one by one around the tickets, which gives each ticket six of them, at most
    // one a column, as no column has more than five to give.
    let mut counts = [[1; COLUMNS]; TICKETS];
    let mut spare = [0; COLUMNS];
    Number::all().for_each(|number| spare[number.column()] += 1);
    let columns = spare.iter().enumerate().flat_map(|(column, numbers)| (TICKETS..*numbers).map(move |_| column));
    for (turn, column) in columns.enumerate() {
        counts[turn % TICKETS][column] += 1;
    }
    // Moving one number between two columns of one ticket, and back on another, keeps all sums. A chain of such
    // exchanges, chosen without preference, tends to every possible table being equally likely.
    for _ in 0..EXCHANGES {
        // One draw for all four choices: drawing is what takes time here.
        let choice = rng.random_range(0..PAIRS_OF_TICKETS * PAIRS_OF_COLUMNS);
        let (one, other) = pair::<TICKETS>(choice % PAIRS_OF_TICKETS);
        let (from, to) = pair::<COLUMNS>(choice / PAIRS_OF_TICKETS);
        if counts[one][from] > 1 && counts[one][to] < ROWS && counts[other][to] > 1 && counts[other][from] < ROWS {
            counts[one][from] -= 1;
            counts[one][to] += 1;
            counts[other][to] -= 1;
            counts[other][from] += 1;
        }
    }
    counts
}

/// The ordered pair of different numbers below `N` that a number below `N * (N - 1)` stands for.
fn pair<const N: usize>(choice: usize) -> (usize, usize) {
    let one = choice % N;
    (one, (one + 1 + choice / N) % N)
}

/// Stands the numbers of each column in rows, ascending, five to a row.
///
/// Each column takes the rows with the most room left. That keeps the room of all rows within one of each other, so that
/// all end at none together. Columns come in random order, and rows with equal room too, so that every layout can come.
fn ticket(mut columns: [Vec<Number>; COLUMNS], rng: &mut impl Rng) -> Ticket {
    let mut rows: [Row; ROWS] = [[None; COLUMNS]; ROWS];
    let mut taken = [0; ROWS];
    let mut order: [usize; COLUMNS] = std::array::from_fn(|column| column);
    order.shuffle(rng);
    for column in order {
        let mut numbers = mem::take(&mut columns[column]);
        numbers.sort_unstable();
        let mut roomiest: [usize; ROWS] = std::array::from_fn(|row| row);
        roomiest.shuffle(rng);
        roomiest.sort_by_key(|row| taken[*row]);
        let chosen = &mut roomiest[..numbers.len().min(ROWS)];
        chosen.sort_unstable();
        for (row, number) in chosen.iter().zip(numbers) {
            rows[*row][column] = Some(number);
            taken[*row] += 1;
        }
    }
    Ticket { rows }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeSet, HashSet},
        convert::Infallible,
    };

    use rand::{SeedableRng, TryRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SEEDS: u64 = 20_000;

    fn strip(seed: u64) -> Strip {
        Strip::generate(&mut ChaCha8Rng::seed_from_u64(seed))
    }

    /// A generator that says the same thing again and again.
    struct Stuck(u64);

    impl TryRng for Stuck {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.0 as u32)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(self.0 as u8);
            Ok(())
        }
    }

    #[test]
    fn every_strip_obeys_the_rules() {
        for seed in 0..SEEDS {
            strip(seed).validate().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }

    #[test]
    fn a_seed_repeats_its_strip_and_no_other() {
        assert_eq!(strip(7), strip(7));
        let strips: Vec<_> = (0..200).map(strip).collect();
        for (nth, one) in strips.iter().enumerate() {
            assert!(!strips[..nth].contains(one), "seed {nth} gave an earlier strip");
        }
    }

    #[test]
    fn layouts_vary() {
        let tickets: Vec<_> = (0..1_000).flat_map(|seed| strip(seed).tickets).collect();
        let layouts: HashSet<_> =
            tickets.iter().map(|ticket| ticket.rows.map(|row| row.map(|n| n.is_some()))).collect();
        assert!(layouts.len() > 5_500, "{} layouts of 6,000 tickets", layouts.len());
        let counts: BTreeSet<_> = (0..COLUMNS)
            .flat_map(|column| tickets.iter().map(move |ticket| (column, ticket)))
            .map(|(column, ticket)| (column, ticket.rows.iter().filter(|row| row[column].is_some()).count()))
            .collect();
        assert_eq!(counts.len(), COLUMNS * ROWS, "each column has one, two and three numbers at times");
    }

    #[test]
    fn no_cell_of_a_ticket_is_favoured() {
        let mut used = [[[0_u32; COLUMNS]; ROWS]; TICKETS];
        let strips = 3_000;
        for strip in (0..strips).map(strip) {
            for (at, ticket) in strip.tickets.iter().enumerate() {
                for (row, cells) in ticket.rows.iter().enumerate() {
                    (0..COLUMNS)
                        .filter(|column| cells[*column].is_some())
                        .for_each(|column| used[at][row][column] += 1);
                }
            }
        }
        let expected = [9.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 11.0].map(|numbers| numbers / 18.0);
        for cell in used.iter().flatten().flat_map(|row| row.iter().zip(expected)) {
            let share = f64::from(*cell.0) / strips as f64;
            assert!((share - cell.1).abs() < 0.05, "a cell is used in {share} of strips instead of {}", cell.1);
        }
    }

    #[test]
    fn players_of_one_round_get_different_strips() {
        let dealt = deal(100, &mut ChaCha8Rng::seed_from_u64(3));
        for (nth, one) in dealt.iter().enumerate() {
            assert!(!dealt[..nth].contains(one), "player {nth} got a strip of another");
        }
    }

    #[test]
    fn strips_differ_and_are_valid_even_with_a_generator_that_is_stuck() {
        for said in [0, 1, 0x5555_5555_5555_5555] {
            let dealt = deal(30, &mut Stuck(said));
            for (nth, one) in dealt.iter().enumerate() {
                one.validate().unwrap();
                assert!(!dealt[..nth].contains(one), "player {nth} got a strip of another");
            }
        }
    }
}
