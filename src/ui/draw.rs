//! Draws the parts as windows. The player moves them.

use bevy::prelude::*;
use bevy_egui::{
    EguiContext, PrimaryEguiContext,
    egui::{Align2, Context, Key, Ui, Window, pos2, vec2},
};

use super::{rooms_ui::RoomsUi, windows::RoomsWindows};

/// The settings of the plugin.
#[derive(Resource)]
pub(super) struct Settings {
    /// Shows and hides the inspector.
    pub(super) key: Option<Key>,
    /// The first zoom factor.
    pub(super) zoom: f32,
}

/// The first space between a window and the edge.
const EDGE: f32 = 12.0;
/// The width of the small windows.
const WIDTH: f32 = 280.0;
/// The largest first size of the inspector's window.
const INSPECTOR: [f32; 2] = [760.0, 440.0];
/// After this many frames a line in the debug log says so. Scripts wait for it.
const DRAWN: u32 = 30;

/// Shows the windows.
pub(super) fn draw(
    context: Option<Single<&mut EguiContext, With<PrimaryEguiContext>>>,
    mut rooms: RoomsUi,
    settings: Res<Settings>,
    mut drawn: Local<u32>,
) {
    let Some(mut context) = context else { return };
    let ctx = context.get_mut();
    if settings.key.is_some_and(|key| ctx.input(|input| input.key_pressed(key))) {
        rooms.windows.inspector ^= true;
    }
    let before = *rooms.windows;
    let mut open = before;
    let screen = ctx.content_rect();
    window(ctx, "Lobby", &mut open.lobby, Align2::CENTER_CENTER, |ui| rooms.lobby(ui));
    window(ctx, "Players", &mut open.roster, Align2::RIGHT_TOP, |ui| rooms.roster(ui));
    window(ctx, "Connection", &mut open.connection, Align2::LEFT_BOTTOM, |ui| rooms.connection(ui));
    Window::new("Frames")
        .open(&mut open.inspector)
        .default_pos(pos2(screen.left() + EDGE, screen.top() + EDGE))
        .default_size(vec2(INSPECTOR[0], INSPECTOR[1]).min(screen.size() - vec2(4.0 * EDGE, 6.0 * EDGE)))
        .show(ctx, |ui| rooms.inspector(ui));
    // A window's content may change what is shown, too. So only closed windows are taken from `open`.
    let still = |now: bool, before: bool, open: bool| now && (open || !before);
    let now = *rooms.windows;
    rooms.windows.set_if_neq(RoomsWindows {
        lobby: still(now.lobby, before.lobby, open.lobby),
        roster: still(now.roster, before.roster, open.roster),
        connection: still(now.connection, before.connection, open.connection),
        inspector: still(now.inspector, before.inspector, open.inspector),
    });
    if *drawn == 0 {
        // Only once: the player may choose another zoom with Ctrl and + or −.
        ctx.set_zoom_factor(settings.zoom);
    }
    if *drawn < DRAWN {
        *drawn += 1;
        if *drawn == DRAWN {
            log::debug!("{DRAWN} frames were drawn");
        }
    }
}

fn window(ctx: &Context, title: &str, open: &mut bool, place: Align2, content: impl FnOnce(&mut Ui)) {
    let corner = place.pos_in_rect(&ctx.content_rect().shrink(EDGE));
    Window::new(title).open(open).default_width(WIDTH).pivot(place).default_pos(corner).show(ctx, content);
}
