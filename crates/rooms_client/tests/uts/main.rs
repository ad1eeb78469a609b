//! The client against the universal test specifications of the protocol's SDKs: each case a test here, named after its
//! specification item. A mock transport, a scripted server, and time that moves by hand.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

// In a browser its tests are that one's.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate browser_test;

mod auth;
mod channels;
mod client;
mod connection;
mod presence;
#[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "some cases are not for a page"))]
mod support;
