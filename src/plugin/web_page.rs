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

/// What a game does while it is in a web page that nobody sees, in a tab behind others or a window in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhileHidden {
    /// It goes on with ten frames a second, driven by the ticks of a worker: a browser gives a hidden page no frames of
    /// its own. A page with a content security policy needs `worker-src blob:` for it.
    #[default]
    GoOn,
    /// It stands still. Its line is kept; a host in such a page is replaced when its lease runs out.
    StandStill,
}

/// Prepares the app for the page that it is in.
pub(super) fn build(app: &mut App, while_hidden: WhileHidden) {
    platform::build(app, while_hidden == WhileHidden::GoOn);
}

/// The address of the web page that the game is in; `None` where it is in none.
///
/// Together with [`Invite::read`](crate::session::Invite::read) it tells which room the page was opened for.
pub fn page_address() -> Option<String> {
    platform::address()
}

/// What the app was started with, as words for a parser of flags: the command line, or in a web page what its address
/// says of the flags that it may set. `?room=den&bots=2&quick` is `--room=den --bots=2 --quick` there.
///
/// What else stands in an address, such as a mark of who sent the link, is left out, and so are flags that a page has
/// no use for.
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

/// Ends the program with a word to whoever looks at the web page around it, as where its address makes no sense. Returns
/// where there is no page. The word is thrown as an error of the script that runs the game; the page in `web/page` shows it,
/// before the first frame and after.
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

/// Shows another address in the browser's bar, so that the page comes back to the same room when it is loaded again.
/// The page stays as it is. Does nothing where there is no page, or the address is on another server.
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
