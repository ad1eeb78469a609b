//! Seats, room control, and finding rooms: what a game sees of them, with nothing mocked between two apps.

#[path = "../support/table.rs"]
mod table;

mod control;
mod list;
mod seats;
