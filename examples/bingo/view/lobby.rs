//! The lobby: a name, a room, and what came of the last attempt to enter one.

use std::time::Duration;

use bevy_egui::egui::{Align, Align2, FontId, Frame, Layout, Margin, ProgressBar, RichText, Sense, TextEdit, Ui, vec2};
use bevy_rooms::{
    prelude::*,
    ui::{LobbyForm, LobbyTrouble, LobbyWish},
};

use super::{
    header,
    scene::{Scene, Wish},
    theme::{self, Button, CORAL, GAP, INK, MUTED, SAND, SUN},
};

/// Widest that the form becomes.
const WIDEST: f32 = 460.0;
/// How long a joiner waits for a host: as in [`RoomsCommandsExt::join_room`].
const WAIT_FOR_HOST: Duration = Duration::from_secs(10);
/// Longest text of a field, in letters; an invite link is long.
const LONGEST: usize = 400;

/// What the player wants where the library offers it.
fn wish(offered: LobbyWish) -> Option<Wish> {
    match offered {
        LobbyWish::Host => Some(Wish::Host),
        LobbyWish::Join => Some(Wish::Join),
        LobbyWish::Leave => Some(Wish::Leave),
        _ => None,
    }
}

/// Shows the lobby.
pub fn show(ui: &mut Ui, scene: &Scene, form: &mut LobbyForm, since: Duration, wishes: &mut Vec<Wish>) {
    let arriving = *scene.state.get() == RoomState::Arriving;
    let width = (ui.available_width() - 2.0 * GAP).min(WIDEST);
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.06).min(48.0));
        title(ui);
        ui.add_space(GAP);
        theme::card().show(ui, |ui| {
            ui.set_width(width);
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                if arriving {
                    show_arrival(ui, scene, since, wishes);
                } else {
                    show_form(ui, form, wishes);
                }
            });
        });
        ui.add_space(GAP);
        connection(ui, scene);
    });
}

fn title(ui: &mut Ui) {
    let size = (ui.available_width() / 6.0).clamp(40.0, 72.0);
    let letters = "BINGO";
    let ball = size * 1.12;
    let (rect, _) = ui.allocate_exact_size(vec2(ball * letters.len() as f32, ball), Sense::hover());
    for (index, letter) in letters.char_indices() {
        let lift = if index % 2 == 0 { 0.0 } else { size * 0.1 };
        let center = rect.left_center() + vec2(ball * (index as f32 + 0.5), lift);
        let painter = ui.painter();
        painter.circle_filled(center + vec2(0.0, 4.0), ball * 0.47, INK.gamma_multiply(0.2));
        painter.circle_filled(center, ball * 0.47, theme::tens(index * 2));
        let middle = Align2::CENTER_CENTER;
        theme::bold(painter, center, middle, &letter.to_string(), size * 0.68, theme::CARD);
    }
    ui.add_space(GAP);
    ui.label(RichText::new("Ninety balls, six tickets, and friends in one room").size(17.0).color(MUTED));
}

fn show_form(ui: &mut Ui, form: &mut LobbyForm, wishes: &mut Vec<Wish>) {
    if let Some(trouble) = form.trouble.clone() {
        show_trouble(ui, &trouble, wishes);
        ui.add_space(GAP);
    }
    if field(ui, "Your name", &mut form.name, "Another name") {
        form.name = random_name();
    }
    ui.add_space(GAP);
    if field(ui, "Room", &mut form.room, "Another room") {
        form.room = random_room().to_string();
    }
    theme::muted(ui, "Players who enter the same room meet there. An invite link works too.");
    ui.add_space(GAP);
    let flaw = form.flaw();
    ui.add_enabled_ui(flaw.is_none(), |ui| {
        let host = ("Host this room", Wish::Host);
        let join = ("Join this room", Wish::Join);
        let (first, second) = if form.is_invited() { (join, host) } else { (host, join) };
        // After trouble, the button above is the next step.
        let offered = form.trouble.as_ref().is_some_and(|trouble| trouble.next_step().is_some());
        for ((text, wish), first) in [(first, true), (second, false)] {
            let button = if first && !offered { Button::primary(text) } else { Button::secondary(text) };
            if ui.add(button.width(ui.available_width())).clicked() {
                wishes.push(wish);
            }
        }
    });
    if let Some(flaw) = flaw {
        ui.label(RichText::new(flaw).size(15.0).color(CORAL));
    }
}

fn show_trouble(ui: &mut Ui, trouble: &LobbyTrouble, wishes: &mut Vec<Wish>) {
    let frame = Frame::new().fill(theme::pale(SUN, 0.55)).corner_radius(12).inner_margin(Margin::same(12));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(trouble.message()).size(17.0));
        if let Some((text, offered)) = trouble.next_step()
            && ui.add(Button::primary(text).width(ui.available_width())).clicked()
        {
            wishes.extend(wish(offered));
        }
    });
}

/// A field with its label and a dice that offers another value. Says whether the dice was thrown.
fn field(ui: &mut Ui, label: &str, value: &mut String, hint: &str) -> bool {
    let label = ui.label(RichText::new(label).size(14.0).color(MUTED));
    let size = vec2(ui.available_width(), theme::TOUCH + 4.0);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        let thrown = ui.add(Button::quiet("🎲").size(24.0)).on_hover_text(hint).clicked();
        let edit = TextEdit::singleline(value)
            .font(FontId::proportional(20.0))
            .background_color(SAND)
            .char_limit(LONGEST)
            .margin(Margin::symmetric(12, 10))
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id);
        thrown
    })
    .inner
}

fn show_arrival(ui: &mut Ui, scene: &Scene, since: Duration, wishes: &mut Vec<Wish>) {
    let waited = scene.now().saturating_sub(since);
    theme::heading(ui, 22.0, INK, &format!("Entering {} …", scene.room_name()));
    let notice = scene.line.notice();
    ui.label(notice.unwrap_or_else(|| "Looking for the players of the room.".to_owned()));
    ui.horizontal(|ui| {
        let share = waited.as_secs_f32() / WAIT_FOR_HOST.as_secs_f32();
        ui.add(ProgressBar::new(share.min(1.0)).fill(theme::TEAL).desired_width(ui.available_width() - 56.0));
        ui.label(format!("{} s", waited.as_secs()));
    });
    ui.add_space(GAP);
    if ui.add(Button::quiet("Cancel").width(ui.available_width())).clicked() {
        wishes.push(Wish::Leave);
    }
}

fn connection(ui: &mut Ui, scene: &Scene) {
    let (color, words) = header::state(scene);
    let label = ui.label(RichText::new(words).size(14.0).color(MUTED));
    ui.painter().circle_filled(label.rect.left_center() - vec2(12.0, -1.0), 5.0, color);
}
