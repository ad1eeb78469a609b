//! The plugin: its messages, resources, components, commands, run conditions and system sets.
//!
//! It steps a [`Session`](crate::session::Session) once a frame, and a [`Bridge`] carries the
//! session's commands and events. The protocol itself is theirs. Bevy's schedules drive it.

pub mod channels;
mod connection;
pub mod diagnostics;
mod engine;
mod entropy;
mod error;
mod frame_log;
mod identity;
mod local_relay;
pub(crate) mod notice;
mod registry;
mod room;
mod schedule;
mod settings;
mod terminal;
mod web_page;

use bevy::{prelude::*, state::app::StatesPlugin};

pub use self::{
    channels::{
        Channel, ChannelCaughtUp, ChannelChanged, ChannelEntityExt, ChannelError, ChannelHistory, ChannelMembers,
        ChannelMessage, ChannelStatus, ChannelTrouble, ChannelsAppExt, ChannelsCommandsExt, FromChannel, Member,
        MemberChanged, Published, ServerTime, ToChannel,
    },
    connection::{Connection, ConnectionChanged},
    error::RoomError,
    frame_log::{FrameDirection, FrameLog, FrameLogPlugin, LoggedFrame, MAX_FRAME_TEXT, MAX_FRAMES},
    identity::Identity,
    room::{
        Confirmed, Deadline, FromRoom, Host, HostChanged, HostPlayer, LocalPlayer, Newcomer, OwnPlayer, Player,
        PlayerJoined, PlayerLeft, PlayerLost, PlayerReturned, PlayerStatus, Room, RoomClock, RoomClosed,
        RoomControlExt, RoomInterrupted, RoomList, RoomResumed, RoomState, RoomsAppExt, RoomsCommandsExt, Roster,
        RosterEntry, Spectator, ToRoom, deadline_is_over, host_changed, in_room, is_host, is_peer, random_code,
        random_name, random_room,
    },
    schedule::RoomsSystems,
    settings::{Clock, Connect, Transport},
    terminal::{TerminalInput, TerminalPlugin},
    web_page::{WhileHidden, arguments, end_page, page_address, show_page_address},
};
use self::{engine::RoomsEngine, identity::OwnIdentity, registry::Registry, settings::Settings};
// Types of the layers that stand in a signature here. `protocol::Message` stays there: Bevy has a trait of that name.
pub use crate::{
    bridge::{Bridge, Runtime},
    client::{
        AppSide, ChannelOptions, ChannelState, CipherParams, ClientOptions, ConnectionChange, ConnectionState,
        Credentials, Endpoint, HistoryPage, HistoryQuery, Lifetime, NextPage, OperationId, PresenceCommand,
    },
    protocol::{
        Action, ChannelName, ClientId, ConnectionId, Data, ErrorInfo, Flags, Format, MessageSerial, PresenceAction,
        Timestamp,
    },
    session::{
        Admission, CloseReason, Continuity, Generation, InterruptReason, InvalidName, InviteError, LeaveReason,
        ListedRoom, Listing, Migration, Newcomers, PaceConfig, PlayerId, Profile, RoomName, RoomRules, SessionError,
        SessionTiming, Target, Term,
    },
    transport::Connector,
};

/// Multiplayer rooms. Add it after `DefaultPlugins` or `MinimalPlugins`.
///
/// It connects when the app first enters a room ([`RoomsCommandsExt`]) or first attaches a [`Channel`], and it closes
/// the connection with the app.
///
/// Fill in what you need and end with `..default()`: then a new field breaks nothing.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_rooms::prelude::*;
///
/// App::new().add_plugins((
///     MinimalPlugins,
///     RoomsPlugin { connect: Connect::relay("ws://192.168.1.20:8787"), ..default() },
/// ));
/// ```
// More than 15 fields: one for each thing that a game may choose.
#[derive(Clone, Debug, Default)]
pub struct RoomsPlugin {
    /// Where to connect. Defaults to the relay on this machine; see [`Connect::Local`].
    pub connect: Connect,
    /// Where our player id comes from. Defaults to a new id for each run. Set it to [`Identity::remembered`] with the
    /// game's name, and a player has its seat again after a restart. With Ably's cloud, it also decides how many users are
    /// counted: see [`Identity::Fresh`].
    pub identity: Identity,
    /// Our player id, if the game knows it, such as from an account. Defaults to the id that `identity` gives.
    pub player: Option<PlayerId>,
    /// The number of this process of the player: a process with a higher number takes over the player's seat. Defaults
    /// to what `identity` remembers, or else to the milliseconds since 1970, so that the process that was started last
    /// has the seat.
    pub generation: Option<Generation>,
    /// The version of the game's messages. Players whose versions differ are not admitted. Defaults to empty.
    pub version: String,
    /// The encoding of frames. Players of one room may use different ones. Defaults to JSON, which can be read in a
    /// browser's network panel. MessagePack takes fewer bytes.
    pub format: Format,
    /// The times and intervals of a room. Defaults to those of [`SessionTiming`], such as a lease of 5 s.
    pub timing: SessionTiming,
    /// How much the server takes in a second, where it does not say so: a plan of Ably's cloud with a higher rate than the
    /// free one. Defaults to what a relay tells when it takes the connection, and to the free plan's limits with the cloud.
    pub pace: PaceConfig,
    /// What happens to a room that this player founds when its host is gone. By default another player takes over.
    pub migration: Migration,
    /// Where the background task runs. Defaults to a thread of its own.
    pub runtime: Runtime,
    /// What the game does in a hidden web page. By default it goes on.
    pub while_hidden: WhileHidden,
    /// On which side of the application the program runs: on a player's device, or on a machine of yours, such as a host
    /// without a window. Defaults to a device. Only accounts of Ably's cloud that are priced by monthly active users ask.
    pub side: AppSide,
    /// Whether to keep the API key off the network: the client signs token requests with it and connects with the tokens.
    /// Defaults to false. All other credentials are tokens anyway.
    pub use_token_auth: bool,
    /// Whether token requests carry the server's time, which the client asks for before the first one. Defaults to
    /// false: they carry the machine's time, which must be right to two minutes.
    pub query_time: bool,
    /// What carries the frames. Defaults to a WebSocket.
    pub transport: Transport,
    /// The clock of the room's timers. Defaults to the machine's monotonic clock.
    pub clock: Clock,
    /// The seed of all random delays. Defaults to the machine's randomness. A number makes a test repeatable.
    pub seed: Option<u64>,
}

