//! The lobby: in by a click, and told why not.

use std::time::Duration;

use bevy_egui::egui::{Key, Modifiers};
use bevy_rooms::{
    prelude::*,
    testing::{AppIndex, Rig},
    ui::{LobbyButtons, LobbyForm, RoomsUiPlugin},
};

use super::screen::{click, copied, press, seen, sees, wait_to_see, windows, with_screen, write_over};

/// Longer than it takes to get into a room, or to find that nobody hosts it.
const ARRIVAL: Duration = Duration::from_secs(15);

fn player(rig: &mut Rig, ui: RoomsUiPlugin) -> AppIndex {
    let name = ui.form.name.to_lowercase();
    rig.add(&name, move |app| with_screen(app, ui.clone()))
}

#[test]
fn whoever_waits_for_a_server_is_told_why_and_when_the_next_try_comes() {
    let mut rig = Rig::new(13);
    let ada = player(&mut rig, windows("Ada", "den"));
    rig.restart_relay(Duration::from_secs(15));
    click(&mut rig, ada, "Host");
    let told = |rig: &Rig, words: &str| seen(rig, ada).iter().any(|text| text.starts_with(words));
    rig.run_until(ARRIVAL, |rig| told(rig, "The server cannot be reached. Trying again in ")).unwrap();
    assert!(seen(&rig, ada).iter().any(|text| text.contains(" s (2nd try). ")), "{:?}", seen(&rig, ada));
    rig.run_until(2 * ARRIVAL, |rig| seen(rig, ada).iter().any(|text| text.contains(" s (4th try). "))).unwrap();
    rig.run_until(4 * ARRIVAL, |rig| rig.is_host(ada)).unwrap();
    assert!(!told(&rig, "The server cannot"));
}

/// A rig with a host of the room "den".
fn rig_with_host(seed: u64) -> (Rig, AppIndex) {
    let mut rig = Rig::new(seed);
    let ada = rig.add("ada", |_| {});
    rig.command(ada, |commands| commands.host_room("den", Profile::named("Ada")));
    rig.run_until(ARRIVAL, |rig| rig.is_host(ada)).unwrap();
    (rig, ada)
}

#[test]
fn a_click_hosts_the_room_of_the_form_under_its_name() {
    let mut rig = Rig::new(1);
    let ada = player(&mut rig, windows("Ada", "den"));
    click(&mut rig, ada, "Host");
    rig.run_until(ARRIVAL, |rig| rig.is_host(ada)).unwrap();
    wait_to_see(&mut rig, ada, "You are in");
    assert!(sees(&rig, ada, "den") && !sees(&rig, ada, "Host"), "{:?}", seen(&rig, ada));
    assert_eq!(rig.resource::<LocalPlayer>(ada).profile, Profile::named("Ada"));
}

#[test]
fn a_click_joins_the_room_that_was_typed() {
    let (mut rig, _) = rig_with_host(2);
    let ben = player(&mut rig, windows("Ben", "elsewhere"));
    write_over(&mut rig, ben, "elsewhere", " Den ");
    click(&mut rig, ben, "Join");
    rig.run_until(ARRIVAL, |rig| rig.state(ben) == RoomState::Joined).unwrap();
    assert_eq!(rig.resource::<Roster>(ben).len(), 2);
}

#[test]
fn who_would_host_a_room_that_has_a_host_is_told_who_hosts_and_joins_with_a_click() {
    let (mut rig, _) = rig_with_host(3);
    let ben = player(&mut rig, windows("Ben", "den"));
    click(&mut rig, ben, "Host");
    wait_to_see(&mut rig, ben, "Ada hosts this room.");
    assert_eq!(rig.state(ben), RoomState::Outside);
    click(&mut rig, ben, "Join instead");
    rig.run_until(ARRIVAL, |rig| rig.state(ben) == RoomState::Joined).unwrap();
    assert!(!sees(&rig, ben, "Ada hosts this room."));
}

#[test]
fn who_joins_a_room_without_a_host_sees_the_wait_and_then_hosts_with_a_click() {
    let mut rig = Rig::new(4);
    let ada = player(&mut rig, windows("Ada", "den"));
    click(&mut rig, ada, "Join");
    wait_to_see(&mut rig, ada, "Looking for the players of the room …");
    wait_to_see(&mut rig, ada, "Nobody hosts this room.");
    click(&mut rig, ada, "Host it");
    rig.run_until(ARRIVAL, |rig| rig.is_host(ada)).unwrap();
}

