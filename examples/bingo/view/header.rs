//! The strip at the top: which room, how the line does, and the way out.

use std::time::Duration;

use bevy_egui::egui::{Align, Color32, Label, Layout, RichText, Sense, Ui, vec2};
use bevy_rooms::ui::{Lamp, connection, connection_lamp};

use super::{
    scene::{Scene, Wish},
    theme::{self, Button, CARD, CORAL, LEAF, MUTED, SUN},
};

/// Below this width words are left out.
const NARROW: f32 = 560.0;
/// How long the copy button says that it has copied.
const COPIED_FOR: Duration = Duration::from_secs(2);

/// Shows it; for a player in a room.
pub fn show(ui: &mut Ui, scene: &Scene, copied: &mut Option<Duration>, wishes: &mut Vec<Wish>) {
    let narrow = ui.available_width() < NARROW;
    let size = vec2(ui.available_width(), theme::TOUCH + 4.0);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        if !narrow {
            theme::heading(ui, 24.0, SUN, "BINGO");
            ui.add_space(12.0);
        }
        room_name(ui, scene, if narrow { 17.0 } else { 20.0 });
        copy(ui, scene, copied);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.add(Button::quiet("Leave").fill(theme::INK.lerp_to_gamma(CARD, 0.22))).clicked() {
                wishes.push(Wish::Leave);
            }
            line(ui, scene, narrow, wishes);
        });
    });
}

fn room_name(ui: &mut Ui, scene: &Scene, size: f32) {
    let text = RichText::new(scene.room_name()).size(size).color(CARD);
    ui.add(Label::new(text).truncate());
}

fn copy(ui: &mut Ui, scene: &Scene, copied: &mut Option<Duration>) {
    let fresh = copied.is_some_and(|at| scene.now().saturating_sub(at) < COPIED_FOR);
    let invite = scene.invite();
    let (text, hint) = match fresh {
        true => ("✔", format!("Copied: {invite}")),
        false => ("📋", format!("Invite others: copies {invite}")),
    };
    let button = Button::quiet(text).fill(theme::INK.lerp_to_gamma(CARD, 0.22));
    if ui.add(button).on_hover_text(hint).clicked() {
        ui.ctx().copy_text(invite);
        *copied = Some(scene.now());
    }
}

/// The connection's state: a lamp, and words. A click shows what goes over it.
fn line(ui: &mut Ui, scene: &Scene, narrow: bool, wishes: &mut Vec<Wish>) {
    let (color, words) = state(scene);
    let round_trip = scene.line.round_trip.filter(|_| scene.line.is_connected()).map(in_milliseconds);
    let text = match (round_trip, narrow) {
        (Some(time), true) => time,
        (Some(time), false) => format!("{words}, {time}"),
        (None, _) => words.to_owned(),
    };
    let label = Label::new(RichText::new(text).size(14.0).color(theme::pale(MUTED, 0.75))).sense(Sense::click());
    let label = ui.add(label).on_hover_ui(|ui| {
        connection(ui, &scene.line);
        ui.label("Click, or press F12, to see what goes over it.");
    });
    if label.clicked() {
        wishes.push(Wish::Inspect);
    }
    let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 6.0, color);
}

/// A colour and a word for the connection's state.
pub fn state(scene: &Scene) -> (Color32, &'static str) {
    match connection_lamp(&scene.line) {
        (Lamp::Good, _) if scene.room.interrupted => (SUN, "interrupted"),
        (Lamp::Good, word) => (LEAF, word),
        (Lamp::Busy, word) => (SUN, word),
        (Lamp::Bad, word) => (CORAL, word),
        (_, word) => (MUTED, word),
    }
}

fn in_milliseconds(time: Duration) -> String {
    match time.as_millis() {
        0 => "under 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    }
}
