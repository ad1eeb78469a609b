//! Several messages of one publish in one message, for servers that count messages.
//!
//! A server with limits takes so many messages a second, whatever is in them. Where several wait, they travel in one
//! `room.bundle`, and the receiver takes it apart before it looks at any of them. A server without limits never sees one.

use rooms_protocol::{Data, Extras, Message};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use super::payload::json_of;
use crate::state::json::json_size;

/// The name of a bundle. It is no message about the room: it only carries some.
const BUNDLE: &str = "room.bundle";

/// Bytes that a bundle takes beside its items.
pub(crate) const OVERHEAD: usize = 64;

/// Most messages in a bundle: as many as a player keeps waiting.
const MAX_ITEMS: usize = 1000;

/// A message in a bundle. Who sent it, and where the server put it, stands on the bundle.
#[derive(Debug, Serialize, Deserialize)]
struct Item {
    name: SmolStr,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    data: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extras: Option<Extras>,
}

impl Item {
    fn of(message: &Message) -> Option<Self> {
        let data = match (&message.data, message.encoding.as_deref()) {
            (Some(Data::Text(text)), Some("json")) => serde_json::from_str(text).ok()?,
            (data, None) => json_of(data.clone())?,
            _ => return None,
        };
        Some(Self { name: message.name.as_deref()?.into(), data, extras: message.extras.clone() })
    }
}

/// Bytes that a message takes in a bundle. `None`: it cannot be in one.
pub(crate) fn size_in_bundle(message: &Message) -> Option<usize> {
    Item::of(message).map(|item| json_size(&item).saturating_add(1))
}

/// Makes one message of several. One alone stays as it is, and so do all if one of them cannot be in a bundle.
pub(crate) fn pack(messages: Vec<Message>) -> Vec<Message> {
    if messages.len() < 2 {
        return messages;
    }
    let items: Option<Vec<_>> = messages.iter().map(Item::of).collect();
    match items.map(serde_json::to_value) {
        Some(Ok(items)) => vec![Message::new(BUNDLE, items)],
        _ => messages,
    }
}

/// Takes a bundle apart. Any other message comes back as it is.
///
/// # Errors
/// What is wrong with the bundle. Bundles do not nest.
pub(crate) fn unpack(message: Message) -> Result<Vec<Message>, String> {
    if message.name.as_deref() != Some(BUNDLE) {
        return Ok(vec![message]);
    }
    let Message { client_id, connection_id, serial, timestamp, action, data, .. } = message;
    let items = json_of(data).map(serde_json::from_value::<Vec<Item>>);
    let items = match items {
        Some(Ok(items)) if items.len() > MAX_ITEMS => return Err(format!("a bundle of {} messages", items.len())),
        Some(Ok(items)) if items.iter().any(|item| item.name == BUNDLE) => {
            return Err("a bundle in a bundle".to_owned());
        }
        Some(Ok(items)) => items,
        Some(Err(error)) => return Err(format!("{BUNDLE}: {error}")),
        None => return Err("a bundle with bytes for data".to_owned()),
    };
    let whole = |item: Item| Message {
        name: Some(item.name.to_string()),
        data: (!item.data.is_null()).then_some(Data::Json(item.data)),
        extras: item.extras,
        client_id: client_id.clone(),
        connection_id: connection_id.clone(),
        serial: serial.clone(),
        timestamp,
        action,
        ..Message::default()
    };
    Ok(items.into_iter().map(whole).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        id::Generation,
        wire::payload::{Audience, encode, numbering},
    };

    fn game(data: Value, sequence: u64) -> Message {
        encode("move", data, Generation(3), sequence, Audience::All)
    }

    #[test]
    fn what_is_packed_comes_out_the_same_with_the_stamps_of_the_bundle() {
        let payloads = [json!({ "x": 1 }), json!("text"), json!(5), json!(null), json!([true])];
        let messages = payloads.iter().zip(1..).map(|(data, number)| game(data.clone(), number));
        let mut packed = pack(messages.collect());
        assert_eq!(packed.len(), 1);
        let mut bundle = packed.remove(0);
        bundle.client_id = Some("ada".into());
        bundle.connection_id = Some("c".into());
        bundle.serial = Some("7".into());
        for (number, (message, payload)) in (1..).zip(unpack(bundle).unwrap().into_iter().zip(payloads)) {
            assert_eq!(numbering(message.extras.as_ref()), Some((Generation(3), number)));
            assert_eq!(message.connection_id, Some("c".into()));
            assert_eq!(message.client_id, Some("ada".into()));
            assert_eq!(message.serial, Some("7".into()));
            assert_eq!(message.name.as_deref(), Some("move"));
            assert_eq!(json_of(message.data), Some(payload));
        }
    }

    #[test]
    fn one_message_alone_is_not_packed() {
        assert_eq!(pack(vec![game(json!(1), 1)]), [game(json!(1), 1)]);
        assert_eq!(unpack(game(json!(1), 1)), Ok(vec![game(json!(1), 1)]));
    }

    #[test]
    fn the_size_of_a_bundle_is_known_before_it_is_made() {
        let messages = vec![game(json!("\u{1}\"quoted\" text"), 1), game(json!({ "a": [1, 2] }), 2)];
        let expected: usize = messages.iter().filter_map(size_in_bundle).sum();
        let bundle = pack(messages).remove(0);
        assert!(bundle.size() <= expected + OVERHEAD, "{} > {expected}", bundle.size());
    }

    #[test]
    fn senseless_bundles_are_told() {
        for (data, what) in [
            (json!({ "no": "list" }), "room.bundle: "),
            (json!([{ "data": 1 }]), "room.bundle: "),
            (json!([{ "name": "room.bundle", "data": [] }]), "a bundle in a bundle"),
            (json!(vec![json!({ "name": "x" }); 1001]), "a bundle of 1001 messages"),
        ] {
            let error = unpack(Message::new(BUNDLE, data)).unwrap_err();
            assert!(error.starts_with(what), "{error}");
        }
        assert!(unpack(Message { name: Some(BUNDLE.to_owned()), ..Message::default() }).is_err());
    }
}
