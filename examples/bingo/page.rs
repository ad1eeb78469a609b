//! The web page that the game is in, in a browser: its address stands for the command line.
//!
//! `/?room=otter-badger-fox&bots=2` is what `--room otter-badger-fox --bots 2` is in a terminal. A link to a room goes
//! straight there.

use clap::{CommandFactory, Parser};
use url::Url;

use crate::flags::Flags;

/// What the page's address says.
///
/// # Errors
/// Where it says something that is none, with the reason.
#[cfg(target_arch = "wasm32")]
pub fn flags() -> Result<Flags, String> {
    let address = bevy_rooms::plugin::page_address().unwrap_or_default();
    let mut flags = read(&address)?;
    flags.page.get_or_insert_with(|| without_query(&address));
    let seat = imp::remembered().filter(|seat| flags.room() == Some(&seat.room));
    let Some(seat) = seat else {
        imp::remember_address(&address);
        flags.at_once = flags.room.is_some() && !flags.host && !flags.join;
        return Ok(flags);
    };
    if let Some(before) = seat.address.and_then(|before| read(&before).ok()) {
        flags = Flags { page: flags.page, ..before };
    }
    Ok(Flags { room: Some(seat.room.into()), name: Some(seat.name), at_once: true, ..flags })
}

/// What the address of a page may set. Who passes a link on can set no key, and no other page or relay to play on than the one
/// that the page came from.
const OF_PAGE: [&str; 11] =
    ["room", "name", "host", "join", "json", "bots", "players", "rounds", "interval", "automark", "seed"];

/// What an address says. Words in it that are no flag of a page are somebody else's.
#[cfg_attr(not(target_arch = "wasm32"), cfg_attr(not(test), expect(dead_code, reason = "there is no page here")))]
fn read(address: &str) -> Result<Flags, String> {
    let command = Flags::command();
    let mut words = vec!["bingo".to_owned()];
    if let Ok(url) = Url::parse(address) {
        for (name, value) in url.query_pairs() {
            let known =
                command.get_arguments().find(|flag| OF_PAGE.contains(&&*name) && flag.get_long() == Some(&*name));
            words.extend(known.map(|flag| match flag.get_action().takes_values() {
                true => format!("--{name}={value}"),
                false => format!("--{name}"),
            }));
        }
    }
    Flags::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("the address of this page says something wrong: {first}")
    })
}

/// The address of the page itself.
#[cfg(target_arch = "wasm32")]
fn without_query(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else { return address.to_owned() };
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(target_arch = "wasm32")]
pub use imp::{forget, print, remember};

#[cfg(target_arch = "wasm32")]
mod imp {
    use bevy_rooms::prelude::*;

    /// Where the tab keeps the room that it is in, for when it is loaded again. Not in the address, which people share.
    const ROOM: &str = "bingo.room";
    const NAME: &str = "bingo.name";
    /// The address that the tab was opened with, which the invite takes the place of.
    const ADDRESS: &str = "bingo.address";

    /// What a tab remembers of the room that it is in.
    pub struct Seat {
        pub room: RoomName,
        pub name: String,
        pub address: Option<String>,
    }

    fn tab() -> Option<web_sys::Storage> {
        web_sys::window()?.session_storage().ok()?
    }

    /// The room that this tab was in, and as whom.
    pub fn remembered() -> Option<Seat> {
        let tab = tab()?;
        let value = |key| tab.get_item(key).ok().flatten();
        Some(Seat { room: RoomName::new(value(ROOM)?).ok()?, name: value(NAME)?, address: value(ADDRESS) })
    }

    /// Notes the address that the tab was opened with.
    pub fn remember_address(address: &str) {
        if let Some(tab) = tab() {
            let _ = tab.set_item(ADDRESS, address);
        }
    }

    /// Notes the room, and shows an invite to it as the page's address.
    pub fn remember(room: &RoomName, name: &str, invite: &str) {
        if let Some(tab) = tab() {
            // A browser that keeps nothing asks for the name again.
            let _ = (tab.set_item(ROOM, room.as_str()), tab.set_item(NAME, name));
        }
        bevy_rooms::plugin::show_page_address(invite);
    }

    /// The player is out of the room: to load the page again leads to no room.
    pub fn forget() {
        if let Some(tab) = tab() {
            let _ = (tab.remove_item(ROOM), tab.remove_item(NAME));
        }
        if let Some(address) = bevy_rooms::plugin::page_address() {
            bevy_rooms::plugin::show_page_address(&super::without_query(&address));
        }
    }

    /// Writes a line to the browser's console.
    pub fn print(line: &str) {
        web_sys::console::log_1(&line.into());
    }
}

/// There is nothing to remember outside a page.
#[cfg(not(target_arch = "wasm32"))]
pub fn remember(_: &bevy_rooms::prelude::RoomName, _: &str, _: &str) {}

/// There is nothing to forget outside a page.
#[cfg(not(target_arch = "wasm32"))]
pub fn forget() {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bevy_rooms::prelude::RoomName;

    use super::*;

    #[test]
    fn an_address_says_what_a_command_line_would() {
        let flags = read("http://x:8787/?room=Otter+badger+fox&bots=2&interval=50ms&automark").unwrap();
        assert_eq!(flags.room().map(RoomName::as_str), Some("otter-badger-fox"));
        assert_eq!((flags.bots, flags.interval, flags.automark), (2, Some(Duration::from_millis(50)), true));
    }

    #[test]
    fn what_is_nobodys_flag_is_left_alone() {
        assert_eq!(
            read("https://x/?utm_source=letter&room=den&back").unwrap().room().map(RoomName::as_str),
            Some("den")
        );
        assert!(read("https://x/").unwrap().room().is_none());
    }

    #[test]
    fn a_link_leads_to_no_other_server_than_its_own() {
        let flags = read("https://x/?room=den&page=https://y/&relay=wss://y&key=a.b:c&data=d&headless").unwrap();
        assert_eq!((flags.page, flags.relay, flags.data, flags.headless), (None, None, None, false));
        assert!(flags.key.is_none());
    }

    #[test]
    fn a_wrong_word_is_told_in_one_line() {
        let error = read("http://x/?bots=many").unwrap_err();
        assert!(error.contains("many") && error.contains("--bots") && !error.contains('\n'), "{error}");
    }
}
