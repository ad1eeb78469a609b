//! The user interface's parts: what they show, and what comes of a click, in whole apps on a simulated network, drawn
//! without a GPU.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod connection;
mod inspector;
mod lobby;
mod players;
mod screen;
mod windows;
