//! Registering a game's messages, shared resources and admission rules.

use std::any::TypeId;

use bevy::{prelude::*, utils::prelude::ShortName};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    confirmed::Confirmed,
    messages::{FromRoom, ToRoom},
    newcomer::Newcomer,
    send, shared_resources,
};
use crate::{
    plugin::{
        error::RoomError,
        registry::{Registry, report_later},
        schedule::RoomsSystems,
    },
    session::{Admission, PlayerId, SessionError},
};

/// What a game sets up for its rooms, on [`App`].
///
/// All players of a room must register the same: the names make a fingerprint, which the host compares when somebody
/// joins.
pub trait RoomsAppExt {
    /// Makes `T` a message that players send with [`ToRoom<T>`] and receive as [`FromRoom<T>`].
    ///
    /// On the wire it is named after the type, without its module; see
    /// [`try_add_room_message`](Self::try_add_room_message) for a name of its own. If the name is taken, or begins
    /// with `room.`, a [`RoomError`] says so in the first frame.
    fn add_room_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(&mut self) -> &mut Self;

    /// As [`add_room_message`](Self::add_room_message), with a name of its own.
    ///
    /// # Errors
    /// [`RoomError::RegisteredTwice`] if the name or the type is taken; [`RoomError::NotSent`] if the name begins
    /// with `room.`.
    fn try_add_room_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        name: &str,
    ) -> Result<&mut Self, RoomError>;

    /// Shares the resource `R`: every player has the host's value. The plugin publishes the host's changes at the end
    /// of the frame. The host's next change overwrites what others change. Inserts `R` if it is missing.
    ///
    /// On the wire it is keyed by the type's name, without its module. If the key is taken, a [`RoomError`] says so in
    /// the first frame.
    fn share_resource<
        R: Resource<Mutability = bevy::ecs::component::Mutable> + Serialize + DeserializeOwned + FromWorld,
    >(
        &mut self,
    ) -> &mut Self;

    /// As [`share_resource`](Self::share_resource), with a key of its own.
    ///
    /// # Errors
    /// [`RoomError::RegisteredTwice`] if the key or the type is taken.
    fn try_share_resource<
        R: Resource<Mutability = bevy::ecs::component::Mutable> + Serialize + DeserializeOwned + FromWorld,
    >(
        &mut self,
        key: &str,
    ) -> Result<&mut Self, RoomError>;

    /// Keeps [`Confirmed<R>`] beside a resource that is already shared: its value as it last came back from the room. A host
    /// works on `R` and shows `Confirmed<R>`, so that no screen shows what another host undoes.
    ///
    /// If `R` is not shared, a [`RoomError::NotRegistered`] says so in the first frame.
    fn confirm_resource<R: Resource + DeserializeOwned + FromWorld>(&mut self) -> &mut Self;

    /// Adds a rule of the game that decides who is admitted while we host. The rule is a system: it takes the
    /// [`Newcomer`] and returns an [`Admission`]. It runs for newcomers that the room's own rules admit, and not for
    /// players that come back to their seat. Of several rules, the first one that does not admit decides. If a rule
    /// cannot run, the newcomer waits.
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use bevy_rooms::prelude::*;
    ///
    /// #[derive(Resource, Default)]
    /// struct Guests(Vec<String>);
    ///
    /// let mut app = App::new();
    /// app.add_plugins((MinimalPlugins, RoomsPlugin::default())).init_resource::<Guests>().add_admission_rule(
    ///     |In(newcomer): In<Newcomer>, guests: Res<Guests>| match guests.0.contains(&newcomer.profile.name) {
    ///         true => Admission::Admit,
    ///         false => Admission::Refuse("you are not on the guest list".to_owned()),
    ///     },
    /// );
    /// ```
    fn add_admission_rule<M>(&mut self, rule: impl IntoSystem<In<Newcomer>, Admission, M> + 'static) -> &mut Self;
}

impl RoomsAppExt for App {
    fn add_room_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(&mut self) -> &mut Self {
        let name = ShortName::of::<T>().to_string();
        let outcome = self.try_add_room_message::<T>(&name).map(|_| ());
        report_later(self, outcome)
    }

    fn try_add_room_message<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        name: &str,
    ) -> Result<&mut Self, RoomError> {
        if name.starts_with("room.") {
            let error = SessionError::ReservedKind(name.into());
            return Err(RoomError::NotSent { kind: name.to_owned(), error });
        }
        let type_is_taken = self.world().contains_resource::<Messages<ToRoom<T>>>();
        let mut registry = self.world_mut().get_resource_or_init::<Registry>();
        if type_is_taken || registry.messages.contains_key(name) {
            return Err(RoomError::RegisteredTwice { name: name.to_owned() });
        }
        registry.messages.insert(name.to_owned(), deliver::<T>);
        let kind = name.to_owned();
        self.add_message::<ToRoom<T>>()
            .add_message::<FromRoom<T>>()
            .add_systems(PostUpdate, send::messages::<T>(kind).in_set(RoomsSystems::Collect));
        Ok(self)
    }

    fn share_resource<
        R: Resource<Mutability = bevy::ecs::component::Mutable> + Serialize + DeserializeOwned + FromWorld,
    >(
        &mut self,
    ) -> &mut Self {
        let key = ShortName::of::<R>().to_string();
        let outcome = self.try_share_resource::<R>(&key).map(|_| ());
        report_later(self, outcome)
    }

    fn try_share_resource<
        R: Resource<Mutability = bevy::ecs::component::Mutable> + Serialize + DeserializeOwned + FromWorld,
    >(
        &mut self,
        key: &str,
    ) -> Result<&mut Self, RoomError> {
        let mut registry = self.world_mut().get_resource_or_init::<Registry>();
        let type_id = TypeId::of::<R>();
        if registry.shared.contains_key(key) || registry.shared_types.contains_key(&type_id) {
            return Err(RoomError::RegisteredTwice { name: key.to_owned() });
        }
        registry.shared.insert(key.to_owned(), shared_resources::apply::<R>);
        registry.shared_types.insert(type_id, key.to_owned());
        let key = key.to_owned();
        self.init_resource::<R>()
            .add_systems(PostUpdate, shared_resources::publish::<R>(key).in_set(RoomsSystems::Collect));
        Ok(self)
    }

    fn confirm_resource<R: Resource + DeserializeOwned + FromWorld>(&mut self) -> &mut Self {
        let mut registry = self.world_mut().get_resource_or_init::<Registry>();
        let Some(key) = registry.shared_types.get(&TypeId::of::<R>()).cloned() else {
            let error = RoomError::NotRegistered { name: ShortName::of::<R>().to_string() };
            return report_later(self, Err(error));
        };
        registry.confirmed.insert(key, Confirmed::<R>::view());
        self.init_resource::<Confirmed<R>>()
    }

    fn add_admission_rule<M>(&mut self, rule: impl IntoSystem<In<Newcomer>, Admission, M> + 'static) -> &mut Self {
        let rule = self.register_system(rule);
        self.world_mut().get_resource_or_init::<Registry>().admission_rules.push(rule);
        self
    }
}

fn deliver<T: DeserializeOwned + Send + Sync + 'static>(
    world: &mut World,
    sender: &PlayerId,
    data: Value,
) -> Result<(), serde_json::Error> {
    let message = T::deserialize(data)?;
    world.write_message(FromRoom { sender: sender.clone(), message });
    Ok(())
}