impl Plugin for RoomsPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<StatesPlugin>() {
            app.add_plugins(StatesPlugin);
        }
        let settings = self.settings();
        let local = LocalPlayer { id: settings.player.clone(), profile: Profile::default(), entity: None };
        app.insert_resource(local)
            .insert_resource(RoomsEngine::new(settings))
            .init_resource::<Registry>()
            .init_resource::<Connection>()
            .add_message::<ConnectionChanged>();
        web_page::build(app, self.while_hidden);
        room::build(app);
        channels::build(app);
        app.configure_sets(PostUpdate, RoomsSystems::Collect.before(RoomsSystems::Send))
            .add_systems(Startup, report_registration_errors)
            .add_systems(
                PreUpdate,
                (
                    room::take_in,
                    room::apply.run_if(room::something_came),
                    connection::count_down.run_if(connection::waits_for_retry),
                )
                    .chain()
                    .in_set(RoomsSystems::Receive),
            )
            .add_systems(
                PostUpdate,
                (room::flush, diagnostics::measure.run_if(diagnostics::is_due)).chain().in_set(RoomsSystems::Send),
            );
        diagnostics::build(app);
    }
}

impl RoomsPlugin {
    fn settings(&self) -> Settings {
        if self.makes_many_users() {
            log::warn!(
                "each run of this game is a new player: an account of Ably's cloud that is priced by monthly active users \
                 counts every run as a user. Set RoomsPlugin::identity to Identity::remembered, or set RoomsPlugin::player"
            );
        }
        let own = match self.player.clone() {
            Some(player) => OwnIdentity { player, generation: identity::generation_by_the_clock(), hold: None },
            None => self.identity.take(),
        };
        Settings {
            connect: self.connect.clone(),
            player: own.player,
            generation: self.generation.unwrap_or(own.generation),
            _hold: own.hold,
            version: self.version.clone(),
            format: self.format,
            side: self.side,
            use_token_auth: self.use_token_auth,
            query_time: self.query_time,
            timing: self.timing,
            pace: self.pace,
            migration: self.migration,
            runtime: self.runtime.clone(),
            transport: self.transport.clone(),
            clock: self.clock.clone(),
            seed: self.seed,
        }
    }

    /// Whether each run of the game is a new user to Ably's cloud.
    fn makes_many_users(&self) -> bool {
        let is_fresh = self.player.is_none() && self.identity == Identity::Fresh;
        is_fresh && self.side == AppSide::Device && self.connect.is_cloud()
    }
}

/// Reports the registrations that failed.
fn report_registration_errors(mut registry: ResMut<Registry>, mut errors: MessageWriter<RoomError>) {
    for error in registry.errors.drain(..) {
        log::error!("{error}");
        errors.write(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_player_of_a_device_in_the_cloud_is_many_users() {
        let cloud = || Connect::Cloud { key: "app.id:secret".to_owned() };
        let fresh = RoomsPlugin { connect: cloud(), ..default() };
        assert!(fresh.makes_many_users());
        assert!(!RoomsPlugin { identity: Identity::remembered("game"), ..fresh.clone() }.makes_many_users());
        assert!(!RoomsPlugin { side: AppSide::Server, ..fresh.clone() }.makes_many_users());
        let player = PlayerId::new("ada").ok();
        assert!(player.is_some() && !RoomsPlugin { player, ..fresh }.makes_many_users());
        assert!(!RoomsPlugin::default().makes_many_users());
        assert!(!RoomsPlugin { connect: Connect::relay("ws://127.0.0.1"), ..default() }.makes_many_users());
        let credentials = Credentials::TokenUrl("https://game.example/token".to_owned());
        let part = Connect::With { endpoint: Endpoint::Named("acme".to_owned()), credentials };
        assert!(RoomsPlugin { connect: part, ..default() }.makes_many_users());
    }
}
