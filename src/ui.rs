//! Windows and panels for rooms, in egui: a lobby, the roster, the connection, and an inspector of frames.
//!
//! Owns what is shown and what the player asks for there, and nothing of the rooms themselves: it reads the plugin's
//! resources and gives its commands. Driven by `bevy_egui`, in [`EguiPrimaryContextPass`].
//!
//! # With one line
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_rooms::{prelude::*, ui::RoomsUiPlugin};
//!
//! App::new()
//!     .add_plugins((DefaultPlugins, RoomsPlugin::default()))
//!     .add_plugins(RoomsUiPlugin::default()) // lobby, players and connection in windows; F12: the frames
//!     .add_systems(Startup, |mut commands: Commands| {
//!         commands.spawn((Camera2d, Msaa::Off)); // egui draws on the first camera
//!     })
//!     .run();
//! ```
//!
//! # In panels of the game's own
//!
//! Each part is a method of [`RoomsUi`], a system's parameter, and shows itself wherever the game has room for it:
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_egui::{EguiContexts, EguiPrimaryContextPass, egui};
//! use bevy_rooms::{
//!     prelude::*,
//!     ui::{RoomsUi, RoomsUiPlugin, RoomsWindows, whole_window},
//! };
//!
//! App::new()
//!     .add_plugins((DefaultPlugins, RoomsPlugin::default()))
//!     .add_plugins(RoomsUiPlugin { windows: RoomsWindows::NONE, ..default() })
//!     .add_systems(EguiPrimaryContextPass, draw)
//!     .run();
//!
//! fn draw(mut contexts: EguiContexts, mut rooms: RoomsUi) -> Result {
//!     let mut window = whole_window(contexts.ctx_mut()?);
//!     egui::Panel::right("side").show(&mut window, |ui| {
//!         rooms.roster(ui);
//!         ui.separator();
//!         rooms.connection(ui);
//!     });
//!     egui::CentralPanel::default().show(&mut window, |ui| rooms.lobby(ui));
//!     Ok(())
//! }
//! ```
//!
//! Where that is still too much, the pieces under it take nothing but data: [`LobbyForm`], [`roster`], [`PlayerRow`],
//! [`connection`], [`connection_line`], [`Inspector`], [`Feed`] and
//! [`prompt`].
//!
//! # How it looks
//!
//! As the game's style of egui has it; only lamps have colours of their own, which can be told apart on a light and on
//! a dark ground.

mod connection;
mod draw;
mod feed;
mod inspector;
mod lobby;
mod players;
mod rooms_ui;
mod style;
mod window;
mod windows;

use bevy::{prelude::*, window::WindowPlugin};
use bevy_egui::{EguiPlugin, EguiPrimaryContextPass, egui::Key};

pub use self::{
    connection::{connection, connection_lamp, connection_line},
    feed::{Feed, Prompt, prompt},
    inspector::{ChannelFilter, Inspector},
    lobby::{LobbyButtons, LobbyForm, LobbyTrouble, LobbyWish},
    players::{PlayerRow, roster},
    rooms_ui::RoomsUi,
    style::Lamp,
    window::{game_window, whole_window},
    windows::RoomsWindows,
};
use crate::plugin::FrameLogPlugin;

/// Windows for rooms, and what [`RoomsUi`] needs. Add it after Bevy's own plugins, beside
/// [`RoomsPlugin`](crate::plugin::RoomsPlugin).
///
/// Adds `EguiPlugin` where it is missing, so that a game that sets it up otherwise adds it before. In an app without
/// windows, such as a player in a terminal, it shows nothing and costs next to nothing.
///
/// ```no_run
/// use bevy::prelude::*;
/// use bevy_rooms::{
///     prelude::*,
///     ui::{LobbyForm, RoomsUiPlugin, RoomsWindows},
/// };
///
/// App::new().add_plugins((DefaultPlugins, RoomsPlugin::default())).add_plugins(RoomsUiPlugin {
///     windows: RoomsWindows { roster: false, ..default() }, // the game shows its players itself
///     form: LobbyForm { page: Some("https://game.example/".to_owned()), ..default() }, // invites are links
///     inspector_key: None,
///     ..default()
/// });
/// ```
#[derive(Clone, Debug)]
pub struct RoomsUiPlugin {
    /// Which windows are shown at first. Defaults to the lobby, the roster and the connection.
    pub windows: RoomsWindows,
    /// What the lobby's form begins with. Defaults to random names.
    pub form: LobbyForm,
    /// The key that shows and hides the inspector's window. Defaults to F12; `None`: no key does.
    pub inspector_key: Option<Key>,
    /// How much larger than in egui's own size all is shown, on all of egui, at first. Defaults to 1.
    pub zoom: f32,
}

impl Default for RoomsUiPlugin {
    fn default() -> Self {
        Self { windows: RoomsWindows::default(), form: LobbyForm::default(), inspector_key: Some(Key::F12), zoom: 1.0 }
    }
}

impl Plugin for RoomsUiPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<EguiPlugin>() && app.is_plugin_added::<WindowPlugin>() {
            app.add_plugins(EguiPlugin::default());
        }
        if !app.is_plugin_added::<FrameLogPlugin>() {
            app.add_plugins(FrameLogPlugin);
        }
        app.insert_resource(self.windows)
            .insert_resource(self.form.clone())
            .insert_resource(draw::Settings { key: self.inspector_key, zoom: self.zoom })
            .init_resource::<Inspector>()
            .add_systems(Update, lobby::note_trouble)
            .add_systems(EguiPrimaryContextPass, draw::draw)
            .add_systems(Last, inspector::rest_unless_shown);
    }
}
