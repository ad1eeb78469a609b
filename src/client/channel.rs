//! What the client knows of one channel.

use super::{
    backoff::Backoff,
    event::{ChannelOptions, ChannelState},
    presence::Members,
};
use crate::protocol::{
    Action, ChannelName, ChannelSerial, ConnectionId, Flags, Frame, PresenceAction, PresenceMessage,
};

/// A channel that is attached, failed or in between.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) state: ChannelState,
    pub(super) options: ChannelOptions,
    /// Up to where the game has the stream; attaching again goes on from here (`RTL15b`).
    pub(super) serial: Option<ChannelSerial>,
    /// What to do once the server has answered what was asked of it before (`RTL4h`, `RTL5i`).
    pub(super) next: Option<Next>,
    pub(super) backoff: Backoff,
    pub(super) members: Members,
    /// This client's own membership, which is entered again whenever the channel is attached anew (`RTP17`).
    pub(super) own: Option<PresenceMessage>,
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

    /// Takes in a word about this client's own membership on the connection `current` (`RTP17b`).
    pub(super) fn note_own(&mut self, word: &PresenceMessage, current: Option<&ConnectionId>) {
        if word.connection_id.is_none() || word.connection_id.as_ref() != current {
            return;
        }
        let is_news =
            self.own.as_ref().is_none_or(|own| own.connection_id != word.connection_id || word.is_newer_than(own));
        match word.action {
            PresenceAction::Enter | PresenceAction::Update | PresenceAction::Present if is_news => {
                self.own = Some(PresenceMessage { action: PresenceAction::Present, ..word.clone() });
            }
            // A leave that the server made up, since it saw no line for a while, is not what the game wants.
            PresenceAction::Leave if is_news && word.parsed_id().is_some() => self.own = None,
            _ => {}
        }
    }
}
