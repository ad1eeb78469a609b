//! Frames: the one unit that client and server exchange (`TR4`).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use super::{
    ChannelName, ChannelSerial, ClientId, ConnectionId, ConnectionKey, ErrorInfo, Flags, Message, MessageSerial,
    MsgSerial, PresenceMessage, Timestamp, lenient,
};

/// What a frame is about (`TR2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Keeps the line busy; with an id it asks for, or is, an answer.
    Heartbeat,
    /// The server took frames.
    Ack,
    /// The server refused frames.
    Nack,
    /// Unused.
    Connect,
    /// The connection stands, or its details changed.
    Connected,
    /// The client drops this transport and means to come back.
    Disconnect,
    /// The server drops this transport.
    Disconnected,
    /// The client ends the connection.
    Close,
    /// The server ended the connection.
    Closed,
    /// A channel failed, or without a channel the connection.
    Error,
    /// The client wants a channel.
    Attach,
    /// The client has the channel.
    Attached,
    /// The client wants no more of a channel.
    Detach,
    /// The client has no more of the channel.
    Detached,
    /// Members came, went or changed.
    Presence,
    /// Messages.
    Message,
    /// All members of a channel, a page at a time.
    Sync,
    /// New credentials, or the wish for them.
    Auth,
    /// A number that has no name here.
    Unknown(i64),
}

/// Names and numbers of the actions in one place.
const NUMBERED: [(i64, Action); 18] = [
    (0, Action::Heartbeat),
    (1, Action::Ack),
    (2, Action::Nack),
    (3, Action::Connect),
    (4, Action::Connected),
    (5, Action::Disconnect),
    (6, Action::Disconnected),
    (7, Action::Close),
    (8, Action::Closed),
    (9, Action::Error),
    (10, Action::Attach),
    (11, Action::Attached),
    (12, Action::Detach),
    (13, Action::Detached),
    (14, Action::Presence),
    (15, Action::Message),
    (16, Action::Sync),
    (17, Action::Auth),
];

impl From<i64> for Action {
    fn from(number: i64) -> Self {
        // The table is ordered and has no holes, so a number is its own index.
        let known = usize::try_from(number).ok().and_then(|index| NUMBERED.get(index));
        known.map_or(Self::Unknown(number), |&(_, action)| action)
    }
}

impl From<Action> for i64 {
    fn from(action: Action) -> Self {
        match action {
            Action::Unknown(number) => number,
            known => NUMBERED.iter().find(|(_, action)| *action == known).map_or(-1, |&(number, _)| number),
        }
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64((*self).into())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::integer(deserializer).map(Self::from)
    }
}

/// One unit of the protocol. Which fields are set depends on the [`Action`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// What the frame is about.
    pub action: Action,
    /// The channel; absent where the frame is about the connection. On the wire it follows the action, where
    /// [`Format::renamed`](super::Format::renamed) finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelName>,
    /// Of messages: the base of their ids. Of a heartbeat: the ping it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where the channel's stream stands. In a SYNC: the cursor of the sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_serial: Option<ChannelSerial>,
    /// The connection, or the one that published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    /// What the server tells about the connection.
    #[serde(default, deserialize_with = "lenient::optional_map", skip_serializing_if = "Option::is_none")]
    pub connection_details: Option<Box<ConnectionDetails>>,
    /// Number of a frame that wants to be acknowledged, or of the first that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_serial: Option<MsgSerial>,
    /// How many frames are acknowledged.
    #[serde(default, deserialize_with = "lenient::optional_u32", skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What became of the acknowledged frames, one element each.
    #[serde(default, deserialize_with = "lenient::maps", skip_serializing_if = "Vec::is_empty")]
    pub res: Vec<PublishResult>,
    /// What went wrong.
    #[serde(default, deserialize_with = "lenient::optional_map", skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<ErrorInfo>>,
    /// What is asked for or granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Flags>,
    /// Options of a channel.
    #[serde(default, deserialize_with = "lenient::string_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<SmolStr, String>,
    /// The messages.
    #[serde(default, deserialize_with = "lenient::maps", skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// The presence messages.
    #[serde(default, deserialize_with = "lenient::maps", skip_serializing_if = "Vec::is_empty")]
    pub presence: Vec<PresenceMessage>,
    /// When the server made the frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// New credentials.
    #[serde(default, deserialize_with = "lenient::optional_map", skip_serializing_if = "Option::is_none")]
    pub auth: Option<Box<Auth>>,
}

