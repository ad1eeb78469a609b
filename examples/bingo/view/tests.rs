//! The pieces of the window, drawn without one, and clicked at where their text is.

use bevy::ecs::system::SystemState;
use bevy_egui::egui::{
    Context, Event, FullOutput, Modifiers, PointerButton, Pos2, RawInput, Rect, Shape, Ui, pos2, vec2,
};
use bevy_rooms::ui::LobbyTrouble;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{scene::Scene, *};
use crate::{
    card::{Number, Strip, deal},
    net::BingoPlugin,
    rules::PlayerId as Seat,
    seal::Held,
};

const PHONE: (f32, f32) = (400.0, 800.0);
const DESKTOP: (f32, f32) = (1280.0, 800.0);

/// A page of a size, drawn again for every event.
struct Screen {
    ctx: Context,
    size: (f32, f32),
}

impl Screen {
    fn new(size: (f32, f32)) -> Self {
        let ctx = Context::default();
        theme::apply(&ctx);
        Self { ctx, size }
    }

    fn draw(&self, events: Vec<Event>, draw: &mut dyn FnMut(&mut Ui)) -> FullOutput {
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, vec2(self.size.0, self.size.1)));
        let mut output = self.ctx.run_ui(RawInput { screen_rect, events, ..RawInput::default() }, draw);
        // Nothing shows the textures.
        output.textures_delta.clear();
        output
    }

    /// Clicks at the first text that says this.
    fn click(&self, text: &str, draw: &mut dyn FnMut(&mut Ui)) {
        // Panels know their size from the time before.
        self.draw(Vec::new(), draw);
        let at = place_of(&self.draw(Vec::new(), draw), text);
        let button = |pressed| {
            let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
            Event::PointerButton { pos: at, button, pressed, modifiers }
        };
        for event in [Event::PointerMoved(at), button(true), button(false)] {
            self.draw(vec![event], draw);
        }
    }
}

