//! The commands for channels.

use bevy::prelude::*;
use serde::Serialize;

use super::{
    channel::Channel,
    emit::emit,
    error::ChannelError,
    events::{ChannelHistory, Published, ServerTime},
    operation::next_operation,
    report::{report_published, report_trouble},
    requests::Purpose,
};
use crate::{
    client::{HistoryOf, HistoryQuery, Lifetime, NextPage, OperationId, PresenceCommand},
    plugin::engine::RoomsEngine,
    protocol::{Data, ErrorCode, ErrorInfo, Message as Raw},
};

/// The commands for channels and for the connection, on [`Commands`].
pub trait ChannelsCommandsExt {
    /// Attaches a channel: spawns an entity with this [`Channel`]. Add more to the entity as you like. Connects if
    /// there is no connection yet.
    fn attach_channel(&mut self, channel: impl Into<Channel>) -> EntityCommands<'_>;

    /// Detaches a channel: despawns its entity. To keep the entity, remove its [`Channel`].
    fn detach_channel(&mut self, channel: Entity);

    /// Asks for the server's time. [`ServerTime`] brings the answer. Connects if there is no connection yet.
    fn query_server_time(&mut self) -> OperationId;

    /// Acts as if the network was gone, or was back: an offline switch, and a way to see what a lost connection does.
    /// The connection breaks without a goodbye, as if somebody pulled a cable. It stays away until this is called with
    /// `false`, and then is restored at once.
    fn set_offline(&mut self, offline: bool);
}

/// The commands for one channel, on its [`EntityCommands`].
///
/// ```
/// use bevy::prelude::*;
/// use bevy_rooms::prelude::*;
/// use serde_json::json;
///
/// fn say(mut commands: Commands, chat: Single<Entity, With<Channel>>) {
///     commands.entity(*chat).enter_presence(&json!({ "name": "Ada" })).publish("said", json!({ "text": "hi" }));
/// }
/// # bevy::ecs::system::assert_is_system(say);
/// ```
pub trait ChannelEntityExt {
    /// Publishes a message. JSON data must be an object or an array. [`Published`] tells the outcome.
    fn publish(&mut self, name: impl Into<String>, data: impl Into<Data>) -> OperationId;

    /// Publishes messages together: they arrive together or not at all. [`Published`] tells the outcome.
    fn publish_messages(&mut self, messages: Vec<Raw>, lifetime: Lifetime) -> OperationId;

    /// Becomes a member, and stays one over lost connections. `data` is the member's data; `&()` stands for none. If
    /// the server refuses, a [`ChannelTrouble`](super::ChannelTrouble) says why.
    fn enter_presence<T: Serialize + ?Sized>(&mut self, data: &T) -> &mut Self;

    /// Changes our data as a member.
    fn update_presence<T: Serialize + ?Sized>(&mut self, data: &T) -> &mut Self;

    /// Stops being a member.
    fn leave_presence(&mut self) -> &mut Self;

    /// Asks for older messages, a page at a time. [`ChannelHistory`] brings them.
    fn history(&mut self, query: HistoryQuery) -> OperationId;

    /// Asks which members came and went before, a page at a time. [`ChannelHistory`] brings the answer.
    fn presence_history(&mut self, query: HistoryQuery) -> OperationId;

    /// Asks for the page after another one. [`ChannelHistory`] brings it.
    fn next_page(&mut self, page: NextPage) -> OperationId;

    /// Attaches again with the same options, for example when the reason of a failure is gone.
    fn reattach(&mut self) -> &mut Self;
}

impl ChannelsCommandsExt for Commands<'_, '_> {
    fn attach_channel(&mut self, channel: impl Into<Channel>) -> EntityCommands<'_> {
        self.spawn(channel.into())
    }

    fn detach_channel(&mut self, channel: Entity) {
        self.entity(channel).try_despawn();
    }

    fn query_server_time(&mut self) -> OperationId {
        let operation = next_operation();
        self.queue(move |world: &mut World| query_time(world, operation));
        operation
    }

    fn set_offline(&mut self, offline: bool) {
        self.queue(move |world: &mut World| {
            if let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() {
                engine.set_offline(offline);
            }
        });
    }
}

