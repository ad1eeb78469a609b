//! The plugin: which windows are there, and that an app without a screen does well.

use std::time::Duration;

use bevy::prelude::*;
use bevy_egui::{EguiContext, EguiPrimaryContextPass, PrimaryEguiContext, egui};
use bevy_rooms::{
    plugin::FrameLog,
    testing::Rig,
    ui::{Feed, PlayerRow, Prompt, RoomsUi, RoomsUiPlugin, RoomsWindows, prompt, whole_window},
};

use super::screen::{only, press, seen, sees, wait_to_see, windows, with_screen, write};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn with_one_line_a_game_has_a_lobby_its_players_and_the_connection() {
    let mut rig = Rig::new(1);
    let ada = rig.add("ada", |app| with_screen(app, windows("Ada", "den")));
    rig.run_for(SECOND);
    for title in ["Lobby", "Players", "Connection"] {
        assert!(sees(&rig, ada, title), "{title} among {:?}", seen(&rig, ada));
    }
}

#[test]
fn a_game_says_which_windows_are_shown() {
    let mut rig = Rig::new(2);
    let ada = rig.add("ada", |app| with_screen(app, only(RoomsWindows::NONE)));
    rig.run_for(SECOND);
    assert!(seen(&rig, ada).is_empty());
    rig.world_mut(ada).resource_mut::<RoomsWindows>().roster = true;
    wait_to_see(&mut rig, ada, "Players");
    assert!(!sees(&rig, ada, "Lobby"));
}

/// A game that shows the parts in panels of its own.
fn panels(
    mut context: Single<&mut EguiContext, With<PrimaryEguiContext>>,
    mut rooms: RoomsUi,
    mut feed: ResMut<Feed>,
    mut draft: Local<String>,
) {
    let mut window = whole_window(context.get_mut());
    egui::Panel::right("side").default_size(240.0).show(&mut window, |ui| {
        rooms.connection_line(ui);
        rooms.roster(ui);
        ui.add(PlayerRow::new("a bot").tag("machine"));
    });
    egui::Panel::bottom("feed").default_size(100.0).show(&mut window, |ui| {
        match prompt(ui, &mut draft, "Write here") {
            Prompt::Entered(line) => feed.push(format!("written: {line}")),
            Prompt::Writing => feed.push("writing"),
            Prompt::Idle => {}
        }
        feed.show(ui, "Nothing yet.");
    });
    egui::CentralPanel::default().show(&mut window, |ui| rooms.lobby(ui));
}

#[test]
fn a_game_shows_the_parts_in_panels_of_its_own() {
    let (mut rig, [ada]) = Rig::room(3, ["ada"], |app| {
        with_screen(app, only(RoomsWindows::NONE));
        app.init_resource::<Feed>().add_systems(EguiPrimaryContextPass, panels);
    });
    for text in ["connected", "ada", "host", "you", "a bot", "machine", "You are in", "Nothing yet."] {
        let is_there = |rig: &Rig| seen(rig, ada).iter().any(|seen| seen.starts_with(text));
        assert!(rig.run_until(SECOND, is_there).is_ok(), "{text:?} is not among {:?}", seen(&rig, ada));
    }
    rig.world_mut(ada).resource_mut::<Feed>().push("Ada came");
    wait_to_see(&mut rig, ada, "Ada came");
    assert!(!sees(&rig, ada, "Nothing yet."));
}

#[test]
fn what_is_written_at_the_prompt_is_given_with_the_enter_key_and_the_next_can_be_written_at_once() {
    let (mut rig, [ada]) = Rig::room(5, ["ada"], |app| {
        with_screen(app, only(RoomsWindows::NONE));
        app.init_resource::<Feed>().add_systems(EguiPrimaryContextPass, panels);
    });
    for line in ["hello", "again"] {
        write(&mut rig, ada, line);
        press(&mut rig, ada, egui::Key::Enter, egui::Modifiers::NONE);
    }
    let lines: Vec<&str> = rig.resource::<Feed>(ada).iter().collect();
    assert_eq!(lines, ["writing", "written: hello", "writing", "written: again"]);
}

#[test]
fn in_an_app_without_a_screen_the_plugin_does_nothing() {
    let (mut rig, [ada]) = Rig::room(4, ["ada"], |app| _ = app.add_plugins(RoomsUiPlugin::default()));
    rig.run_for(10 * SECOND);
    assert!(rig.resource::<FrameLog>(ada).is_empty());
}
