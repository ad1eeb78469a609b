//! What the client tells the game: the states of the connection and of channels, and all other events.

use std::time::Duration;

use crate::command::{NextPage, OperationId};
use rooms_protocol::{
    ChannelName, ClientId, ConnectionId, ErrorInfo, Flags, Message, MessageSerial, PresenceMessage, Timestamp,
};

/// The states of a connection (`RTN4`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Never asked to connect.
    #[default]
    Initialized,
    /// An attempt is under way.
    Connecting,
    /// The server took the connection, and its socket is open.
    Connected,
    /// The socket broke, or no attempt succeeded; the client tries again soon.
    Disconnected,
    /// There was no socket for longer than the server keeps the connection; the client tries again at longer intervals.
    Suspended,
    /// The client said goodbye and waits for the server's.
    Closing,
    /// Ended on request.
    Closed,
    /// Ended by an error that another attempt would not change.
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
    /// Not attached, on request or since the connection was closed.
    Detached,
    /// Not attached, since there is no connection or the server did not answer. The client attaches it again without a command.
    Suspended,
    /// Ended by an error that another attempt would not change.
    Failed,
}

/// A change of the connection's state.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionChange {
    /// The state before.
    pub previous: ConnectionState,
    /// The state now; the same as before where the server told a connected client new details (`RTN24`).
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
    /// Messages a second that the server takes from this connection, if it said so when it took it (`CD2e`). `None`: it does
    /// not say.
    pub max_inbound_rate: Option<u64>,
    /// The number of the attempt to connect that this is about, counted since the client was last connected or was asked to
    /// connect. The first is 1; 0: there was no attempt, as when a socket broke that was open.
    pub attempt: u32,
}

/// A change of a channel's state.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelChange {
    /// The channel.
    pub channel: ChannelName,
    /// The state before.
    pub previous: ChannelState,
    /// The state now. It is the same as before in two cases: an attached channel was attached again and missed messages
    /// (`RTL12`), or `reason` tells something that changed no state, such as that presence could not be entered again.
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

/// What the client tells the game.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The connection changed.
    Connection(ConnectionChange),
    /// A channel changed.
    Channel(ChannelChange),
    /// The messages of one frame, which were published together.
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
        /// One presence message for each member concerned.
        members: Vec<PresenceMessage>,
    },
    /// The set of members is complete; presence messages that come now are news.
    PresenceSynced {
        /// The channel.
        channel: ChannelName,
    },
    /// The answer to a [`Command::History`](crate::Command::History) or [`Command::NextPage`](crate::Command::NextPage).
    History {
        /// The operation.
        operation: OperationId,
        /// One page, or why there is none.
        outcome: Result<HistoryPage, ErrorInfo>,
    },
    /// The answer to a [`Command::Time`](crate::Command::Time).
    Time {
        /// The operation.
        operation: OperationId,
        /// The server's time, or why it is not known.
        outcome: Result<Timestamp, ErrorInfo>,
    },
    /// The answer to a [`Command::Members`](crate::Command::Members).
    Members {
        /// The operation.
        operation: OperationId,
        /// The members, by connection and name, or why there is no answer.
        outcome: Result<Vec<PresenceMessage>, ErrorInfo>,
    },
    /// What became of a [`Command::Publish`](crate::Command::Publish), [`Command::Presence`](crate::Command::Presence) or
    /// [`Command::PresenceFor`](crate::Command::PresenceFor).
    Published {
        /// The operation.
        operation: OperationId,
        /// The serial of each message (empty for presence), or why it was not taken.
        outcome: Result<Vec<Option<MessageSerial>>, ErrorInfo>,
    },
    /// The answer to a [`Command::Ping`](crate::Command::Ping), or to a
    /// [`Command::CheckSocket`](crate::Command::CheckSocket): the socket works.
    RoundTrip(Duration),
    /// A [`Command::Ping`](crate::Command::Ping) was not answered, and why.
    PingFailed(ErrorInfo),
    /// What became of a [`Command::Authorize`](crate::Command::Authorize): the server took the new token, or why not.
    Authorized {
        /// The operation.
        operation: OperationId,
        /// Success, or what went wrong.
        outcome: Result<(), ErrorInfo>,
    },
    /// Events were dropped, since the game did not take them in time: messages may be missing on every channel.
    Overflow {
        /// How many.
        dropped: u64,
    },
}

/// One page of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The messages, payloads decoded as far as they can be. Empty in a history of presence.
    pub messages: Vec<Message>,
    /// The presence messages. Empty in a history of messages.
    pub presence: Vec<PresenceMessage>,
    /// What to ask for next; `None` where there is no more.
    pub next: Option<NextPage>,
}
