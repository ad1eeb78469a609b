//! The cases about tokens.

mod authorize;
mod callback;
mod connecting;
mod expiry;
