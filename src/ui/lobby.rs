//! The lobby: a name, a room, the outcome of the last attempt to enter one, and an invite for others.

mod trouble;
mod widgets;

use std::time::Duration;

use bevy::prelude::*;
use bevy_egui::egui::{Id, Key, Label, Response, RichText, Ui};
use url::Url;

pub use self::trouble::{LobbyTrouble, LobbyWish};
use self::widgets::{GAP, column, field, notice, show_flaw, wide};
use super::style::{muted, sentence};
use crate::{
    plugin::{Connection, Room, RoomClosed, RoomError, RoomState, page_address, random_code, random_name},
    session::{Invite, Profile, RoomName},
};

/// The longest name of a player, in letters.
const LONGEST_NAME: usize = 40;
/// The longest link or name of a room, in letters.
const LONGEST_LINK: usize = 2_000;
/// How long the button says "Copied".
const COPIED_FOR: Duration = Duration::from_secs(2);
/// The form that the player fills in to enter a room, and the outcome. It keeps no secrets, and nothing from run to
/// run.
///
/// A resource of [`RoomsUiPlugin`](super::RoomsUiPlugin), which [`RoomsUi::lobby`](super::RoomsUi::lobby) shows. A game
/// with a design of its own reads and writes the fields, and checks [`flaw`](Self::flaw) before it enters
/// [`room`](Self::room). A game without rooms shows the same fields with [`ask`](Self::ask).
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct LobbyForm {
    /// The player's name. Defaults to a random one.
    pub name: String,
    /// The room's name or code, or an invite link, as the player typed it. Defaults to the room that the web
    /// page's address names, or else to a random code.
    pub room: String,
    /// The buttons of the form. Defaults to Host and Join.
    pub buttons: LobbyButtons,
    /// The address of the game's web page, for invite links. Defaults to the page that the game is
    /// in. `None`: the invite is the room's name.
    pub page: Option<String>,
    /// The relay of this game, `ws://…`, if invites should name it. Defaults to `None`.
    pub relay: Option<String>,
    /// Whether the player was invited to a room, so that Join comes first. Defaults to whether the web page's address
    /// names a room.
    pub invited: bool,
    /// Why the player is not in the room. [`RoomsUiPlugin`](super::RoomsUiPlugin) writes it.
    pub trouble: Option<LobbyTrouble>,
}

/// The buttons that the lobby offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LobbyButtons {
    /// One to host the room, and one to join it.
    #[default]
    HostAndJoin,
    /// One that joins the room, or hosts it if nobody does.
    Enter,
}

impl Default for LobbyForm {
    fn default() -> Self {
        Self::new(random_name(), String::new())
    }
}

impl LobbyForm {
    /// A form with this name and room. An empty room stands for the default.
    pub fn new(name: impl Into<String>, room: impl Into<String>) -> Self {
        let (name, mut room) = (name.into(), room.into());
        let address = page_address();
        let of_page = address.as_deref().and_then(|address| Invite::read(address).ok());
        let invited = room.is_empty() && of_page.is_some();
        if room.is_empty() {
            room = of_page.map_or_else(random_code, |invite| invite.room).shown().to_string();
        }
        let page = address.as_deref().and_then(without_query);
        Self { name, room, buttons: LobbyButtons::default(), page, relay: None, invited, trouble: None }
    }

    /// What the player must change in the form, in a sentence; `None` if nothing.
    pub fn flaw(&self) -> Option<String> {
        if self.name.trim().is_empty() {
            return Some("Give yourself a name.".to_owned());
        }
        match Invite::read(&self.room) {
            Ok(Invite { relay: Some(relay), .. }) if self.relay.as_ref() != Some(&relay) => Some(format!(
                "This room is on another relay, {relay}. Connect the game to that relay, or enter another room."
            )),
            Ok(_) => None,
            Err(error) => Some(sentence(&error.to_string())),
        }
    }

    /// The room in the form, if it names one.
    pub fn room(&self) -> Option<RoomName> {
        Invite::read(&self.room).ok().map(|invite| invite.room)
    }

    /// The profile of the player.
    pub fn profile(&self) -> Profile {
        Profile::named(self.name.trim())
    }

