//! The ECS face: the plugin, its messages, resources, commands, run conditions and system sets.
//!
//! Owns nothing of the protocol: it steps a [`Session`](crate::session::Session) once a frame, and a
//! [`Bridge`](crate::bridge::Bridge) carries what the session says. Driven by Bevy's schedules.

mod app_ext;
pub mod channels;
mod commands;
mod conditions;
mod connection;
mod control;
pub mod diagnostics;
mod frames;
mod identity;
mod link;
mod list;
mod messages;
mod names;
mod page;
mod players;
mod receive;
mod resources;
mod send;
mod settings;
mod shared;
mod terminal;

use bevy::{prelude::*, state::app::StatesPlugin};

use self::{app_ext::Registry, identity::Own, link::RoomsLink, settings::Settings};
pub use self::{
    app_ext::RoomsAppExt,
    channels::{
        Channel, ChannelCaughtUp, ChannelChanged, ChannelEntityExt, ChannelError, ChannelHistory, ChannelMembers,
        ChannelMessage, ChannelStatus, ChannelTrouble, ChannelsAppExt, ChannelsCommandsExt, FromChannel, Member,
        MemberChanged, Published, ServerTime, ToChannel,
    },
    commands::RoomsCommandsExt,
    conditions::{host_changed, in_room, is_host, is_peer},
    connection::{Connection, ConnectionChanged},
    control::{Newcomer, RoomControlExt},
    frames::{FrameDirection, FrameLog, FrameLogPlugin, LoggedFrame, MAX_FRAME_TEXT, MAX_FRAMES},
    identity::Identity,
    list::RoomList,
    messages::{
        FromRoom, HostChanged, PlayerJoined, PlayerLeft, PlayerLost, PlayerReturned, RoomClosed, RoomError,
        RoomInterrupted, RoomResumed, ToRoom,
    },
    names::{random_code, random_name, random_room},
    page::{WhileHidden, arguments, end_page, page_address, show_page_address},
    resources::{
        Host, HostPlayer, LocalPlayer, OwnPlayer, Player, PlayerStatus, Room, RoomState, Roster, RosterEntry, Spectator,
    },
    settings::{Clock, Connect, Transport},
    terminal::{TerminalInput, TerminalPlugin},
};
use crate::{
    bridge::Runtime,
    protocol::Format,
    session::{Generation, Migration, PlayerId, Profile, SessionTiming},
};

/// Multiplayer rooms. Add it after `DefaultPlugins` or `MinimalPlugins`.
///
/// It connects when a room is first entered, with [`RoomsCommandsExt`], or a [`Channel`] first attached, and closes the
/// connection with the app.
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
#[derive(Clone, Debug, Default)]
pub struct RoomsPlugin {
    /// Where to connect. Defaults to the relay on this machine; see [`Connect::Local`].
    pub connect: Connect,
    /// Where our player id comes from, so that we have our seat again after a restart. Defaults to a new id for each run;
    /// set it to [`Identity::remembered`] with the game's name.
    pub identity: Identity,
    /// Who we are, where the game knows, such as from an account. Defaults to what `identity` says.
    pub player: Option<PlayerId>,
    /// Which process of the player this is; a higher one takes the seat over. Defaults to what `identity` remembers, and
    /// else to the milliseconds since 1970, so that the process that was started last has the seat.
    pub generation: Option<Generation>,
    /// The version of the game's messages. Players whose versions differ are not admitted. Defaults to empty.
    pub version: String,
    /// How frames are written. Players of one room may differ. Defaults to JSON, which can be read in a browser's
    /// network panel; MessagePack takes fewer bytes.
    pub format: Format,
    /// How long things take in a room.
    pub timing: SessionTiming,
    /// What becomes of a room that this player founds when its host is gone. Defaults to another player taking over.
    pub migration: Migration,
    /// Where the background task runs. Defaults to a thread of its own.
    pub runtime: Runtime,
    /// What the game does in a web page that nobody sees. Defaults to going on.
    pub while_hidden: WhileHidden,
    /// Whether an API key stays here: requests for tokens are signed with it, and the server is shown those. Defaults to
    /// false; all other credentials are tokens anyway.
    pub use_token_auth: bool,
    /// Whether requests for tokens go by the server's clock, which is asked before the first. Defaults to false: by the
    /// machine's, which must be right to two minutes.
    pub query_time: bool,
    /// What carries the frames. Defaults to a WebSocket.
    pub transport: Transport,
    /// What the room's timers go by. Defaults to the machine's monotonic clock.
    pub clock: Clock,
    /// What all jitter is drawn from. Defaults to the machine's randomness; a number makes a test repeatable.
    pub seed: Option<u64>,
}

