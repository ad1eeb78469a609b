//! Events of the web page around the game: whether it is visible, has a network, or is about to end.
//!
//! Owns the listeners. The driver decides what follows from an event. A program outside a page gets no events.

pub(super) mod event;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
use self::event::PageEvent;
#[cfg(target_arch = "wasm32")]
pub(super) use self::web::PageEvents;

/// A program outside a page has no page events.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
pub(super) struct PageEvents;

#[cfg(not(target_arch = "wasm32"))]
impl PageEvents {
    pub(super) fn listen() -> Self {
        Self
    }

    /// Never resolves.
    pub(super) async fn next(&mut self) -> PageEvent {
        std::future::pending().await
    }
}
