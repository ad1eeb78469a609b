//! What the game registered for its rooms, by its names on the wire.

use std::{
    any::TypeId,
    collections::{BTreeMap, HashMap},
};

use bevy::{ecs::system::SystemId, prelude::*};
use serde_json::Value;

use super::{error::RoomError, room::newcomer::Newcomer};
use crate::session::{Admission, Fingerprint, PlayerId};

/// Makes a typed Bevy message of a payload.
pub(super) type Deliver = fn(&mut World, &PlayerId, Value) -> Result<(), serde_json::Error>;

/// Sets the shared resource to a value.
pub(super) type Apply = fn(&mut World, &Value) -> Result<(), serde_json::Error>;

/// How the confirmed view of a shared resource is kept.
#[derive(Clone, Copy)]
pub(super) struct ConfirmedView {
    /// Sets it to what the session has under this key.
    pub(super) follow: fn(&mut World, &str) -> Result<(), serde_json::Error>,
    /// Sets it to what it is outside a room.
    pub(super) reset: fn(&mut World),
}

/// What the game registered, by its names on the wire.
#[derive(Resource, Default)]
pub(super) struct Registry {
    pub(super) messages: BTreeMap<String, Deliver>,
    pub(super) shared: BTreeMap<String, Apply>,
    /// The keys of the shared resources, by their types.
    pub(super) shared_types: HashMap<TypeId, String>,
    pub(super) confirmed: BTreeMap<String, ConfirmedView>,
    /// The systems that decide who is admitted.
    pub(super) admission_rules: Vec<SystemId<In<Newcomer>, Admission>>,
    /// The errors before the first frame.
    pub(super) errors: Vec<RoomError>,
}

impl Registry {
    /// The names that hosts compare: players with different ones do not understand each other.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let (messages, shared) = (self.messages.keys().cloned().collect(), self.shared.keys().cloned().collect());
        Fingerprint { version: String::new(), messages, shared }
    }
}

/// Keeps an error until there are messages to report it with.
pub(super) fn report_later(app: &mut App, outcome: Result<(), RoomError>) -> &mut App {
    if let Err(error) = outcome {
        app.world_mut().get_resource_or_init::<Registry>().errors.push(error);
    }
    app
}
