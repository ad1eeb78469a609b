//! Over real sockets on this machine, with the platform's threads and clock: the relay as a client of the protocol sees it, the
//! client's credentials, whole games, and the pages that a relay serves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod credentials;
mod loopback;
mod pages;
mod private;
mod relay;
