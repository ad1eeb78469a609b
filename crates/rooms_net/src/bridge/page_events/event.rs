//! What a page tells.

/// An event of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a page has these events"))]
pub(in crate::bridge) enum PageEvent {
    /// The network is there again.
    Online,
    /// The network is gone.
    Offline,
    /// It is visible again or goes on after a freeze; timers may be late, and the socket may be dead.
    Awake,
    /// It is frozen as it is, and may come back.
    Shelved,
    /// It is about to end.
    Leaving,
}
