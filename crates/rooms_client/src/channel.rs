//! The channels that the client knows, and how their payloads are encrypted.
//!
//! [`Channels`] owns them. `state` attaches and detaches channels, `messages` publishes and receives, and `presence` keeps the
//! members. None of them knows the connection itself; each is given its [`Connectivity`].

pub(crate) mod cipher;
pub(crate) mod filter;
mod member_queries;
mod members;
mod messages;
mod own_members;
pub(crate) mod presence;
mod state;

use std::collections::BTreeMap;

use smol_str::SmolStr;

use self::{cipher::CipherParams, member_queries::MemberQueries, members::MemberMap, own_members::OwnMembers};
use crate::{
    command::ChannelOptions,
    connection::{backoff::Backoff, connectivity::Connectivity},
    context::Context,
    event::ChannelState,
    outbox::Outbox,
};
use rooms_protocol::{Action, ChannelName, ChannelSerial, ErrorInfo, Flags, Frame, PresenceMessage};

/// What the channels are given to do their work with: the facts of the connection, and where publishes go.
#[derive(Debug)]
pub(crate) struct ChannelContext<'a> {
    pub(crate) connectivity: Connectivity<'a>,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) base: Context<'a>,
}

/// All channels.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// The channels that the game attached and has not released.
    known: BTreeMap<ChannelName, Channel>,
    /// The ciphers of channels. A cipher stays from the first attach that names it until the channel is released, so that
    /// nothing goes out unencrypted in between. Nothing else holds a cipher.
    ciphers: BTreeMap<ChannelName, CipherParams>,
}

/// A channel that the game attached at some time, or asked to attach.
#[derive(Debug, Default)]
struct Channel {
    state: ChannelState,
    /// Without the cipher: all ciphers are in [`Channels::ciphers`].
    options: ChannelOptions,
    /// What went wrong, until it is attached again (`RTL24`).
    error: Option<ErrorInfo>,
    /// The modes that the server granted (`RTL4m`).
    modes: Flags,
    /// The parameters that the server took (`RTL4k1`).
    params: BTreeMap<SmolStr, String>,
    /// Up to where the game has the stream; attaching again goes on from here (`RTL15b`).
    serial: Option<ChannelSerial>,
    /// Where the stream was when it was attached without what came before (`RTL15c`).
    attach_serial: Option<ChannelSerial>,
    /// What to ask of the server once it has answered the present request (`RTL4h`, `RTL5i`).
    pending: Option<PendingRequest>,
    /// Whether it is forgotten once it is detached (`RTS4a`).
    release: bool,
    backoff: Backoff,
    members: MemberMap,
    own: OwnMembers,
    queries: MemberQueries,
}

/// What to ask of the server once it has answered the present request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingRequest {
    Attach,
    Detach,
}

impl Channel {
    /// The frame that asks to attach.
    fn attach_frame(&self, name: &ChannelName) -> Frame {
        let modes = self.options.modes.modes();
        Frame {
            flags: (modes != Flags::empty()).then_some(modes),
            params: self.options.params.clone(),
            channel_serial: self.serial.clone(),
            ..Frame::for_channel(Action::Attach, name.clone())
        }
    }

    /// Notes where the stream is, if the frame tells. Call it only for what reaches the game: what is dropped must come
    /// again.
    fn advance(&mut self, frame: &Frame) {
        if frame.channel_serial.is_some() {
            self.serial.clone_from(&frame.channel_serial);
        }
    }

    /// Takes in what ATTACHED says about the channel itself.
    fn apply_attached(&mut self, frame: &Frame) {
        self.advance(frame);
        self.modes = frame.flags.unwrap_or_default().modes();
        self.params.clone_from(&frame.params);
        if !frame.has(Flags::RESUMED) {
            self.attach_serial.clone_from(&frame.channel_serial);
        }
    }

    fn is_attached(&self) -> bool {
        self.state == ChannelState::Attached
    }
}

/// What can be asked about channels at any time.
impl Channels {
    /// The names of the channels that are known (`RTS2`).
    pub(crate) fn names(&self) -> impl Iterator<Item = &ChannelName> {
        self.known.keys()
    }

    /// How many channels are known.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many members are known, over all channels.
    pub(crate) fn member_count(&self) -> usize {
        self.known.values().map(|channel| channel.members.len()).sum()
    }

    /// A channel's state; [`Initialized`](ChannelState::Initialized) where it is not known (`RTL2b`).
    pub(crate) fn state(&self, name: &ChannelName) -> ChannelState {
        self.known.get(name).map_or(ChannelState::Initialized, |channel| channel.state)
    }

    /// How a channel was last asked to be attached (`RTL16`).
    pub(crate) fn options(&self, name: &ChannelName) -> Option<ChannelOptions> {
        let channel = self.known.get(name)?;
        Some(ChannelOptions { cipher: self.cipher(name).cloned(), ..channel.options.clone() })
    }

    /// How a channel is encrypted.
    pub(crate) fn cipher(&self, name: &ChannelName) -> Option<&CipherParams> {
        self.ciphers.get(name)
    }

    /// The modes that the server granted when it last attached the channel (`RTL4m`).
    pub(crate) fn modes(&self, name: &ChannelName) -> Flags {
        self.known.get(name).map_or(Flags::empty(), |channel| channel.modes)
    }

    /// The parameters that the server took when it last attached the channel (`RTL4k1`).
    pub(crate) fn params(&self, name: &ChannelName) -> Option<&BTreeMap<SmolStr, String>> {
        self.known.get(name).map(|channel| &channel.params)
    }

    /// What went wrong with a channel, until it is attached again (`RTL24`).
    pub(crate) fn error(&self, name: &ChannelName) -> Option<&ErrorInfo> {
        self.known.get(name).and_then(|channel| channel.error.as_ref())
    }

    /// Up to where a channel's stream was received (`RTL15b`).
    pub(crate) fn serial(&self, name: &ChannelName) -> Option<&ChannelSerial> {
        self.known.get(name).and_then(|channel| channel.serial.as_ref())
    }

    /// The serials of all attached channels, for a client that recovers the connection (`RTN16g`).
    pub(crate) fn serials(&self) -> BTreeMap<ChannelName, ChannelSerial> {
        let attached = self.known.iter().filter(|(_, channel)| channel.is_attached());
        attached.filter_map(|(name, channel)| Some((name.clone(), channel.serial.clone()?))).collect()
    }

    /// Goes on where an earlier client was (`RTN16j`).
    pub(crate) fn restore_serials(&mut self, serials: BTreeMap<ChannelName, ChannelSerial>) {
        for (name, serial) in serials {
            self.known.entry(name).or_default().serial = Some(serial);
        }
    }

    /// Where a channel's stream was when it was attached without what came before (`RTL15c`).
    pub(crate) fn attach_serial(&self, name: &ChannelName) -> Option<&ChannelSerial> {
        self.known.get(name).and_then(|channel| channel.attach_serial.as_ref())
    }

    /// Who is on a channel, as far as is known.
    pub(crate) fn members(&self, name: &ChannelName) -> impl Iterator<Item = &PresenceMessage> + use<'_> {
        self.known.get(name).into_iter().flat_map(|channel| channel.members.iter())
    }

    /// Whether all members of a channel are known (`RTP13`).
    pub(crate) fn members_synced(&self, name: &ChannelName) -> bool {
        self.known.get(name).is_some_and(|channel| channel.is_attached() && !channel.members.is_syncing())
    }
}
