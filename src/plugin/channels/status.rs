//! The state of a channel, as a component.

use bevy::prelude::*;

use super::{emit::emit, error::ChannelError, events::ChannelChanged, members::ChannelMembers};
use crate::{client::ChannelState, protocol::Flags, session::Continuity};

/// The state of a channel. A component beside [`Channel`](super::Channel); only the plugin writes it.
#[derive(Component, Clone, Debug, Default, PartialEq, Reflect)]
#[reflect(Component, Default)]
pub struct ChannelStatus {
    /// The state.
    #[reflect(ignore)]
    pub state: ChannelState,
    /// The last error, until the channel is attached again.
    #[reflect(ignore)]
    pub error: Option<ChannelError>,
    /// What the server allows us, while attached.
    #[reflect(ignore)]
    pub modes: Flags,
}

impl ChannelStatus {
    /// Whether it is attached.
    pub fn is_attached(&self) -> bool {
        self.state == ChannelState::Attached
    }

    /// Whether it failed. The client does not try again unless [`Channel`](super::Channel) is inserted again.
    pub fn has_failed(&self) -> bool {
        self.state == ChannelState::Failed
    }
}

/// The channel cannot be attached at all.
pub(super) fn fail(world: &mut World, channel: Entity, error: ChannelError) {
    log::warn!("{error}");
    set_state(world, channel, ChannelState::Failed, Some(error), None);
}

pub(super) fn set_state(
    world: &mut World,
    channel: Entity,
    current: ChannelState,
    reason: Option<ChannelError>,
    continuity: Option<Continuity>,
) {
    let Some(status) = world.get::<ChannelStatus>(channel) else { return };
    let previous = status.state;
    show(world, ChannelChanged { channel, previous, current, continuity, has_backlog: false, reason });
}

/// Updates the components after a change, and emits the change.
pub(super) fn show(world: &mut World, changed: ChannelChanged) {
    let channel = changed.channel;
    if let Some(mut status) = world.get_mut::<ChannelStatus>(channel) {
        status.state = changed.current;
        if changed.reason.is_some() || changed.current == ChannelState::Attached {
            status.error.clone_from(&changed.reason);
        }
    }
    if let Some(mut members) = world.get_mut::<ChannelMembers>(channel) {
        match changed.current {
            ChannelState::Attached | ChannelState::Detaching if changed.previous == changed.current => {}
            // The client forgets the members too, without an event for each.
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {
                *members = ChannelMembers::default();
            }
            _ => members.complete = false,
        }
    }
    emit(world, channel, changed);
}
