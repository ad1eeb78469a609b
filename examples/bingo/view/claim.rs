//! Claiming: the button to shout with, why it would not be let through, and who won what.

use bevy_egui::egui::{Align, Label, Layout, RichText, Ui};

use super::{
    scene::{Scene, Wish},
    theme::{self, Button, CORAL, INK, MUTED, SUN},
};
use crate::rules::Prize;

/// The button, over the whole width.
pub fn button(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    let refused = scene.hand.may_shout(&scene.table, &scene.us.id).err();
    let button = Button::primary("Bingo!").size(26.0).fill(SUN).width(ui.available_width());
    let response = ui.add_enabled(refused.is_none(), button);
    if response.clicked() {
        wishes.push(Wish::Shout);
    }
    if let Some(refused) = refused {
        response.on_disabled_hover_text(refused.to_string());
    }
}

/// Why the last shout won nothing, or else why a shout would not be let through: for those who cannot hover.
pub fn notice(ui: &mut Ui, scene: &Scene) {
    if let Some(notice) = &scene.hand.notice {
        ui.label(RichText::new(notice.to_string()).size(15.0).color(CORAL));
    } else if let Err(refused) = scene.hand.may_shout(&scene.table, &scene.us.id) {
        theme::muted(ui, refused.to_string());
    } else {
        let needed = match scene.table.free_prizes().next() {
            Some(Prize::OneLine) => "a line of a ticket is full",
            Some(Prize::TwoLines) => "two lines of one ticket are full",
            Some(Prize::FullHouse) | None => "a whole ticket is full",
        };
        theme::muted(ui, format!("Shout when {needed}. Only called numbers count."));
    }
}

/// The prizes and who won them.
pub fn prizes(ui: &mut Ui, scene: &Scene) {
    for prize in Prize::ALL {
        ui.horizontal(|ui| {
            let winner = scene.table.prizes().get(&prize);
            let star = if winner.is_some() { SUN.lerp_to_gamma(CORAL, 0.3) } else { theme::pale(MUTED, 0.6) };
            ui.label(RichText::new("★").size(20.0).color(star));
            ui.label(capitalized(prize));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| match winner {
                Some(winner) => {
                    let ours = winner.id.0 == scene.us.id.as_str();
                    let name = if ours { "you" } else { winner.name.as_str() };
                    let color = if ours { CORAL } else { INK };
                    let text = RichText::new(name).color(color).strong();
                    ui.add(Label::new(text).truncate());
                }
                None => drop(theme::muted(ui, "to be won")),
            });
        });
    }
}

/// "Two lines", "Full house".
pub fn capitalized(prize: Prize) -> &'static str {
    match prize {
        Prize::OneLine => "One line",
        Prize::TwoLines => "Two lines",
        Prize::FullHouse => "Full house",
    }
}
