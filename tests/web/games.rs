//! Whole games in a page, in rooms on a relay of this machine.

#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    prelude::*,
    protocol::{ErrorCode, ErrorInfo},
    transport::web::open_sockets,
};
use common::{RELAY, held, next_frame};
use js_sys::Promise;
use serde::{Deserialize, Serialize};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_time::Instant;

wasm_bindgen_test_configure!(run_in_browser);

#[derive(Clone, Serialize, Deserialize)]
struct Wave(u32);

#[derive(Resource, Default)]
struct Waves(Vec<u32>);

#[derive(Resource, Clone, Default, Serialize, Deserialize)]
struct Score {
    points: u32,
}

fn plugin() -> RoomsPlugin {
    RoomsPlugin { connect: Connect::relay(RELAY), ..default() }
}

fn game(plugin: RoomsPlugin) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, plugin))
        .add_room_message::<Wave>()
        .share_resource::<Score>()
        .init_resource::<Waves>()
        .add_systems(Update, take_waves);
    app
}

fn take_waves(mut read: MessageReader<FromRoom<Wave>>, mut waves: ResMut<Waves>) {
    waves.0.extend(read.read().map(|wave| wave.message.0));
}

fn enter(app: &mut App, room: &str, name: &str) {
    app.world_mut().commands().join_or_host(room, Profile::named(name));
    app.world_mut().flush();
}

fn joined(app: &App) -> bool {
    *app.world().resource::<State<RoomState>>().get() == RoomState::Joined
}

fn connection(app: &App) -> &Connection {
    app.world().resource::<Connection>()
}

fn status(app: &App, player: &PlayerId) -> Option<PlayerStatus> {
    app.world().resource::<Roster>().get(player).map(|entry| entry.status)
}

fn waves(app: &App) -> &[u32] {
    &app.world().resource::<Waves>().0
}

/// Frames of all games until `done`.
async fn until(games: &mut [App], mut done: impl FnMut(&[App]) -> bool) {
    while !done(games) {
        games.iter_mut().for_each(App::update);
        next_frame().await;
    }
}

/// Two games in a room of their own; the first hosts.
async fn table(room: &str, plugins: [RoomsPlugin; 2]) -> [App; 2] {
    let [mut host, mut peer] = plugins.map(game);
    enter(&mut host, room, "Ada");
    until(std::slice::from_mut(&mut host), |games| joined(&games[0])).await;
    enter(&mut peer, room, "Ben");
    let mut games = [host, peer];
    until(&mut games, |games| games.iter().all(|game| joined(game) && roster(game) == 2)).await;
    games
}

fn roster(app: &App) -> usize {
    app.world().resource::<Roster>().len()
}

/// Has the page say something of itself.
fn page_says(kind: &str) {
    let event = web_sys::Event::new(kind).unwrap();
    web_sys::window().unwrap().dispatch_event(&event).unwrap();
}

#[wasm_bindgen_test]
async fn two_games_share_state_and_messages_in_either_format() {
    for format in [Format::Json, Format::MsgPack] {
        let mut games =
            table(&format!("web-{format:?}").to_lowercase(), [plugin(), RoomsPlugin { format, ..plugin() }]).await;
        games[0].world_mut().resource_mut::<Score>().points = 7;
        for number in 0..30 {
            games[1].world_mut().write_message(ToRoom::others(Wave(number)));
        }
        until(&mut games, |games| games[1].world().resource::<Score>().points == 7 && waves(&games[0]).len() == 30)
            .await;
        assert_eq!(waves(&games[0]), (0..30).collect::<Vec<_>>());
    }
}

