//! Emitting what happens on a channel: to observers of its entity, and as a Bevy message.

use bevy::{ecs::event::EntityTrigger, prelude::*};

/// Triggers the observers of the channel's entity, and then writes the event as a message.
pub(super) fn emit<E>(world: &mut World, channel: Entity, mut event: E)
where
    E: Message + for<'a> EntityEvent<Trigger<'a> = EntityTrigger>,
{
    // What was asked of a channel may be answered when that is gone.
    if world.get_entity(channel).is_ok() {
        world.trigger_ref(&mut event);
        world.flush();
    }
    world.write_message(event);
}
