//! A channel as a component: inserting it attaches, removing it detaches.

use std::time::Duration;

use bevy::{
    ecs::{lifecycle::HookContext, world::DeferredWorld},
    prelude::*,
};
use smol_str::SmolStr;

use super::{
    members::ChannelMembers,
    status::{self, ChannelStatus},
};
use crate::{
    client::{ChannelOptions, ChannelState, CipherParams},
    plugin::engine::RoomsEngine,
    protocol::{ChannelName, Flags},
};

/// The parameter that asks for older messages.
const REWIND: &str = "rewind";

/// A channel of this app. Inserting it on an entity attaches the channel; removing it, or despawning the entity,
/// detaches the channel. The app connects if there is no connection yet.
///
/// It cannot be changed in place: insert it again to attach with other options, or to try again after a failure. Each
/// name has one entity; a second one fails. [`ChannelStatus`] shows the state.
///
/// ```
/// use std::time::Duration;
///
/// use bevy_rooms::prelude::*;
///
/// let chat = Channel::new("chat:lobby").rewind(50);
/// let news = Channel::new("news").rewind_time(Duration::from_secs(60)).catch_up();
/// # assert_eq!((chat.name().as_str(), news.name().as_str()), ("chat:lobby", "news"));
/// ```
#[derive(Component, Clone, Debug, PartialEq)]
#[component(immutable, on_insert = attach, on_remove = detach)]
#[require(ChannelStatus, ChannelMembers)]
pub struct Channel {
    name: ChannelName,
    options: ChannelOptions,
    catches_up: bool,
}

impl Channel {
    /// A channel of this name, with no options.
    pub fn new(name: impl Into<ChannelName>) -> Self {
        Self { name: name.into(), options: ChannelOptions::default(), catches_up: false }
    }

    /// Asks for the last `count` older messages. Servers give at most 100. Defaults to none.
    pub fn rewind(self, count: u16) -> Self {
        self.param(REWIND, count.to_string())
    }

    /// Asks for the messages of this last time, in whole seconds. Servers give at most two minutes and 100 messages.
    /// Defaults to none.
    pub fn rewind_time(self, time: Duration) -> Self {
        self.param(REWIND, format!("{}s", time.as_secs()))
    }

    /// Sets a parameter for the server, such as `rewind`.
    pub fn param(mut self, name: impl Into<SmolStr>, value: impl Into<String>) -> Self {
        self.options.params.insert(name.into(), value.into());
        self
    }

    /// Asks for these modes only, such as `Flags::SUBSCRIBE` to only listen. Defaults to what the credentials allow.
    pub fn modes(mut self, modes: Flags) -> Self {
        self.options.modes = modes;
        self
    }

    /// Encrypts and decrypts messages with a key that the server does not have. Defaults to no encryption.
    pub fn cipher(mut self, cipher: CipherParams) -> Self {
        self.options.cipher = Some(cipher);
        self
    }

    /// Sets all options at once.
    pub fn with_options(mut self, options: ChannelOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads missed messages from the channel's history, after a connection was gone for longer than the server resumes
    /// it. They are delivered like others, before new ones. [`ChannelCaughtUp`](super::ChannelCaughtUp) tells the
    /// outcome. Defaults to off: the app learns of the loss and decides.
    pub fn catch_up(mut self) -> Self {
        self.catches_up = true;
        self
    }

    /// Its name.
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Its options.
    pub fn options(&self) -> &ChannelOptions {
        &self.options
    }

    /// Whether it [catches up](Self::catch_up).
    pub fn catches_up(&self) -> bool {
        self.catches_up
    }
}

impl From<&str> for Channel {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Channel {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

fn attach(mut world: DeferredWorld, context: HookContext) {
    let entity = context.entity;
    let Some(channel) = world.get::<Channel>(entity).cloned() else { return };
    let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() else {
        log::error!("cannot attach the channel {} without RoomsPlugin; add the plugin to the app", channel.name);
        return;
    };
    let is_another = engine.channels.attachment(entity).is_some_and(|attachment| attachment.name != *channel.name());
    let attached = engine.attach(entity, &channel.name, &channel.options, channel.catches_up);
    if is_another && let Some(mut members) = world.get_mut::<ChannelMembers>(entity) {
        *members = ChannelMembers::default();
    }
    if let Err(error) = attached {
        // Observers see it after the entity is complete.
        world.commands().queue(move |world: &mut World| status::fail(world, entity, error));
    }
}

fn detach(mut world: DeferredWorld, context: HookContext) {
    let entity = context.entity;
    if let Some(mut engine) = world.get_resource_mut::<RoomsEngine>() {
        engine.channels.release(entity);
    }
    if let Some(mut status) = world.get_mut::<ChannelStatus>(entity) {
        *status = ChannelStatus { state: ChannelState::Detached, ..ChannelStatus::default() };
    }
    if let Some(mut members) = world.get_mut::<ChannelMembers>(entity) {
        *members = ChannelMembers::default();
    }
}
