//! Publishing over HTTP.

use serde::Deserialize;
use serde_json::json;
use web_time::Instant;

use crate::{
    Identity, Operation, Principal,
    http::{Body, Call, Reply},
    hub::{
        connection::state::{random_id, split_key},
        publishing::Publish,
        rest::Hub,
    },
};
use rooms_protocol::{AsMap, ConnectionId, ErrorCode, ErrorInfo, Message};

/// A body that is one or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<AsMap<Message>>),
    One(AsMap<Box<Message>>),
}

impl Hub {
    /// `POST /channels/{name}/messages`: all of the messages or none.
    pub(super) fn publish_over_http(&mut self, call: &Call<'_>, name: &str, now: Instant) -> Result<Reply, ErrorInfo> {
        let (principal, key) = self.channel_of(call, name, Operation::Publish, now)?;
        if call.param("_forceNack") == Some("true") {
            return Err(ErrorInfo::new(ErrorCode::TEST, 400, "refused, as the parameter _forceNack asks for"));
        }
        self.config.limits.check_frame(call.request.body.len())?;
        let messages = match call.body()? {
            OneOrMany::Many(messages) => messages.into_iter().map(|AsMap(message)| message).collect(),
            OneOrMany::One(AsMap(message)) => vec![*message],
        };
        let (publisher, identity) = match self.on_behalf(&messages, &principal)? {
            Some((connection, identity)) => (Some(connection), identity),
            None => (None, principal.identity),
        };
        let base = random_id(&mut self.random).as_str().to_owned();
        let publish = Publish { key, base: base.clone(), publisher, messages };
        let serials = self.put_on_channel(publish, &identity, now)?;
        let result = json!({ "channel": name, "messageId": base, "serials": serials });
        Ok(Reply::new(201, Body::Value(result)))
    }

    /// The connection on whose behalf the messages are published, where they name one, and who it is (`RSL1f`, `TM2h`).
    fn on_behalf(
        &self,
        messages: &[Message],
        principal: &Principal,
    ) -> Result<Option<(ConnectionId, Identity)>, ErrorInfo> {
        let Some(key) = messages.iter().find_map(|message| message.connection_key.as_ref()) else { return Ok(None) };
        let unknown = || {
            let why =
                "the connection key of a message is of no connection; leave it out, or publish over the connection";
            ErrorInfo::new(ErrorCode::INVALID_CONNECTION, 400, why)
        };
        if messages.iter().any(|message| message.connection_key.as_ref() != Some(key)) {
            return Err(unknown());
        }
        let (id, secret) = split_key(key).ok_or_else(unknown)?;
        let connection = self.connections.get(&id).ok_or_else(unknown)?;
        if !connection.opens_with(secret) || connection.principal.app != principal.app {
            return Err(unknown());
        }
        // Whoever may be anybody speaks as the connection does.
        let identity = match &principal.identity {
            Identity::Any => connection.principal.identity.clone(),
            own => own.clone(),
        };
        Ok(Some((id, identity)))
    }
}
