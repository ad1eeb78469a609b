//! What is asked of the client, and what it tells.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::channel::cipher::CipherParams;
use rooms_protocol::{ChannelName, ClientId, ConnectionId, Data, Flags, Message, Timestamp};

/// Names one publish or presence operation, so that its outcome can be told. Chosen by the caller; any number will do, below
/// 2^62 where a room is on the same client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

/// Who of this crate asks a client that they share. Each has numbers of its own, told apart by their two highest bits, so that
/// nobody takes an outcome for its own that is another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A session.
    Room = 1,
    /// The list of rooms.
    List = 2,
    /// Channels without a room.
    Channels = 3,
}

impl OperationId {
    /// How many bits the number has.
    const BITS: u32 = 62;

    /// The operation with this number, which may be counted on for ever.
    pub fn of(asker: Asker, number: u64) -> Self {
        Self((asker as u64) << Self::BITS | number & ((1 << Self::BITS) - 1))
    }

    /// Whether it is one of theirs.
    pub fn is_of(self, asker: Asker) -> bool {
        self.0 >> Self::BITS == asker as u64
    }
}

/// What the game's side asks of the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Connect, unless connected or connecting (`RTN11`).
    Connect,
    /// End the connection (`RTN12`).
    Close,
    /// Attach to a channel, or change the options of an attached one (`RTL4`, `RTL16`). Where the connection does not
    /// allow it, the channel goes where it would have gone with the connection, and says why.
    Attach {
        /// The channel.
        channel: ChannelName,
        /// How to attach.
        options: ChannelOptions,
    },
    /// Detach from a channel (`RTL5`). It is remembered as [`Detached`](ChannelState::Detached), without members and
    /// place in the stream. A channel that failed stays as it is, and says why.
    Detach {
        /// The channel.
        channel: ChannelName,
    },
    /// Detach from a channel if need be, and forget it, also where it failed (`RTS4a`).
    Release {
        /// The channel.
        channel: ChannelName,
    },
    /// Publish messages as one frame: they arrive together or not at all (`RTL6`).
    Publish {
        /// Names the outcome, an [`Event::Published`].
        operation: OperationId,
        /// The channel; it need not be attached.
        channel: ChannelName,
        /// The messages, in order.
        messages: Vec<Message>,
        /// How far the publish may be carried over a lost line.
        lifetime: Lifetime,
    },
    /// Enter, update or leave presence (`RTP8`, `RTP9`, `RTP10`).
    Presence {
        /// Names the outcome, an [`Event::Published`].
        operation: OperationId,
        /// The channel; attached first if it never was.
        channel: ChannelName,
        /// What to do.
        action: PresenceCommand,
        /// What the member says about itself.
        data: Option<Data>,
    },
    /// The same in the name of another member, for a client that may be anybody (`RTP14`, `RTP15`).
    PresenceFor {
        /// Names the outcome, an [`Event::Published`].
        operation: OperationId,
        /// The channel; attached first if it never was.
        channel: ChannelName,
        /// The member.
        client_id: ClientId,
        /// What to do.
        action: PresenceCommand,
        /// What the member says about itself.
        data: Option<Data>,
    },
    /// Ask who is on a channel (`RTP11`); the answer is an [`Event::Members`]. The channel is attached first if need be.
    Members {
        /// Names the answer.
        operation: OperationId,
        /// The channel.
        channel: ChannelName,
        /// Which members, and whether to wait until all are known.
        query: MemberQuery,
    },
    /// Get a new token and use it from now on, over the standing line where there is one (`RTC8`). Needs credentials that
    /// give new tokens.
    Authorize {
        /// Names the outcome, an [`Event::Authorized`].
        operation: OperationId,
    },
    /// Ask what a channel carried before (`RTL10`, `RTP12`), over HTTP; the answer is an [`Event::History`].
    History {
        /// Names the answer.
        operation: OperationId,
        /// The channel; it need not be attached.
        channel: ChannelName,
        /// Messages, or words about members.
        of: HistoryOf,
        /// Which part.
        query: HistoryQuery,
    },
    /// Ask for the page of a history that follows another; the answer is an [`Event::History`].
    NextPage {
        /// Names the answer.
        operation: OperationId,
        /// What the page before gave.
        page: NextPage,
    },
    /// Publish messages over HTTP, together and at once, with or without a connection (`RSL1`).
    PublishByHttp {
        /// Names the outcome, an [`Event::Published`].
        operation: OperationId,
        /// The channel; it need not be attached.
        channel: ChannelName,
        /// The messages, in order.
        messages: Vec<Message>,
    },
    /// Ask for the server's time (`RTC6`), over HTTP; the answer is an [`Event::Time`].
    Time {
        /// Names the answer.
        operation: OperationId,
    },
    /// Take the network for gone, or for back again: the line breaks without a goodbye, and attempts fail until it is
    /// back.
    Network {
        /// Whether it is there.
        up: bool,
    },
    /// Measure the round trip (`RTN13`); the answer is an [`Event::RoundTrip`] or an [`Event::PingFailed`].
    Ping,
}

