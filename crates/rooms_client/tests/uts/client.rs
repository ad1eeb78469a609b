//! The cases about the client as a whole.

// With a key for servers elsewhere, which a page is not to have.
#[cfg(not(target_arch = "wasm32"))]
mod http;
mod options;
mod timeouts;
