//! The cases about the client as a whole.

mod http;
mod options;
mod timeouts;
