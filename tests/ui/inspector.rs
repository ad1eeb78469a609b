//! The network inspector: what goes over the line, while somebody looks.

use std::time::Duration;

use bevy::prelude::*;
use bevy_egui::egui::{Key, Modifiers};
use bevy_rooms::{
    plugin::FrameLog,
    testing::{AppIndex, Rig},
    ui::{Inspector, RoomsUiPlugin, RoomsWindows},
};

use super::screen::{click, copied, only, press, seen, sees, wait_to_see, with_screen};

/// Longer than it takes to hear a few leases of the host.
const A_WHILE: Duration = Duration::from_secs(12);

fn two(seed: u64, windows: RoomsWindows) -> (Rig, AppIndex) {
    let (rig, [_, ben]) = Rig::room(seed, ["ada", "ben"], move |app| with_screen(app, only(windows)));
    (rig, ben)
}

fn shown(seed: u64) -> (Rig, AppIndex) {
    two(seed, RoomsWindows { inspector: true, ..RoomsWindows::NONE })
}

/// The frames in the list, as lines.
fn lines(rig: &Rig, app: AppIndex) -> Vec<&str> {
    let is_line = |text: &&str| [" in ", " out "].iter().any(|way| text.contains(way)) && text.contains('.');
    seen(rig, app).into_iter().filter(is_line).collect()
}

fn log(rig: &Rig, app: AppIndex) -> &FrameLog {
    rig.resource::<FrameLog>(app)
}

#[test]
fn its_key_shows_and_hides_it_and_hidden_it_costs_nothing() {
    let (mut rig, ben) = two(1, RoomsWindows::NONE);
    rig.run_for(A_WHILE);
    assert!(log(&rig, ben).is_empty() && !log(&rig, ben).is_watching());
    press(&mut rig, ben, Key::F12, Modifiers::NONE);
    rig.run_for(A_WHILE);
    assert!(lines(&rig, ben).iter().any(|line| line.contains("room:den")), "{:?}", seen(&rig, ben));
    press(&mut rig, ben, Key::F12, Modifiers::NONE);
    rig.run_for(Duration::from_secs(1));
    assert!(seen(&rig, ben).is_empty() && !log(&rig, ben).is_watching());
    let before = log(&rig, ben).len();
    rig.run_for(A_WHILE);
    assert_eq!(log(&rig, ben).len(), before);
}

#[test]
fn a_frame_is_shown_with_its_way_its_channel_and_what_is_in_it() {
    let (rig, ben) = shown(2);
    let lines = lines(&rig, ben);
    let line = |what: &str| *lines.iter().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line("room.hello").contains(" out ") && line("room.hello").contains("room:den"));
    assert!(line("room.welcome").contains(" in "));
    assert!(line("Presence").contains("Enter"));
}

#[test]
fn a_filter_leaves_the_frames_of_one_channel_or_of_the_connection() {
    let (mut rig, ben) = shown(3);
    click(&mut rig, ben, "all channels");
    click(&mut rig, ben, "the connection");
    let of_the_line = lines(&rig, ben).len();
    assert!(of_the_line > 0 && !lines(&rig, ben).iter().any(|line| line.contains("room:")), "{:?}", seen(&rig, ben));
    click(&mut rig, ben, "the connection");
    click(&mut rig, ben, "room:den");
    assert!(!lines(&rig, ben).is_empty());
    assert!(lines(&rig, ben).iter().all(|line| line.contains("room:den")), "{:?}", seen(&rig, ben));
}

#[test]
fn while_it_is_paused_nothing_moves_and_nothing_is_logged() {
    let (mut rig, ben) = shown(4);
    click(&mut rig, ben, "Pause");
    assert!(rig.resource::<Inspector>(ben).is_paused());
    let before = lines(&rig, ben).into_iter().map(str::to_owned).collect::<Vec<_>>();
    rig.run_for(A_WHILE);
    assert_eq!(lines(&rig, ben), before);
    assert!(!log(&rig, ben).is_watching());
    let logged = log(&rig, ben).len();
    click(&mut rig, ben, "Resume");
    rig.run_for(A_WHILE);
    // The list may have been full before.
    assert!(lines(&rig, ben) != before && log(&rig, ben).len() > logged);
}

#[test]
fn a_game_that_watches_the_log_itself_goes_on_doing_so() {
    let (mut rig, ben) = two(5, RoomsWindows::NONE);
    rig.world_mut(ben).resource_mut::<FrameLog>().watch(true);
    press(&mut rig, ben, Key::F12, Modifiers::NONE);
    click(&mut rig, ben, "Pause");
    let before = lines(&rig, ben).into_iter().map(str::to_owned).collect::<Vec<_>>();
    rig.run_for(A_WHILE);
    assert_eq!(lines(&rig, ben), before, "it stands still");
    press(&mut rig, ben, Key::F12, Modifiers::NONE);
    rig.run_for(A_WHILE);
    assert!(log(&rig, ben).is_watching() && log(&rig, ben).len() > before.len());
}

#[test]
fn what_is_shown_is_copied_as_lines_of_json() {
    let (mut rig, ben) = shown(6);
    click(&mut rig, ben, "all channels");
    click(&mut rig, ben, "room:den");
    click(&mut rig, ben, "Copy all");
    let frames: Vec<serde_json::Value> =
        copied(&rig, ben).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(frames.len() > 2 && frames.iter().all(|frame| frame["frame"]["channel"] == "room:den"), "{frames:?}");
    let hello = |frame: &&serde_json::Value| frame["frame"]["messages"][0]["name"] == "room.hello";
    assert_eq!(frames.iter().find(hello).unwrap()["direction"], "out");
}

#[test]
fn a_click_at_a_frame_shows_it_in_full_and_a_button_copies_it() {
    let (mut rig, ben) = shown(7);
    click(&mut rig, ben, "Pause");
    let line = lines(&rig, ben).into_iter().find(|line| line.contains("room.welcome")).unwrap().to_owned();
    click(&mut rig, ben, &line);
    click(&mut rig, ben, "Copy frame");
    let frame: serde_json::Value = serde_json::from_str(copied(&rig, ben).unwrap()).unwrap();
    assert_eq!(frame["messages"][0]["name"], "room.welcome");
    assert!(seen(&rig, ben).iter().any(|text| text.contains("\"name\": \"room.welcome\"")));
    click(&mut rig, ben, &line);
    assert!(!sees(&rig, ben, "Copy frame"), "another click hides it");
}

#[test]
fn clearing_leaves_an_empty_list_that_says_so() {
    let (mut rig, ben) = shown(8);
    click(&mut rig, ben, "Pause");
    click(&mut rig, ben, "Clear");
    assert_eq!((lines(&rig, ben).len(), log(&rig, ben).len()), (0, 0));
    wait_to_see(&mut rig, ben, "No frames yet. Each frame that is sent or received from now on appears here.");
}

#[test]
fn without_a_key_none_shows_it() {
    let (mut rig, [_, ben]) = Rig::room(9, ["ada", "ben"], |app| {
        with_screen(app, RoomsUiPlugin { inspector_key: None, ..only(RoomsWindows::NONE) });
    });
    press(&mut rig, ben, Key::F12, Modifiers::NONE);
    rig.run_for(Duration::from_secs(1));
    assert!(seen(&rig, ben).is_empty());
}