fn texts(output: &FullOutput) -> Vec<(String, Pos2)> {
    fn gather(shape: &Shape, found: &mut Vec<(String, Pos2)>) {
        match shape {
            Shape::Text(text) => {
                found.push((text.galley.text().to_owned(), text.pos + text.galley.rect.center().to_vec2()));
            }
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| gather(shape, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    output.shapes.iter().for_each(|clipped| gather(&clipped.shape, &mut found));
    found
}

fn place_of(output: &FullOutput, text: &str) -> Pos2 {
    let texts = texts(output);
    texts.iter().find(|(found, _)| found == text).unwrap_or_else(|| panic!("no {text:?} among {texts:?}")).1
}

/// The game, in a round with these players, as the resources of a player in it.
fn world(players: &[&str]) -> World {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, RoomsPlugin::default(), BingoPlugin::default()));
    app.insert_resource(Inviting(clap::Parser::parse_from(["bingo"])));
    let us = app.world().resource::<LocalPlayer>().id.clone();
    let seats = players.iter().map(|player| Seat::from(if *player == "us" { us.as_str() } else { player }));
    let mut table = Table::default();
    table.start(seats).unwrap();
    app.insert_resource(Confirmed::new(table));
    std::mem::take(app.world_mut())
}

/// Lets a changed round come back from the room.
fn change(world: &mut World, change: impl FnOnce(&mut Table)) {
    let mut table = Table::clone(world.resource::<Confirmed<Table>>());
    change(&mut table);
    world.insert_resource(Confirmed::new(table));
}

fn strip() -> Strip {
    deal(1, &mut ChaCha8Rng::seed_from_u64(1)).remove(0)
}

/// Draws the table of this world, clicking at a text or at nothing, and returns what the player wants.
fn at_the_table(world: &mut World, size: (f32, f32), click: Option<&str>) -> (Vec<Wish>, Vec<String>) {
    let mut state = SystemState::<Scene>::new(world);
    let scene = state.get(world).unwrap();
    let (screen, mut wishes, mut copied) = (Screen::new(size), Vec::new(), None);
    let mut draw = |ui: &mut Ui| _ = table::show(ui, &scene, &mut copied, &mut wishes);
    if let Some(text) = click {
        screen.click(text, &mut draw);
    }
    let seen = texts(&screen.draw(Vec::new(), &mut draw)).into_iter().map(|(text, _)| text).collect();
    (wishes, seen)
}

fn in_the_lobby(form: &mut LobbyForm, click: &str) -> Vec<Wish> {
    let mut world = world(&["us"]);
    let mut state = SystemState::<Scene>::new(&mut world);
    let scene = state.get(&world).unwrap();
    let mut wishes = Vec::new();
    Screen::new(PHONE).click(click, &mut |ui| lobby::show(ui, &scene, form, Duration::ZERO, &mut wishes));
    wishes
}

fn filled_in() -> LobbyForm {
    LobbyForm::new("Ada", "otter-badger-fox")
}

fn hold(world: &mut World, strip: Strip) {
    let round = world.resource::<Confirmed<Table>>().round();
    let mut hand = world.resource_mut::<Hand>();
    hand.round = round;
    hand.held = Some(Held::new(strip, &mut ChaCha8Rng::seed_from_u64(1)));
}

#[test]
fn the_lobby_hosts_and_joins() {
    assert_eq!(in_the_lobby(&mut filled_in(), "Host this room"), [Wish::Host]);
    assert_eq!(in_the_lobby(&mut filled_in(), "Join this room"), [Wish::Join]);
}

#[test]
fn a_form_with_a_flaw_cannot_be_sent() {
    assert_eq!(in_the_lobby(&mut LobbyForm { room: "a:b".into(), ..filled_in() }, "Host this room"), []);
}

#[test]
fn who_is_refused_as_host_is_offered_to_join() {
    let trouble = Some(LobbyTrouble::HostExists { host: "Bob".into() });
    assert_eq!(in_the_lobby(&mut LobbyForm { trouble, ..filled_in() }, "Join instead"), [Wish::Join]);
}

#[test]
fn who_joins_a_room_without_a_host_is_offered_to_host() {
    assert_eq!(
        in_the_lobby(&mut LobbyForm { trouble: Some(LobbyTrouble::NoHost), ..filled_in() }, "Host it"),
        [Wish::Host]
    );
}

#[test]
fn the_dice_offers_another_room() {
    let mut form = filled_in();
    form.name = "🎲 Ada".into();
    assert_eq!(in_the_lobby(&mut form, "🎲"), []);
    assert_ne!(form.name, "🎲 Ada");
}

#[test]
fn a_click_on_a_number_wants_it_marked() {
    for size in [PHONE, DESKTOP] {
        let mut world = world(&["us"]);
        hold(&mut world, strip());
        let number = strip().tickets()[0].numbers().iter().last().unwrap();
        let (wishes, _) = at_the_table(&mut world, size, Some(&number.to_string()));
        // The board of called numbers, which comes first in a wide window, cannot be clicked.
        let expected: &[Wish] = if size == PHONE { &[Wish::Toggle(number)] } else { &[] };
        assert_eq!(wishes, expected);
    }
}

#[test]
fn the_button_shouts_only_when_the_shout_would_be_let_through() {
    let mut world = world(&["us"]);
    hold(&mut world, strip());
    assert_eq!(at_the_table(&mut world, PHONE, Some("Bingo!")).0, []);
    let numbers: Vec<Number> = Number::all().take(5).collect();
    for number in &numbers {
        change(&mut world, |table| table.call(*number).unwrap());
    }
    world.resource_mut::<Hand>().marks = numbers.into_iter().collect();
    assert_eq!(at_the_table(&mut world, PHONE, Some("Bingo!")).0, [Wish::Shout]);
}

#[test]
fn a_spectator_is_told_so_and_has_no_button() {
    for size in [PHONE, DESKTOP] {
        let (_, seen) = at_the_table(&mut world(&["somebody else"]), size, None);
        assert!(seen.iter().any(|text| text.starts_with("You are watching this round.")), "{seen:?}");
        assert!(!seen.iter().any(|text| text == "Bingo!"), "{seen:?}");
    }
}

#[test]
fn only_the_host_can_start_the_next_round() {
    let mut world = world(&["us"]);
    change(&mut world, |table| table.complete(crate::rules::Reason::Stopped).unwrap());
    let (_, seen) = at_the_table(&mut world, DESKTOP, None);
    assert!(seen.iter().any(|text| text.starts_with("Waiting for")), "{seen:?}");
    world.resource_mut::<Host>().is_us = true;
    assert_eq!(at_the_table(&mut world, DESKTOP, Some("Play again")).0, [Wish::Start]);
}

#[test]
fn a_click_at_the_line_wants_to_see_what_goes_over_it() {
    assert_eq!(at_the_table(&mut world(&["us"]), DESKTOP, Some("not connected")).0, [Wish::Inspect]);
}

#[test]
fn what_is_wrong_is_told_under_the_header_as_long_as_it_is() {
    let mut world = world(&["us"]);
    let told = |world: &mut World, size, words: &str| {
        at_the_table(world, size, None).1.iter().any(|text| text.starts_with(words))
    };
    world.resource_mut::<Connection>().state = ConnectionState::Connected;
    world.resource_mut::<Room>().host_silence = Some(Duration::from_secs(4));
    for size in [PHONE, DESKTOP] {
        assert!(told(&mut world, size, "The host has not been heard for 4 s. If it stays silent"));
    }
    let mut line = world.resource_mut::<Connection>();
    (line.state, line.retry_in, line.attempt) = (ConnectionState::Disconnected, Some(Duration::from_secs(3)), 3);
    assert!(told(&mut world, PHONE, "The server cannot be reached. Trying again in 3 s (4th try)."));
    assert!(!told(&mut world, PHONE, "The host has not been heard"));
}

#[test]
fn the_present_call_is_shown_with_its_nickname() {
    let mut world = world(&["us"]);
    change(&mut world, |table| table.call(Number::MIN).unwrap());
    for size in [PHONE, DESKTOP] {
        let (_, seen) = at_the_table(&mut world, size, None);
        assert!(seen.iter().any(|text| text == "Kelly's Eye"), "{seen:?}");
    }
}

#[test]
fn nothing_reaches_over_the_edge_of_a_phone() {
    let mut world = world(&["us"]);
    hold(&mut world, strip());
    let mut state = SystemState::<Scene>::new(&mut world);
    let scene = state.get(&world).unwrap();
    let screen = Screen::new(PHONE);
    let mut draw = |ui: &mut Ui| _ = table::show(ui, &scene, &mut None, &mut Vec::new());
    screen.draw(Vec::new(), &mut draw);
    let over = |(text, at): &(String, Pos2)| !text.is_empty() && (at.x < 0.0 || at.x > pos2(PHONE.0, 0.0).x);
    let over: Vec<_> = texts(&screen.draw(Vec::new(), &mut draw)).into_iter().filter(over).collect();
    assert!(over.is_empty(), "{over:?}");
}
