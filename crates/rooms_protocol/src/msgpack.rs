//! The MessagePack form of a frame: one map per binary WebSocket message, with the field names of the JSON form.
//!
//! Bytes travel as they are, structured payloads as JSON text (`RSL4c`). What other SDKs send and JSON cannot hold is
//! taken leniently: a number as a float, an extension as nil, a map's key as a number.

mod node;

use rmp_serde::{Deserializer, decode::Error};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use self::node::Node;
use super::{DecodeError, Format, Frame, lenient::AsMap};

/// Most levels of maps and lists inside each other: as many as the JSON form takes.
const MAX_DEPTH: usize = 128;

/// Reads one frame. Payloads are left in their wire form; see [`Message::decode_data`](super::Message::decode_data).
///
/// # Errors
/// [`DecodeError`] for anything that is not one map with an `action` and fields of the right types.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let AsMap(frame) = from_slice(bytes)?;
    Ok(frame)
}

/// Writes one frame. Payloads go out in the wire form; those that are not yet are turned into it.
pub fn encode(mut frame: Frame) -> Vec<u8> {
    frame.messages.iter_mut().for_each(|message| message.encode_for(Format::MsgPack));
    frame.presence.iter_mut().for_each(|word| word.encode_for(Format::MsgPack));
    to_vec(&frame)
}

/// Reads one value of any type, such as the body of a request.
///
/// # Errors
/// [`DecodeError`] where the bytes are cut short, hold more than the value, or do not fit the type.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(MAX_DEPTH);
    let node = Node::deserialize(&mut deserializer)?;
    match IgnoredAny::deserialize(&mut deserializer) {
        // There is no further marker, since the bytes are at their end.
        Err(Error::InvalidMarkerRead(_)) => Ok(T::deserialize(node)?),
        _ => Err(DecodeError::TrailingBytes),
    }
}

/// Writes one value of any type that has its JSON form's field names.
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    // A vector takes all, and the wire's types know their lengths; there is nothing that could fail.
    rmp_serde::to_vec_named(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
