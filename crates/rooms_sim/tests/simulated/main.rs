//! Clients of the protocol and the relay's hub on a simulated network and clock, with nothing mocked between two of them.
//! They need no operating system, and run in a browser too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

// In a browser its tests are that one's.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate browser_test;

mod client_sim;
mod encodings;
