//! Invite links: a room in the address of a page, such as `https://bingo.example/?room=otter-badger-fox`.

use url::Url;

use crate::id::{InvalidName, RoomName};

/// The query parameter that names the room.
const ROOM: &str = "room";

/// The query parameter that names the relay.
const RELAY: &str = "relay";

/// An invite to a room.
///
/// ```
/// use rooms_session::{Invite, RoomName};
///
/// let invite = Invite::to(RoomName::new("otter-badger-fox")?);
/// let link = invite.link("https://bingo.example/play?lang=en")?;
/// assert_eq!(link, "https://bingo.example/play?lang=en&room=otter-badger-fox");
/// assert_eq!(Invite::read(&link)?, invite);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invite {
    /// The room.
    pub room: RoomName,
    /// The relay where the room is, `ws://…` or `wss://…`. `None`: the one that the game connects to anyway.
    ///
    /// The author of the link chose it. Do not connect there with a key that is not for everyone.
    pub relay: Option<String>,
}

impl Invite {
    /// An invite to a room on the relay that the game connects to anyway.
    pub fn to(room: RoomName) -> Self {
        Self { room, relay: None }
    }

    /// The same for a room on this relay.
    pub fn at_relay(mut self, relay: impl Into<String>) -> Self {
        self.relay = Some(relay.into());
        self
    }

    /// The link that invites, made from the address of the game's page. Other parameters in that address stay. Another room
    /// or relay is replaced.
    ///
    /// # Errors
    /// [`InviteError::NotALink`] if `page` is no address, [`InviteError::Relay`] if the relay is none.
    pub fn link(&self, page: &str) -> Result<String, InviteError> {
        let mut link = parse(page)?;
        let others: Vec<(String, String)> = link
            .query_pairs()
            .filter(|(name, _)| name != ROOM && name != RELAY)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let relay = self.relay.as_deref().map(checked_relay).transpose()?;
        let mut query = link.query_pairs_mut();
        query.clear().extend_pairs(others).append_pair(ROOM, self.room.as_str());
        if let Some(relay) = relay {
            query.append_pair(RELAY, &relay);
        }
        drop(query);
        Ok(link.into())
    }

    /// Reads what people got: a link, or a room's name or code as they typed it.
    ///
    /// # Errors
    /// [`InviteError`] tells what is wrong with it.
    pub fn read(text: &str) -> Result<Self, InviteError> {
        let text = text.trim();
        if !text.contains("://") {
            return Ok(Self::to(RoomName::from_typed(text)?));
        }
        let link = parse(text)?;
        let value = |wanted: &str| link.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let room = RoomName::from_typed(&value(ROOM).ok_or(InviteError::NoRoom)?)?;
        let relay = value(RELAY).map(|relay| checked_relay(&relay)).transpose()?;
        Ok(Self { room, relay })
    }
}

fn parse(text: &str) -> Result<Url, InviteError> {
    let not_a_link = |why: String| InviteError::NotALink { text: text.to_owned(), why };
    let link = Url::parse(text).map_err(|error| not_a_link(error.to_string()))?;
    if link.cannot_be_a_base() { Err(not_a_link("it has no path".to_owned())) } else { Ok(link) }
}

fn checked_relay(text: &str) -> Result<String, InviteError> {
    let relay = Url::parse(text).ok().filter(|url| ["ws", "wss"].contains(&url.scheme()) && url.has_host());
    // A name or key in it would be passed on with the link.
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match relay.filter(plain) {
        Some(_) => Ok(text.to_owned()),
        None => Err(InviteError::Relay { text: text.to_owned() }),
    }
}

/// Why a text is not an invite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The text is not the address of a page.
    #[error("{text:?} is not a link: {why}; give the address of the game's page, https://…")]
    NotALink {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A link to no room.
    #[error("the link names no room; it has to say ?room=NAME")]
    NoRoom,
    /// A link to a room with an invalid name.
    #[error(transparent)]
    Room(#[from] InvalidName),
    /// A relay with an invalid address.
    #[error("{text:?} is not a relay's address; give ws://HOST:PORT or wss://HOST, with nothing after it")]
    Relay {
        /// What was given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(room: &str) -> Invite {
        Invite::to(RoomName::new(room).unwrap())
    }

    #[test]
    fn a_link_keeps_what_else_stands_in_the_address() {
        let page = "https://x.example:8443/a/b?lang=de&q=a%26b&room=old&relay=ws%3A%2F%2Fold#top";
        let link = invite("fox").link(page).unwrap();
        assert_eq!(link, "https://x.example:8443/a/b?lang=de&q=a%26b&room=fox#top");
    }

    #[test]
    fn a_link_with_a_relay_is_read_as_it_was_written() {
        let written = invite("km4-rx7").at_relay("ws://192.168.1.20:8787");
        let link = written.link("http://192.168.1.20:8787/").unwrap();
        assert_eq!(Invite::read(&link), Ok(written));
    }

    #[test]
    fn a_name_or_a_code_is_an_invite_too() {
        assert_eq!(Invite::read(" Otter Badger Fox\n"), Ok(invite("otter-badger-fox")));
        assert_eq!(Invite::read("KM4RX7"), Ok(invite("km4-rx7")));
        assert_eq!(Invite::read("https://x.example/?ROOM=a&room=Otter+badger+fox"), Ok(invite("otter-badger-fox")));
    }

    #[test]
    fn what_is_no_invite_is_refused_with_its_reason() {
        assert!(matches!(invite("fox").link("bingo"), Err(InviteError::NotALink { .. })));
        assert!(matches!(invite("fox").link("mailto:ada"), Err(InviteError::NotALink { .. })));
        assert!(matches!(Invite::read("https://"), Err(InviteError::NotALink { .. })));
        assert_eq!(Invite::read("https://x.example/?lang=de"), Err(InviteError::NoRoom));
        assert!(matches!(Invite::read("https://x.example/?room=a:b"), Err(InviteError::Room(_))));
        assert!(matches!(Invite::read(""), Err(InviteError::Room(InvalidName::Empty { .. }))));
        for relay in ["http://x", "x", "ws://", "ws://a:b@x", "wss://x/?key=secret"] {
            assert!(
                matches!(invite("fox").at_relay(relay).link("http://x/"), Err(InviteError::Relay { .. })),
                "{relay}"
            );
        }
        assert!(matches!(Invite::read("http://x/?room=a&relay=file:///etc"), Err(InviteError::Relay { .. })));
    }
}
