//! What can be asked of the client at any time.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::{Client, parts::own_client_id, stats::ClientStats};
use crate::{
    command::ChannelOptions,
    event::{ChannelState, ConnectionState},
    options::ClientOptions,
};
use rooms_protocol::{
    ChannelName, ChannelSerial, ClientId, ConnectionId, ConnectionKey, ErrorInfo, Flags, Format, PresenceMessage,
};

impl Client {
    /// How the driver is to write this client's frames.
    pub fn format(&self) -> Format {
        self.base.options.format
    }

    /// The connection's state.
    pub fn state(&self) -> ConnectionState {
        self.connection.state()
    }

    /// The connection's id, while there is one.
    pub fn connection_id(&self) -> Option<&ConnectionId> {
        self.connection.id()
    }

    /// What resumes the connection, while it may be. It is secret.
    pub fn connection_key(&self) -> Option<&ConnectionKey> {
        self.connection.key()
    }

    /// What went wrong with the connection, until the client is connected again (`RTN25`).
    pub fn error_reason(&self) -> Option<&ErrorInfo> {
        self.connection.error()
    }

    /// What the client was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.base.options
    }

    /// Who this client is to others: as the options say, or else as its token or the server does (`RSA7b`).
    pub fn client_id(&self) -> Option<&ClientId> {
        own_client_id(&self.base.options, &self.connection, &self.auth)
    }

    /// The value of the `Authorization` header of an HTTP request; none while there is no token.
    pub fn http_authorization(&self) -> Option<String> {
        self.auth.http_authorization(&self.base.options)
    }

    /// What a later client needs to go on with this connection, as [`recover`](crate::ClientOptions::recover). None
    /// where there is nothing to go on with. It holds a secret.
    pub fn recovery_key(&self) -> Option<String> {
        self.connection.recovery_key(self.outbox.next_serial(), self.channels.serials())?.write()
    }

    /// What the client holds and has done.
    pub fn stats(&self) -> ClientStats {
        ClientStats {
            reconnects: self.connection.reconnects(),
            queued: self.outbox.waiting(),
            pending: self.outbox.pending(),
            channels: self.channels.len(),
            members: self.channels.member_count(),
            malformed: self.connection.liveness().malformed(),
            round_trip: self.connection.liveness().round_trip(),
        }
    }

    /// The channels that the game attached and has not released (`RTS2`).
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.channels.names()
    }

    /// A channel's state; [`Initialized`](ChannelState::Initialized) where it is not known (`RTL2b`).
    pub fn channel_state(&self, channel: &ChannelName) -> ChannelState {
        self.channels.state(channel)
    }

    /// How a channel was last asked to be attached (`RTL16`).
    pub fn channel_options(&self, channel: &ChannelName) -> Option<ChannelOptions> {
        self.channels.options(channel)
    }

    /// The modes that the server granted when it last attached the channel (`RTL4m`).
    pub fn channel_modes(&self, channel: &ChannelName) -> Flags {
        self.channels.modes(channel)
    }

    /// The parameters that the server took when it last attached the channel (`RTL4k1`).
    pub fn channel_params(&self, channel: &ChannelName) -> Option<&BTreeMap<SmolStr, String>> {
        self.channels.params(channel)
    }

    /// What went wrong with a channel, until it is attached again (`RTL24`).
    pub fn channel_error_reason(&self, channel: &ChannelName) -> Option<&ErrorInfo> {
        self.channels.error(channel)
    }

    /// Up to where a channel's stream was received (`RTL15b`).
    pub fn channel_serial(&self, channel: &ChannelName) -> Option<&ChannelSerial> {
        self.channels.serial(channel)
    }

    /// Where a channel's stream was when it was attached without what came before (`RTL15c`).
    pub fn attach_serial(&self, channel: &ChannelName) -> Option<&ChannelSerial> {
        self.channels.attach_serial(channel)
    }

    /// Who is on a channel, as far as is known.
    pub fn members(&self, channel: &ChannelName) -> impl Iterator<Item = &PresenceMessage> + use<'_> {
        self.channels.members(channel)
    }

    /// Whether all members of a channel are known (`RTP13`).
    pub fn members_synced(&self, channel: &ChannelName) -> bool {
        self.channels.members_synced(channel)
    }
}
