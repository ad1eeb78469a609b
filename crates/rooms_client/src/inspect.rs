//! What can be asked of the client about its channels at any time.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::{
    Client,
    event::{ChannelOptions, ChannelState},
};
use rooms_protocol::{ChannelName, ChannelSerial, ErrorInfo, Flags, PresenceMessage};

impl Client {
    /// The channels that are known: all that were ever attached and not released since (`RTS2`).
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.channels.keys()
    }

    /// A channel's state; [`Initialized`](ChannelState::Initialized) where it is not known (`RTL2b`).
    pub fn channel_state(&self, channel: &ChannelName) -> ChannelState {
        self.channels.get(channel).map_or(ChannelState::Initialized, |channel| channel.state)
    }

    /// How a channel was last asked to be attached (`RTL16`).
    pub fn channel_options(&self, name: &ChannelName) -> Option<ChannelOptions> {
        let channel = self.channels.get(name)?;
        Some(ChannelOptions { cipher: self.ciphers.get(name).cloned(), ..channel.options.clone() })
    }

    /// The modes that the server granted when it last attached the channel (`RTL4m`).
    pub fn channel_modes(&self, channel: &ChannelName) -> Flags {
        self.channels.get(channel).map_or(Flags::empty(), |channel| channel.modes)
    }

    /// The parameters that the server took when it last attached the channel (`RTL4k1`).
    pub fn channel_params(&self, channel: &ChannelName) -> Option<&BTreeMap<SmolStr, String>> {
        self.channels.get(channel).map(|channel| &channel.params)
    }

    /// What went wrong with a channel, until it is attached again (`RTL24`).
    pub fn channel_error_reason(&self, channel: &ChannelName) -> Option<&ErrorInfo> {
        self.channels.get(channel).and_then(|channel| channel.error.as_ref())
    }

    /// Up to where a channel's stream was received (`RTL15b`).
    pub fn channel_serial(&self, channel: &ChannelName) -> Option<&ChannelSerial> {
        self.channels.get(channel).and_then(|channel| channel.serial.as_ref())
    }

    /// Where a channel's stream was when it was attached without what came before (`RTL15c`).
    pub fn attach_serial(&self, channel: &ChannelName) -> Option<&ChannelSerial> {
        self.channels.get(channel).and_then(|channel| channel.attach_serial.as_ref())
    }

    /// Who is on a channel, as far as is known.
    pub fn members(&self, channel: &ChannelName) -> impl Iterator<Item = &PresenceMessage> + use<'_> {
        self.channels.get(channel).into_iter().flat_map(|channel| channel.members.iter())
    }

    /// Whether all members of a channel are known (`RTP13`).
    pub fn members_synced(&self, channel: &ChannelName) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|channel| channel.state == ChannelState::Attached && !channel.members.is_syncing())
    }
}
