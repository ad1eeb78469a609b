//! Multiplayer rooms for [Bevy](https://bevy.org): players share a roster, a host, shared state and typed messages.
//!
//! A **room** is a session of players on one realtime channel. One player, the **host**, decides; the others, its
//! **peers**, hold a copy of what it decided. Nobody writes a server: the channels run on the small [`relay`] of this
//! crate (in the game's own process, or as the binary `rooms-relay`), or on Ably's cloud by changing a key.
//!
//! # Quick start
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_rooms::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Wave(String); // a typed message
//!
//! #[derive(Resource, Clone, Default, Serialize, Deserialize)]
//! struct Score { points: u32 } // shared state: the host writes, all read
//!
//! fn main() {
//!     App::new()
//!         .add_plugins((DefaultPlugins, RoomsPlugin::default()))
//!         .add_room_message::<Wave>()
//!         .share_resource::<Score>()
//!         .add_systems(Startup, |mut commands: Commands| {
//!             commands.join_or_host("otter-badger-fox", Profile::named("Ada"));
//!         })
//!         .add_systems(OnEnter(RoomState::Joined), |roster: Res<Roster>| info!("{} players", roster.len()))
//!         .add_systems(Update, (wave_back, keep_score.run_if(is_host)))
//!         .run();
//! }
//!
//! fn wave_back(mut received: MessageReader<FromRoom<Wave>>, mut send: MessageWriter<ToRoom<Wave>>) {
//!     for wave in received.read() {
//!         send.write(ToRoom::player(&wave.sender, Wave("hello!".into())));
//!     }
//! }
//!
//! fn keep_score(mut score: ResMut<Score>, mut joined: MessageReader<PlayerJoined>) {
//!     for _ in joined.read() {
//!         score.points += 1;
//!     }
//! }
//! ```
//!
//! # Ideas
//!
//! * **Who decides.** The host's shared resources are everyone's; a peer that wants something changed sends the host a
//!   message ([`ToRoom::host`](plugin::ToRoom::host)), which arrives exactly once.
//! * **Where you stand** is the state [`RoomState`](plugin::RoomState); what happened is Bevy messages such as
//!   [`PlayerJoined`](plugin::PlayerJoined) and [`RoomInterrupted`](plugin::RoomInterrupted), each with a typed reason.
//! * **Players are entities** with a [`Player`](plugin::Player), to which a game adds components of its own.
//!   `World::clear_entities` removes them, and in Bevy 0.19 resources too: despawn what is yours instead.
//! * **A seat is kept** for a while when a player is gone, and a game that remembers its players
//!   ([`Identity::remembered`](plugin::Identity::remembered)) has them back on it after a crash or a restart.
//! * **The host controls the room** ([`RoomControlExt`](plugin::RoomControlExt)): capacity, lock, kicks, bans, latecomers, and
//!   whether it is on the public list that others [watch](plugin::RoomsCommandsExt::watch_rooms).
//! * **What goes out** to everyone in one frame goes out together, the state first, and arrives whole or not at all, as far as it
//!   fits one publish of 60 KiB. What is for one player goes its own way.
//! * **Channels without a room** are entities with a [`Channel`](plugin::Channel): for chat, tickers and whatever has no host.
//! * **The line** is kept by a background thread: a stalled frame loses no connection, and a dropped line is resumed.
//!
//! # Layers
//!
//! Each is a folder; arrows point at what a layer may use, and a test enforces it.
//!
//! | layer | what it is | may use |
//! | --- | --- | --- |
//! | [`plugin`] | the ECS face | `session`, `bridge`, `client`, `transport`, `protocol`, `relay` (to embed it) |
//! | [`session`] | host, peers, roster, shared state, requests; sans-IO | `client`'s vocabulary, `protocol` |
//! | [`bridge`] | the background task and its bounded queues | `client`, `transport`, `protocol` |
//! | [`client`] | connection, channels, presence, outbox, timers; sans-IO | `protocol` |
//! | [`transport`] | sockets: native, the browser's, in memory | `protocol` (errors) |
//! | [`relay`] | the server side; its hub is sans-IO | `protocol` |
//! | `ui` | windows and panels in egui | `plugin`, `session`, `client`'s vocabulary, `protocol` |
//! | [`testing`] | apps, clients and a hub on simulated time | `plugin`, `session`, `bridge`, `client`, `relay`'s hub, `protocol` |
//! | [`protocol`] | frames, messages, presence, errors; pure data | – |
//! | `web` | timers and listeners of a browser, for `transport`, `bridge` and `plugin`; wasm32 only | – |
//!
//! # Features
//!
//! | feature | what it adds | default |
//! | --- | --- | --- |
//! | `relay` | the relay, its binary `rooms-relay`, and running it inside the game | off |
//! | `testing` | [`testing`]: apps on a simulated network and clock, to test games with | off |
//! | `ui` | `ui::RoomsUiPlugin`: a lobby, the roster, the connection and an inspector of frames, in egui | off |
//! | `ui-bare` | `ui` without egui's fonts, for games that bring fonts of their own | off |
//! | `wayland` | Wayland beside X11 for the examples' windows | off |

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

pub mod plugin;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "ui-bare")]
pub mod ui;

#[cfg(target_arch = "wasm32")]
use rooms_net::web;

pub use rooms_client as client;
pub use rooms_net::{bridge, transport};
pub use rooms_protocol as protocol;
#[cfg(any(feature = "testing", all(feature = "relay", not(target_arch = "wasm32"))))]
pub use rooms_relay as relay;
pub use rooms_session as session;

/// What a game uses: `use bevy_rooms::prelude::*;`.
pub mod prelude {
    pub use crate::{
        client::{
            ChannelState, ConnectionState, Credentials, Direction, Endpoint, HistoryQuery, Lifetime, OperationId,
            TokenCallback,
        },
        plugin::{
            Channel, ChannelCaughtUp, ChannelChanged, ChannelEntityExt, ChannelError, ChannelHistory, ChannelMembers,
            ChannelMessage, ChannelStatus, ChannelTrouble, ChannelsAppExt, ChannelsCommandsExt, Connect, Connection,
            ConnectionChanged, FromChannel, FromRoom, Host, HostChanged, HostPlayer, Identity, LocalPlayer, Member,
            MemberChanged, Newcomer, OwnPlayer, Player, PlayerJoined, PlayerLeft, PlayerLost, PlayerReturned,
            PlayerStatus, Published, Room, RoomClosed, RoomControlExt, RoomError, RoomInterrupted, RoomList,
            RoomResumed, RoomState, RoomsAppExt, RoomsCommandsExt, RoomsPlugin, RoomsSystems, Roster, RosterEntry,
            ServerTime, Spectator, TerminalInput, TerminalPlugin, ToChannel, ToRoom, WhileHidden, arguments, end_page,
            host_changed, in_room, is_host, is_peer, random_code, random_name, random_room,
        },
        protocol::{Format, PresenceAction},
        session::{
            Admission, CloseReason, Continuity, Invite, InviteError, LeaveReason, ListedRoom, Listing, Migration,
            Newcomers, PlayerId, Profile, Refusal, RoomName, RoomRules,
        },
    };
}
