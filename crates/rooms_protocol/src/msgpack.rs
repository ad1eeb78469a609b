//! The MessagePack form of a frame: one map per binary WebSocket message, with the field names of the JSON form.
//!
//! Bytes travel as they are, structured payloads as JSON text (`RSL4c`). What other SDKs send and JSON cannot hold is
//! taken leniently: a number as a float, an extension as nil, a map's key as a number.

mod deserializer;
mod reader;

use rmp_serde::decode::Error;
use serde::{
    Serialize,
    de::{DeserializeOwned, Error as _},
};

use self::{
    deserializer::Values,
    reader::{Reader, Token},
};
use super::{ChannelName, DecodeError, Format, Frame, Outline, Unreadable, lenient::AsMap, outline::Part};

/// Reads one frame. Payloads are left in their wire form; see [`Message::decode_data`](super::Message::decode_data).
///
/// # Errors
/// [`DecodeError`] for anything that is not one map with an `action` and fields of the right types.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let AsMap(frame) = from_slice(bytes)?;
    Ok(frame)
}

/// Reads one frame that a stranger sent, with `most` messages or presence messages. One that would be much larger in memory
/// than on the wire is not built.
///
/// # Errors
/// [`Unreadable`], with what the frame says about itself nevertheless.
pub fn decode_checked(bytes: &[u8], most: usize) -> Result<Frame, Unreadable> {
    decode_outlined(bytes, outline(bytes), most)
}

/// As [`decode_checked`], with the frame's [`outline`], for who looked at that first.
///
/// # Errors
/// [`Unreadable`], with the outline.
pub fn decode_outlined(bytes: &[u8], outline: Outline, most: usize) -> Result<Frame, Unreadable> {
    Unreadable::unless(outline, bytes.len(), most, || decode(bytes))
}

/// What a frame says about itself, as far as it can be read, whatever else is wrong with it.
pub fn outline(bytes: &[u8]) -> Outline {
    let mut outline = Outline::packed();
    // What was read until something went wrong counts.
    outline.is_whole = read_outline(Reader::new(bytes), &mut outline).unwrap_or(false);
    outline
}

/// Returns whether all of it was read.
fn read_outline(mut reader: Reader<'_>, outline: &mut Outline) -> Result<bool, Error> {
    let Token::Map(entries) = reader.next()? else { return Ok(false) };
    for _ in 0..entries {
        let Token::Text(key) = reader.next()? else { return Err(Error::custom("a field's name must be a string")) };
        let first = reader.clone().next()?;
        let part = Part {
            children: match first {
                Token::List(length) | Token::Map(length) => length,
                _ => 0,
            },
            values: reader.skip()?,
        };
        let number = match first {
            Token::Unsigned(value) => i64::try_from(value).ok(),
            Token::Signed(value) => Some(value),
            // Every number that a frame is to have fits into a float.
            Token::Float(value) if value.fract() == 0.0 => Some(value as i64),
            _ => None,
        };
        match (key, first, number) {
            ("action", _, Some(number)) => outline.action = Some(number.into()),
            ("msgSerial", _, Some(number)) => outline.msg_serial = Some(super::MsgSerial(number)),
            ("channel", Token::Text(name), _) => outline.channel = Some(name.into()),
            _ => outline.count(key, part),
        }
    }
    Ok(reader.is_at_end())
}

/// See [`Format::renamed`].
pub(super) fn renamed(frame: &[u8], name: &ChannelName) -> Option<Vec<u8>> {
    let mut reader = Reader::new(frame);
    let Token::Map(_) = reader.next().ok()? else { return None };
    let Token::Text("action") = reader.next().ok()? else { return None };
    reader.skip().ok()?;
    let Token::Text("channel") = reader.next().ok()? else { return None };
    let before = frame.get(..frame.len() - reader.left().len())?;
    let Token::Text(_) = reader.next().ok()? else { return None };
    let name = to_vec(name);
    Some([before, &name, reader.left()].concat())
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
    let mut values = Values::new(bytes);
    let value = T::deserialize(&mut values)?;
    if values.is_at_end() { Ok(value) } else { Err(DecodeError::TrailingBytes) }
}

/// Writes one value of any type that has its JSON form's field names.
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    // A vector takes all, and the wire's types know their lengths; there is nothing that could fail.
    rmp_serde::to_vec_named(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
