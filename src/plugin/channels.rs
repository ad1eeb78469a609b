//! Channels beyond rooms: each one an entity, for chat, tickers, lobbies and whatever has no host.
//!
//! Owns what an app sees of its channels: components, messages, observers and commands. Knows nothing of rooms, whose own
//! channels stay theirs, and nothing of the protocol: a [`Bridge`](crate::bridge::Bridge) carries its commands and events.
//! Driven by Bevy's schedules, and by the hooks of [`Channel`].
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_rooms::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Said(String); // a typed message
//!
//! #[derive(Component)]
//! struct Lobby;
//!
//! fn main() {
//!     App::new()
//!         .add_plugins((DefaultPlugins, RoomsPlugin::default()))
//!         .add_channel_message::<Said>()
//!         .add_systems(Startup, |mut commands: Commands| {
//!             commands
//!                 .attach_channel(Channel::new("chat:lobby").rewind(50)) // connects where there is no connection yet
//!                 .insert(Lobby)
//!                 .enter_presence("Ada")
//!                 .observe(|said: On<FromChannel<Said>>| info!("{:?} said {}", said.sender, said.0));
//!         })
//!         .add_systems(Update, (greet, show_trouble))
//!         .run();
//! }
//!
//! fn greet(mut members: MessageReader<MemberChanged>, lobby: Single<Entity, With<Lobby>>, mut send: MessageWriter<ToChannel<Said>>) {
//!     for came in members.read().filter(|change| change.action == PresenceAction::Enter) {
//!         send.write(ToChannel::new(*lobby, Said(format!("welcome, {}!", came.member.client_id))));
//!     }
//! }
//!
//! fn show_trouble(mut changes: MessageReader<ChannelChanged>) {
//!     for change in changes.read() {
//!         if let Some(reason) = &change.reason {
//!             warn!("the channel is {:?}: {reason}", change.current);
//!         }
//!     }
//! }
//! ```
//!
//! | you want | you write |
//! | --- | --- |
//! | attach | `commands.attach_channel("news")`, or spawn a [`Channel`] with its options |
//! | detach | `commands.detach_channel(entity)`, or despawn it; nothing else is to be cleaned up |
//! | know how it stands | the component [`ChannelStatus`]; [`ChannelChanged`] |
//! | receive | [`FromChannel<T>`] for types of [`add_channel_message`](ChannelsAppExt::add_channel_message); [`ChannelMessage`] for all |
//! | send | `MessageWriter<ToChannel<T>>`, or `commands.entity(channel).publish(name, data)`; [`Published`] tells what became of it |
//! | be a member, see the members | `commands.entity(channel).enter_presence(&data)`; the component [`ChannelMembers`]; [`MemberChanged`] |
//! | look back | [`Channel::rewind`], `commands.entity(channel).history(query)` and [`ChannelHistory`] |
//! | miss nothing where the line was gone for too long | [`Channel::catch_up`] and [`ChannelCaughtUp`] |
//! | know the line | the resource [`Connection`](super::Connection); [`ConnectionChanged`](super::ConnectionChanged) |
//!
//! All that happens on a channel comes in two ways, of which each system takes the one that suits it: as a Bevy message, and
//! to observers of the channel's entity, which run at once in [`RoomsSystems::Receive`](super::RoomsSystems::Receive).

mod catch_up;
mod channel;
mod commands;
mod emit;
pub(super) mod error;
mod events;
mod members;
mod operation;
mod receive;
mod report;
pub(super) mod requests;
mod status;
mod typed;

use bevy::prelude::*;

pub(super) use self::receive::apply;
pub use self::{
    channel::Channel,
    commands::{ChannelEntityExt, ChannelsCommandsExt},
    error::ChannelError,
    events::{
        ChannelCaughtUp, ChannelChanged, ChannelHistory, ChannelMessage, ChannelTrouble, FromChannel, MemberChanged,
        Published, ServerTime, ToChannel,
    },
    members::{ChannelMembers, Member},
    status::ChannelStatus,
    typed::ChannelsAppExt,
};

pub(super) fn build(app: &mut App) {
    app.register_type::<ChannelStatus>()
        .init_resource::<typed::ChannelTypes>()
        .add_message::<ChannelChanged>()
        .add_message::<ChannelMessage>()
        .add_message::<MemberChanged>()
        .add_message::<Published>()
        .add_message::<ChannelHistory>()
        .add_message::<ChannelCaughtUp>()
        .add_message::<ChannelTrouble>()
        .add_message::<ServerTime>();
}
