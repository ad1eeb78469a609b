//! Seats, room control, and finding rooms: what a game sees of them, with nothing mocked between two apps.

mod control;
mod list;
mod seats;