    /// Whether the player was invited to a room, by the page's address or by a link in the form.
    pub fn is_invited(&self) -> bool {
        self.invited || self.room.contains("://")
    }

    /// The invite to this room: a link if there is a [`page`](Self::page), else its name.
    pub fn invite(&self, room: &RoomName) -> String {
        let mut invite = Invite::to(room.clone());
        if let Some(relay) = &self.relay {
            invite = invite.at_relay(relay.clone());
        }
        let link = self.page.as_ref().and_then(|page| invite.link(page).ok());
        link.unwrap_or_else(|| room.shown().to_string())
    }

    /// Shows the lobby: the form outside a room, the progress on the way in, and an invite inside. Returns what
    /// the player asks for.
    pub fn show(&mut self, ui: &mut Ui, state: RoomState, room: &Room, connection: &Connection) -> Option<LobbyWish> {
        if state != RoomState::Arriving {
            ui.data_mut(|data| data.remove::<f64>(since()));
        }
        column(ui, |ui| match state {
            RoomState::Outside => self.show_form(ui),
            RoomState::Arriving => Self::show_arrival(ui, room, connection),
            RoomState::Joined => self.show_invite(ui, room),
        })
    }

    /// Shows the fields and one button with this text, for an app whose rooms are channels. Returns whether the player
    /// pressed the button or Enter, and the form has no flaw.
    pub fn ask(&mut self, ui: &mut Ui, button: &str) -> bool {
        column(ui, |ui| {
            let entered = self.fields(ui);
            let flaw = self.flaw();
            let pressed = ui.add_enabled_ui(flaw.is_none(), |ui| wide(ui, button, true).clicked()).inner;
            show_flaw(ui, flaw.as_deref());
            flaw.is_none() && (pressed || entered)
        })
    }

    fn show_form(&mut self, ui: &mut Ui) -> Option<LobbyWish> {
        let mut wish = None;
        let next_step = self.trouble.as_ref().and_then(LobbyTrouble::next_step);
        if let Some(trouble) = &self.trouble {
            notice(ui, &trouble.message());
            if let Some((text, instead)) = next_step
                && ui.add_enabled_ui(self.flaw().is_none(), |ui| wide(ui, text, true).clicked()).inner
            {
                wish = Some(instead);
            }
            ui.add_space(GAP);
        }
        let entered = self.fields(ui);
        let flaw = self.flaw();
        let buttons: &[(&str, LobbyWish)] = match self.buttons {
            LobbyButtons::Enter => &[("Enter", LobbyWish::Enter)],
            LobbyButtons::HostAndJoin if self.is_invited() => &[("Join", LobbyWish::Join), ("Host", LobbyWish::Host)],
            LobbyButtons::HostAndJoin => &[("Host", LobbyWish::Host), ("Join", LobbyWish::Join)],
        };
        ui.add_enabled_ui(flaw.is_none(), |ui| {
            ui.columns(buttons.len(), |columns| {
                for (index, (ui, (text, asked))) in columns.iter_mut().zip(buttons).enumerate() {
                    // After trouble, the button above is the next step.
                    let is_next = index == 0 && next_step.is_none();
                    if wide(ui, text, is_next).clicked() || index == 0 && entered && flaw.is_none() {
                        wish = Some(*asked);
                    }
                }
            });
        });
        show_flaw(ui, flaw.as_deref());
        wish
    }

    /// Shows the two fields. Returns whether the player pressed Enter in one of them.
    fn fields(&mut self, ui: &mut Ui) -> bool {
        let name = field(ui, "Your name", &mut self.name, LONGEST_NAME, "Another name", random_name);
        let code = || random_code().shown().to_string();
        let room = field(ui, "Room", &mut self.room, LONGEST_LINK, "Another room", code);
        ui.add(
            Label::new(
                RichText::new("A name, a code, or an invite link. Players who enter the same room meet there.").weak(),
            )
            .wrap(),
        );
        ui.add_space(GAP);
        let done = |field: &Response| field.lost_focus() && field.ctx.input(|input| input.key_pressed(Key::Enter));
        done(&name) || done(&room)
    }

