//! Who is here.

use bevy_egui::egui::{Align, Align2, Label, Layout, RichText, Sense, Ui, vec2};
use bevy_rooms::prelude::*;

use super::{
    scene::Scene,
    theme::{self, CARD, INK, LEAF, MUTED, SAND, SUN, TEAL},
};

/// Diameter of a player's disc.
const DISC: f32 = 28.0;

/// One line per player, in order of admission.
pub fn show(ui: &mut Ui, scene: &Scene) {
    for (index, player) in scene.roster.iter().enumerate() {
        ui.horizontal(|ui| line(ui, scene, index, player));
    }
}

fn line(ui: &mut Ui, scene: &Scene, index: usize, player: &RosterEntry) {
    let lost = player.status == PlayerStatus::Lost;
    let (rect, _) = ui.allocate_exact_size(vec2(DISC, DISC), Sense::hover());
    let color = if lost { theme::pale(MUTED, 0.5) } else { theme::tens(index * 2) };
    ui.painter().circle_filled(rect.center(), DISC / 2.0, color);
    theme::bold(ui.painter(), rect.center(), Align2::CENTER_CENTER, &initial(&player.profile.name), 16.0, CARD);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if player.id == scene.us.id {
            theme::tag(ui, TEAL, "you");
        }
        if player.is_host {
            theme::tag(ui, SUN, "host");
        }
        if lost {
            theme::tag(ui, SAND, "lost").on_hover_text("The connection is gone. The room keeps the seat for a while.");
        } else if scene.is_running() && !scene.plays(&player.id) {
            theme::tag(ui, LEAF, "watching");
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let color = if lost { MUTED } else { INK };
            ui.add(Label::new(RichText::new(&player.profile.name).color(color)).truncate());
        });
    });
}

/// What stands for a player where there is room for one letter.
fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .map_or("?".to_owned(), |letter| letter.to_uppercase().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_has_an_initial() {
        assert_eq!(initial("ada"), "A");
        assert_eq!(initial(" 7 of 9"), "7");
        assert_eq!(initial("ß"), "SS");
        assert_eq!(initial(""), "?");
    }
}
