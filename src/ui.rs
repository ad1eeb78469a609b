//! Windows and panels for rooms, in egui: a lobby, the roster, the connection, and an inspector of frames.
//!
//! It reads the plugin's resources and gives its commands; it keeps nothing of the rooms themselves. `bevy_egui` drives
//! it, in [`EguiPrimaryContextPass`].
//!
//! # With one line
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_rooms::{prelude::*, ui::RoomsUiPlugin};
//!
//! App::new()
//!     .add_plugins((DefaultPlugins, RoomsPlugin::default()))
//!     .add_plugins(RoomsUiPlugin::default()) // lobby, players and connection in windows; F12 shows the frames
//!     .add_systems(Startup, |mut commands: Commands| {
//!         commands.spawn((Camera2d, Msaa::Off)); // egui draws on the first camera
//!     })
//!     .run();
//! ```
//!
//! # In panels of the game's own
//!
//! Each part is a method of the system parameter [`RoomsUi`], and the game shows it in any panel:
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
//! For more freedom, the pieces below take only data: [`LobbyForm`], [`roster`], [`PlayerRow`],
//! [`connection`], [`connection_line`], [`Inspector`], [`Feed`] and
//! [`prompt`].
//!
//! # How it looks
//!
//! Everything follows the game's style of egui. Only lamps have colours of their own, which differ clearly on a light
//! and on a dark background.

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
/// Adds `EguiPlugin` if it is missing. A game that configures it adds it before. In an app without
/// windows, such as a player in a terminal, it shows nothing and costs next to nothing.
///
/// Fill in what you need and end with `..default()`: then a new field breaks nothing.
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
    /// The windows that are open at first. Defaults to the lobby, the roster and the connection.
    pub windows: RoomsWindows,
    /// The first content of the lobby's form. Defaults to random names.
    pub form: LobbyForm,
    /// The key that shows and hides the inspector's window. Defaults to F12; `None`: no key does.
    pub inspector_key: Option<Key>,
    /// The first zoom factor of egui. Defaults to 1.
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
