//! The command line.

use std::time::Duration;

use bevy_rooms::prelude::*;
use clap::Parser;

use crate::names;

/// 90-ball bingo for friends: one hosts a room, the others join it.
#[derive(Parser, Clone, Debug)]
#[command(name = "bingo", version)]
pub struct Flags {
    /// The room [default: three random animals]
    #[arg(long, value_name = "NAME", value_parser = |text: &str| RoomName::new(text))]
    pub room: Option<RoomName>,
    /// Who I am [default: two random animals]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Host the room; refused where somebody hosts it
    #[arg(long, conflicts_with = "join")]
    pub host: bool,
    /// Join the room; told so where nobody hosts it. With neither: join, or host where nobody does
    #[arg(long, requires = "room")]
    pub join: bool,
    /// The relay, ws://… or wss://… [default: one on this machine, started by whoever comes first]
    #[arg(long, value_name = "URL")]
    pub relay: Option<String>,
    /// The key to connect with: of the relay, or else of Ably's cloud
    #[arg(long, value_name = "KEY", env = "ABLY_API_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Play in the terminal, without a window
    #[arg(long)]
    pub headless: bool,
    /// Print events as JSON, one object a line
    #[arg(long, requires = "headless")]
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
    /// Repeatable strips and draws
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl Flags {
    /// Fills in what was left out.
    pub fn with_defaults(mut self) -> Self {
        self.room.get_or_insert_with(names::room);
        self.name.get_or_insert_with(names::player);
        if self.headless {
            self.rounds.get_or_insert(1);
            self.players.get_or_insert(usize::from(self.bots) + 1);
        }
        self
    }

    /// Where to connect.
    pub fn connect(&self) -> Connect {
        match (&self.relay, &self.key) {
            (Some(url), Some(key)) => Connect::Relay { url: url.clone(), key: key.clone() },
            (Some(url), None) => Connect::relay(url.clone()),
            (None, Some(key)) => Connect::Cloud { key: key.clone() },
            (None, None) => Connect::Local,
        }
    }
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
    fn a_room_name_that_cannot_be_is_refused_at_once() {
        assert!(Flags::try_parse_from(["bingo", "--room", "a:b"]).is_err());
    }
}