#[wasm_bindgen_test]
async fn a_network_that_went_and_came_back_has_the_line_resumed_at_once_and_nothing_is_lost() {
    let mut games = table("web-network", [plugin(), plugin()]).await;
    let id = connection(&games[1]).id.clone();
    let before = held().sockets;
    page_says("offline");
    games[0].world_mut().write_message(ToRoom::others(Wave(1)));
    page_says("online");
    until(&mut games, |games| waves(&games[1]) == [1]).await;
    assert!(held().sockets >= before + 2, "each game has a new socket");
    assert_eq!(connection(&games[1]).id, id, "the connection is the same one");
    assert!(games.iter().all(joined));
}

#[wasm_bindgen_test]
async fn a_page_that_awakes_or_is_back_in_the_network_does_not_wait_for_the_next_attempt() {
    let document = web_sys::window().unwrap().document().unwrap();
    let document_says = |kind| {
        document.dispatch_event(&web_sys::Event::new(kind).unwrap()).unwrap();
    };
    let says: [&dyn Fn(); 3] =
        [&|| document_says("visibilitychange"), &|| document_says("resume"), &|| page_says("online")];
    for says in says {
        held();
        // Browsers refuse the discard port.
        let mut games = [game(RoomsPlugin { connect: Connect::relay("ws://127.0.0.1:9"), ..default() })];
        enter(&mut games[0], "web-awake", "Ada");
        until(&mut games, |games| connection(&games[0]).state == ConnectionState::Disconnected).await;
        let before = held().sockets;
        says();
        next_frame().await;
        assert_eq!(held().sockets, before + 1);
    }
}

#[wasm_bindgen_test]
async fn a_page_that_ends_says_goodbye() {
    let [host, mut peer] = table("web-goodbye", [plugin(), plugin()]).await;
    // Its background task has the page's word before the next frame; the socket is closed by then.
    page_says("pagehide");
    next_frame().await;
    peer.update();
    assert!(matches!(connection(&peer).state, ConnectionState::Closing | ConnectionState::Closed));
    drop((host, peer));
}

#[wasm_bindgen_test]
async fn a_game_that_ends_is_missed_by_the_others_at_once() {
    let [host, peer] = table("web-end", [plugin(), plugin()]).await;
    let id = peer.world().resource::<LocalPlayer>().id.clone();
    let ended = Instant::now();
    drop(peer);
    let mut games = [host];
    until(&mut games, |games| status(&games[0], &id) != Some(PlayerStatus::Present)).await;
    // Who lost the line without a goodbye is missed later, since that may be resumed.
    assert!(ended.elapsed() < Duration::from_secs(5));
}

#[wasm_bindgen_test]
async fn a_key_to_a_public_server_is_refused_with_an_explanation() {
    let public = Connect::Relay { url: "wss://game.example".to_owned(), key: "app.id:secret".to_owned() };
    let mut games = [game(RoomsPlugin { connect: public, ..default() })];
    enter(&mut games[0], "web-key", "Ada");
    until(&mut games, |games| connection(&games[0]).state == ConnectionState::Failed).await;
    let trouble = connection(&games[0]).trouble.clone().unwrap();
    assert_eq!(trouble.code, ErrorCode::NO_AUTH_METHOD);
    assert!(trouble.message.contains("token URL") && !trouble.message.contains("secret"), "{trouble}");
}

#[wasm_bindgen_test]
async fn each_game_of_a_page_has_an_id_of_its_own_and_the_same_again() {
    let remembered = || game(RoomsPlugin { identity: Identity::remembered("web-test"), ..plugin() });
    let id = |app: &App| app.world().resource::<LocalPlayer>().id.clone();
    let games = [remembered(), remembered()];
    let ids = [id(&games[0]), id(&games[1])];
    assert_ne!(ids[0], ids[1]);
    drop(games);
    // What gives the slots back runs before the next frame.
    next_frame().await;
    let again = [remembered(), remembered()];
    assert_eq!([id(&again[0]), id(&again[1])], ids);
}

