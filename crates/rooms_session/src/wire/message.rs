//! The messages about the room itself, named `room.*`.
//!
//! Pure data. Unknown fields are skipped, so that later versions can add some. What does not fit is an error, and the
//! session drops it. The sender of a message is the one that the server stamped on it, never one that is written here.

use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use crate::{
    config::{Profile, Wish},
    event::Refusal,
    id::{Generation, PlayerId, Reign, Stamp, Term, Version},
    state::document::Document,
};
use rooms_protocol::{ConnectionId, MessageSerial};

/// The names of all messages here begin with this. The name of a game's message must not.
pub(crate) const RESERVED: &str = "room.";

/// Where a message came from, as the server stamped it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub player: PlayerId,
    pub connection: ConnectionId,
    pub serial: Option<MessageSerial>,
    /// Whether this session sent it.
    pub own: bool,
}

/// Tells apart the processes that send a hello.
pub(crate) type Nonce = SmolStr;

/// A player asks to be let in, or asks for the state that it misses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hello {
    pub generation: Generation,
    pub nonce: Nonce,
    pub profile: Profile,
    pub fingerprint: String,
    pub wish: Wish,
    /// The first request that may be sent again. The sender has given up those before it, applied or not.
    pub first_request: u64,
    /// The best reign that the sender knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Reign>,
}

/// The host admits a player, with the whole state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Welcome {
    pub generation: Generation,
    pub nonce: Nonce,
    pub host: PlayerId,
    pub reign: Reign,
    pub version: Version,
    pub snapshot: Document,
}

/// The host does not admit a player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    pub generation: Generation,
    pub nonce: Nonce,
    /// The process that is meant, if it goes on in a seat that it lost and its nonce is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Generation>,
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// The host admits the player later: a round is running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wait {
    pub generation: Generation,
    pub nonce: Nonce,
}

/// A player wants to lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claim {
    pub generation: Generation,
    /// Absent: this claim founds the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<MessageSerial>,
    pub term: Term,
    /// The state that the claimant holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Whether the claimant led just now.
    #[serde(default)]
    pub led: bool,
}

/// A change of the shared document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub generation: Generation,
    pub reign: Reign,
    pub version: Version,
    #[serde(flatten)]
    pub body: StateBody,
}

/// The form of a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StateBody {
    /// What became different since `base`.
    Patch { base: Stamp, patch: Patch },
    /// Everything.
    Snapshot { snapshot: Document },
}

/// The host shows that it still leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lease {
    pub generation: Generation,
    pub reign: Reign,
    pub version: Version,
    /// The beat: the number of this lease. The host knows by it which lease came back.
    #[serde(default)]
    pub beat: u64,
}

/// A player asks the host to do something exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub generation: Generation,
    pub sequence: u64,
    /// The sender has given up the requests before this one, applied or not.
    pub first_unconfirmed: u64,
    pub kind: SmolStr,
    #[serde(default)]
    pub data: Value,
}

/// The host names the player that is to lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandOver {
    pub generation: Generation,
    pub reign: Reign,
    pub to: PlayerId,
}

/// A player leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leave {
    pub generation: Generation,
    /// Why, for people who read the traffic.
    #[serde(default)]
    pub reason: SmolStr,
}

/// A fragment of a message that is too large for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    pub generation: Generation,
    /// Tells the messages of one connection apart.
    pub id: u64,
    pub index: u32,
    pub count: u32,
    /// The name of the whole message.
    pub kind: SmolStr,
    /// This fragment of its JSON text.
    pub text: String,
}

macro_rules! room_messages {
    ($($kind:ident = $name:literal),* $(,)?) => {
        /// Any message about the room.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum RoomMessage {
            $($kind($kind),)*
        }

        impl RoomMessage {
            /// Reads the payload of a message named `name`. Returns `Ok(None)` if only later versions know the name.
            pub(crate) fn decode(name: &str, data: &Value) -> Result<Option<Self>, serde_json::Error> {
                match name {
                    $($name => $kind::deserialize(data).map(|message| Some(Self::$kind(message))),)*
                    _ => Ok(None),
                }
            }

            /// The message's name.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }

            /// The message's payload.
            pub(crate) fn encode(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$kind(message) => serde_json::to_value(message),)*
                }
            }

            /// Which process of its player sent it.
            pub(crate) fn generation(&self) -> Generation {
                match self {
                    $(Self::$kind(message) => message.generation,)*
                }
            }
        }

        $(impl From<$kind> for RoomMessage {
            fn from(message: $kind) -> Self {
                Self::$kind(message)
            }
        })*
    };
}

room_messages! {
    Hello = "room.hello",
    Welcome = "room.welcome",
    Refused = "room.refused",
    Wait = "room.wait",
    Claim = "room.claim",
    State = "room.state",
    Lease = "room.lease",
    Request = "room.request",
    HandOver = "room.handOver",
    Leave = "room.leave",
    Part = "room.part",
}

impl RoomMessage {
    /// Whether the message goes to one player's inbox and not to everyone.
    pub(crate) fn belongs_in_inbox(&self) -> bool {
        matches!(self, Self::Welcome(_) | Self::Refused(_) | Self::Wait(_) | Self::Request(_))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn round_trip(message: RoomMessage) -> Value {
        let value = message.encode().unwrap();
        assert_eq!(RoomMessage::decode(message.name(), &value).unwrap(), Some(message));
        value
    }

    #[test]
    fn messages_survive_the_wire_as_plain_json() {
        let reign = Reign { incarnation: "1".into(), term: Term(2), since: "3".into() };
        let generation = Generation(4);
        let lease = round_trip(Lease { generation, reign: reign.clone(), version: Version(5), beat: 6 }.into());
        let reign_json = json!({ "incarnation": "1", "term": 2, "since": "3" });
        assert_eq!(lease, json!({ "generation": 4, "reign": reign_json, "version": 5, "beat": 6 }));
        let refusal = Refusal::HostExists { host: PlayerId::new("ada").unwrap(), name: "Ada".into() };
        let refused = round_trip(Refused { generation, nonce: "n".into(), process: None, refusal }.into());
        let expected = json!({ "generation": 4, "nonce": "n", "reason": "host-exists", "host": "ada", "name": "Ada" });
        assert_eq!(refused, expected);
        let base = Stamp { reign: reign.clone(), version: Version(4) };
        let patch = serde_json::from_value(json!([{ "op": "replace", "path": "/shared/x", "value": 1 }])).unwrap();
        round_trip(State { generation, reign, version: Version(5), body: StateBody::Patch { base, patch } }.into());
    }

    #[test]
    fn unknown_fields_are_skipped_and_unknown_kinds_are_no_error() {
        let leave = json!({ "generation": 1, "reason": "left", "mood": "sad" });
        assert!(matches!(RoomMessage::decode("room.leave", &leave), Ok(Some(RoomMessage::Leave(_)))));
        assert!(matches!(RoomMessage::decode("room.dance", &leave), Ok(None)));
        assert!(RoomMessage::decode("room.lease", &leave).is_err());
    }
}
