//! The lobby: a name, a room, and what came of the last attempt to enter one.

use std::time::Duration;

use bevy_egui::egui::{Align, Align2, FontId, Frame, Layout, Margin, ProgressBar, RichText, Sense, TextEdit, Ui, vec2};
use bevy_rooms::prelude::*;

use super::{
    header,
    scene::{Scene, Wish},
    theme::{self, Button, CORAL, GAP, INK, MUTED, SAND, SUN},
};

/// Widest that the form becomes.
const WIDEST: f32 = 460.0;
/// How long a joiner waits for a host: as in [`RoomsCommandsExt::join_room`].
const WAIT_FOR_HOST: Duration = Duration::from_secs(10);
/// Longest name of a player, in letters.
const LONGEST_NAME: usize = 40;

/// What the player fills in, and what came of it.
#[derive(Debug, Default)]
pub struct Form {
    /// The player's name.
    pub name: String,
    /// The room's name or code, or a link that invites to it.
    pub room: String,
    /// Whether the flags say that the player was invited to a room.
    pub invited: bool,
    /// The relay that we are on, where the flags name one.
    pub relay: Option<String>,
    /// Why the last attempt failed.
    pub trouble: Option<Trouble>,
    /// When the present attempt began.
    pub since: Duration,
}

/// Why the player is not in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Wanted to host what another hosts.
    HostExists {
        /// The name that the host shows.
        host: String,
    },
    /// Wanted to join what nobody hosts.
    NoHost,
    /// Something else, in words.
    Other(String),
}

impl Trouble {
    /// What to say of a room that closed; nothing where the player left it.
    pub fn of(reason: &CloseReason) -> Option<Self> {
        match reason {
            CloseReason::Left => None,
            CloseReason::NoHost => Some(Self::NoHost),
            CloseReason::Refused(Refusal::HostExists { name, .. }) => Some(Self::HostExists { host: name.clone() }),
            other => Some(Self::Other(other.to_string())),
        }
    }

    /// What to do instead, where there is such a thing.
    fn way_out(&self) -> Option<(&'static str, Wish)> {
        match self {
            Self::HostExists { .. } => Some(("Join instead", Wish::Join)),
            Self::NoHost => Some(("Host it", Wish::Host)),
            Self::Other(_) => None,
        }
    }
}

impl Form {
    /// Why the form cannot be sent as it is.
    fn flaw(&self) -> Option<String> {
        if self.name.trim().is_empty() {
            return Some("Give yourself a name.".to_owned());
        }
        match Invite::read(&self.room) {
            Ok(Invite { relay: Some(relay), .. }) if self.relay.as_ref() != Some(&relay) => {
                Some(format!("This room is on another relay; start the game with --relay {relay}."))
            }
            Ok(_) => None,
            Err(error) => Some(sentence(&error.to_string())),
        }
    }

    /// The room that the form means.
    pub fn room(&self) -> Option<RoomName> {
        Invite::read(&self.room).ok().map(|invite| invite.room)
    }

    /// Whether the player was invited to a room, and so rather joins.
    fn is_invited(&self) -> bool {
        self.invited || self.room.contains("://")
    }
}

