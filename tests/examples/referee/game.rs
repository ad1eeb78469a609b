//! The rules of tickets and prizes, as the referee knows them.

use std::collections::BTreeSet;

use serde_json::Value;

/// Numbers in a row, and the marks that a shout takes.
pub(super) const LINE: usize = 5;

/// The prizes, from the lowest to the highest.
pub(super) const PRIZES: [&str; 3] = ["one-line", "two-lines", "full-house"];

/// The tickets of a strip, each with the numbers of its rows. They are sorted, since the same tickets in another order are
/// the same strip.
pub(super) type Tickets = Vec<Vec<BTreeSet<u64>>>;

/// Reads a strip and checks it; the reason says what is wrong.
pub(super) fn read_strip(wire: &Value) -> Result<Tickets, String> {
    let cells: Vec<Vec<Vec<u64>>> =
        serde_json::from_value(wire.clone()).map_err(|error| format!("not lists of numbers: {error}"))?;
    if cells.len() != 6 {
        return Err(format!("{} tickets", cells.len()));
    }
    for (at, ticket) in cells.iter().enumerate() {
        check_ticket(ticket).map_err(|reason| format!("ticket {}: {reason}", at + 1))?;
    }
    let all: BTreeSet<u64> = cells.iter().flatten().flatten().copied().filter(|cell| *cell != 0).collect();
    if !all.iter().copied().eq(1..=90) {
        return Err(format!("{} different numbers instead of all from 1 to 90", all.len()));
    }
    let row = |cells: &Vec<u64>| cells.iter().copied().filter(|cell| *cell != 0).collect();
    let mut tickets: Tickets = cells.iter().map(|ticket| ticket.iter().map(row).collect()).collect();
    tickets.sort_unstable();
    Ok(tickets)
}

fn check_ticket(rows: &[Vec<u64>]) -> Result<(), String> {
    if rows.len() != 3 || rows.iter().any(|row| row.len() != 9) {
        return Err("not three rows of nine".to_owned());
    }
    if let Some(row) = rows.iter().find(|row| row.iter().filter(|cell| **cell != 0).count() != LINE) {
        return Err(format!("not five numbers in {row:?}"));
    }
    for column in 0..9 {
        let held: Vec<u64> = rows.iter().map(|row| row[column]).filter(|cell| *cell != 0).collect();
        let range = match column {
            0 => 1..=9,
            8 => 80..=90,
            tens => tens as u64 * 10..=tens as u64 * 10 + 9,
        };
        if held.is_empty() {
            return Err(format!("column {} is empty", column + 1));
        }
        if held.iter().any(|number| !range.contains(number)) {
            return Err(format!("column {} holds {held:?}", column + 1));
        }
        if !held.is_sorted_by(|above, below| above < below) {
            return Err(format!("column {} does not ascend: {held:?}", column + 1));
        }
    }
    Ok(())
}

/// Whether one of the tickets has the prize with these numbers.
pub(super) fn covers(tickets: &Tickets, numbers: &BTreeSet<u64>, prize: &str) -> bool {
    let Some(place) = PRIZES.iter().position(|name| *name == prize) else { return false };
    tickets.iter().any(|rows| rows.iter().filter(|row| row.is_subset(numbers)).count() > place)
}

/// The highest prize that one of the tickets has with these numbers and that is not taken.
pub(super) fn best_prize(tickets: &Tickets, numbers: &BTreeSet<u64>, taken: &[&str]) -> Option<&'static str> {
    PRIZES.into_iter().rev().find(|prize| !taken.contains(prize) && covers(tickets, numbers, prize))
}
