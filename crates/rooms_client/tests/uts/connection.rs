//! The cases about the connection.

mod auto_connect;
mod backoff;
mod failures;
// With a key for servers elsewhere, which a page is not to have.
#[cfg(not(target_arch = "wasm32"))]
mod fallback;
mod forwards;
mod heartbeat;
mod identity;
mod network;
mod opening;
mod ping;
mod reason;
mod reauth;
mod recovery;
mod update;
mod when_state;
