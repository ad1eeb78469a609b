//! What is asked of the client, and what it tells.

use std::{collections::BTreeMap, time::Duration};

use smol_str::SmolStr;

use crate::protocol::{
    ChannelName, ClientId, ConnectionId, Data, ErrorInfo, Flags, Message, MessageSerial, PresenceMessage,
};

/// Names one publish or presence operation, so that its outcome can be told. Chosen by the caller; any number will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

/// What the game's side asks of the client.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
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
    /// Detach from a channel, or forget that it failed (`RTL5`).
    Detach {
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
    /// Measure the round trip (`RTN13`); the answer is an [`Event::RoundTrip`].
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
}

/// The states of a connection (`RTN4`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Never asked to connect.
    #[default]
    Initialized,
    /// Trying.
    Connecting,
    /// The line stands.
    Connected,
    /// The line dropped, or could not be had; trying again soon.
    Disconnected,
    /// Without a line for longer than the server keeps the connection; trying again at longer intervals.
    Suspended,
    /// Saying goodbye.
    Closing,
    /// Ended on request.
    Closed,
    /// Ended by an error that trying again cannot mend.
    Failed,
}

/// The states of a channel (`RTL2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// Never asked to attach.
    #[default]
    Initialized,
    /// Asked; the server has not answered.
    Attaching,
    /// Messages flow.
    Attached,
    /// Asked to detach; the server has not answered.
    Detaching,
    /// Not attached, on request. The channel is then forgotten, and begins as [`Initialized`](Self::Initialized).
    Detached,
    /// Not attached, since the connection or the server's answer is missing; attached again by itself.
    Suspended,
    /// Ended by an error that trying again cannot mend.
    Failed,
}

/// A change of the connection's state.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionChange {
    /// The state before.
    pub previous: ConnectionState,
    /// The state now; the same as before where a connected client was told new details (`RTN24`).
    pub current: ConnectionState,
    /// Why, where there is a reason.
    pub reason: Option<ErrorInfo>,
    /// When the next attempt is made, for [`Disconnected`](ConnectionState::Disconnected) and
    /// [`Suspended`](ConnectionState::Suspended).
    pub retry_in: Option<Duration>,
    /// The connection's id, while there is one.
    pub connection_id: Option<ConnectionId>,
    /// Who the server says this client is, while connected; `*`: it may be anybody.
    pub client_id: Option<ClientId>,
    /// For [`Connected`](ConnectionState::Connected): the server went on with the connection that was there before.
    pub resumed: bool,
}

/// A change of a channel's state.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelChange {
    /// The channel.
    pub channel: ChannelName,
    /// The state before.
    pub previous: ChannelState,
    /// The state now; the same as before where an attached channel was attached anew with messages missed (`RTL12`), and
    /// where `reason` tells of something that changed no state, such as presence that could not be entered again.
    pub current: ChannelState,
    /// For [`Attached`](ChannelState::Attached): nothing was missed since the channel was last attached.
    pub resumed: bool,
    /// For [`Attached`](ChannelState::Attached): messages that were published earlier follow.
    pub has_backlog: bool,
    /// For [`Attached`](ChannelState::Attached): the modes that the server granted.
    pub modes: Flags,
    /// Why, where there is a reason.
    pub reason: Option<ErrorInfo>,
}

/// What the client tells the game's side.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The connection changed.
    Connection(ConnectionChange),
    /// A channel changed.
    Channel(ChannelChange),
    /// The messages of one frame: they were published together.
    Messages {
        /// The channel.
        channel: ChannelName,
        /// The messages, in order, payloads decoded as far as they can be.
        messages: Vec<Message>,
    },
    /// Members came, went or changed.
    Presence {
        /// The channel.
        channel: ChannelName,
        /// One word about each member concerned.
        members: Vec<PresenceMessage>,
    },
    /// The set of members is complete; words that come now are news.
    PresenceSynced {
        /// The channel.
        channel: ChannelName,
    },
    /// What became of a [`Command::Publish`] or [`Command::Presence`].
    Published {
        /// The operation.
        operation: OperationId,
        /// The serial of each message (empty for presence), or why it was not taken.
        outcome: Result<Vec<Option<MessageSerial>>, ErrorInfo>,
    },
    /// The answer to a [`Command::Ping`].
    RoundTrip(Duration),
    /// Events were dropped since nobody took them in time: messages may be missing on every channel.
    Overflow {
        /// How many.
        dropped: u64,
    },
}