/// When the plugin's systems run. Order your own systems by these sets where it matters.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoomsSystems {
    /// In `PreUpdate`: what came becomes messages, resources, entities and states.
    Receive,
    /// In `PostUpdate`, before [`Send`](Self::Send): the frame's messages and changed shared resources are gathered.
    Collect,
    /// In `PostUpdate`: what was gathered is published.
    Send,
}

impl Plugin for RoomsPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<StatesPlugin>() {
            app.add_plugins(StatesPlugin);
        }
        let settings = self.settings();
        let local = LocalPlayer { id: settings.player.clone(), profile: Profile::default(), entity: None };
        app.init_state::<RoomState>()
            .insert_resource(local)
            .insert_resource(RoomsLink::new(settings))
            .init_resource::<Registry>()
            .init_resource::<Room>()
            .init_resource::<Connection>()
            .init_resource::<Host>()
            .init_resource::<Roster>()
            .init_resource::<RoomList>();
        page::build(app, self.while_hidden);
        add_types_and_messages(app);
        channels::build(app);
        app.configure_sets(PostUpdate, RoomsSystems::Collect.before(RoomsSystems::Send))
            .add_systems(Startup, tell_registration_errors)
            .add_systems(
                PreUpdate,
                (
                    receive::take_in,
                    receive::apply.run_if(receive::something_came),
                    connection::count_down.run_if(connection::waits_for_retry),
                )
                    .chain()
                    .in_set(RoomsSystems::Receive),
            )
            .add_systems(
                PostUpdate,
                (send::flush, diagnostics::measure.run_if(diagnostics::is_due)).chain().in_set(RoomsSystems::Send),
            );
        diagnostics::build(app);
    }
}

impl RoomsPlugin {
    fn settings(&self) -> Settings {
        let own = match self.player.clone() {
            Some(player) => Own { player, generation: identity::by_the_clock(), hold: None },
            None => self.identity.take(),
        };
        Settings {
            connect: self.connect.clone(),
            player: own.player,
            generation: self.generation.unwrap_or(own.generation),
            _hold: own.hold,
            version: self.version.clone(),
            format: self.format,
            use_token_auth: self.use_token_auth,
            query_time: self.query_time,
            timing: self.timing,
            migration: self.migration,
            runtime: self.runtime.clone(),
            transport: self.transport.clone(),
            clock: self.clock.clone(),
            seed: self.seed,
        }
    }
}

fn add_types_and_messages(app: &mut App) {
    app.register_type::<Player>()
        .register_type::<PlayerStatus>()
        .register_type::<HostPlayer>()
        .register_type::<Spectator>()
        .register_type::<OwnPlayer>()
        .add_message::<PlayerJoined>()
        .add_message::<PlayerLost>()
        .add_message::<PlayerReturned>()
        .add_message::<PlayerLeft>()
        .add_message::<HostChanged>()
        .add_message::<RoomInterrupted>()
        .add_message::<RoomResumed>()
        .add_message::<RoomClosed>()
        .add_message::<RoomError>()
        .add_message::<ConnectionChanged>();
}

/// Tells what went wrong while the game set its rooms up.
fn tell_registration_errors(mut registry: ResMut<Registry>, mut errors: MessageWriter<RoomError>) {
    for error in registry.errors.drain(..) {
        log::error!("{error}");
        errors.write(error);
    }
}
