//! The web page that the game is in.

#[cfg(not(target_arch = "wasm32"))]
mod none;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
use self::none as here;
#[cfg(target_arch = "wasm32")]
use self::web as here;

pub(super) use self::here::build;

/// What a game does while it is in a web page that nobody sees, in a tab behind others or a window in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhileHidden {
    /// It goes on with ten frames a second, driven by the ticks of a worker: a browser gives a hidden page no frames of its
    /// own. A page with a content security policy needs `worker-src blob:` for it.
    #[default]
    GoOn,
    /// It stands still. Its line is kept; a host in such a page is replaced when its lease runs out.
    StandStill,
}

/// The address of the web page that the game is in; `None` where it is in none.
///
/// Together with [`Invite::read`](crate::session::Invite::read) it tells which room the page was opened for.
pub fn page_address() -> Option<String> {
    here::address()
}

/// Shows another address in the browser's bar, so that the page comes back to the same room when it is loaded again. The
/// page stays as it is. Does nothing where there is no page, or the address is on another server.
pub fn show_page_address(address: &str) {
    here::show_address(address);
}
