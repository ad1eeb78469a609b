//! Rooms of several sessions on a small bus, each rule of the room protocol a test.

mod arriving;
pub(crate) mod bus;
mod continuity;
mod control;
mod doubts;
mod election;
mod hostile;
mod requests;
mod rivals;
mod seats;
mod state;
