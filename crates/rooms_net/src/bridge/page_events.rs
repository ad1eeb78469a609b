//! Events of the web page around the game: whether it is visible, has a network, or is about to end.
//!
//! Owns the listeners. The driver decides what follows from an event. A program outside a page gets no events.

#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(target_arch = "wasm32")]
pub(super) use self::web::PageEvents;

/// An event of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a page has these events"))]
pub(super) enum PageEvent {
    /// The network is there again.
    Online,
    /// The network is gone.
    Offline,
    /// It is seen again or goes on after a freeze; timers may be late, and the socket may be dead.
    Awake,
    /// It is frozen as it is, and may come back.
    Shelved,
    /// It is about to end.
    Leaving,
}

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