/// What to do in presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceCommand {
    /// Become a member.
    Enter,
    /// Change the member's data.
    Update,
    /// Be a member no more.
    Leave,
}

/// Which members of a channel are asked for (`RTP11c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberQuery {
    /// Whether to wait until the server has told all members. Defaults to true.
    pub wait_for_sync: bool,
    /// Only members of this name. Defaults to all.
    pub client_id: Option<ClientId>,
    /// Only members that this connection entered. Defaults to all.
    pub connection_id: Option<ConnectionId>,
}

impl Default for MemberQuery {
    fn default() -> Self {
        Self { wait_for_sync: true, client_id: None, connection_id: None }
    }
}

/// How far a publish may be carried over a lost line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Queued while there is no connection, sent again until acknowledged, on a new connection too (`RTN7d`, `RTN19a`).
    #[default]
    Durable,
    /// Queued and sent again while the connection is resumed; fails when a new connection takes its place.
    Connection,
    /// Sent now on the present transport or not at all; never sent again.
    Volatile,
}

/// How to attach to a channel (`TB2`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelOptions {
    /// Parameters such as `rewind`.
    pub params: BTreeMap<SmolStr, String>,
    /// Modes to ask for; empty: what the server grants by default.
    pub modes: Flags,
    /// How payloads are encrypted before they go out, and decrypted as they come (`TB2b`). Defaults to `None`: the channel
    /// keeps the cipher that an earlier attachment gave it, and has none otherwise. Only [`Command::Release`] removes a
    /// cipher. What is published on a channel before it was attached with one goes out in the clear.
    pub cipher: Option<CipherParams>,
}

impl ChannelOptions {
    /// Whether the server would be asked for the same.
    pub(crate) fn asks_the_same(&self, other: &Self) -> bool {
        (&self.params, self.modes) == (&other.params, other.modes)
    }
}

/// What is looked back on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryOf {
    /// The messages of a channel.
    Messages,
    /// The words about its members.
    Presence,
}

/// The order of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The newest first.
    #[default]
    Backwards,
    /// The oldest first.
    Forwards,
}

/// Which part of a history is wanted (`RSL2b`, `RSP4b`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// No earlier than this. Defaults to all that is kept.
    pub start: Option<Timestamp>,
    /// No later than this. Defaults to the present.
    pub end: Option<Timestamp>,
    /// The order. Defaults to the newest first.
    pub direction: Direction,
    /// Most items of a page, up to 1,000. Defaults to what the server sees fit, which is 100.
    pub limit: Option<u16>,
    /// Only what came before the channel was attached, so that together with what was received since nothing is missing
    /// and nothing comes twice (`RTL10b`). The channel is to be attached. For messages alone.
    pub until_attach: bool,
}

/// Where the next page of a history begins, for [`Command::NextPage`](crate::Command::NextPage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage {
    pub(crate) channel: ChannelName,
    pub(crate) of: HistoryOf,
    /// The query that the server gave. Its place and host are not taken over, so that credentials stay where they belong.
    pub(crate) query: String,
}
