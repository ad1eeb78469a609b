//! Multiplayer rooms for [Bevy](https://bevy.org): players share a roster, a host, shared state and typed messages.
//!
//! A **room** is a session of players on one realtime channel. One player, the **host**, decides; the others, its
//! **peers**, have a copy of what it decided. You write no server: rooms run on a small [`relay`] (in the game's own
//! process, or as the program `rooms-relay`), or on Ably's cloud when you change a key.
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
//! Add [`RoomsPlugin`](plugin::RoomsPlugin) after Bevy's own plugin group, register the messages and the shared state
//! of the game, and enter a room. The first player in a room hosts it. Two windows of this program on one machine meet
//! when the feature `relay` is on.
//!
//! # Ideas
//!
//! * **The host decides.** The host's shared resources are everyone's. A peer that wants something changed sends the
//!   host a request ([`ToRoom::host`](plugin::ToRoom::host)), which arrives exactly once.
//! * **Where you stand** is the state [`RoomState`](plugin::RoomState). What happens comes as Bevy messages, such as
//!   [`PlayerJoined`](plugin::PlayerJoined) and [`RoomInterrupted`](plugin::RoomInterrupted), each with a typed reason.
//! * **Players are entities** with a [`Player`](plugin::Player). A game adds components of its own to them.
//! * **A player keeps its seat** for a while when its connection is gone. A game that remembers its players
//!   ([`Identity::remembered`](plugin::Identity::remembered)) has them back on it after a crash or a restart.
//! * **A lost host is replaced.** Another player takes over within seconds, with the state as it was.
//! * **The connection is independent of frames.** A background thread keeps it: a stalled frame loses no connection,
//!   and a dropped connection is resumed.
//!
//! # The guide
//!
//! The [`guide`] explains one thing in each chapter: [`rooms`](guide::rooms), [`shared_state`](guide::shared_state),
//! [`messages`](guide::messages), [`players`](guide::players), [`channels`](guide::channels),
//! [`testing`](guide::testing), [`running_a_relay`](guide::running_a_relay), [`the_browser`](guide::the_browser),
//! [`security`](guide::security), and [`troubleshooting`](guide::troubleshooting) for when something is wrong.
//!
//! # What is in the crate
//!
//! A game needs the [`prelude`] and, for names that are rarer, three modules:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`plugin`] | the plugin: its messages, resources, components, commands, run conditions and system sets |
//! | [`ui`] | windows and panels in egui; feature `ui` |
//! | [`testing`] | whole apps on a simulated network and clock; feature `testing` |
//!
//! The layers under the plugin are crates of their own, re-exported here. A game does not need them. They are tools for
//! those who build on the layers: a bot without an engine, a server, an inspector. None of them uses Bevy's app.
//!
//! | module | crate | what it is |
//! | --- | --- | --- |
//! | [`session`] | `rooms_session` | host, peers, roster, shared state and requests; sans-IO |
//! | [`client`] | `rooms_client` | connection, channels, presence, outbox and timers; sans-IO |
//! | [`protocol`] | `rooms_protocol` | frames, messages, presence and errors; pure data |
//! | [`bridge`] | `rooms_net` | the background task and its bounded queues |
//! | [`transport`] | `rooms_net` | sockets: native, the browser's, in memory |
//! | [`relay`] | `rooms_relay` | the server side; its hub is sans-IO; feature `relay` |
//!
//! # Features
//!
//! | feature | what it adds | default |
//! | --- | --- | --- |
//! | `relay` | the relay, and running it inside the game | off |
//! | `testing` | [`testing`]: apps on a simulated network and clock, to test games with | off |
//! | `ui` | `ui::RoomsUiPlugin`: a lobby, the roster, the connection and an inspector of frames, in egui | off |
//! | `ui-bare` | `ui` without egui's fonts, for games that bring fonts of their own | off |
//!
// Without these features, the links lead to the documentation on the web.
#![cfg_attr(not(feature = "testing"), doc = "[`testing`]: https://docs.rs/bevy_rooms/latest/bevy_rooms/testing/")]
#![cfg_attr(not(feature = "ui-bare"), doc = "[`ui`]: https://docs.rs/bevy_rooms/latest/bevy_rooms/ui/")]
#![cfg_attr(
    not(any(feature = "testing", all(feature = "relay", not(target_arch = "wasm32")))),
    doc = "[`relay`]: https://docs.rs/rooms_relay/latest/rooms_relay/"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

pub mod guide;
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
            AppSide, ChannelState, ConnectionState, Credentials, Endpoint, HistoryDirection, HistoryQuery, Lifetime,
            OperationId, TokenCallback,
        },
        plugin::{
            Channel, ChannelCaughtUp, ChannelChanged, ChannelEntityExt, ChannelError, ChannelHistory, ChannelMembers,
            ChannelMessage, ChannelStatus, ChannelTrouble, ChannelsAppExt, ChannelsCommandsExt, Confirmed, Connect,
            Connection, ConnectionChanged, Deadline, FromChannel, FromRoom, Host, HostChanged, HostPlayer, Identity,
            LocalPlayer, Member, MemberChanged, Newcomer, OwnPlayer, Player, PlayerJoined, PlayerLeft, PlayerLost,
            PlayerReturned, PlayerStatus, Published, Room, RoomClock, RoomClosed, RoomControlExt, RoomError,
            RoomInterrupted, RoomList, RoomResumed, RoomState, RoomsAppExt, RoomsCommandsExt, RoomsPlugin,
            RoomsSystems, Roster, RosterEntry, ServerTime, Spectator, TerminalInput, TerminalPlugin, ToChannel, ToRoom,
            WhileHidden, arguments, deadline_is_over, end_page, host_changed, in_room, is_host, is_peer, page_address,
            random_code, random_name, random_room, show_page_address,
        },
        protocol::{Format, PresenceAction},
        session::{
            Admission, CloseReason, Continuity, InterruptReason, Invite, InviteError, LeaveReason, ListedRoom, Listing,
            Migration, Newcomers, PlayerId, Profile, Refusal, RoomName, RoomRules, SessionError, SessionTiming,
        },
    };
}
