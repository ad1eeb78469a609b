//! Seats, room control, and finding rooms: what a game sees of them, with nothing mocked between two apps.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../support/table.rs"]
mod table;

mod control;
mod list;
mod seats;
