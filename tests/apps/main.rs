//! The examples without a room, as real processes on a real relay.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod chat;
mod program;
#[path = "../support/relay.rs"]
#[expect(dead_code, reason = "no relay is killed here")]
mod relay;
mod ticker;
mod words;
