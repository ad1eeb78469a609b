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
    /// The state now. It is the same as before if messages were missed on a channel that stayed attached, and if
    /// `reason` is about something that changed no state.
    pub current: ChannelState,
    /// Whether anything was missed since the channel was attached before. `None` if it is not attached, or attached for
    /// the first time.
    pub continuity: Option<Continuity>,
    /// Whether older messages follow.
    pub has_backlog: bool,
    /// The reason, if there is one.
    pub reason: Option<ChannelError>,
}

/// Any message that arrived on a channel, our own too. Dereferences to the message with its name, data, sender, time
/// and serial.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelMessage {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// The message.
    pub message: Raw,
    /// Whether it was missed and then [recovered](super::Channel::catch_up).
    pub is_recovered: bool,
}

impl Deref for ChannelMessage {
    type Target = Raw;

    fn deref(&self) -> &Raw {
        &self.message
    }
}

/// A message of a type that the app [registered](super::ChannelsAppExt::add_channel_message), from a client of a
/// channel, us included. Dereferences to the message.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct FromChannel<T: Send + Sync + 'static> {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// The sender, as the server stamped it; `None` for a sender without a client id, such as a script.
    pub sender: Option<ClientId>,
    /// The time when the server accepted it.
    pub timestamp: Option<Timestamp>,
    /// Its identity on the channel. Serials are ordered as text.
    pub serial: Option<MessageSerial>,
    /// Whether it was missed and then [recovered](super::Channel::catch_up).
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

/// A message to a channel. Write it with a `MessageWriter<ToChannel<T>>`; it is sent at the end of the frame, and
/// [`Published`] tells the outcome.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ToChannel<T: Send + Sync + 'static> {
    /// The channel.
    pub channel: Entity,
    /// The message.
    pub message: T,
    /// Whether it survives a lost connection. Defaults to [`Lifetime::Durable`].
    pub lifetime: Lifetime,
    /// Names its outcome.
    pub operation: OperationId,
}

impl<T: Send + Sync + 'static> ToChannel<T> {
    /// A message that waits for the connection, and is sent again until it is acknowledged.
    pub fn new(channel: Entity, message: T) -> Self {
        Self { channel, message, lifetime: Lifetime::Durable, operation: next_operation() }
    }

    /// A message that is worthless later: sent at once or not at all.
    pub fn volatile(channel: Entity, message: T) -> Self {
        Self { lifetime: Lifetime::Volatile, ..Self::new(channel, message) }
    }
}

/// The outcome of a publish: the server accepted it, or the reason why not.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct Published {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// Names the publish, as [`publish`](super::ChannelEntityExt::publish) or [`ToChannel`] did.
    pub operation: OperationId,
    /// The serial of each message, as far as the server sent it; or why they were not accepted.
    pub outcome: Result<Vec<Option<MessageSerial>>, ChannelError>,
}

/// A member came, left or changed, or was there when we came.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct MemberChanged {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// What happened: `Enter`, `Update`, `Leave`, or `Present` for a member that was already there.
    pub action: PresenceAction,
    /// The member, with its data.
    pub member: Member,
}

/// One page of a channel's history, or why there is none.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelHistory {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// Names the query.
    pub operation: OperationId,
    /// The page. Ask for the [`next`](HistoryPage::next) one with
    /// [`next_page`](super::ChannelEntityExt::next_page).
    pub outcome: Result<HistoryPage, ChannelError>,
}

/// A channel that [catches up](super::Channel::catch_up) has delivered its missed messages. What arrives from now on is
/// new.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelCaughtUp {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// The number of recovered messages.
    pub recovered: usize,
    /// Whether certainly nothing is missing: the history reached back to the last message before the loss.
    pub is_complete: bool,
    /// Why something is missing, if that is known.
    pub error: Option<ChannelError>,
}

/// An error on a channel that changes no state: a message that fits no type, or refused presence.
/// It is also logged as a warning.
#[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
pub struct ChannelTrouble {
    /// The channel.
    #[event_target]
    pub channel: Entity,
    /// The error.
    pub error: ChannelError,
}

/// The answer to [`query_server_time`](super::ChannelsCommandsExt::query_server_time).
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ServerTime {
    /// Names the query.
    pub operation: OperationId,
    /// The server's time, or why it is unknown.
    pub outcome: Result<Timestamp, ErrorInfo>,
}
