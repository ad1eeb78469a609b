//! Publishing over HTTP: what a request holds, and on whose behalf it is published.

use serde::Deserialize;

use crate::{
    auth::{Identity, Principal},
    http::Call,
    hub::connection::Connections,
    limits::Limits,
};
use rooms_protocol::{AsMap, ConnectionId, ErrorCode, ErrorInfo, Message};

/// A body that is one message or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<AsMap<Message>>),
    One(AsMap<Box<Message>>),
}

/// The messages of a request.
///
/// # Errors
/// 40001 for a body that cannot be read, 40009 for one that is too large.
pub(super) fn messages(call: &Call<'_>, limits: &Limits) -> Result<Vec<Message>, ErrorInfo> {
    if call.param("_forceNack") == Some("true") {
        return Err(ErrorInfo::new(ErrorCode::TEST, 400, "refused, as the parameter _forceNack asks for"));
    }
    limits.check_frame(call.request.body.len())?;
    Ok(match call.body()? {
        OneOrMany::Many(messages) => messages.into_iter().map(|AsMap(message)| message).collect(),
        OneOrMany::One(AsMap(message)) => vec![*message],
    })
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
