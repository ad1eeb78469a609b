//! Channels without a room: each is an entity, for chat, tickers, lobbies and whatever has no host.
//!
//! Has the components, messages, observers and commands of an app's channels. It leaves the channels of rooms alone and
//! knows nothing of the protocol: a [`Bridge`](crate::bridge::Bridge) carries its commands and events. Bevy's schedules
//! and the hooks of [`Channel`] drive it.
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
//!                 .attach_channel(Channel::new("chat:lobby").rewind(50)) // connects if there is no connection yet
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
//! | detach | `commands.detach_channel(entity)`, or despawn it; nothing else needs cleaning up |
//! | know its state | the component [`ChannelStatus`]; [`ChannelChanged`] |
//! | receive | [`FromChannel<T>`] for types of [`add_channel_message`](ChannelsAppExt::add_channel_message); [`ChannelMessage`] for all |
//! | send | `MessageWriter<ToChannel<T>>`, or `commands.entity(channel).publish(name, data)`; [`Published`] tells the outcome |
//! | be a member, see the members | `commands.entity(channel).enter_presence(&data)`; the component [`ChannelMembers`]; [`MemberChanged`] |
//! | read older messages | [`Channel::rewind`], `commands.entity(channel).history(query)` and [`ChannelHistory`] |
//! | miss nothing after a long time without a connection | [`Channel::catch_up`] and [`ChannelCaughtUp`] |
//! | know the connection | the resource [`Connection`](super::Connection); [`ConnectionChanged`](super::ConnectionChanged) |
//!
//! Everything that happens on a channel comes in two ways, and each system takes the one that suits it: as a Bevy
//! message, and as an event for observers of the channel's entity, which run at once in
//! [`RoomsSystems::Receive`](super::RoomsSystems::Receive).

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
