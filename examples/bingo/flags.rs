//! The command line.

use std::{fmt, path::PathBuf, time::Duration};

use bevy_rooms::prelude::*;
use clap::Parser;
use url::{Host, Url};

/// 90-ball bingo for friends: one hosts a room, the others join it.
#[derive(Parser, Clone, Debug)]
#[command(name = "bingo", version)]
// As many fields as the command line has flags: one field for each, and one that the page fills in.
pub struct Flags {
    /// The room's name or code, or a link that invites to it [default: three random animals]
    #[arg(long, value_name = "NAME", value_parser = Destination::read)]
    pub room: Option<Destination>,
    /// Who I am [default: two random animals]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Host the room; refused where somebody hosts it
    #[arg(long, conflicts_with = "join")]
    pub host: bool,
    /// Join the room; told so where nobody hosts it. With neither: join, or host where nobody does
    #[arg(long, requires = "room")]
    pub join: bool,
    /// The address of the game's web page, https://…; invites are then links to it, and its relay is the one to play on
    #[arg(long, value_name = "URL", value_parser = page)]
    pub page: Option<String>,
    /// The relay, ws://… or wss://… [default: one on this machine, started by whoever comes first]
    #[arg(long, value_name = "URL")]
    pub relay: Option<String>,
    /// The key to connect with: of the relay, or else of Ably's cloud
    #[arg(long, value_name = "KEY", env = "ABLY_API_KEY", hide_env_values = true)]
    pub key: Option<Key>,
    /// Play in the terminal, without a window
    #[arg(long)]
    pub headless: bool,
    /// Open a window even where no X display answers, as on Wayland alone (build with --features bevy/wayland)
    #[arg(long, conflicts_with = "headless")]
    pub window: bool,
    /// Print events as JSON, one object a line; a web page writes them to the browser's console
    #[arg(long)]
    pub json: bool,
    /// Add N players that play by themselves
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub bots: u16,
    /// As host: start by itself once N players are in [default with --headless: bots + 1]
    #[arg(long, value_name = "N")]
    pub players: Option<usize>,
    /// Stop after N rounds [default with --headless: 1]
    #[arg(long, value_name = "N")]
    pub rounds: Option<u32>,
    /// As host: time between calls, such as 50ms or 5s [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub interval: Option<Duration>,
    /// Let the tickets mark themselves; headless players then shout by themselves too
    #[arg(long)]
    pub automark: bool,
    /// Where to remember who I am [default: the user's data folder]
    #[arg(long, value_name = "FOLDER", env = "BINGO_DATA")]
    pub data: Option<PathBuf>,
    /// Repeatable strips and draws
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Whether to go to the room without asking, and host it where nobody does: a page that leads to it, or was in it.
    #[arg(skip)]
    pub at_once: bool,
}

/// A room, and where a link says that it is.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The room.
    pub room: RoomName,
    /// The page that the link leads to.
    page: Option<String>,
    /// The relay that the link names.
    relay: Option<String>,
}

impl From<RoomName> for Destination {
    fn from(room: RoomName) -> Self {
        Self { room, page: None, relay: None }
    }
}

impl Destination {
    fn read(text: &str) -> Result<Self, InviteError> {
        let Invite { room, relay, .. } = Invite::read(text)?;
        // Any other link names a room all the same.
        let page = page(text.split(['?', '#']).next().unwrap_or_default()).ok();
        Ok(Self { room, page, relay })
    }
}

/// An API key. Debug output does not show it.
#[derive(Clone)]
pub struct Key(String);

impl From<String> for Key {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Flags {
    /// The room to go to.
    pub fn room(&self) -> Option<&RoomName> {
        self.room.as_ref().map(|destination| &destination.room)
    }

    /// Fills in what was left out.
    pub fn with_defaults(mut self) -> Self {
        let destination = self.room.get_or_insert_with(|| random_room().into());
        // Whoever wrote a link chose where it leads, so that no key goes there which was not given for that.
        if self.relay.is_none() && self.page.is_none() && self.key.is_none() {
            (self.page, self.relay) = (destination.page.clone(), destination.relay.clone());
        }
        self.name.get_or_insert_with(random_name);
        if self.headless {
            self.rounds.get_or_insert(1);
            self.players.get_or_insert(usize::from(self.bots) + 1);
        }
        self
    }

    /// Who we are, over restarts. A test says where that is kept.
    pub fn identity(&self) -> Identity {
        let identity = Identity::remembered("bingo");
        match &self.data {
            Some(folder) => identity.in_folder(folder),
            None => identity,
        }
    }

    /// What to give others so that they come to this room: a link where there is a page, else the room's name.
    pub fn invite(&self, room: &RoomName) -> String {
        let mut invite = Invite::to(room.clone());
        if let Some(relay) = &self.relay {
            invite = invite.at_relay(relay.clone());
        }
        let link = self.page.as_ref().and_then(|page| invite.link(page).ok());
        link.unwrap_or_else(|| room.shown().to_string())
    }

    /// Whether an invite is a link that leads nowhere but on this machine.
    pub fn invites_here_alone(&self) -> bool {
        let url = self.page.as_deref().and_then(|page| Url::parse(page).ok());
        match url.as_ref().and_then(Url::host) {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
            Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
            None => false,
        }
    }

