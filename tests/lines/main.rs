//! Real processes on bad lines: loss and delay, one-way cuts, changed addresses, black holes, outages, and servers that are none.
//!
//! Each player and the relay have a network namespace of their own, and a wire between them (`wire.py`) loses, delays or cuts off
//! what a test tells it to. Each scenario has a bound in time. It needs root on Linux; elsewhere a test says that it is skipped.
//!
//! ```sh
//! cargo test --test lines
//! cargo test --test lines -- --include-ignored --nocapture | grep '^| '    # the table in docs/reliability.md
//! ```

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod address;
mod cuts;
mod ledger;
mod loss;
mod net;
mod none;
mod outage;
mod report;
mod table;

/// What the tests of the examples use too.
#[path = "../examples"]
#[expect(dead_code, reason = "the tests of the examples use the rest")]
mod shared {
    pub mod player;
    pub mod program;
    pub mod referee;
}
