//! The web page that the game is in.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
use self::native as platform;
#[cfg(target_arch = "wasm32")]
use self::web as platform;

use bevy::prelude::App;
use url::Url;

/// What a game does in a hidden web page: in a tab behind others, or a window in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhileHidden {
    /// It goes on with ten frames a second, which a worker drives: a browser gives no frames to a hidden page.
    /// A page with a content security policy needs `worker-src blob:` for the worker.
    #[default]
    GoOn,
    /// It stands still. Its connection stays; a host in such a page is replaced when its lease runs out.
    StandStill,
}

/// Adds to the app what it needs in a page.
pub(super) fn build(app: &mut App, while_hidden: WhileHidden) {
    platform::build(app, while_hidden == WhileHidden::GoOn);
}

/// The address of the web page that the game is in; `None` outside a page.
///
/// Together with [`Invite::read`](crate::session::Invite::read) it tells which room the page invites to.
pub fn page_address() -> Option<String> {
    platform::address()
}

/// The arguments of the app, for a parser of flags: the command line, or in a web page the flags in its address.
/// `?room=den&bots=2&quick` means `--room=den --bots=2 --quick` there.
///
/// `of_page` names the flags that a page may set. Everything else in the address is left out, such as a tracking
/// parameter.
///
/// ```
/// // With clap: Flags::try_parse_from(arguments(&["name", "room", "relay"])), and end_page where it fails.
/// let words = bevy_rooms::plugin::arguments(&["name", "room", "relay"]);
/// assert_eq!(words.len(), std::env::args().count());
/// ```
pub fn arguments(of_page: &[&str]) -> Vec<String> {
    match page_address() {
        Some(address) => flags_of(&address, of_page),
        None => std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
    }
}

/// Ends the program with a message to the player, for example when the flags in the page's address are wrong. Returns
/// outside a page. The message is thrown as an error of the script that runs the game. The page in `web/page` shows it,
/// before and after the first frame.
pub fn end_page(why: &str) {
    platform::end(why);
}

fn flags_of(address: &str, known: &[&str]) -> Vec<String> {
    let url = Url::parse(address).ok();
    let pairs = url.iter().flat_map(Url::query_pairs).filter(|(name, _)| known.contains(&name.as_ref()));
    let flags =
        pairs.map(|(name, value)| if value.is_empty() { format!("--{name}") } else { format!("--{name}={value}") });
    // As on a command line, the program's name comes first.
    std::iter::once("page".to_owned()).chain(flags).collect()
}

/// Shows another address in the browser's bar, so that the page comes back to the same room after a refresh.
/// The page stays as it is. Does nothing outside a page, or if the address is on another server.
pub fn show_page_address(address: &str) {
    platform::show_address(address);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_a_command_line_would_and_no_more() {
        let words = flags_of("http://x:8787/?room=Otter+badger&quick&utm_source=a&headless#top", &["room", "quick"]);
        assert_eq!(words, ["page", "--room=Otter badger", "--quick"]);
        assert_eq!(flags_of("nonsense", &["room"]), ["page"]);
    }
}
