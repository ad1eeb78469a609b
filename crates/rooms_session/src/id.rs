//! Players and rooms, and the numbers that order what happens in a room.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use rooms_protocol::{ChannelName, ClientId, MessageSerial};

/// One participant, whatever connection it comes over. On the wire it is the client id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "SmolStr", into = "SmolStr")]
pub struct PlayerId(SmolStr);

impl TryFrom<SmolStr> for PlayerId {
    type Error = InvalidName;

    fn try_from(text: SmolStr) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl From<PlayerId> for SmolStr {
    fn from(player: PlayerId) -> Self {
        player.0
    }
}

impl PlayerId {
    /// Longest id, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Takes an id of 1 to [`MAX_LEN`](Self::MAX_LEN) letters, digits, `-` and `_`, because it is part of a channel's
    /// name.
    ///
    /// # Errors
    /// [`InvalidName`] tells what is wrong with it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
        checked("player id", text.as_ref(), Self::MAX_LEN).map(Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The client id that the player connects with.
    pub fn client_id(&self) -> ClientId {
        ClientId::new(&self.0)
    }

    /// The player behind a client id that the server stamped. `None` if it cannot be a player's.
    pub fn from_client_id(id: &ClientId) -> Option<Self> {
        Self::new(id.as_str()).ok()
    }
}

impl fmt::Debug for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the names of a room's channels begin with.
const CHANNEL_PREFIX: &str = "room:";

/// Whether a channel of this name is a room's own, as far as its name tells.
pub fn is_room_channel(name: &str) -> bool {
    name.starts_with(CHANNEL_PREFIX)
}

/// The name of a room.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "SmolStr", into = "SmolStr")]
pub struct RoomName(SmolStr);

impl TryFrom<SmolStr> for RoomName {
    type Error = InvalidName;

    fn try_from(text: SmolStr) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl From<RoomName> for String {
    fn from(room: RoomName) -> Self {
        room.0.into()
    }
}

impl From<RoomName> for SmolStr {
    fn from(room: RoomName) -> Self {
        room.0
    }
}

impl RoomName {
    /// Longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Takes a name of 1 to [`MAX_LEN`](Self::MAX_LEN) letters, digits, `-` and `_`, such as `otter-badger-fox`.
    ///
    /// # Errors
    /// [`InvalidName`] tells what is wrong with it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
        checked("room name", text.as_ref(), Self::MAX_LEN).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel that everyone in the room is attached to.
    pub fn channel(&self) -> ChannelName {
        ChannelName::from(format!("{CHANNEL_PREFIX}{}", self.0))
    }

    /// The channel that only `player` listens on.
    pub fn inbox(&self, player: &PlayerId) -> ChannelName {
        ChannelName::from(format!("{}:to:{player}", self.channel().as_str()))
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// Nothing was given.
    #[error("the {what} is empty; give it at least one letter or digit")]
    Empty {
        /// Which kind of name.
        what: &'static str,
    },
    /// More than fits.
    #[error("the {what} has {len} bytes; at most {max} are possible")]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The most it may have.
        max: usize,
    },
    /// A character that has a meaning in channel names, or none at all.
    #[error("the {what} holds {character:?}; use letters, digits, '-' and '_'")]
    Character {
        /// Which kind of name.
        what: &'static str,
        /// The first such character.
        character: char,
    },
}

fn checked(what: &'static str, text: &str, max: usize) -> Result<SmolStr, InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty { what });
    }
    if text.len() > max {
        return Err(InvalidName::TooLong { what, len: text.len(), max });
    }
    match text.chars().find(|character| !character.is_alphanumeric() && !['-', '_'].contains(character)) {
        Some(character) => Err(InvalidName::Character { what, character }),
        None => Ok(SmolStr::new(text)),
    }
}

/// Counts the processes of one player, one after the other. The highest has the player's seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// Counts the hosts of one founding of a room. The messages of a host with a lower term are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);

/// Grows by one with every published change of the shared document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// One host's time: the founding of the room, the term, and the claim that won the term.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reign {
    /// The serial of the claim that founded the room. It tells two foundings of one room apart.
    pub incarnation: MessageSerial,
    /// The host's term.
    pub term: Term,
    /// The serial of the claim that won the term.
    pub since: MessageSerial,
}

impl Reign {
    /// Whether this reign counts more than `other`: the older founding, then the higher term, then the earlier claim.
    pub fn is_better_than(&self, other: &Self) -> bool {
        let key = |reign: &Self| (reign.incarnation.clone(), std::cmp::Reverse(reign.term), reign.since.clone());
        key(self) < key(other)
    }
}

/// Names one state of the room: the reign of its host, and the version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The reign of its host.
    pub reign: Reign,
    /// The version.
    pub version: Version,
}

impl Stamp {
    /// Whether this state is ahead of `other`: of a better reign, or of the same reign and a higher version.
    pub fn is_better_than(&self, other: &Self) -> bool {
        self.reign.is_better_than(&other.reign) || (self.reign == other.reign && self.version > other.version)
    }
}

#[cfg(feature = "reflect")]
bevy_reflect::impl_reflect_opaque!((in rooms_session) PlayerId(Debug, PartialEq, Hash, Clone));

#[cfg(test)]
mod tests {
    use super::*;

    fn reign(incarnation: &str, term: u64, since: &str) -> Reign {
        Reign { incarnation: incarnation.into(), term: Term(term), since: since.into() }
    }

    #[test]
    fn names_that_would_break_a_channel_name_are_refused() {
        assert!(RoomName::new("otter-badger-fox").is_ok());
        assert!(PlayerId::new("Zoë_2").is_ok());
        assert!(matches!(RoomName::new(""), Err(InvalidName::Empty { .. })));
        assert!(matches!(PlayerId::new("a:b"), Err(InvalidName::Character { character: ':', .. })));
        assert!(matches!(RoomName::new("x".repeat(65)), Err(InvalidName::TooLong { len: 65, .. })));
    }

    #[test]
    fn a_bad_name_does_not_come_in_over_the_wire_either() {
        assert!(serde_json::from_str::<PlayerId>(r#""ada""#).is_ok());
        assert!(serde_json::from_str::<PlayerId>(r#""ada:to:bob""#).is_err());
        assert!(serde_json::from_str::<RoomName>(r#""""#).is_err());
    }

    #[test]
    fn the_older_founding_the_higher_term_and_the_earlier_claim_are_better() {
        assert!(reign("1", 1, "1").is_better_than(&reign("2", 9, "2")));
        assert!(reign("1", 2, "5").is_better_than(&reign("1", 1, "1")));
        assert!(reign("1", 2, "4").is_better_than(&reign("1", 2, "5")));
        assert!(!reign("1", 2, "5").is_better_than(&reign("1", 2, "5")));
    }

    #[test]
    fn a_better_reign_outweighs_a_higher_version() {
        let old = Stamp { reign: reign("1", 1, "1"), version: Version(90) };
        let new = Stamp { reign: reign("1", 2, "7"), version: Version(3) };
        assert!(new.is_better_than(&old) && !old.is_better_than(&new));
    }
}
