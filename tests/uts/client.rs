//! The cases about the client as a whole.

mod options;
mod timeouts;
