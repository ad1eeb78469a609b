//! Going on with the connection of an earlier client, such as that of a page before its reload (`RTN16`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Client,
    event::{ChannelState, ConnectionState},
};
use rooms_protocol::{ChannelName, ChannelSerial, ConnectionKey, MsgSerial};

/// What a client leaves to its successor. As in Ably's JavaScript SDK.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecoveryKey {
    connection_key: ConnectionKey,
    msg_serial: MsgSerial,
    #[serde(default)]
    channel_serials: BTreeMap<ChannelName, ChannelSerial>,
}

impl Client {
    /// What a later client needs to go on with this connection, as [`recover`](super::ClientOptions::recover). None
    /// where there is nothing to go on with. It holds a secret.
    pub fn recovery_key(&self) -> Option<String> {
        if matches!(
            self.state(),
            ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Failed | ConnectionState::Suspended
        ) {
            return None;
        }
        let attached = self.channels.iter().filter(|(_, channel)| channel.state == ChannelState::Attached);
        let key = RecoveryKey {
            connection_key: self.connection.key.clone()?,
            msg_serial: self.outbox.next_serial(),
            channel_serials: attached.filter_map(|(name, it)| Some((name.clone(), it.serial.clone()?))).collect(),
        };
        serde_json::to_string(&key).ok()
    }

    /// Takes over what an earlier client left. A key that cannot be read is as good as none (`RTN16f1`).
    pub(super) fn take_recovery_key(&mut self) {
        let Some(text) = self.options.recover.take() else { return };
        match serde_json::from_str::<RecoveryKey>(&text) {
            Ok(key) => {
                self.outbox.set_serial(key.msg_serial);
                for (name, serial) in key.channel_serials {
                    self.channels.entry(name).or_default().serial = Some(serial);
                }
                self.connection.recover = Some(key.connection_key);
            }
            Err(error) => log::error!("ClientOptions::recover is no recovery key, so the connection is new: {error}"),
        }
    }
}
