//! What the layers share to live in a browser: timers and listeners that own their closures.
//!
//! Everything here takes itself off when it is dropped, so that nothing is left behind in the page.

mod listener;
mod timeout;

pub(crate) use self::{listener::Listener, timeout::Timeout};
