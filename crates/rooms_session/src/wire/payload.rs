//! The encoding of the game's own messages.
//!
//! A game's message has its kind as the name and its JSON as the data, so that any client of the service can read and send
//! one. A session puts its own facts into the headers. A message without these headers is accepted from anyone.

use rooms_protocol::{Data, Extras, Message};
use serde_json::{Map, Value, json};
use smol_str::SmolStr;

use super::message::Origin;
use crate::id::Generation;

/// Bytes that the name, the headers and the envelope of a message may take beside its data.
pub(crate) const ENVELOPE: usize = 1024;

/// Longest kind of a message, in bytes.
pub(crate) const MAX_KIND: usize = 256;

const HEADERS: &str = "headers";
const GENERATION: &str = "generation";
const SEQUENCE: &str = "sequence";
const TO: &str = "to";
const OTHERS: &str = "others";

/// A message of the game.
#[derive(Debug)]
pub(crate) struct GameMessage {
    pub inbox: bool,
    pub from: Origin,
    pub kind: SmolStr,
    pub data: Value,
    pub extras: Option<Extras>,
}

/// Who on a channel gets a message of the game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everyone, the sender too.
    All,
    /// Everyone but the sender.
    Others,
}

/// A message of the game as it goes over the wire.
pub(crate) fn encode(kind: &str, data: Value, generation: Generation, sequence: u64, audience: Audience) -> Message {
    let mut headers = Map::new();
    headers.insert(GENERATION.into(), json!(generation.0.to_string()));
    headers.insert(SEQUENCE.into(), json!(sequence.to_string()));
    if audience == Audience::Others {
        headers.insert(TO.into(), json!(OTHERS));
    }
    let extras = Extras::from_iter([(HEADERS.to_owned(), Value::Object(headers))]);
    let (data, encoding) = data_of(data);
    Message { name: Some(kind.into()), data, encoding, extras: Some(extras), ..Message::default() }
}

fn header(extras: Option<&Extras>, name: &str) -> Option<String> {
    extras?.get(HEADERS)?.get(name)?.as_str().map(str::to_owned)
}

/// Who gets a message of the game.
pub(crate) fn audience(extras: Option<&Extras>) -> Audience {
    if header(extras, TO).as_deref() == Some(OTHERS) { Audience::Others } else { Audience::All }
}

/// Which process sent a message of the game, and the message's number there.
pub(crate) fn numbering(extras: Option<&Extras>) -> Option<(Generation, u64)> {
    let number = |name| header(extras, name).and_then(|text| text.parse().ok());
    number(GENERATION).map(Generation).zip(number(SEQUENCE))
}

/// The payload that carries a game's JSON, and its encoding: text as text and `null` as nothing, so that a plain client
/// reads what it expects. Numbers and booleans go as JSON text, because a payload is an object, a list, text or bytes
/// (`RSL4a`).
fn data_of(value: Value) -> (Option<Data>, Option<String>) {
    match value {
        Value::Null => (None, None),
        Value::String(text) => (Some(Data::Text(text)), None),
        scalar @ (Value::Bool(_) | Value::Number(_)) => (Some(Data::Text(scalar.to_string())), Some("json".to_owned())),
        structured => (Some(Data::Json(structured)), None),
    }
}

/// The JSON that a payload carries; `None` for bytes.
pub(crate) fn json_of(data: Option<Data>) -> Option<Value> {
    match data {
        None => Some(Value::Null),
        Some(Data::Text(text)) => Some(Value::String(text)),
        Some(Data::Json(value)) => Some(value),
        Some(Data::Binary(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_process_its_number_and_whom_it_is_for() {
        let message = encode("wave", json!({ "x": 1 }), Generation(7), 9, Audience::Others);
        assert_eq!(numbering(message.extras.as_ref()), Some((Generation(7), 9)));
        assert_eq!(audience(message.extras.as_ref()), Audience::Others);
        let to_all = encode("wave", json!(1), Generation(7), 9, Audience::All);
        assert_eq!(audience(to_all.extras.as_ref()), Audience::All);
        assert_eq!(numbering(None), None, "a plain client sends no headers");
    }

    #[test]
    fn text_and_null_are_what_a_plain_client_expects() {
        assert_eq!(data_of(json!(null)), (None, None));
        assert_eq!(data_of(json!("hello")), (Some(Data::Text("hello".to_owned())), None));
        assert_eq!(data_of(json!(5)), (Some(Data::Text("5".to_owned())), Some("json".to_owned())));
        assert_eq!(json_of(None), Some(json!(null)));
    }
}