#[wasm_bindgen_test]
async fn two_hundred_connects_and_disconnects_leave_nothing_in_the_page() {
    // Half of them with all that a game in a page has: an id in its storage, and tokens from a URL.
    let connect_and_disconnect = async |round: usize| {
        let plugin = match round % 2 {
            0 => plugin(),
            _ => RoomsPlugin {
                identity: Identity::remembered("web-many"),
                ..with(Credentials::TokenUrl(token_url("web-many")))
            },
        };
        let mut games = [game(plugin)];
        enter(&mut games[0], "web-many", "Ada");
        until(&mut games, |games| connection(&games[0]).state == ConnectionState::Connected).await;
        drop(games);
        // What a game holds of the page is given back before the next frame.
        next_frame().await;
        while open_sockets() > 0 {
            next_frame().await;
        }
    };
    // The first ones find out what stays for good.
    for round in 0..2 {
        connect_and_disconnect(round).await;
    }
    let before = (held(), wasm_bindgen::externref_heap_live_count());
    for round in 0..200 {
        connect_and_disconnect(round).await;
    }
    let after = (held(), wasm_bindgen::externref_heap_live_count());
    assert_eq!(after.0.sockets, before.0.sockets + 200);
    assert_eq!((after.0.hearing, after.0.open), (0, 0));
    assert_eq!((after.0.listeners, after.0.workers), (before.0.listeners, before.0.workers));
    assert!(after.0.timers <= before.0.timers, "{after:?}");
    // Each closure holds a function of the page.
    assert!(after.1 <= before.1, "{before:?} {after:?}");
}

/// Where the relay gives tokens for this room.
fn token_url(room: &str) -> String {
    format!("{}/token?room={room}", RELAY.replacen("ws", "http", 1))
}

fn with(credentials: Credentials) -> RoomsPlugin {
    RoomsPlugin { connect: Connect::With { endpoint: Endpoint::Url(RELAY.to_owned()), credentials }, ..default() }
}

#[wasm_bindgen_test]
async fn games_without_a_key_get_their_tokens_from_a_url_or_from_a_callback_of_their_own() {
    let from_url = Credentials::TokenUrl(token_url("web-token"));
    let from_callback = TokenCallback::new(|params| async move {
        let player = params.client_id.expect("the client says for whom");
        let script = format!("fetch('{}&player={}').then((answer) => answer.json())", token_url("web-token"), player);
        let answer = JsFuture::from(Promise::from(js_sys::eval(&script).unwrap())).await.unwrap();
        let token = js_sys::Reflect::get(&answer, &"token".into()).unwrap();
        Ok::<String, ErrorInfo>(token.as_string().expect("the relay gives a token"))
    });
    let mut games = table("web-token", [with(from_url), with(Credentials::Callback(from_callback))]).await;
    games[1].world_mut().write_message(ToRoom::others(Wave(1)));
    until(&mut games, |games| waves(&games[0]) == [1]).await;
}

#[wasm_bindgen_test]
async fn only_a_game_that_goes_on_while_hidden_comes_between_the_page_and_its_frames() {
    let frames = || js_sys::eval("requestAnimationFrame").unwrap();
    next_frame().await;
    let browsers_own = frames();
    let _still = game(RoomsPlugin { while_hidden: WhileHidden::StandStill, ..plugin() });
    assert_eq!(frames(), browsers_own);
    let goes_on = game(plugin());
    assert_ne!(frames(), browsers_own);
    drop(goes_on);
    assert_eq!(frames(), browsers_own);
}

#[wasm_bindgen_test]
async fn games_of_one_page_end_in_any_order_and_frames_go_on() {
    let [first, second] = [game(plugin()), game(plugin())];
    drop(first);
    next_frame().await;
    drop(second);
    next_frame().await;
    // Who waits for a frame while the last game ends has it all the same.
    let last = game(plugin());
    let mut frame = std::pin::pin!(next_frame());
    std::future::poll_fn(|context| {
        let _ = frame.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    drop(last);
    frame.await;
}
