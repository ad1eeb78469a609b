//! The confirmed view of shared resources: the last value that came back from the room.

use std::ops::Deref;

use bevy::prelude::*;
use serde::de::DeserializeOwned;

use crate::plugin::{engine::RoomsEngine, registry::ConfirmedView};

/// The shared resource `R` as it last came back from the room: what every player has, or is about to have. Read it like `R`.
///
/// A peer's `R` is the same. A host's `R` is ahead of it by what the host changed within the last round trip. A host that is cut
/// off goes on for up to 3.5 s before it stops itself ([`SessionTiming::self_fence`](crate::session::SessionTiming)). What it
/// does in that time is undone once another player leads, and nobody else ever saw it. So let systems that decide work on `R`,
/// and let those that show, speak or play a sound read `Confirmed<R>`.
///
/// The plugin keeps it for resources that [`confirm_resource`](crate::plugin::RoomsAppExt::confirm_resource) names. Bevy marks it
/// as changed when another value came back. Outside a room, and until the first value came, it is what `R` is by
/// [`FromWorld`].
///
/// ```
/// use bevy::prelude::*;
/// use bevy_rooms::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Resource, Default, Serialize, Deserialize)]
/// struct Called(Vec<u8>);
///
/// fn call(mut called: ResMut<Called>) {
///     called.0.push(7);
/// }
///
/// fn show(called: Res<Confirmed<Called>>) {
///     println!("called so far: {:?}", called.0);
/// }
///
/// App::new()
///     .add_plugins((MinimalPlugins, RoomsPlugin::default()))
///     .share_resource::<Called>()
///     .confirm_resource::<Called>()
///     .add_systems(Update, (call.run_if(is_host), show.run_if(resource_changed::<Confirmed<Called>>)));
/// ```
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed<R: Resource>(R);

impl<R: Resource> Confirmed<R> {
    /// Takes a value for the confirmed one, so that a test of what is shown needs no room.
    pub fn new(value: R) -> Self {
        Self(value)
    }
}

impl<R: Resource> Deref for Confirmed<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0
    }
}

impl<R: Resource + FromWorld> FromWorld for Confirmed<R> {
    fn from_world(world: &mut World) -> Self {
        Self(R::from_world(world))
    }
}

impl<R: Resource + DeserializeOwned + FromWorld> Confirmed<R> {
    /// How the plugin keeps it.
    pub(super) fn view() -> ConfirmedView {
        ConfirmedView { follow: Self::follow, reset: Self::reset }
    }

    fn follow(world: &mut World, key: &str) -> Result<(), serde_json::Error> {
        let session = world.resource::<RoomsEngine>().session.as_ref();
        let Some(value) = session.and_then(|session| session.confirmed(key)) else { return Ok(()) };
        let value = R::deserialize(value)?;
        world.insert_resource(Self(value));
        Ok(())
    }

    fn reset(world: &mut World) {
        let fresh = Self::from_world(world);
        world.insert_resource(fresh);
    }
}
