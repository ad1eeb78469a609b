//! Sending: what the game wrote in a frame goes to the session, and from there to the room.

use bevy::{ecs::schedule::ScheduleConfigs, ecs::system::ScheduleSystem, prelude::*};
use serde::Serialize;

use super::messages::ToRoom;
use crate::{
    plugin::{engine::RoomsEngine, error::RoomError},
    session::SessionError,
};

/// The system that hands a frame's messages of one type to the session.
pub(super) fn messages<T: Serialize + Send + Sync + 'static>(kind: String) -> ScheduleConfigs<ScheduleSystem> {
    let system = move |mut written: MessageReader<ToRoom<T>>,
                       mut engine: ResMut<RoomsEngine>,
                       mut errors: MessageWriter<RoomError>| {
        for ToRoom { target, message } in written.read() {
            let sent = match serde_json::to_value(message) {
                Ok(data) => match &mut engine.session {
                    Some(session) => session.send(target.clone(), &kind, data),
                    None => Err(SessionError::NotJoined),
                }
                .map_err(|error| RoomError::NotSent { kind: kind.clone(), error }),
                Err(error) => Err(RoomError::NotSerializable { kind: kind.clone(), why: error.to_string() }),
            };
            if let Err(error) = sent {
                log::warn!("{error}");
                errors.write(error);
            }
        }
    };
    system.run_if(on_message::<ToRoom<T>>)
}

/// Publishes what the game sent and changed in this frame.
pub(in crate::plugin) fn flush(mut engine: ResMut<RoomsEngine>) {
    engine.flush();
}
