//! Whole games over real sockets on this machine, with the platform's threads and clock.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod loopback;
mod pages;
mod private;
