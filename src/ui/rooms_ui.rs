//! All parts, for a system that draws.

use bevy::{ecs::system::SystemParam, prelude::*};
use bevy_egui::egui::{Label, RichText, Ui};

use super::{
    connection,
    inspector::Inspector,
    lobby::{LobbyForm, LobbyWish},
    players,
    windows::RoomsWindows,
};
use crate::plugin::{Connection, FrameLog, LocalPlayer, Room, RoomState, RoomsCommandsExt, Roster};

/// The parts of a room's user interface, for a system that draws in panels of the game's own. It needs
/// [`RoomsUiPlugin`](super::RoomsUiPlugin).
///
/// ```
/// use bevy_egui::egui;
/// use bevy_rooms::ui::RoomsUi;
///
/// fn side_panel(ui: &mut egui::Ui, rooms: &mut RoomsUi) {
///     rooms.connection_line(ui);
///     rooms.roster(ui);
/// }
/// ```
#[derive(SystemParam)]
#[expect(missing_debug_implementations, reason = "a system's parameter is gone with the system's run")]
pub struct RoomsUi<'w, 's> {
    /// The lobby's form.
    pub form: ResMut<'w, LobbyForm>,
    /// The open windows of the plugin.
    pub windows: ResMut<'w, RoomsWindows>,
    inspector: ResMut<'w, Inspector>,
    log: ResMut<'w, FrameLog>,
    state: Res<'w, State<RoomState>>,
    room: Res<'w, Room>,
    connection: Res<'w, Connection>,
    players: Res<'w, Roster>,
    us: Res<'w, LocalPlayer>,
    commands: Commands<'w, 's>,
}

impl RoomsUi<'_, '_> {
    /// The lobby: a form to host or join a room, the progress on the way in, the reason of a failure, and in the room
    /// an invite to copy and a button to leave. Does what the player asks for.
    pub fn lobby(&mut self, ui: &mut Ui) {
        let Some(wish) = self.form.show(ui, **self.state, &self.room, &self.connection) else { return };
        self.grant(wish);
    }

    /// Does what the player asks for in a lobby: enters the form's room, or leaves.
    pub fn grant(&mut self, wish: LobbyWish) {
        let room = self.form.room().map(String::from).unwrap_or_default();
        let profile = self.form.profile();
        self.form.trouble = None;
        match wish {
            LobbyWish::Host => self.commands.host_room(room, profile),
            LobbyWish::Join => self.commands.join_room(room, profile),
            LobbyWish::Enter => self.commands.join_or_host(room, profile),
            LobbyWish::Leave => self.commands.leave_room(),
        }
    }

    /// The players of the room, as [`roster`](super::roster) shows them.
    pub fn roster(&self, ui: &mut Ui) {
        players::roster(ui, &self.players, &self.us.id);
    }

    /// The connection's state with its figures, as [`connection`](super::connection) shows them, a note if [the room is not
    /// well](Room::notice), and a button for the inspector's window.
    pub fn connection(&mut self, ui: &mut Ui) {
        connection::connection(ui, &self.connection);
        if let Some(notice) = self.room.notice().filter(|_| self.connection.is_connected()) {
            let color = ui.visuals().warn_fg_color;
            ui.add(Label::new(RichText::new(notice).color(color)).wrap());
        }
        let text = if self.windows.inspector { "Hide frames" } else { "Show frames" };
        if ui.button(text).on_hover_text("What is sent and received").clicked() {
            self.windows.inspector ^= true;
        }
    }

    /// The connection's state in one line, as [`connection_line`](super::connection_line) shows it.
    pub fn connection_line(&self, ui: &mut Ui) {
        connection::connection_line(ui, &self.connection);
    }

    /// The network inspector. Frames are logged while it is shown.
    pub fn inspector(&mut self, ui: &mut Ui) {
        self.inspector.show(ui, &mut self.log);
    }
}
