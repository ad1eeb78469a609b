//! Shared resources: the plugin publishes the host's when they change, and sets those of the peers to what arrives.

use bevy::{
    ecs::{component::Mutable, schedule::ScheduleConfigs, system::ScheduleSystem},
    prelude::*,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::plugin::{engine::RoomsEngine, error::RoomError};

/// The system that gives the host's value to the session when it changed.
pub(super) fn publish<R: Resource + Serialize>(key: String) -> ScheduleConfigs<ScheduleSystem> {
    let system = move |value: Option<Res<R>>, mut engine: ResMut<RoomsEngine>, mut errors: MessageWriter<RoomError>| {
        let Some(value) = value else { return };
        let published = match (serde_json::to_value(&*value), &mut engine.session) {
            (Ok(json), Some(session)) => {
                session.set_shared(&key, json).map_err(|error| RoomError::NotShared { key: key.clone(), error })
            }
            (Ok(_), None) => Ok(()),
            (Err(error), _) => Err(RoomError::NotSerializable { kind: key.clone(), why: error.to_string() }),
        };
        if let Err(error) = published {
            log::warn!("{error}");
            errors.write(error);
        }
    };
    system.run_if(is_due::<R>)
}

/// Whether the host's value must be published: it changed, or we have just become the host. This is a run condition,
/// since a skipped system costs a frame next to nothing.
fn is_due<R: Resource>(value: Option<Res<R>>, engine: Res<RoomsEngine>, mut was_host: Local<bool>) -> bool {
    let hosting = engine.session.as_ref().is_some_and(|session| session.is_host());
    let became_host = hosting && !std::mem::replace(&mut *was_host, hosting);
    value.is_some_and(|value| hosting && (became_host || value.is_changed()))
}

/// Sets the resource to the value that arrived. Bevy marks it as changed, so that the game sees it.
pub(super) fn apply<R: Resource<Mutability = Mutable> + DeserializeOwned>(
    world: &mut World,
    value: &Value,
) -> Result<(), serde_json::Error> {
    let value = R::deserialize(value)?;
    match world.get_resource_mut::<R>() {
        Some(mut resource) => *resource = value,
        None => world.insert_resource(value),
    }
    Ok(())
}