/// Shows the lobby.
pub fn show(ui: &mut Ui, scene: &Scene, form: &mut Form, wishes: &mut Vec<Wish>) {
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
                    show_arrival(ui, scene, form, wishes);
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

fn show_form(ui: &mut Ui, form: &mut Form, wishes: &mut Vec<Wish>) {
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
    theme::muted(ui, "Whoever gives the same room is in it with you. An invite link will do as well.");
    ui.add_space(GAP);
    let flaw = form.flaw();
    ui.add_enabled_ui(flaw.is_none(), |ui| {
        let host = ("Host this room", Wish::Host);
        let join = ("Join this room", Wish::Join);
        let (first, second) = if form.is_invited() { (join, host) } else { (host, join) };
        // Where there is a way out of trouble, that is the thing to do next.
        let offered = form.trouble.as_ref().is_some_and(|trouble| trouble.way_out().is_some());
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

fn show_trouble(ui: &mut Ui, trouble: &Trouble, wishes: &mut Vec<Wish>) {
    let frame = Frame::new().fill(theme::pale(SUN, 0.55)).corner_radius(12).inner_margin(Margin::same(12));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        let text = match trouble {
            Trouble::HostExists { host } => format!("{host} hosts this room."),
            Trouble::NoHost => "Nobody hosts this room.".to_owned(),
            Trouble::Other(text) => sentence(text),
        };
        ui.label(RichText::new(text).size(17.0));
        if let Some((text, wish)) = trouble.way_out()
            && ui.add(Button::primary(text).width(ui.available_width())).clicked()
        {
            wishes.push(wish);
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
            .char_limit(LONGEST_NAME)
            .margin(Margin::symmetric(12, 10))
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id);
        thrown
    })
    .inner
}

fn show_arrival(ui: &mut Ui, scene: &Scene, form: &Form, wishes: &mut Vec<Wish>) {
    let waited = scene.now().saturating_sub(form.since);
    theme::heading(ui, 22.0, INK, &format!("Entering {} …", scene.room_name()));
    let words = match scene.room.connection {
        ConnectionState::Connected => "Asking who is there.",
        ConnectionState::Disconnected | ConnectionState::Suspended => "The server cannot be reached. Trying again.",
        _ => "Connecting.",
    };
    ui.label(words);
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
    let (color, words) = header::state(&scene.room);
    let label = ui.label(RichText::new(words).size(14.0).color(MUTED));
    ui.painter().circle_filled(label.rect.left_center() - vec2(12.0, -1.0), 5.0, color);
}

/// Text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, room: &str) -> Form {
        Form { name: name.into(), room: room.into(), ..Form::default() }
    }

    #[test]
    fn a_name_and_a_room_are_needed() {
        assert_eq!(form("Ada", "otter-badger-fox").flaw(), None);
        assert!(form("  ", "otter-badger-fox").flaw().is_some());
        assert!(form("Ada", "").flaw().is_some());
        assert!(form("Ada", "a:b").flaw().is_some());
        assert_eq!(form("Ada", "Otter Badger Fox").room().unwrap().as_str(), "otter-badger-fox");
    }

    #[test]
    fn who_was_sent_a_link_rather_joins_and_is_told_where_the_room_is_elsewhere() {
        let link = form("Ada", "https://bingo.example/?room=fox");
        assert_eq!((link.flaw(), link.is_invited()), (None, true));
        assert_eq!(link.room().unwrap().as_str(), "fox");
        let elsewhere = form("Ada", "https://bingo.example/?room=fox&relay=ws%3A%2F%2Fx%3A1");
        assert!(elsewhere.flaw().is_some_and(|flaw| flaw.contains("--relay ws://x:1")));
        assert_eq!(Form { relay: Some("ws://x:1".into()), ..elsewhere }.flaw(), None);
    }

    #[test]
    fn who_left_by_choice_is_told_nothing_and_who_was_refused_is_told_who_hosts() {
        assert_eq!(Trouble::of(&CloseReason::Left), None);
        let host = PlayerId::new("ada").unwrap();
        let refused = CloseReason::Refused(Refusal::HostExists { host, name: "Ada".into() });
        assert_eq!(Trouble::of(&refused), Some(Trouble::HostExists { host: "Ada".into() }));
        assert_eq!(Trouble::of(&refused).and_then(|trouble| trouble.way_out()).map(|(_, wish)| wish), Some(Wish::Join));
        assert_eq!(Trouble::of(&CloseReason::NoHost), Some(Trouble::NoHost));
        assert_eq!(Trouble::NoHost.way_out().map(|(_, wish)| wish), Some(Wish::Host));
    }

    #[test]
    fn reasons_read_as_sentences() {
        assert_eq!(sentence("the host is gone"), "The host is gone.");
        assert_eq!(sentence(""), ".");
    }
}
