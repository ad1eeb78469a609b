//! What happens on channels, as Bevy messages and for observers of the channel's entity.

use std::ops::Deref;

use bevy::prelude::*;

use super::{error::ChannelError, members::Member, operation::next_operation};
use crate::{
    client::{ChannelState, HistoryPage, Lifetime, OperationId},
    protocol::{ClientId, ErrorInfo, Message as Raw, MessageSerial, PresenceAction, Timestamp},
    session::Continuity,
};

/// A channel's state changed.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelChanged {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// The state before.
    pub previous: ChannelState,
    /// The state now; the same as before where messages were missed on a channel that stayed attached, and where `reason`
    /// tells of something that changed no state.
    pub current: ChannelState,
    /// Whether anything was missed since the channel was attached before; `None` where it is not attached, or for the first
    /// time.
    pub continuity: Option<Continuity>,
    /// Whether messages that were said earlier follow.
    pub has_backlog: bool,
    /// Why, where there is a reason.
    pub reason: Option<ChannelError>,
}

/// Any message that came on a channel, our own too. Dereferences to the message with its name, data, sender, time and
/// serial.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelMessage {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// The message.
    pub message: Raw,
    /// Whether it was missed and [caught up](super::Channel::catch_up) with.
    pub is_recovered: bool,
}

impl Deref for ChannelMessage {
    type Target = Raw;

    fn deref(&self) -> &Raw {
        &self.message
    }
}

/// A message of a type that the app [registered](super::ChannelsAppExt::add_channel_message), from somebody on a channel or
/// from ourselves. Dereferences to the message.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct FromChannel<T: Send + Sync + 'static> {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// Who sent it, as the server stamped it; `None` for somebody without a name, such as a script.
    pub sender: Option<ClientId>,
    /// When the server took it.
    pub timestamp: Option<Timestamp>,
    /// Its identity on the channel. Serials are ordered as text.
    pub serial: Option<MessageSerial>,
    /// Whether it was missed and [caught up](super::Channel::catch_up) with.
    pub is_recovered: bool,
    /// The message.
    pub message: T,
}

impl<T: Send + Sync + 'static> Deref for FromChannel<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.message
    }
}

/// A message to a channel. Write it with a `MessageWriter<ToChannel<T>>`; it goes out at the end of the frame, and
/// [`Published`] tells what became of it.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ToChannel<T: Send + Sync + 'static> {
    /// The channel.
    pub channel: Entity,
    /// The message.
    pub message: T,
    /// How far it may be carried over a lost line. Defaults to [`Lifetime::Durable`].
    pub lifetime: Lifetime,
    /// Names its outcome.
    pub operation: OperationId,
}

impl<T: Send + Sync + 'static> ToChannel<T> {
    /// A message that waits for the line, and is sent again, until it is acknowledged.
    pub fn new(channel: Entity, message: T) -> Self {
        Self { channel, message, lifetime: Lifetime::Durable, operation: next_operation() }
    }

    /// A message that matters only now: sent at once or not at all.
    pub fn volatile(channel: Entity, message: T) -> Self {
        Self { lifetime: Lifetime::Volatile, ..Self::new(channel, message) }
    }
}

/// What became of something that was published: the server took it, or why not.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct Published {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// Names what was published, as [`publish`](super::ChannelEntityExt::publish) or [`ToChannel`] did.
    pub operation: OperationId,
    /// The serial of each message, as far as the server told it, or why they were not taken.
    pub outcome: Result<Vec<Option<MessageSerial>>, ChannelError>,
}

/// A member came, went or changed, or was there when we came.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct MemberChanged {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// What happened: `Present` for one who was there already, `Enter`, `Update` or `Leave`.
    pub action: PresenceAction,
    /// Who, and what it says about itself.
    pub member: Member,
}

/// One page of what a channel carried before, or why there is none.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelHistory {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// Names the question.
    pub operation: OperationId,
    /// The page; ask for the one that [`follows`](HistoryPage::next) with
    /// [`next_page`](super::ChannelEntityExt::next_page).
    pub outcome: Result<HistoryPage, ChannelError>,
}

/// What was missed on a channel that [catches up](super::Channel::catch_up) was read from its history and given; what comes
/// from here on is new.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelCaughtUp {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// How many messages were missed and are there now.
    pub recovered: usize,
    /// Whether nothing is missing for sure: the history went back to the last message that was here before.
    pub is_complete: bool,
    /// Why something is missing, where that is known.
    pub error: Option<ChannelError>,
}

/// Something went wrong on a channel that changes no state: a message that fits no type, or presence that was refused.
/// Also logged as a warning.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelTrouble {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// What.
    pub error: ChannelError,
}

/// The answer to [`query_server_time`](super::ChannelsCommandsExt::query_server_time).
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ServerTime {
    /// Names the question.
    pub operation: OperationId,
    /// The server's time, or why it is not known.
    pub outcome: Result<Timestamp, ErrorInfo>,
}
