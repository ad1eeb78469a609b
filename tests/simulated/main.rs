//! The plugin and the channels on a simulated network and clock, with nothing mocked between two of them: whole apps and the
//! relay's hub. They need no operating system, and run in a browser too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

// In a browser its tests are that one's.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate browser_test;

mod channels;
mod frames;
mod host_loss;
mod plugin;
mod rig;
mod rooms;
mod succession;
#[path = "../support/table.rs"]
mod table;
