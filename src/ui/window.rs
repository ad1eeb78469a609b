//! A window for a game, natively and in a web page.

use bevy::{prelude::*, window::WindowPlugin};
use bevy_egui::egui::{Context, LayerId, Ui, UiBuilder};

/// The canvas of a page that `web/build` makes.
const CANVAS: &str = "#game";

/// Bevy's window with this title, and in a web page the canvas `#game`, as large as the page:
/// `DefaultPlugins.set(game_window("Chat"))`.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_rooms::ui::game_window;
///
/// assert_eq!(game_window("Chat").primary_window.unwrap().title, "Chat");
/// ```
pub fn game_window(title: &str) -> WindowPlugin {
    let window = Window {
        title: title.to_owned(),
        canvas: Some(CANVAS.to_owned()),
        fit_canvas_to_parent: true,
        ..Window::default()
    };
    WindowPlugin { primary_window: Some(window), ..WindowPlugin::default() }
}

/// The whole window, for egui's panels. Call it once a frame: egui tells widgets apart by it.
///
/// ```no_run
/// use bevy::prelude::*;
/// use bevy_egui::{EguiContexts, egui};
/// use bevy_rooms::ui::whole_window;
///
/// fn draw(mut contexts: EguiContexts) -> Result {
///     let mut window = whole_window(contexts.ctx_mut()?);
///     egui::Panel::top("title").show(&mut window, |ui| ui.heading("My game"));
///     egui::CentralPanel::default().show(&mut window, |ui| ui.label("…"));
///     Ok(())
/// }
/// ```
pub fn whole_window(ctx: &Context) -> Ui {
    let whole = UiBuilder::new().layer_id(LayerId::background()).max_rect(ctx.viewport_rect());
    Ui::new(ctx.clone(), "bevy_rooms: whole window".into(), whole)
}
