//! What the game asks of the client.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::channel::cipher::CipherParams;
use rooms_protocol::{ChannelName, ClientId, ConnectionId, Data, Flags, Message, Timestamp};

/// Names one operation, so that an event can tell its outcome. The caller chooses the number. Any number will do; where a room
/// uses the same client, it must be below 2^62.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

/// Who asks, where several share a client. The two highest bits of an operation's number say whose it is, so that nobody takes
/// the outcome of another's operation for its own.
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

    /// The operation with this number. A number that is too large for its bits starts again at 0.
    pub fn of(asker: Asker, number: u64) -> Self {
        Self((asker as u64) << Self::BITS | number & ((1 << Self::BITS) - 1))
    }

    /// Whether it is one of theirs.
    pub fn is_of(self, asker: Asker) -> bool {
        self.0 >> Self::BITS == asker as u64
    }
}

/// What the game asks of the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Connect, unless the client is connected or connecting (`RTN11`).
    Connect,
    /// End the connection (`RTN12`).
    Close,
    /// Attach to a channel, or change the options of an attached one (`RTL4`, `RTL16`). Where the connection does not
    /// allow that, the channel goes to the state that it would have with the connection, and its change says why.
    Attach {
        /// The channel.
        channel: ChannelName,
        /// How to attach.
        options: ChannelOptions,
    },
    /// Detach from a channel (`RTL5`). It is remembered as [`Detached`](crate::ChannelState::Detached), without members and
    /// place in the stream. A channel that failed stays as it is, and its change says why.
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
        /// Names the outcome, an [`Event::Published`](crate::Event::Published).
        operation: OperationId,
        /// The channel; it need not be attached.
        channel: ChannelName,
        /// The messages, in order.
        messages: Vec<Message>,
        /// What happens to the publish when the socket is lost.
        lifetime: Lifetime,
    },
    /// Enter, update or leave presence (`RTP8`, `RTP9`, `RTP10`).
    Presence {
        /// Names the outcome, an [`Event::Published`](crate::Event::Published).
        operation: OperationId,
        /// The channel; attached first if it never was.
        channel: ChannelName,
        /// What to do.
        action: PresenceCommand,
        /// The member's data.
        data: Option<Data>,
    },
    /// The same in the name of another member, for a client that may be anybody (`RTP14`, `RTP15`).
    PresenceFor {
        /// Names the outcome, an [`Event::Published`](crate::Event::Published).
        operation: OperationId,
        /// The channel; attached first if it never was.
        channel: ChannelName,
        /// The member.
        client_id: ClientId,
        /// What to do.
        action: PresenceCommand,
        /// The member's data.
        data: Option<Data>,
    },
    /// Ask who is on a channel (`RTP11`); the answer is an [`Event::Members`](crate::Event::Members). The channel is attached
    /// first if need be.
    Members {
        /// Names the answer.
        operation: OperationId,
        /// The channel.
        channel: ChannelName,
        /// Which members, and whether to wait until all are known.
        query: MemberQuery,
    },
    /// Get a new token and use it from now on (`RTC8`). A client that is connected stays connected meanwhile. Needs credentials
    /// that give new tokens.
    Authorize {
        /// Names the outcome, an [`Event::Authorized`](crate::Event::Authorized).
        operation: OperationId,
    },
    /// Ask what a channel carried before (`RTL10`, `RTP12`), over HTTP; the answer is an
    /// [`Event::History`](crate::Event::History).
    History {
        /// Names the answer.
        operation: OperationId,
        /// The channel; it need not be attached.
        channel: ChannelName,
        /// Messages, or presence messages.
        of: HistoryOf,
        /// Which part.
        query: HistoryQuery,
    },
    /// Ask for the page of a history that follows another; the answer is an [`Event::History`](crate::Event::History).
    NextPage {
        /// Names the answer.
        operation: OperationId,
        /// What the page before gave.
        page: NextPage,
    },
    /// Publish messages over HTTP, together and at once, with or without a connection (`RSL1`).
    PublishByHttp {
        /// Names the outcome, an [`Event::Published`](crate::Event::Published).
        operation: OperationId,
        /// The channel; it need not be attached.
        channel: ChannelName,
        /// The messages, in order.
        messages: Vec<Message>,
    },
    /// Ask for the server's time (`RTC6`), over HTTP; the answer is an [`Event::Time`](crate::Event::Time).
    Time {
        /// Names the answer.
        operation: OperationId,
    },
    /// Treat the network as gone, or as back again. While it is gone, the client drops its socket without a goodbye, and all
    /// attempts to connect fail.
    Network {
        /// Whether it is there.
        up: bool,
    },
    /// Find out within 2 seconds whether the socket still works, for a game that expected messages and got none. A socket that
    /// brings no sign of life is given up, and the connection is resumed on a new one. If there is no socket, the next attempt
    /// to connect begins now.
    CheckSocket,
    /// Measure the round trip (`RTN13`); the answer is an [`Event::RoundTrip`](crate::Event::RoundTrip) or an
    /// [`Event::PingFailed`](crate::Event::PingFailed).
    Ping,
}

/// What to do in presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceCommand {
    /// Become a member.
    Enter,
    /// Change the member's data.
    Update,
    /// End the membership.
    Leave,
}

/// Which members of a channel to get (`RTP11c`).
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
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

/// What happens to a publish when the socket is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Queued while there is no connection, sent again until acknowledged, on a new connection too (`RTN7d`, `RTN19a`).
    #[default]
    Durable,
    /// Queued and sent again while the connection is resumed; fails when a new connection takes its place.
    Connection,
    /// Sent now on the present socket or not at all; never sent again.
    Volatile,
}

/// How to attach to a channel (`TB2`).
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelOptions {
    /// Parameters such as `rewind`.
    pub params: BTreeMap<SmolStr, String>,
    /// Modes to ask for; empty: what the server grants by default.
    pub modes: Flags,
    /// How payloads are encrypted and decrypted (`TB2b`). Defaults to `None`: the channel keeps the cipher of an earlier
    /// attachment, if there was one. Only [`Command::Release`] removes a cipher. Messages that are published before the channel
    /// is attached with a cipher are not encrypted.
    pub cipher: Option<CipherParams>,
}

impl ChannelOptions {
    /// Whether the server would be asked for the same.
    pub(crate) fn asks_the_same(&self, other: &Self) -> bool {
        (&self.params, self.modes) == (&other.params, other.modes)
    }
}

/// What a history is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryOf {
    /// The messages of a channel.
    Messages,
    /// The presence messages of its members.
    Presence,
}

/// The order of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HistoryDirection {
    /// The newest first.
    #[default]
    Backwards,
    /// The oldest first.
    Forwards,
}

/// Which part of a history to get (`RSL2b`, `RSP4b`).
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// No earlier than this. Defaults to all that is kept.
    pub start: Option<Timestamp>,
    /// No later than this. Defaults to the present.
    pub end: Option<Timestamp>,
    /// The order. Defaults to the newest first.
    pub direction: HistoryDirection,
    /// Most items of a page, up to 1,000. Defaults to the server's choice, which is 100.
    pub limit: Option<u16>,
    /// Only what came before the channel was attached, so that nothing is missing and nothing comes twice together with
    /// what was received since (`RTL10b`). The channel must be attached. For messages only.
    pub until_attach: bool,
}

/// Where the next page of a history begins, for [`Command::NextPage`](crate::Command::NextPage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage {
    pub(crate) channel: ChannelName,
    pub(crate) of: HistoryOf,
    /// The query that the server gave. Its path and host are not used, so that credentials go to the right server only.
    pub(crate) query: String,
}
