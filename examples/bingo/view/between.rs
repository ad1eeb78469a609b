//! Between rounds: who won the last one, and what the host chooses for the next.

use std::time::Duration;

use bevy_egui::egui::{Rect, RichText, Shape, Slider, SliderClamping, Ui, pos2, vec2};

use super::{
    claim, qr,
    scene::{Scene, Wish},
    theme::{self, Button, CORAL, GAP, INK, SUN},
};
use crate::rules::{Reason, Settings, Status};

/// Seconds between calls that a host can choose; the flag allows others.
const INTERVALS: std::ops::RangeInclusive<f32> = 1.0..=15.0;
/// How wide the invite's code is: a camera at arm's length reads it.
const QR_CODE: f32 = 180.0;
/// Pieces of paper in the air.
const CONFETTI: u16 = 70;

/// The game in a few words.
const RULES: [(&str, &str); 3] = [
    ("Mark", "Numbers are called one by one. Click those that are on your tickets."),
    ("Shout", "Bingo! for one line, for two lines of one ticket, and for a full house: all of one ticket."),
    ("Win", "Each prize goes to the first who shouts with marks that were all called. The full house ends the round."),
];

/// Shows it.
pub fn show(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    let complete = scene.table.status() == Status::Complete;
    let card = theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        // The confetti falls behind the text, and how far is known when the card is done.
        let behind = ui.painter().add(Shape::Noop);
        if complete {
            result(ui, scene)
        } else {
            waiting(ui, scene)
        }
        ui.add_space(GAP);
        if scene.host.is_us {
            let text = if complete { "Play again" } else { "Start the round" };
            if ui.add(Button::primary(text).size(22.0).width(ui.available_width())).clicked() {
                wishes.push(Wish::Start);
            }
            ui.add_space(GAP);
            settings(ui, scene, wishes);
        } else {
            ui.horizontal(|ui| {
                ui.spinner();
                let next = if complete { "start another round" } else { "start" };
                ui.label(format!("Waiting for {} to {next}.", scene.host_name()));
            });
        }
        behind
    });
    if !complete {
        ui.add_space(GAP);
        rules(ui);
    }
    if complete && scene.table.winner().is_some() {
        ui.painter().set(card.inner, confetti(card.response.rect, scene.now()));
    }
}

fn waiting(ui: &mut Ui, scene: &Scene) {
    theme::heading(ui, 26.0, INK, "Ready when you are");
    let players = scene.roster.len();
    let here =
        if players == 1 { "You are the first one here.".to_owned() } else { format!("{players} players are here.") };
    ui.label(format!("{here} Others come in with the room's name:"));
    ui.label(RichText::new(scene.room_name()).size(28.0).color(CORAL));
    let invite = scene.invite();
    if invite == scene.room_name() {
        return;
    }
    if scene.invites_here_alone() {
        let how = "For phones and other machines start the relay with --listen 0.0.0.0:8787, and open the address that it \
                   prints.";
        theme::muted(ui, format!("or with the link {invite}, which leads here on this machine alone. {how}"));
    } else {
        theme::muted(ui, format!("or with the link {invite}, which a phone's camera reads here:"));
        qr::show(ui, &invite, QR_CODE);
    }
}

/// Shows the game in a few words.
pub fn rules(ui: &mut Ui) {
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        for (index, (title, text)) in RULES.into_iter().enumerate() {
            theme::heading(ui, 18.0, theme::tens(index * 2), title);
            ui.label(text);
        }
    });
}

fn result(ui: &mut Ui, scene: &Scene) {
    let table = &scene.table;
    let (title, color) = match table.winner() {
        Some(winner) if winner.id.0 == scene.us.id.as_str() => ("You win the full house!".to_owned(), CORAL),
        Some(winner) => (format!("{} wins the full house!", winner.name), INK),
        None => ("Nobody has a full house".to_owned(), INK),
    };
    theme::heading(ui, 30.0, color, &title);
    let calls = table.called().len();
    let text = match table.reason() {
        Some(Reason::FullHouse) | None => format!("Round {} took {calls} calls.", table.round()),
        Some(reason) => format!("Round {} is over after {calls} calls: {reason}.", table.round()),
    };
    ui.label(text);
    ui.add_space(4.0);
    claim::prizes(ui, scene);
}

fn settings(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    let before = scene.chosen.settings;
    let mut seconds = before.interval.as_secs_f32();
    let mut automark = before.automark;
    theme::muted(ui, "Time between calls");
    let slider =
        Slider::new(&mut seconds, INTERVALS).step_by(0.5).max_decimals(1).suffix(" s").clamping(SliderClamping::Edits);
    let slid = ui.add(slider).changed();
    let ticked = ui.checkbox(&mut automark, "Tickets may mark themselves").changed();
    if slid || ticked {
        let interval =
            if slid { Duration::try_from_secs_f32(seconds).unwrap_or(before.interval) } else { before.interval };
        wishes.push(Wish::Choose(Settings { interval, automark }));
    }
}

/// Paper that falls through a card. Where each piece is depends on nothing but the time.
fn confetti(rect: Rect, now: Duration) -> Shape {
    let time = now.as_secs_f32();
    let piece = |piece: u16| {
        let seed = f32::from(piece);
        let random = |salt: f32| ((seed * 12.9898 + salt * 78.233).sin() * 43_758.547).rem_euclid(1.0);
        let fall = (random(1.0) + time * (0.06 + 0.08 * random(2.0))).fract();
        let sway = (time * (1.0 + random(3.0)) + seed).sin() * 8.0;
        let inside = rect.shrink(12.0);
        let center = pos2(inside.min.x + inside.width() * random(4.0) + sway, inside.min.y + inside.height() * fall);
        let turn = (time * 3.0 + seed).cos().abs();
        let color = if piece.is_multiple_of(3) { SUN } else { theme::pale(theme::tens(usize::from(piece)), 0.35) };
        Shape::rect_filled(Rect::from_center_size(center, vec2(8.0, 2.0 + 7.0 * turn)), 2, color)
    };
    Shape::Vec((0..CONFETTI).map(piece).collect())
}
