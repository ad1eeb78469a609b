//! What the layers share in a browser: timers and listeners that own their closures.
//!
//! Everything here removes itself when it is dropped, so that nothing is left behind in the page.

mod hidden_frames;
mod listener;
mod page;
mod timeout;

pub use self::{
    hidden_frames::HiddenFrames,
    listener::Listener,
    page::{address, dispatch_page_event, show_address, window},
    timeout::Timeout,
};
