//! Presence messages about the members of a channel, and how to tell which of two is newer.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ClientId, ConnectionId, Data, DataError, Extras, Format, MsgSerial, Timestamp, data, lenient};

/// One message about one member of a channel (`TP3`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct PresenceMessage {
    /// What happened to the member. It comes first on the wire.
    pub action: PresenceAction,
    /// `connectionId:msgSerial:index` of the frame that said it, or something else where the server made it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who the member is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The connection that entered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    /// What the member says about itself.
    #[serde(deserialize_with = "data::read_wire", skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Transformations of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Opaque additions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// When the server took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

impl PresenceMessage {
    /// Which member this is about: one client id on one connection (`TP3h`).
    pub fn member_key(&self) -> Option<(ConnectionId, ClientId)> {
        Some((self.connection_id.clone()?, self.client_id.clone()?))
    }

    /// The parts of the id, unless the server synthesized the message (`RTP2b1`).
    pub fn parsed_id(&self) -> Option<PresenceId> {
        let (rest, index) = self.id.as_deref()?.rsplit_once(':')?;
        let (connection, serial) = rest.rsplit_once(':')?;
        if connection != self.connection_id.as_ref()?.as_str() {
            return None;
        }
        Some(PresenceId { msg_serial: MsgSerial(serial.parse().ok()?), index: index.parse().ok()? })
    }

    /// Whether this message about a member is newer than `other`, about the same member (`RTP2b`).
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match (self.parsed_id(), other.parsed_id()) {
            (Some(own), Some(theirs)) => own > theirs,
            _ => self.timestamp >= other.timestamp,
        }
    }

    /// Bytes that count towards the message limit.
    pub fn size(&self) -> usize {
        self.client_id.as_ref().map_or(0, |id| id.as_str().len())
            + self.data.as_ref().map_or(0, Data::size)
            + self.extras.as_ref().map_or(0, |extras| extras.as_str().len())
    }

    /// Turns the data into the form that a frame in `format` carries.
    pub fn encode_for(&mut self, format: Format) {
        data::encode_in_place(&mut self.data, &mut self.encoding, format);
    }

    /// Undoes the data's encoding in place.
    ///
    /// # Errors
    /// Tells the step that could not be undone; data and `encoding` then stand at that step.
    pub fn decode_data(&mut self) -> Result<(), DataError> {
        data::decode_in_place(&mut self.data, &mut self.encoding)
    }
}

impl Serialize for PresenceMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for PresenceMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut message = Self::deserialize(deserializer)?;
        data::settle(&mut message.data, &mut message.encoding);
        Ok(message)
    }
}

/// The order of messages about one member: by frame, then by place in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PresenceId {
    /// The frame.
    pub msg_serial: MsgSerial,
    /// The place in the frame, from 0.
    pub index: u32,
}

/// What happened to a member (`TP2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PresenceAction {
    /// Not there; used only while a sync runs.
    #[default]
    Absent,
    /// Was there already.
    Present,
    /// Came.
    Enter,
    /// Went.
    Leave,
    /// Changed its data.
    Update,
    /// A number that has no name here.
    Unknown(i64),
}

impl From<i64> for PresenceAction {
    fn from(number: i64) -> Self {
        match number {
            0 => Self::Absent,
            1 => Self::Present,
            2 => Self::Enter,
            3 => Self::Leave,
            4 => Self::Update,
            other => Self::Unknown(other),
        }
    }
}

impl From<PresenceAction> for i64 {
    fn from(action: PresenceAction) -> Self {
        match action {
            PresenceAction::Absent => 0,
            PresenceAction::Present => 1,
            PresenceAction::Enter => 2,
            PresenceAction::Leave => 3,
            PresenceAction::Update => 4,
            PresenceAction::Unknown(number) => number,
        }
    }
}

impl Serialize for PresenceAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64((*self).into())
    }
}

impl<'de> Deserialize<'de> for PresenceAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::integer(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(connection: &str, id: &str, timestamp: i64) -> PresenceMessage {
        PresenceMessage {
            id: Some(id.to_owned()),
            connection_id: Some(connection.into()),
            client_id: Some("ada".into()),
            timestamp: Some(Timestamp(timestamp)),
            ..PresenceMessage::default()
        }
    }

    #[test]
    fn words_of_one_connection_are_ordered_by_frame_then_place() {
        assert!(word("c", "c:2:0", 1).is_newer_than(&word("c", "c:1:9", 5)));
        assert!(word("c", "c:10:0", 1).is_newer_than(&word("c", "c:9:0", 1)));
        assert!(!word("c", "c:1:0", 9).is_newer_than(&word("c", "c:1:0", 1)), "the same word is not newer");
    }

    #[test]
    fn a_synthesized_word_is_ordered_by_time_and_wins_a_tie() {
        assert!(word("c", "server:7:0", 5).is_newer_than(&word("c", "c:1:0", 5)));
        assert!(!word("c", "server:7:0", 4).is_newer_than(&word("c", "c:1:0", 5)));
    }
}
