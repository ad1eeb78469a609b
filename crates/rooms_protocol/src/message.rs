//! Messages, and what they inherit from their frame.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    ClientId, ConnectionId, ConnectionKey, Data, DataError, Extras, Format, MessageSerial, Timestamp, data, lenient,
};

/// One message on a channel (`TM2`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct Message {
    /// Unique on its channel; a second one with the same id is taken as sent again and not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What kind of message it is. Absent differs from empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who published it, as the server stamped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The connection that published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    /// Publishing for another connection; never delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_key: Option<ConnectionKey>,
    /// The payload.
    #[serde(deserialize_with = "data::read_wire", skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Transformations of the payload, applied left to right, separated by `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Opaque additions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// When the server took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What it does to its serial: creation, unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<MessageAction>,
    /// Its identity on the channel, given by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<MessageSerial>,
    /// Its latest version, given by the server.
    #[serde(deserialize_with = "lenient::optional_map", skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<MessageVersion>>,
}

/// The field of the extras that marks a message as one that nobody keeps.
const EPHEMERAL: &str = "ephemeral";

impl Message {
    /// A message with a name and a payload, ready to be published.
    pub fn new(name: impl Into<String>, data: impl Into<Data>) -> Self {
        Self { name: Some(name.into()), data: Some(data.into()), ..Self::default() }
    }

    /// Bytes that count towards the message limit: name, client id, data and extras (`TM6`).
    pub fn size(&self) -> usize {
        let text =
            self.name.as_ref().map_or(0, String::len) + self.client_id.as_ref().map_or(0, |id| id.as_str().len());
        let extras = self.extras.as_ref().map_or(0, |extras| extras.as_str().len());
        text + self.data.as_ref().map_or(0, Data::size) + extras
    }

    /// Whether only those get it who are there when it is published: it is not kept for a history, a rewind or a resume.
    pub fn is_ephemeral(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.is_true(EPHEMERAL))
    }

    /// Marks it as one that only those get who are there when it is published.
    #[must_use]
    pub fn ephemeral(self) -> Self {
        let extras = self.extras.unwrap_or_default().with(EPHEMERAL, Value::Bool(true));
        Self { extras: Some(extras), ..self }
    }

    /// Turns the payload into the form that a frame in `format` carries.
    pub fn encode_for(&mut self, format: Format) {
        data::encode_in_place(&mut self.data, &mut self.encoding, format);
    }

    /// Undoes the payload's encoding in place.
    ///
    /// # Errors
    /// Tells the step that could not be undone; data and `encoding` then stand at that step.
    pub fn decode_data(&mut self) -> Result<(), DataError> {
        data::decode_in_place(&mut self.data, &mut self.encoding)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut message = Self::deserialize(deserializer)?;
        data::settle(&mut message.data, &mut message.encoding);
        Ok(message)
    }
}

/// What a message does to the serial that it carries (`TM5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageAction {
    /// A new message.
    #[default]
    Create,
    /// A new version.
    Update,
    /// A deletion.
    Delete,
    /// Sent by the server about the channel itself.
    Meta,
    /// A summary of annotations.
    Summary,
    /// More data for an existing message.
    Append,
    /// A number that has no name here.
    Unknown(i64),
}

impl From<i64> for MessageAction {
    fn from(number: i64) -> Self {
        match number {
            0 => Self::Create,
            1 => Self::Update,
            2 => Self::Delete,
            3 => Self::Meta,
            4 => Self::Summary,
            5 => Self::Append,
            other => Self::Unknown(other),
        }
    }
}

impl From<MessageAction> for i64 {
    fn from(action: MessageAction) -> Self {
        match action {
            MessageAction::Create => 0,
            MessageAction::Update => 1,
            MessageAction::Delete => 2,
            MessageAction::Meta => 3,
            MessageAction::Summary => 4,
            MessageAction::Append => 5,
            MessageAction::Unknown(number) => number,
        }
    }
}

impl Serialize for MessageAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64((*self).into())
    }
}

impl<'de> Deserialize<'de> for MessageAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::integer(deserializer).map(Self::from)
    }
}

/// Which version of a message this is, and who made it (`TM2s`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageVersion {
    /// The version's own serial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<MessageSerial>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
}
