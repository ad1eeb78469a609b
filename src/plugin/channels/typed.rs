//! Messages of the app's own types on channels.

use std::collections::BTreeMap;

use bevy::{ecs::schedule::ScheduleConfigs, ecs::system::ScheduleSystem, prelude::*, utils::prelude::ShortName};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    emit::emit,
    error::ChannelError,
    events::{FromChannel, Published, ToChannel},
    report::report_published,
};
use crate::{
    plugin::{engine::RoomsEngine, error::RoomError, registry::report_later, schedule::RoomsSystems},
    protocol::{Data, Message as Raw},
};

/// Registers an app's messages for channels, on [`App`].
pub trait ChannelsAppExt {
    /// Makes `T` a message that is sent to channels as [`ToChannel<T>`] and received as [`FromChannel<T>`], on
    /// any channel.
    ///
    /// Its name on the wire is the type's, without its module; see
    /// [`try_add_channel_message`](Self::try_add_channel_message) for a name of its own. Objects and arrays travel as
    /// JSON, strings as text, so that a web page with an official SDK, or a script, reads and writes them too. If the
    /// name is taken, a [`RoomError`] says so in the first frame.
    fn add_channel_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(&mut self) -> &mut Self;

    /// As [`add_channel_message`](Self::add_channel_message), with a name of its own.
    ///
    /// # Errors
    /// [`RoomError::RegisteredTwice`] if the name or the type is taken.
    fn try_add_channel_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        name: &str,
    ) -> Result<&mut Self, RoomError>;
}

impl ChannelsAppExt for App {
    fn add_channel_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(&mut self) -> &mut Self {
        let name = ShortName::of::<T>().to_string();
        let outcome = self.try_add_channel_message::<T>(&name).map(|_| ());
        report_later(self, outcome)
    }

    fn try_add_channel_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        name: &str,
    ) -> Result<&mut Self, RoomError> {
        let type_is_taken = self.world().contains_resource::<Messages<ToChannel<T>>>();
        let mut types = self.world_mut().get_resource_or_init::<ChannelTypes>();
        if type_is_taken || types.0.contains_key(name) {
            return Err(RoomError::RegisteredTwice { name: name.to_owned() });
        }
        types.0.insert(name.to_owned(), deliver::<T>);
        self.add_message::<ToChannel<T>>()
            .add_message::<FromChannel<T>>()
            .add_systems(PostUpdate, publish::<T>(name.to_owned()).in_set(RoomsSystems::Collect));
        Ok(self)
    }
}

/// Makes one of the app's own messages of a raw one.
type Deliver = fn(&mut World, Entity, &Raw, bool) -> Result<(), serde_json::Error>;

/// The types that an app registered, by their names on the wire.
#[derive(Resource, Default)]
pub(super) struct ChannelTypes(pub(super) BTreeMap<String, Deliver>);

fn deliver<T: DeserializeOwned + Send + Sync + 'static>(
    world: &mut World,
    channel: Entity,
    raw: &Raw,
    is_recovered: bool,
) -> Result<(), serde_json::Error> {
    let message = match &raw.data {
        Some(data) => data.read()?,
        None => T::deserialize(serde_json::Value::Null)?,
    };
    let (sender, serial) = (raw.client_id.clone(), raw.serial.clone());
    let event = FromChannel { channel, sender, timestamp: raw.timestamp, serial, is_recovered, message };
    emit(world, channel, event);
    Ok(())
}

/// The system that publishes a frame's messages of one type.
fn publish<T: Serialize + Send + Sync + 'static>(name: String) -> ScheduleConfigs<ScheduleSystem> {
    let system = move |mut written: MessageReader<ToChannel<T>>,
                       mut engine: ResMut<RoomsEngine>,
                       mut commands: Commands| {
        for ToChannel { channel, message, lifetime, operation } in written.read() {
            let (channel, operation) = (*channel, *operation);
            let data = Data::write(message)
                .map_err(|error| ChannelError::NotSerializable { name: name.clone(), why: error.to_string() });
            let messages = data.map(|data| vec![Raw::new(name.clone(), data)]);
            let asked = messages.and_then(|messages| engine.channels.publish(channel, operation, messages, *lifetime));
            if let Err(error) = asked {
                let outcome = Published { channel, operation, outcome: Err(error) };
                commands.queue(move |world: &mut World| report_published(world, outcome));
            }
        }
    };
    system.run_if(on_message::<ToChannel<T>>)
}