    fn show_arrival(ui: &mut Ui, room: &Room, connection: &Connection) -> Option<LobbyWish> {
        let now = ui.input(|input| input.time);
        let waited = now - ui.data_mut(|data| *data.get_temp_mut_or(since(), now));
        let name = room.name.as_ref().map(|room| room.shown()).unwrap_or_default();
        ui.heading(format!("Entering {name}"));
        let words = match connection.notice() {
            _ if room.waiting => "A round is running. You can play in the next one.".to_owned(),
            Some(notice) => notice,
            None => "Looking for the players of the room …".to_owned(),
        };
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label(muted(ui, format!("{waited:.0} s")));
        });
        ui.add(Label::new(words).wrap());
        ui.add_space(GAP);
        wide(ui, "Cancel", false).clicked().then_some(LobbyWish::Leave)
    }

    fn show_invite(&self, ui: &mut Ui, room: &Room) -> Option<LobbyWish> {
        let name = room.name.as_ref()?;
        let invite = self.invite(name);
        ui.label(muted(ui, "You are in"));
        ui.heading(name.shown().as_str());
        ui.add_space(GAP);
        ui.label(muted(ui, "Others come in with this:"));
        ui.add(Label::new(RichText::new(&invite).monospace()).wrap());
        let now = ui.input(|input| input.time);
        let copied = ui.data(|data| data.get_temp::<f64>(copied()));
        let is_fresh = copied.is_some_and(|at| now - at < COPIED_FOR.as_secs_f64());
        let text = if is_fresh { "Copied" } else { "Copy invite" };
        ui.columns(2, |columns| {
            if wide(&mut columns[0], text, true).clicked() {
                columns[0].ctx().copy_text(invite);
                columns[0].data_mut(|data| data.insert_temp(self::copied(), now));
            }
            wide(&mut columns[1], "Leave", false).clicked().then_some(LobbyWish::Leave)
        })
    }
}

/// The key under which egui keeps the start of this attempt.
fn since() -> Id {
    Id::new("bevy_rooms: arriving since")
}

/// The key under which egui keeps the time of the last copy.
fn copied() -> Id {
    Id::new("bevy_rooms: invite copied")
}

/// Stores in the form why the player is not in the room.
pub(super) fn note_trouble(
    mut closed: MessageReader<RoomClosed>,
    mut errors: MessageReader<RoomError>,
    mut form: ResMut<LobbyForm>,
) {
    for RoomClosed { reason } in closed.read() {
        form.trouble = LobbyTrouble::of(reason);
    }
    for error in errors.read() {
        if let RoomError::InvalidName(_) | RoomError::AlreadyInRoom { .. } | RoomError::NoBackgroundTask { .. } = error
        {
            form.trouble = Some(LobbyTrouble::Other(error.to_string()));
        }
    }
}

/// The address of a page, without its parameters.
fn without_query(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, room: &str) -> LobbyForm {
        LobbyForm { room: room.into(), ..LobbyForm::new(name, "x") }
    }

    #[test]
    fn a_name_and_a_room_are_needed() {
        assert_eq!(form("Ada", "otter-badger-fox").flaw(), None);
        assert_eq!(form("  ", "otter-badger-fox").flaw().as_deref(), Some("Give yourself a name."));
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
        assert!(elsewhere.flaw().is_some_and(|flaw| flaw.contains("ws://x:1")));
        assert_eq!(LobbyForm { relay: Some("ws://x:1".into()), ..elsewhere }.flaw(), None);
    }

    #[test]
    fn a_form_begins_with_a_name_and_a_code_that_can_be_sent() {
        let form = LobbyForm::default();
        assert_eq!((form.flaw(), form.is_invited()), (None, false));
        assert_eq!(form.room, form.room().unwrap().shown().as_str());
    }

    #[test]
    fn an_invite_is_a_link_where_there_is_a_page_and_else_the_name() {
        let (room, plain) = (RoomName::new("km4-rx7").unwrap(), form("Ada", "x"));
        assert_eq!(plain.invite(&room), "KM4-RX7");
        let page = without_query("https://game.example/play?name=Ada#top");
        let with_page = LobbyForm { page, relay: Some("ws://10.0.0.1:8787".into()), ..plain };
        let link = "https://game.example/play?room=km4-rx7&relay=ws%3A%2F%2F10.0.0.1%3A8787";
        assert_eq!(with_page.invite(&room), link);
    }
}