impl ChannelEntityExt for EntityCommands<'_> {
    fn publish(&mut self, name: impl Into<String>, data: impl Into<Data>) -> OperationId {
        self.publish_messages(vec![Raw::new(name, data)], Lifetime::Durable)
    }

    fn publish_messages(&mut self, messages: Vec<Raw>, lifetime: Lifetime) -> OperationId {
        let (channel, operation) = (self.id(), next_operation());
        self.commands().queue(move |world: &mut World| {
            let asked = ask(world, |engine| engine.channels.publish(channel, operation, messages, lifetime));
            if let Err(error) = asked {
                report_published(world, Published { channel, operation, outcome: Err(error) });
            }
        });
        operation
    }

    fn enter_presence<T: Serialize + ?Sized>(&mut self, data: &T) -> &mut Self {
        presence(self, PresenceCommand::Enter, write(data));
        self
    }

    fn update_presence<T: Serialize + ?Sized>(&mut self, data: &T) -> &mut Self {
        presence(self, PresenceCommand::Update, write(data));
        self
    }

    fn leave_presence(&mut self) -> &mut Self {
        presence(self, PresenceCommand::Leave, Ok(None));
        self
    }

    fn history(&mut self, query: HistoryQuery) -> OperationId {
        history(self, HistoryOf::Messages, query)
    }

    fn presence_history(&mut self, query: HistoryQuery) -> OperationId {
        history(self, HistoryOf::Presence, query)
    }

    fn next_page(&mut self, page: NextPage) -> OperationId {
        let (channel, operation) = (self.id(), next_operation());
        self.commands().queue(move |world: &mut World| {
            let asked = ask(world, |engine| engine.channels.next_page(channel, Purpose::History, operation, page));
            emit_no_history(world, channel, operation, asked);
        });
        operation
    }

    fn reattach(&mut self) -> &mut Self {
        self.queue(|mut entity: EntityWorldMut| {
            if let Some(channel) = entity.get::<Channel>().cloned() {
                entity.insert(channel);
            }
        })
    }
}

fn ask<T>(world: &mut World, ask: impl FnOnce(&mut RoomsEngine) -> Result<T, ChannelError>) -> Result<T, ChannelError> {
    let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() else {
        log::error!("cannot use channels without RoomsPlugin; add the plugin to the app");
        return Err(ChannelError::NotAttached);
    };
    ask(&mut engine)
}

fn write<T: Serialize + ?Sized>(data: &T) -> Result<Option<Data>, ChannelError> {
    let not_serializable = |error: serde_json::Error| ChannelError::NotSerializable {
        name: "presence".to_owned(),
        why: error.to_string(),
    };
    let value = serde_json::to_value(data).map_err(not_serializable)?;
    if value.is_null() { Ok(None) } else { Data::write(&value).map(Some).map_err(not_serializable) }
}

fn presence(entity: &mut EntityCommands, action: PresenceCommand, data: Result<Option<Data>, ChannelError>) {
    let channel = entity.id();
    entity.commands().queue(move |world: &mut World| {
        let asked = data.and_then(|data| ask(world, |engine| engine.channels.presence(channel, action, data)));
        if let Err(error) = asked {
            report_trouble(world, channel, error);
        }
    });
}

fn history(entity: &mut EntityCommands, of: HistoryOf, query: HistoryQuery) -> OperationId {
    let (channel, operation) = (entity.id(), next_operation());
    entity.commands().queue(move |world: &mut World| {
        let asked = ask(world, |engine| engine.channels.history(channel, Purpose::History, operation, of, query));
        emit_no_history(world, channel, operation, asked);
    });
    operation
}

fn emit_no_history(world: &mut World, channel: Entity, operation: OperationId, asked: Result<(), ChannelError>) {
    if let Err(error) = asked {
        emit(world, channel, ChannelHistory { channel, operation, outcome: Err(error) });
    }
}

fn query_time(world: &mut World, operation: OperationId) {
    let asked = ask(world, |engine| {
        engine.connect().map_err(|error| ChannelError::NoBackgroundTask { why: error.to_string() })?;
        engine.channels.time(operation)
    });
    if let Err(error) = asked {
        let error = ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, error.to_string());
        world.write_message(ServerTime { operation, outcome: Err(error) });
    }
}
