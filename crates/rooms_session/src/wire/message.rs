//! What players say to each other about the room itself: the messages named `room.*`.
//!
//! Pure data. Unknown fields are skipped, so that later versions may say more; what does not fit is an error, and the
//! session drops it. Who said something is what the server stamped on the message, never what is written here.

use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use crate::{Generation, PlayerId, Profile, Refusal, Reign, Stamp, Term, Version, Wish, state::document::Document};
use rooms_protocol::MessageSerial;

/// How the names of all messages here begin; a game's own may not.
pub(crate) const RESERVED: &str = "room.";

/// Tells the processes apart that say hello.
pub(crate) type Nonce = SmolStr;

/// Arriving, coming back, or missing something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hello {
    pub generation: Generation,
    pub nonce: Nonce,
    pub profile: Profile,
    pub fingerprint: String,
    pub wish: Wish,
    /// The first request that may be sent again: those before it are given up, applied or not.
    pub first_request: u64,
    /// The best reign heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Reign>,
}

/// Admitted: here is everything.
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

/// Not admitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    pub generation: Generation,
    pub nonce: Nonce,
    /// The process that is meant, where it goes on in a seat that it has lost and its nonce is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Generation>,
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// Not admitted yet: a round is running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wait {
    pub generation: Generation,
    pub nonce: Nonce,
}

/// Wanting to lead.
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

/// How a change is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StateBody {
    /// What became different since `base`.
    Patch { base: Stamp, patch: Patch },
    /// Everything.
    Snapshot { snapshot: Document },
}

/// The host lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lease {
    pub generation: Generation,
    pub reign: Reign,
    pub version: Version,
    /// Counts the host's leases, so that it knows which came back.
    #[serde(default)]
    pub beat: u64,
}

/// Something that the host shall do exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub generation: Generation,
    pub sequence: u64,
    /// Requests before this one are given up, applied or not: confirmed for good.
    pub first_unconfirmed: u64,
    pub kind: SmolStr,
    #[serde(default)]
    pub data: Value,
}

/// Another player is to lead, since the host wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandOver {
    pub generation: Generation,
    pub reign: Reign,
    pub to: PlayerId,
}

/// A clean goodbye.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leave {
    pub generation: Generation,
    /// Why, for people who read the traffic.
    #[serde(default)]
    pub reason: SmolStr,
}

/// A piece of a message that is too large for one.
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
    /// This piece of its JSON text.
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
            /// Reads the payload of a message named `name`; `Ok(None)` where later versions may know the name.
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

            /// Which process of its player said it.
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