    /// Where to connect.
    pub fn connect(&self) -> Connect {
        match (&self.relay, &self.key) {
            (Some(url), Some(key)) => Connect::Relay { url: url.clone(), key: key.0.clone() },
            (Some(url), None) => Connect::relay(url.clone()),
            (None, Some(key)) => Connect::Cloud { key: key.0.clone() },
            (None, None) => {
                // A page has the relay beside it; `page` was looked at when it was read.
                let page = self.page.as_deref().map(Connect::page).and_then(Result::ok);
                page.unwrap_or(Connect::Local)
            }
        }
    }
}

/// Takes the address of a page that a link can be made of.
fn page(text: &str) -> Result<String, InviteError> {
    Connect::page(text)?;
    Invite::to(random_room()).link(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        Flags::try_parse_from(std::iter::once("bingo").chain(line.split_whitespace())).unwrap().with_defaults()
    }

    #[test]
    fn headless_plays_one_round_once_the_bots_are_in() {
        let flags = flags("--headless --bots 4");
        assert_eq!((flags.rounds, flags.players), (Some(1), Some(5)));
    }

    #[test]
    fn a_window_waits_for_its_host_to_start() {
        let flags = flags("--bots 4");
        assert_eq!((flags.rounds, flags.players), (None, None));
    }

    #[test]
    fn a_key_alone_means_the_cloud_and_with_a_relay_that_relay() {
        assert!(matches!(flags("--key a.b:c").connect(), Connect::Cloud { .. }));
        assert!(matches!(flags("--key a.b:c --relay ws://x:1").connect(), Connect::Relay { .. }));
        assert_eq!(flags("--relay ws://x:1").connect(), Connect::relay("ws://x:1"));
    }

    #[test]
    fn a_page_has_its_relay_beside_it() {
        let page = "http://192.168.1.20:8787/";
        assert_eq!(flags(&format!("--page {page}")).connect(), Connect::page(page).unwrap());
        assert_eq!(flags(&format!("--page {page} --relay ws://x:1")).connect(), Connect::relay("ws://x:1"));
    }

    #[test]
    fn debug_output_does_not_show_the_key() {
        let flags = flags("--key a.b:hush");
        assert!(!format!("{flags:?} {:?}", flags.connect()).contains("hush"));
    }

    #[test]
    fn durations_are_written_as_people_write_them() {
        assert_eq!(flags("--interval 50ms").interval, Some(Duration::from_millis(50)));
        assert!(Flags::try_parse_from(["bingo", "--interval", "soon"]).is_err());
    }

    #[test]
    fn who_joins_says_which_room() {
        let error = Flags::try_parse_from(["bingo", "--join"]).unwrap_err();
        assert!(error.to_string().contains("--room"), "{error}");
    }

    #[test]
    fn a_link_says_where_to_play_unless_the_command_line_does() {
        let link = "--room http://192.168.1.20:8787/?room=den";
        let beside = Connect::page("http://192.168.1.20:8787/").unwrap();
        assert_eq!(flags(link).connect(), beside);
        assert_eq!(flags(link).invite(&RoomName::new("den").unwrap()), "http://192.168.1.20:8787/?room=den");
        assert_eq!(flags(&format!("{link}&relay=ws://y:2")).connect(), Connect::relay("ws://y:2"));
        assert_eq!(flags(&format!("{link} --relay ws://x:1")).connect(), Connect::relay("ws://x:1"));
        assert!(matches!(flags(&format!("{link} --key a.b:c")).connect(), Connect::Cloud { .. }));
        assert_eq!(flags("--room den").connect(), Connect::Local);
    }

    #[test]
    fn a_room_is_read_as_people_type_it_and_out_of_a_link() {
        let room = |text: &str| {
            let flags = Flags::try_parse_from(["bingo", "--room", text]).unwrap();
            flags.room().unwrap().to_string()
        };
        assert_eq!(room("Otter badger FOX"), "otter-badger-fox");
        assert_eq!(room("https://bingo.example/?room=otter-badger-fox"), "otter-badger-fox");
        assert_eq!(room("den"), "den");
    }

    #[test]
    fn an_invite_is_a_link_where_there_is_a_page_and_else_the_name() {
        let room = RoomName::new("otter-badger-fox").unwrap();
        assert_eq!(flags("").invite(&room), "otter-badger-fox");
        let link = flags("--page https://bingo.example/ --relay ws://10.0.0.1:8787").invite(&room);
        assert_eq!(link, "https://bingo.example/?room=otter-badger-fox&relay=ws%3A%2F%2F10.0.0.1%3A8787");
        assert!(Flags::try_parse_from(["bingo", "--page", "bingo"]).is_err());
    }

    #[test]
    fn a_link_to_this_machine_itself_is_known_for_one() {
        let alone = |page: &str| flags(&format!("--page {page}")).invites_here_alone();
        for page in ["http://127.0.0.1:8787/", "http://localhost:8787/", "http://[::1]:8787/", "http://0.0.0.0:8787/"] {
            assert!(alone(page), "{page}");
        }
        for page in ["http://192.168.1.20:8787/", "https://bingo.example/"] {
            assert!(!alone(page), "{page}");
        }
        assert!(!flags("").invites_here_alone(), "a room's name leads everywhere");
    }

    #[test]
    fn a_room_name_that_cannot_be_is_refused_at_once() {
        assert!(Flags::try_parse_from(["bingo", "--room", "a:b"]).is_err());
    }
}
