//! The players, one row for each.

use bevy_egui::egui::{Align, Label, Layout, Response, RichText, Ui, Widget};

use super::style::{self, Lamp};
use crate::{
    plugin::{PlayerStatus, Roster, RosterEntry},
    session::PlayerId,
};

/// The players of a room in order of admission. Tags say who hosts, who is us, who is lost
/// and who only watches.
pub fn roster(ui: &mut Ui, roster: &Roster, us: &PlayerId) {
    if roster.is_empty() {
        ui.label(style::muted(ui, "Nobody is here yet."));
    }
    for player in roster {
        ui.add(PlayerRow::of(player, us));
    }
}

/// A row about one player, or about a member of a channel: a lamp, the name, and tags.
///
/// ```
/// # use bevy_egui::egui;
/// use bevy_rooms::ui::PlayerRow;
///
/// # fn show(ui: &mut egui::Ui) {
/// ui.add(PlayerRow::new("Ada").host(true).tag("dealer"));
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "add it to a panel"]
pub struct PlayerRow<'a> {
    name: &'a str,
    is_lost: bool,
    tags: Vec<(&'a str, &'a str)>,
}

impl<'a> PlayerRow<'a> {
    /// A present player of this name.
    pub fn new(name: &'a str) -> Self {
        Self { name, is_lost: false, tags: Vec::new() }
    }

    /// A player on the roster.
    pub fn of(player: &'a RosterEntry, us: &PlayerId) -> Self {
        Self::new(&player.profile.name)
            .host(player.is_host)
            .us(player.id == *us)
            .watching(player.is_spectator)
            .lost(player.status == PlayerStatus::Lost)
    }

    /// Whether it hosts.
    pub fn host(self, is_host: bool) -> Self {
        self.tag_if(is_host, "host", "This player decides in the room.")
    }

    /// Whether it is us.
    pub fn us(self, is_us: bool) -> Self {
        self.tag_if(is_us, "you", "")
    }

    /// Whether it only watches.
    pub fn watching(self, watches: bool) -> Self {
        self.tag_if(watches, "watching", "Came during a round. Plays from the next one.")
    }

    /// Whether its connection is lost.
    pub fn lost(mut self, is_lost: bool) -> Self {
        self.is_lost = is_lost;
        self.tag_if(is_lost, "lost", "The connection is gone. The room keeps the seat for a while.")
    }

    /// Adds a tag of the game's own.
    pub fn tag(self, text: &'a str) -> Self {
        self.tag_if(true, text, "")
    }

    fn tag_if(mut self, holds: bool, text: &'a str, hint: &'a str) -> Self {
        if holds {
            self.tags.push((text, hint));
        }
        self
    }
}

impl Widget for PlayerRow<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        ui.horizontal(|ui| {
            ui.add(if self.is_lost { Lamp::Off } else { Lamp::Good });
            // Tags come first, from the right, so that a long name leaves space for them.
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                for (text, hint) in self.tags.iter().rev() {
                    let tag = style::tag(ui, text);
                    if !hint.is_empty() {
                        tag.on_hover_text(*hint);
                    }
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let name = if self.is_lost { style::muted(ui, self.name) } else { RichText::new(self.name) };
                    ui.add(Label::new(name).truncate());
                });
            });
        })
        .response
    }
}
