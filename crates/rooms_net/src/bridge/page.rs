//! What the web page around the game says of itself: whether it is seen, on the network, or about to go.
//!
//! Owns the listeners. What follows from an event is the driver's part. A program that is in no page hears nothing.

#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(target_arch = "wasm32")]
pub(super) use self::web::Page;

/// What a page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a page says these"))]
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

/// No page.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
pub(super) struct Page;

#[cfg(not(target_arch = "wasm32"))]
impl Page {
    pub(super) fn listen() -> Self {
        Self
    }

    /// Nothing is ever said.
    pub(super) async fn next(&mut self) -> PageEvent {
        std::future::pending().await
    }
}
