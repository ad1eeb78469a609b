//! What a session tells the game, and why it refuses or ends.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use crate::{
    config::Profile,
    id::{PlayerId, Term},
    state::fingerprint::difference,
};
use rooms_protocol::ErrorInfo;

/// Who a message is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Everyone in the room, the sender too.
    Everyone,
    /// Everyone in the room but the sender.
    Others,
    /// The host, exactly once, even across a change of host: a request.
    Host,
    /// One player, over its inbox channel.
    Player(PlayerId),
}

/// Where the player stands with the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Waiting for the connection, for a welcome, or for its own founding to hold.
    #[default]
    Arriving,
    /// In the room.
    Joined,
    /// No longer in the room, or never let in.
    Closed,
}

/// What a session tells the game.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// The player is in the room: roster and shared state are there.
    Joined {
        /// Whether as its host.
        host: bool,
        /// The term.
        term: Term,
    },
    /// A player was admitted. On joining there is one for everyone on the roster, in the roster's order.
    PlayerJoined(PlayerId),
    /// A player's connection is gone. Its seat is kept for 30 s, or what [`SessionTiming::grace`](crate::SessionTiming::grace)
    /// says.
    PlayerLost(PlayerId),
    /// A lost player is back, or a player started anew before it was missed.
    PlayerReturned(PlayerId),
    /// A player's seat was given up.
    PlayerLeft {
        /// Who.
        player: PlayerId,
        /// Why.
        reason: LeaveReason,
    },
    /// A player's profile changed, or a spectator became a player.
    PlayerChanged(PlayerId),
    /// The host changed the room's rules.
    RulesChanged,
    /// The host asks to wait until the running round is over. The session goes on asking by itself.
    Waiting,
    /// A newcomer wants to be admitted, and the game has to decide with
    /// [`Session::admit`](crate::Session::admit).
    AdmissionAsked {
        /// Who.
        player: PlayerId,
        /// How the player shows itself.
        profile: Profile,
    },
    /// A key of the shared state has a new value that came over the wire. A value that changes again before the game takes
    /// this event is told once, as it is when the game takes it.
    SharedChanged {
        /// Its key.
        key: SmolStr,
        /// Its value. `None`: the key is gone, or the player is no longer in the room.
        value: Option<Value>,
    },
    /// Another player leads.
    HostChanged {
        /// Who led before. `None` on joining.
        from: Option<PlayerId>,
        /// Who leads now.
        to: PlayerId,
        /// The term.
        term: Term,
    },
    /// A message of the game.
    Message {
        /// Who sent it, as the server stamped it.
        sender: PlayerId,
        /// Its kind.
        kind: SmolStr,
        /// What it carries.
        data: Value,
    },
    /// The connection to the relay dropped, or the host is silent. Nothing comes in for the moment.
    Interrupted {
        /// Why.
        reason: InterruptReason,
    },
    /// The connection is back, or the host is.
    Resumed {
        /// Whether anything was missed.
        continuity: Continuity,
    },
    /// A message could not be sent.
    SendFailed {
        /// Its kind.
        kind: SmolStr,
        /// Why.
        reason: ErrorInfo,
    },
    /// The session is over. Nothing follows.
    Closed(CloseReason),
}

/// Whether anything was missed while the connection was down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Continuity {
    /// Nothing was missed.
    Kept,
    /// Messages may be missing. The shared state is whole.
    Lost,
}

/// Why nothing comes in for the moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InterruptReason {
    /// The connection to the relay dropped.
    Disconnected(Option<ErrorInfo>),
    /// The connection is up, but the relay has detached the room's channel.
    Detached(Option<ErrorInfo>),
    /// The host is silent for longer than its lease, 5 s by default.
    HostSilent,
    /// This player hosts, and its own messages have not come back for 3.5 s, or what
    /// [`SessionTiming::self_fence`](crate::SessionTiming::self_fence) says: the connection is up but carries nothing, and
    /// others may be about to take over. What the player does now may not count.
    NoEcho,
}

impl fmt::Display for InterruptReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected(Some(error)) => write!(f, "the connection to the relay dropped: {error}"),
            Self::Disconnected(None) => f.write_str("the connection to the relay dropped"),
            Self::Detached(Some(error)) => write!(f, "the relay detached the room's channel: {error}"),
            Self::Detached(None) => f.write_str("the relay detached the room's channel"),
            Self::HostSilent => f.write_str("the host is silent"),
            Self::NoEcho => f.write_str("this host's messages do not come back from the relay"),
        }
    }
}

/// Why a player's seat was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LeaveReason {
    /// It said goodbye.
    Left,
    /// It was gone for longer than the grace period, 30 s by default.
    Vanished,
    /// The host kicked it.
    Kicked,
    /// The host banned it.
    Banned,
}

/// What the game answers to a newcomer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The newcomer is admitted by the room's rules.
    Admit,
    /// The newcomer is admitted as a spectator.
    Spectate,
    /// The newcomer waits. It asks again by itself every 2 s, or what
    /// [`SessionTiming::hello_interval`](crate::SessionTiming::hello_interval) says.
    Wait,
    /// The newcomer is refused, with a reason of at most 200 characters.
    Refuse(String),
}

