//! A channel as a component: to insert it is to attach, to remove it is to detach.

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

/// The parameter that asks for what was said before.
const REWIND: &str = "rewind";

/// A channel that this app is attached to, or is to be. An entity that has it is attached; without it, or despawned, it is
/// detached. It connects where there is no connection yet.
///
/// It cannot be changed in place: insert it anew to attach with other options, or to try again where it failed. Of one
/// name there is one entity; a second one fails. Where it stands shows in [`ChannelStatus`].
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

    /// Asks for the last `count` messages that were said before; servers give 100 at most. Defaults to none.
    pub fn rewind(self, count: u16) -> Self {
        self.param(REWIND, count.to_string())
    }

    /// Asks for what was said within this time before, in whole seconds; servers give two minutes and 100 messages at most.
    /// Defaults to none.
    pub fn rewind_time(self, time: Duration) -> Self {
        self.param(REWIND, format!("{}s", time.as_secs()))
    }

    /// Sets a parameter that the server knows, such as `rewind`.
    pub fn param(mut self, name: impl Into<SmolStr>, value: impl Into<String>) -> Self {
        self.options.params.insert(name.into(), value.into());
        self
    }

    /// Asks for these modes alone, such as `Flags::SUBSCRIBE` to only listen. Defaults to what the credentials allow.
    pub fn modes(mut self, modes: Flags) -> Self {
        self.options.modes = modes;
        self
    }

    /// Encrypts what goes out, and decrypts what comes, with a key that the server does not have. Defaults to not at all.
    pub fn cipher(mut self, cipher: CipherParams) -> Self {
        self.options.cipher = Some(cipher);
        self
    }

    /// Sets all options at once.
    pub fn with_options(mut self, options: ChannelOptions) -> Self {
        self.options = options;
        self
    }

    /// Where the line was gone for longer than the server goes on by itself, reads what was missed from the channel's
    /// history, and gives it as if it had come, before what comes now. [`ChannelCaughtUp`](super::ChannelCaughtUp) says how
    /// that went. Defaults to not at all: the loss is told, and the app decides.
    pub fn catch_up(mut self) -> Self {
        self.catches_up = true;
        self
    }

    /// Its name.
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    /// How it is attached.
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
        log::error!("the channel {} was asked for without RoomsPlugin; add the plugin to the app", channel.name);
        return;
    };
    let is_another = engine.channels.attachment(entity).is_some_and(|attachment| attachment.name != *channel.name());
    let attached = engine.attach(entity, &channel.name, &channel.options, channel.catches_up);
    if is_another && let Some(mut members) = world.get_mut::<ChannelMembers>(entity) {
        *members = ChannelMembers::default();
    }
    if let Err(error) = attached {
        // Observers are to see it after the entity is complete.
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
