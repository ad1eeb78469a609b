//! What the client knows of one channel.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::{
    backoff::Backoff,
    event::{ChannelOptions, ChannelState},
    get::Get,
    presence::{MAX_MEMBERS, Members},
};
use rooms_protocol::{
    Action, ChannelName, ChannelSerial, ClientId, ConnectionId, ErrorInfo, Flags, Frame, PresenceAction,
    PresenceMessage,
};

/// A channel that was attached at some time, or is to be.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) state: ChannelState,
    /// Without the cipher: all ciphers stand in the client's own table.
    pub(super) options: ChannelOptions,
    /// What went wrong, until it is attached again (`RTL24`).
    pub(super) error: Option<ErrorInfo>,
    /// The modes that the server granted (`RTL4m`).
    pub(super) modes: Flags,
    /// The parameters that the server took (`RTL4k1`).
    pub(super) params: BTreeMap<SmolStr, String>,
    /// Up to where the game has the stream; attaching again goes on from here (`RTL15b`).
    pub(super) serial: Option<ChannelSerial>,
    /// Where the stream was when it was attached without what came before (`RTL15c`).
    pub(super) attach_serial: Option<ChannelSerial>,
    /// What to do once the server has answered what was asked of it before (`RTL4h`, `RTL5i`).
    pub(super) next: Option<Next>,
    /// Whether it is forgotten once it is detached (`RTS4a`).
    pub(super) release: bool,
    pub(super) backoff: Backoff,
    pub(super) members: Members,
    /// The members that this client entered, which are entered again whenever the channel is attached anew (`RTP17`).
    /// By name alone, since a new connection takes the place of the old one (`RTP17h`).
    pub(super) own: BTreeMap<ClientId, PresenceMessage>,
    /// Questions for the members that wait for an answer.
    pub(super) gets: Vec<Get>,
}

/// What waits for an answer of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Attach,
    Detach,
}

impl Channel {
    /// The frame that asks to attach.
    pub(super) fn attach_frame(&self, name: &ChannelName) -> Frame {
        let modes = self.options.modes.modes();
        Frame {
            flags: (modes != Flags::empty()).then_some(modes),
            params: self.options.params.clone(),
            channel_serial: self.serial.clone(),
            ..Frame::for_channel(Action::Attach, name.clone())
        }
    }

    /// Notes where the stream stands, if the frame tells. Only for what reaches the game: what is dropped must come
    /// again.
    pub(super) fn advance(&mut self, frame: &Frame) {
        if frame.channel_serial.is_some() {
            self.serial.clone_from(&frame.channel_serial);
        }
    }

    /// Takes in what ATTACHED says about the channel itself.
    pub(super) fn take_attached(&mut self, frame: &Frame) {
        self.advance(frame);
        self.modes = frame.flags.unwrap_or_default().modes();
        self.params.clone_from(&frame.params);
        if !frame.has(Flags::RESUMED) {
            self.attach_serial.clone_from(&frame.channel_serial);
        }
    }

    /// Takes in a word about a member that this client entered on the connection `current` (`RTP17b`).
    pub(super) fn note_own(&mut self, word: &PresenceMessage, current: Option<&ConnectionId>) {
        let Some(name) = &word.client_id else { return };
        if word.connection_id.is_none() || word.connection_id.as_ref() != current {
            return;
        }
        let known = self.own.get(name);
        let is_news = known.is_none_or(|own| own.connection_id != word.connection_id || word.is_newer_than(own));
        match word.action {
            PresenceAction::Enter | PresenceAction::Update | PresenceAction::Present
                if is_news && (known.is_some() || self.own.len() < MAX_MEMBERS) =>
            {
                self.own.insert(name.clone(), PresenceMessage { action: PresenceAction::Present, ..word.clone() });
            }
            // A leave that the server made up, since it saw no line for a while, is not what the game wants.
            PresenceAction::Leave if is_news && word.parsed_id().is_some() => {
                self.own.remove(name);
            }
            _ => {}
        }
    }
}
