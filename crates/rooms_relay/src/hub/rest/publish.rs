//! Publishing over HTTP: what a request holds, and on whose behalf it is published.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    auth::{Identity, Principal},
    http::{Call, unreadable},
    hub::{channel::publish::normalize, connection::Connections},
    limits::Limits,
};
use rooms_protocol::{AsMap, ConnectionId, ErrorCode, ErrorInfo, Message};

/// What a body holds, before its messages are built: a short body can hold very many empty ones.
enum Outline {
    One,
    Many(usize),
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OutlineVisitor;

        impl<'de> Visitor<'de> for OutlineVisitor {
            type Value = Outline;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message or a list of messages")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Outline::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Outline, A::Error> {
                let mut count = 0;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Outline::Many(count))
            }
        }

        deserializer.deserialize_any(OutlineVisitor)
    }
}

/// The messages of a body, which is one message or a list of them, in the form in which the relay keeps them.
///
/// # Errors
/// 40001 for a body that cannot be read, 40009 and 40034 for too many bytes or messages.
pub(super) fn messages(call: &Call, body: &[u8], limits: &Limits) -> Result<Vec<Message>, ErrorInfo> {
    if call.param("_forceNack") == Some("true") {
        return Err(ErrorInfo::new(ErrorCode::TEST, 400, "refused, as the parameter _forceNack asks for"));
    }
    limits.check_frame(body.len())?;
    let mut messages = if call.is_form(body) {
        vec![form_message(body)?]
    } else {
        match call.read(body)? {
            Outline::One => vec![call.read::<AsMap<Message>>(body)?.0],
            Outline::Many(count) => {
                limits.check_count(count)?;
                call.read::<Vec<AsMap<Message>>>(body)?.into_iter().map(|AsMap(message)| message).collect()
            }
        }
    };
    for message in &mut messages {
        normalize(&mut message.data, &mut message.encoding);
    }
    if call.param("ephemeral") == Some("true") {
        messages = messages.into_iter().map(Message::ephemeral).collect();
    }
    Ok(messages)
}

/// The message whose parts are the fields of a form. All are text, and `extras` is the text of a JSON object.
///
/// # Errors
/// 40001 for extras that are no object.
fn form_message(body: &[u8]) -> Result<Message, ErrorInfo> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = match &*name {
            // A field of a form on a page that nobody filled in.
            "extras" if value.is_empty() => continue,
            "extras" => serde_json::from_str(&value).map_err(unreadable)?,
            "id" | "name" | "data" | "encoding" | "clientId" | "connectionKey" => Value::String(value.into_owned()),
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    let text = Value::Object(fields).to_string();
    Ok(serde_json::from_str::<AsMap<Message>>(&text).map_err(unreadable)?.0)
}

/// The connection on whose behalf the messages are published, where they name one, and who publishes (`RSL1f`, `TM2h`).
///
/// # Errors
/// 40006 for a connection key that is of no connection of the app.
pub(super) fn on_behalf(
    messages: &[Message],
    principal: Principal,
    connections: &Connections,
) -> Result<(Option<ConnectionId>, Identity), ErrorInfo> {
    let Some(key) = messages.iter().find_map(|message| message.connection_key.as_ref()) else {
        return Ok((None, principal.identity));
    };
    let unknown = || {
        let why = "the connection key of a message is of no connection; leave it out, or publish over the connection";
        ErrorInfo::new(ErrorCode::INVALID_CONNECTION, 400, why)
    };
    if messages.iter().any(|message| message.connection_key.as_ref() != Some(key)) {
        return Err(unknown());
    }
    let (id, connection) = connections.opened_with(key, &principal.app).ok_or_else(unknown)?;
    // Whoever may be anybody publishes as the connection does.
    let identity = match principal.identity {
        Identity::Any => connection.principal.identity.clone(),
        own => own,
    };
    Ok((Some(id), identity))
}