impl Frame {
    /// A frame with nothing but its action.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            id: None,
            channel: None,
            channel_serial: None,
            connection_id: None,
            connection_details: None,
            msg_serial: None,
            count: None,
            res: Vec::new(),
            error: None,
            flags: None,
            params: BTreeMap::new(),
            messages: Vec::new(),
            presence: Vec::new(),
            timestamp: None,
            auth: None,
        }
    }

    /// A frame about a channel.
    pub fn for_channel(action: Action, channel: ChannelName) -> Self {
        Self { channel: Some(channel), ..Self::new(action) }
    }

    /// A frame that tells an error: about `channel`, or else about the connection.
    pub fn error(channel: Option<ChannelName>, error: ErrorInfo) -> Self {
        Self { channel, error: Some(Box::new(error)), ..Self::new(Action::Error) }
    }

    /// Whether `flag` is set.
    pub fn has(&self, flag: Flags) -> bool {
        self.flags.is_some_and(|flags| flags.contains(flag))
    }

    /// The message at `index`, with what it inherits when it lacks it: id, connection id and time (`TM2a`).
    pub fn complete_message(&self, index: usize) -> Option<Message> {
        let mut message = self.messages.get(index)?.clone();
        message.id = message.id.or_else(|| self.id.as_deref().map(|base| format!("{base}:{index}")));
        message.connection_id = message.connection_id.or_else(|| self.connection_id.clone());
        message.timestamp = message.timestamp.or(self.timestamp);
        Some(message)
    }

    /// Gives messages and presence what they inherit when they lack it: id, connection id and time (`TM2a`, `TP3a`).
    pub fn inherit(&mut self) {
        let base = self.id.as_deref();
        let id = |index: usize| base.map(|base| format!("{base}:{index}"));
        for (index, message) in self.messages.iter_mut().enumerate() {
            message.id = message.id.take().or_else(|| id(index));
            message.connection_id = message.connection_id.take().or_else(|| self.connection_id.clone());
            message.timestamp = message.timestamp.or(self.timestamp);
        }
        for (index, word) in self.presence.iter_mut().enumerate() {
            word.id = word.id.take().or_else(|| id(index));
            word.connection_id = word.connection_id.take().or_else(|| self.connection_id.clone());
            word.timestamp = word.timestamp.or(self.timestamp);
        }
    }
}

/// What the server tells about a connection (`CD2`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionDetails {
    /// Who the client is; absent: anonymous; `*`: may be anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The secret that resumes the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_key: Option<ConnectionKey>,
    /// Largest sum of message sizes in one publish, in bytes.
    #[serde(deserialize_with = "lenient::optional_u64", skip_serializing_if = "Option::is_none")]
    pub max_message_size: Option<u64>,
    /// Largest frame, in bytes.
    #[serde(deserialize_with = "lenient::optional_u64", skip_serializing_if = "Option::is_none")]
    pub max_frame_size: Option<u64>,
    /// Most messages a second that the client may send.
    #[serde(deserialize_with = "lenient::optional_u64", skip_serializing_if = "Option::is_none")]
    pub max_inbound_rate: Option<u64>,
    /// How long the server keeps the connection after its transport is gone, in milliseconds.
    #[serde(deserialize_with = "lenient::optional_u64", skip_serializing_if = "Option::is_none")]
    pub connection_state_ttl: Option<u64>,
    /// Longest silence of the server, in milliseconds; 0: no promise.
    #[serde(deserialize_with = "lenient::optional_u64", skip_serializing_if = "Option::is_none")]
    pub max_idle_interval: Option<u64>,
    /// Which server it is, for support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
}

/// What became of one published frame: a serial per message, `None` where it was dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PublishResult {
    /// One per message, in order.
    #[serde(default, deserialize_with = "lenient::list")]
    pub serials: Vec<Option<MessageSerial>>,
}

/// Credentials inside a frame.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_actions_has_no_holes() {
        for (index, (number, action)) in NUMBERED.iter().enumerate() {
            assert_eq!(i64::try_from(index), Ok(*number));
            assert_eq!(Action::from(*number), *action);
            assert_eq!(i64::from(*action), *number);
        }
    }

    #[test]
    fn children_inherit_only_what_they_lack() {
        let mut frame = Frame::for_channel(Action::Message, "c".into());
        frame.id = Some("conn:7".to_owned());
        frame.connection_id = Some("conn".into());
        frame.timestamp = Some(Timestamp(3));
        frame.messages = vec![Message::new("a", "x"), Message { id: Some("own".to_owned()), ..Message::new("b", "y") }];
        frame.inherit();
        assert_eq!(frame.messages[0].id.as_deref(), Some("conn:7:0"));
        assert_eq!(frame.messages[0].timestamp, Some(Timestamp(3)));
        assert_eq!(frame.messages[1].id.as_deref(), Some("own"));
        assert_eq!(frame.messages[1].connection_id, Some("conn".into()));
    }

    #[test]
    fn without_a_frame_id_no_id_is_made_up() {
        let mut frame = Frame::new(Action::Message);
        frame.messages = vec![Message::new("a", "x")];
        frame.inherit();
        assert_eq!(frame.messages[0].id, None);
    }
}
