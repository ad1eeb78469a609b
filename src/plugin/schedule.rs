//! When the plugin's systems run.

use bevy::prelude::*;

/// The sets of the plugin's systems. Order your own systems by them where it matters.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoomsSystems {
    /// In `PreUpdate`: what arrived becomes messages, resources, entities and states.
    Receive,
    /// In `PostUpdate`, before [`Send`](Self::Send): the plugin collects the frame's messages and changed shared
    /// resources.
    Collect,
    /// In `PostUpdate`: the plugin publishes what it collected.
    Send,
}
