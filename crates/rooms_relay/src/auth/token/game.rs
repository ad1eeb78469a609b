//! Tokens for games: one room, one player, and that player's inbox.

use std::time::Duration;

use serde_json::json;
use smol_str::SmolStr;

use crate::{
    Capability,
    auth::token::{DEFAULT_TTL, Grant, MAX_TTL},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// Longest name of a room and id of a player, in bytes. Sessions have the same limit.
const MAX_NAME: usize = 64;

/// How the relay gives tokens to players.
///
/// The relay knows no accounts: whoever reaches it gets a token for the room and the player that they ask for. With that token
/// one cannot publish as another player, and cannot read another player's inbox.
///
/// Start from [`new`](Self::new) and set the fields that you need: then a new field breaks nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEndpoint {
    /// The name of the API key that signs, `APP.KEYID`. Players meet in its application.
    pub key: SmolStr,
    /// How long a token is valid. Defaults to an hour; a day at most.
    pub ttl: Duration,
    /// Whether a request without a room gets a token for everything that the key allows, other players' inboxes included. A
    /// page needs this if its players change rooms, or if it has channels beside its rooms. Defaults to no.
    pub every_channel: bool,
}

impl TokenEndpoint {
    /// Tokens of the key with this name.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self { key: SmolStr::new(key), ttl: DEFAULT_TTL, every_channel: false }
    }

    /// The same, but a request without a room gets a token for everything that the key allows.
    pub fn for_every_channel(self) -> Self {
        Self { every_channel: true, ..self }
    }

    /// What a player that asks for a token may do.
    pub(crate) fn grant(&self, room: &str, player: &str) -> Result<Grant, ErrorInfo> {
        if !(room.is_empty() && self.every_channel) {
            return grant(room, player, self.ttl);
        }
        if !is_name(player) {
            return Err(ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, WRONG_NAME));
        }
        Ok(Grant { capability: None, client_id: Some(player.into()), ttl: self.ttl.min(MAX_TTL) })
    }
}

const WRONG_NAME: &str = "room and player must be 1 to 64 letters, digits, '-' and '_'";

/// The channel of the public list of rooms, as sessions name it.
const LIST: &str = "rooms";

/// What a player may do: everything on the room's channel, subscribe to its own inbox, publish to the inboxes of others, and
/// enter and read the public list of rooms. Nobody may publish messages on the list, which is presence alone.
///
/// # Errors
/// 40003 for a name that could stand for another channel, or for several.
fn grant(room: &str, player: &str, ttl: Duration) -> Result<Grant, ErrorInfo> {
    if !is_name(room) || !is_name(player) {
        return Err(ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, WRONG_NAME));
    }
    let capability = json!({
        format!("room:{room}"): ["presence", "publish", "subscribe"],
        format!("room:{room}:to:{player}"): ["subscribe"],
        format!("room:{room}:to:*"): ["publish"],
        LIST: ["presence", "subscribe"],
    });
    let capability = Capability::from_json(&capability)
        .map_err(|error| ErrorInfo::new(ErrorCode::INTERNAL, 500, error.to_string()))?;
    Ok(Grant { capability: Some(capability), client_id: Some(player.into()), ttl: ttl.min(MAX_TTL) })
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation::{History, Presence, Publish, Subscribe};

    #[test]
    fn who_names_no_room_gets_a_token_for_all_only_where_that_is_switched_on() {
        let endpoint = TokenEndpoint::new("app.id");
        assert!(endpoint.grant("", "ada").is_err());
        let endpoint = endpoint.for_every_channel();
        let all = endpoint.grant("", "ada").unwrap();
        assert_eq!((all.capability, all.client_id), (None, Some("ada".into())));
        assert!(endpoint.grant("otter", "ada").unwrap().capability.is_some());
        assert!(endpoint.grant("", "a:b").is_err());
    }

    #[test]
    fn a_player_hears_its_own_inbox_and_speaks_to_those_of_others_in_its_room_alone() {
        let grant = grant("otter", "ada", DEFAULT_TTL).unwrap();
        assert_eq!(grant.client_id, Some("ada".into()));
        let capability = grant.capability.unwrap();
        let allowed = |channel: &str| {
            let operations = [Publish, Subscribe, Presence, History];
            operations.map(|operation| capability.allows(&channel.into(), operation))
        };
        assert_eq!(allowed("room:otter"), [true, true, true, false]);
        assert_eq!(allowed("room:otter:to:ada"), [true, true, false, false]);
        assert_eq!(allowed("room:otter:to:bob"), [true, false, false, false]);
        assert_eq!(allowed("rooms"), [false, true, true, false], "the list of rooms is presence alone");
        for channel in ["room:badger", "room:badger:to:ada", "room", "otter", "room:otter:from:ada"] {
            assert_eq!(allowed(channel), [false; 4], "{channel}");
        }
    }

    #[test]
    fn names_that_could_reach_other_channels_are_refused() {
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["", "*", "a:to:bob", "a:*", "a b", "[*]", "ö", "a\n", &long] {
            for (room, player) in [(name, "ada"), ("otter", name)] {
                assert_eq!(grant(room, player, DEFAULT_TTL).err().map(|error| error.code.0), Some(40003), "{name}");
            }
        }
    }

    #[test]
    fn a_token_lives_a_day_at_most() {
        assert_eq!(grant("otter", "ada", Duration::MAX).unwrap().ttl, MAX_TTL);
    }
}
