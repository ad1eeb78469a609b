//! The screen of an app of the rig: what is to be read on it, and a hand that clicks and types.

use std::{collections::VecDeque, time::Duration};

use bevy::prelude::*;
use bevy_egui::{
    EguiContext, EguiPrimaryContextPass, PrimaryEguiContext,
    egui::{Event, FullOutput, Key, Modifiers, OutputCommand, PointerButton, Pos2, RawInput, Rect, Shape, vec2},
};
use bevy_rooms::{
    testing::{AppIndex, Rig},
    ui::{LobbyForm, RoomsUiPlugin, RoomsWindows},
};

/// Longer than a click takes to have its effect on the screen.
const MOMENT: Duration = Duration::from_millis(600);

/// Longest wait for something to be seen.
const LONG: Duration = Duration::from_secs(20);

/// What there is to be read, and what was copied.
#[derive(Resource, Default)]
pub struct Screen {
    events: VecDeque<Event>,
    texts: Vec<(String, Pos2)>,
    copied: Vec<String>,
}

/// Gives an app a screen. Its window is 1,000 by 800 points, and is drawn once a frame.
pub fn with_screen(app: &mut App, ui: RoomsUiPlugin) {
    app.add_plugins(ui).init_resource::<Screen>().add_systems(PostUpdate, draw);
    app.world_mut().spawn(PrimaryEguiContext);
}

/// The windows that a player sees who has added the plugin alone, with this in the form.
pub fn windows(name: &str, room: &str) -> RoomsUiPlugin {
    RoomsUiPlugin { form: LobbyForm::new(name, room), ..default() }
}

/// One window and no other.
pub fn only(windows: RoomsWindows) -> RoomsUiPlugin {
    RoomsUiPlugin { windows, ..default() }
}

fn draw(world: &mut World) {
    let ctx = world
        .query_filtered::<&mut EguiContext, With<PrimaryEguiContext>>()
        .single_mut(world)
        .expect("an app with a screen")
        .get_mut()
        .clone();
    // One at a time, as a hand is slower than a frame.
    let events = world.resource_mut::<Screen>().events.pop_front().into_iter().collect();
    let time = Some(world.resource::<Time<Real>>().elapsed_secs_f64());
    let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, vec2(1000.0, 800.0)));
    ctx.begin_pass(RawInput { screen_rect, time, events, ..RawInput::default() });
    world.run_schedule(EguiPrimaryContextPass);
    let mut output = ctx.end_pass();
    // Nothing shows the textures.
    output.textures_delta.clear();
    let mut screen = world.resource_mut::<Screen>();
    screen.texts = texts(&output);
    for command in output.platform_output.commands {
        if let OutputCommand::CopyText(text) = command {
            screen.copied.push(text);
        }
    }
}

/// All that is written somewhere, with the middle of what is to be seen of each text.
fn texts(output: &FullOutput) -> Vec<(String, Pos2)> {
    fn gather(shape: &Shape, clip: Rect, found: &mut Vec<(String, Pos2)>) {
        match shape {
            Shape::Text(text) => {
                let visible = text.galley.rect.translate(text.pos.to_vec2()).intersect(clip);
                if visible.is_positive() {
                    found.push((text.galley.text().to_owned(), visible.center()));
                }
            }
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| gather(shape, clip, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    output.shapes.iter().for_each(|clipped| gather(&clipped.shape, clipped.clip_rect, &mut found));
    found
}

/// The texts on an app's screen.
pub fn seen(rig: &Rig, app: AppIndex) -> Vec<&str> {
    rig.resource::<Screen>(app).texts.iter().map(|(text, _)| text.as_str()).collect()
}

/// Whether a text is on the screen.
pub fn sees(rig: &Rig, app: AppIndex, text: &str) -> bool {
    seen(rig, app).contains(&text)
}

/// Waits until a text is on the screen.
#[track_caller]
pub fn wait_to_see(rig: &mut Rig, app: AppIndex, text: &str) {
    if let Err(error) = rig.run_until(LONG, |rig| sees(rig, app, text)) {
        panic!("{text:?} is not among {:?}: {error}", seen(rig, app));
    }
}

/// What was copied last.
pub fn copied(rig: &Rig, app: AppIndex) -> Option<&str> {
    rig.resource::<Screen>(app).copied.last().map(String::as_str)
}

/// Clicks at the first text that says this, which is waited for.
#[track_caller]
pub fn click(rig: &mut Rig, app: AppIndex, text: &str) {
    wait_to_see(rig, app, text);
    // What has just appeared may still move.
    rig.run_for(MOMENT);
    let texts = &rig.resource::<Screen>(app).texts;
    let at = texts.iter().find(|(found, _)| found == text).expect("it was there before").1;
    let button = |pressed| {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        Event::PointerButton { pos: at, button, pressed, modifiers }
    };
    rig.world_mut(app).resource_mut::<Screen>().events.extend([Event::PointerMoved(at), button(true), button(false)]);
    rig.run_for(MOMENT);
}

/// Presses a key.
pub fn press(rig: &mut Rig, app: AppIndex, key: Key, modifiers: Modifiers) {
    let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    rig.world_mut(app).resource_mut::<Screen>().events.extend([event(true), event(false)]);
    rig.run_for(MOMENT);
}

/// Writes where the keyboard is.
pub fn write(rig: &mut Rig, app: AppIndex, text: &str) {
    rig.world_mut(app).resource_mut::<Screen>().events.push_back(Event::Text(text.to_owned()));
    rig.run_for(MOMENT);
}

/// Writes something else into the field that says this.
#[track_caller]
pub fn write_over(rig: &mut Rig, app: AppIndex, field: &str, text: &str) {
    click(rig, app, field);
    press(rig, app, Key::A, Modifiers::COMMAND);
    match text {
        "" => press(rig, app, Key::Backspace, Modifiers::NONE),
        text => write(rig, app, text),
    }
}
