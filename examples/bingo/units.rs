//! The example's unit tests, as a crate of their own: Cargo builds an example either to be run or to be tested, and the
//! tests between processes need it to be run.

#![expect(dead_code, reason = "what only `main` calls is not called here")]

mod caller;
mod card;
mod flags;
mod headless;
mod host;
mod net;
mod page;
mod report;
mod rules;
mod seal;
#[path = "../../tests/support/table.rs"]
mod table;
mod view;
