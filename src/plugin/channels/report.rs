//! Reporting what went wrong on a channel: to the log, and to the app.

use bevy::prelude::*;

use super::{
    channel::Channel,
    emit::emit,
    error::ChannelError,
    events::{ChannelTrouble, Published},
};

pub(super) fn report_trouble(world: &mut World, channel: Entity, error: ChannelError) {
    log::warn!("{}: {error}", describe(world, channel));
    emit(world, channel, ChannelTrouble { channel, error });
}

pub(super) fn report_published(world: &mut World, published: Published) {
    let channel = published.channel;
    if let Err(error) = &published.outcome {
        log::warn!("{}: not published: {error}", describe(world, channel));
    }
    emit(world, channel, published);
}

/// The channel's name, for the log.
pub(super) fn describe(world: &World, channel: Entity) -> String {
    world.get::<Channel>(channel).map_or_else(|| channel.to_string(), |channel| channel.name().to_string())
}
