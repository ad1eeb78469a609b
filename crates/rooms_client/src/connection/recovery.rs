//! Going on with the connection of an earlier client, such as that of a page before its reload (`RTN16`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Connection;
use crate::event::ConnectionState;
use rooms_protocol::{ChannelName, ChannelSerial, ConnectionKey, MsgSerial};

/// What a later client needs to go on with this connection, in the form of Ably's JavaScript SDK.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryKey {
    connection_key: ConnectionKey,
    pub(crate) msg_serial: MsgSerial,
    #[serde(default)]
    pub(crate) channel_serials: BTreeMap<ChannelName, ChannelSerial>,
}

impl RecoveryKey {
    /// Reads what an earlier client left. A key that cannot be read is left out (`RTN16f1`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text)
            .inspect_err(|error| {
                log::error!("ClientOptions::recover is no recovery key, so the connection is new: {error}");
            })
            .ok()
    }

    /// The key as text.
    pub(crate) fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

impl Connection {
    /// What goes on with this connection, with these numbers and serials. None where there is nothing to go on with.
    pub(crate) fn recovery_key(
        &self,
        msg_serial: MsgSerial,
        channel_serials: BTreeMap<ChannelName, ChannelSerial>,
    ) -> Option<RecoveryKey> {
        if matches!(
            self.state,
            ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Failed | ConnectionState::Suspended
        ) {
            return None;
        }
        Some(RecoveryKey { connection_key: self.key.clone()?, msg_serial, channel_serials })
    }

    /// Asks the server to go on with the connection of an earlier client.
    pub(crate) fn recover(&mut self, key: RecoveryKey) {
        self.recover = Some(key.connection_key);
    }
}