/// Why the host did not let a player in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "reason")]
#[non_exhaustive]
pub enum Refusal {
    /// The player wanted to host, and the room has a host.
    #[error("the room already has a host, {name}; join it instead")]
    HostExists {
        /// Who hosts.
        host: PlayerId,
        /// The name that the host shows.
        name: String,
    },
    /// The player's game knows other messages than the host's.
    #[error("this game does not match the host's: {}; use the same version of the game", difference(.own, .theirs))]
    ProtocolMismatch {
        /// The player's fingerprint.
        own: String,
        /// The host's fingerprint.
        theirs: String,
    },
    /// Another process of the same player has the seat.
    #[error("another window or process took this player's seat; close it and enter again to play here")]
    Superseded,
    /// The player uses the host's own id.
    #[error("the player id is taken by somebody else in the room; use another")]
    IdTaken,
    /// The host kicked this process of the player.
    #[error("the host removed this player from the room{}", because(.reason))]
    Kicked {
        /// The reason that the host gave. May be empty.
        #[serde(default, rename = "why")]
        reason: String,
    },
    /// The host banned the player.
    #[error("the host banned this player from the room{}", because(.reason))]
    Banned {
        /// The reason that the host gave. May be empty.
        #[serde(default, rename = "why")]
        reason: String,
    },
    /// The host admits nobody new.
    #[error("the room is locked; ask its host to open it")]
    Locked,
    /// The game's own rule does not admit the player.
    #[error("the host's game does not admit this player{}", because(.why))]
    NotAdmitted {
        /// The reason that the rule gave. May be empty.
        #[serde(default)]
        why: String,
    },
    /// The room has as many players as it may.
    #[error(
        "the room is full: it has {limit} players already; ask its host for a higher capacity, or choose another room"
    )]
    Full {
        /// The most it may have.
        limit: usize,
    },
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The player left.
    #[error("left the room")]
    Left,
    /// The host did not let the player in.
    #[error("not admitted: {0}")]
    Refused(#[source] Refusal),
    /// The host kicked or banned the player.
    #[error("the host removed this player from the room{}", because(.reason))]
    Kicked {
        /// The reason that the host gave. May be empty.
        reason: String,
    },
    /// The player wanted to join, and nobody hosts the room: nothing came from a host for 10 s, or what
    /// [`SessionTiming::founding_wait`](crate::SessionTiming::founding_wait) says.
    #[error("nobody hosts this room; host it, or check its name")]
    NoHost,
    /// The host said goodbye, or was silent for its lease and the grace period (35 to 45 s by default), and nobody took over.
    #[error("the host is gone, and nobody took over; host the room anew, or join another")]
    HostLost,
    /// The server refused the player's presence on the room's channel, so that the others could not tell whether it is
    /// there. The channel has as many members as it may (91003), or the credentials do not allow presence (40160).
    #[error(
        "the server refused this player's presence in the room: {0}; try again when somebody has left, or use credentials that \
         allow presence"
    )]
    NotPresent(ErrorInfo),
    /// The connection failed for good.
    #[error("the connection failed: {0}; enter the room again once that is mended")]
    Failed(ErrorInfo),
}

impl From<Refusal> for CloseReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // It is the same, whichever message tells the player of it.
            Refusal::Kicked { reason } => Self::Kicked { reason },
            other => Self::Refused(other),
        }
    }
}

/// What follows "…the room": the reason, if there is one.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Why a call on a session was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The player is not in the room.
    #[error("not in a room; join one, and wait until this player is admitted")]
    NotJoined,
    /// Only the host may do this.
    #[error("only the host may do this; send the host a message instead")]
    NotHost,
    /// Only the founder may host this room. See [`Migration::Never`](crate::Migration::Never).
    #[error("this room does not change its host; create it with Migration::Automatic to hand it over")]
    NoMigration,
    /// The player is lost at the moment.
    #[error("the player {0} is lost at the moment; wait until it returns, or choose another")]
    PlayerLost(PlayerId),
    /// The host cannot remove itself.
    #[error("the host cannot remove itself; leave the room instead")]
    OwnSeat,
    /// Too many are banned.
    #[error("{max} players are banned already; lift a ban first, or lock the room")]
    TooManyBans {
        /// The most there may be.
        max: usize,
    },
    /// Nobody with that id is on the roster.
    #[error("there is no player {0} in the room; take the id from the roster")]
    UnknownPlayer(PlayerId),
    /// Names that begin with `room.` belong to the room itself.
    #[error("the kind {0:?} begins with \"room.\", which is reserved; choose another name for the message")]
    ReservedKind(SmolStr),
    /// The message is too large to send.
    #[error("the message {kind:?} has {size} bytes; at most {max} are possible; send less at once")]
    TooLarge {
        /// Its kind.
        kind: SmolStr,
        /// Its size in bytes.
        size: usize,
        /// The most it may have.
        max: usize,
    },
    /// A value nests deeper than every reader can follow.
    #[error("{kind:?} nests deeper than {max} levels; flatten it")]
    TooDeep {
        /// The message's kind or the key of the shared value.
        kind: SmolStr,
        /// The most levels it may have.
        max: usize,
    },
    /// Too many keys in the shared state.
    #[error("the shared state has {max} keys already; keep several values under one key")]
    TooManyKeys {
        /// The most keys it may have.
        max: usize,
    },
    /// Too many messages wait to be sent.
    #[error("{waiting} messages wait to be sent already; send less often, or wait for the connection")]
    Full {
        /// How many wait.
        waiting: usize,
    },
}