#[test]
fn a_refusal_is_told_in_a_sentence() {
    let (mut rig, ada) = rig_with_host(5);
    rig.command(ada, |commands| commands.lock_room());
    let ben = player(&mut rig, windows("Ben", "den"));
    click(&mut rig, ben, "Join");
    wait_to_see(&mut rig, ben, "Not admitted: the room is locked; ask its host to open it.");
}

#[test]
fn whoever_waits_to_be_let_in_can_give_up() {
    let mut rig = Rig::new(6);
    let ada = player(&mut rig, windows("Ada", "den"));
    click(&mut rig, ada, "Join");
    click(&mut rig, ada, "Cancel");
    rig.run_until(ARRIVAL, |rig| rig.state(ada) == RoomState::Outside).unwrap();
    wait_to_see(&mut rig, ada, "Host");
    assert!(!sees(&rig, ada, "Nobody hosts this room."), "who gave up is told nothing");
}

#[test]
fn a_form_with_a_flaw_says_so_and_cannot_be_sent() {
    for (field, text, flaw) in [
        ("Ada", "", "Give yourself a name."),
        ("den", "https://game.example/", "The link names no room; it has to say ?room=NAME."),
    ] {
        let mut rig = Rig::new(7);
        let ada = player(&mut rig, windows("Ada", "den"));
        write_over(&mut rig, ada, field, text);
        wait_to_see(&mut rig, ada, flaw);
        click(&mut rig, ada, "Host");
        press(&mut rig, ada, Key::Enter, Modifiers::NONE);
        assert_eq!(rig.state(ada), RoomState::Outside);
    }
}

#[test]
fn the_enter_key_does_what_comes_first() {
    let mut rig = Rig::new(8);
    let ada = player(&mut rig, windows("Ada", "den"));
    write_over(&mut rig, ada, "den", "lair");
    press(&mut rig, ada, Key::Enter, Modifiers::NONE);
    rig.run_until(ARRIVAL, |rig| rig.is_host(ada)).unwrap();
    assert_eq!(rig.resource::<Room>(ada).name.as_ref().unwrap().as_str(), "lair");
}

#[test]
fn one_button_joins_the_room_or_hosts_it() {
    let mut rig = Rig::new(9);
    let enter = |name| {
        let form = LobbyForm { buttons: LobbyButtons::Enter, ..LobbyForm::new(name, "den") };
        RoomsUiPlugin { form, ..Default::default() }
    };
    let players = ["Ada", "Ben"].map(|name| player(&mut rig, enter(name)));
    for player in players {
        click(&mut rig, player, "Enter");
        rig.run_until(2 * ARRIVAL, |rig| rig.state(player) == RoomState::Joined).unwrap();
    }
    assert!(rig.is_host(players[0]) && !rig.is_host(players[1]));
}

#[test]
fn the_invite_is_copied_and_the_button_says_so_for_a_while() {
    let mut rig = Rig::new(10);
    let form = LobbyForm { page: Some("https://game.example/".into()), ..LobbyForm::new("Ada", "den") };
    let ada = player(&mut rig, RoomsUiPlugin { form, ..Default::default() });
    click(&mut rig, ada, "Host");
    click(&mut rig, ada, "Copy invite");
    assert_eq!(copied(&rig, ada), Some("https://game.example/?room=den"));
    assert!(sees(&rig, ada, "Copied"));
    wait_to_see(&mut rig, ada, "Copy invite");
}

#[test]
fn a_click_leaves_the_room_and_the_form_is_there_again() {
    let mut rig = Rig::new(11);
    let ada = player(&mut rig, windows("Ada", "den"));
    click(&mut rig, ada, "Host");
    click(&mut rig, ada, "Leave");
    rig.run_until(ARRIVAL, |rig| rig.state(ada) == RoomState::Outside).unwrap();
    wait_to_see(&mut rig, ada, "Host");
}

#[test]
fn the_dice_throws_another_name() {
    let mut rig = Rig::new(12);
    let ada = player(&mut rig, windows("Ada", "den"));
    click(&mut rig, ada, "🎲");
    let name = &rig.resource::<LobbyForm>(ada).name;
    assert!(name != "Ada" && sees(&rig, ada, name), "{name}");
}
