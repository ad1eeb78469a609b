//! What the parts are lent that need more than the common context.

use web_time::Instant;

use super::Client;
use crate::{
    auth::Auth,
    channel::{ChannelContext, Channels},
    connection::{Connection, connectivity::Connectivity},
    context::Context,
    http::{Access, Http},
    options::ClientOptions,
};
use rooms_protocol::ClientId;

/// Who this client is to others: as the options say, or else as the server or the token does (`RSA7b`).
pub(super) fn own_client_id<'a>(
    options: &'a ClientOptions,
    connection: &'a Connection,
    auth: &'a Auth,
) -> Option<&'a ClientId> {
    let told = connection.client_id().or(auth.client_id()).filter(|id| id.as_str() != "*");
    options.client_id.as_ref().or(told)
}

pub(super) fn connectivity<'a>(
    options: &'a ClientOptions,
    connection: &'a Connection,
    auth: &'a Auth,
) -> Connectivity<'a> {
    Connectivity {
        state: connection.state(),
        connection_id: connection.id(),
        client_id: own_client_id(options, connection, auth),
        max_message_size: connection.max_message_size(),
    }
}

/// The parts that need more than the common context.
impl Client {
    pub(super) fn channels_at(&mut self, now: Instant) -> (&mut Channels, ChannelContext<'_>) {
        let base = self.base.at(now);
        let connectivity = connectivity(base.options, &self.connection, &self.auth);
        (&mut self.channels, ChannelContext { connectivity, outbox: &mut self.outbox, base })
    }

    pub(super) fn http_at(&mut self, now: Instant) -> (&mut Http, Access<'_>, Context<'_>) {
        let base = self.base.at(now);
        let access = Access {
            authorization: self.auth.http_authorization(base.options),
            connected_host: self.connection.connected_host(),
            routes: &mut self.routes,
        };
        (&mut self.http, access, base)
    }
}
