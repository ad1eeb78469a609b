//! What is private with a game token: players over real sockets, each with the token that the relay gives to games, and an
//! eavesdropper with a token of its own.

use std::{
    thread,
    time::{Duration, Instant},
};

use bevy::prelude::*;
use bevy_rooms::{
    bridge::{Bridge, Runtime},
    client::{ChannelOptions, ChannelState, ClientOptions, Command, Event, Lifetime, OperationId, PresenceCommand},
    prelude::*,
    protocol::{DEVELOPMENT_KEY, ErrorInfo, Flags, Message as WireMessage},
    relay::{self, RelayConfig, RelayHandle, TokenEndpoint},
    transport::native::NativeConnector,
};
use serde::{Deserialize, Serialize};

/// No machine is so slow that something which should happen takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A message of the game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note(String);

#[derive(Resource, Clone, Default, Serialize, Deserialize)]
struct Score(u32);

#[derive(Resource, Default)]
struct Notes(Vec<(String, String)>);

fn relay() -> RelayHandle {
    let mut config = RelayConfig::default();
    let key = DEVELOPMENT_KEY.split(':').next().unwrap();
    config.hub.token_endpoint = Some(TokenEndpoint::new(key));
    relay::spawn(config).unwrap()
}

/// A token for this player in the room, from the relay itself.
fn token(relay: &RelayHandle, player: &str) -> Credentials {
    Credentials::TokenUrl(format!("http://{}/token?room=den&player={player}", relay.addr()))
}

fn app(relay: &RelayHandle, player: &str) -> App {
    let connect = Connect::With { endpoint: Endpoint::Url(relay.url().to_owned()), credentials: token(relay, player) };
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        RoomsPlugin { connect, player: Some(PlayerId::new(player).unwrap()), ..default() },
    ))
    .add_room_message::<Note>()
    .share_resource::<Score>()
    .init_resource::<Notes>()
    .add_systems(Update, |mut read: MessageReader<FromRoom<Note>>, mut notes: ResMut<Notes>| {
        notes.0.extend(read.read().map(|note| (note.sender.to_string(), note.message.0.clone())));
    });
    app
}

fn command(app: &mut App, run: impl FnOnce(&mut Commands)) {
    run(&mut app.world_mut().commands());
    app.world_mut().flush();
}

/// Frames of all apps until `done`.
fn until(apps: &mut [App], what: &str, mut done: impl FnMut(&mut [App]) -> bool) {
    let start = Instant::now();
    while !done(apps) {
        assert!(start.elapsed() < LIMIT, "it did not come to this: {what}");
        apps.iter_mut().for_each(App::update);
        thread::yield_now();
    }
}

fn joined(app: &App) -> bool {
    *app.world().resource::<State<RoomState>>().get() == RoomState::Joined
}

/// Players with tokens in one room; the first hosts it.
fn room(relay: &RelayHandle, players: &[&str]) -> Vec<App> {
    let mut apps = Vec::new();
    for player in players {
        let mut newcomer = app(relay, player);
        command(&mut newcomer, |commands| commands.join_or_host("den", Profile::named(*player)));
        apps.push(newcomer);
        until(&mut apps, "all are in", |apps| apps.iter().all(joined));
    }
    apps
}

fn notes(app: &App) -> Vec<(&str, &str)> {
    app.world().resource::<Notes>().0.iter().map(|(from, text)| (from.as_str(), text.as_str())).collect()
}

/// A client of the protocol that keeps to no rule of rooms, with the token of this player.
struct Eavesdropper {
    bridge: Bridge,
    heard: Vec<Event>,
    operations: u64,
}

impl Eavesdropper {
    fn new(relay: &RelayHandle, client_id: &str, token_of: &str) -> Self {
        let options = ClientOptions::new(Endpoint::Url(relay.url().to_owned()), token(relay, token_of));
        let options = ClientOptions { client_id: Some(client_id.into()), ..options };
        let bridge = Bridge::start(options, NativeConnector::new().unwrap(), &Runtime::OwnThread, 1).unwrap();
        bridge.send(Command::Connect).unwrap();
        Self { bridge, heard: Vec::new(), operations: 0 }
    }

    /// Waits for an event that gives something.
    fn wait<T>(&mut self, what: &str, mut gives: impl FnMut(&Event) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = self.heard.iter().find_map(&mut gives) {
                return found;
            }
            assert!(start.elapsed() < LIMIT, "it did not come to this: {what}");
            self.listen();
            thread::yield_now();
        }
    }

    fn listen(&mut self) {
        self.bridge.receive(|event| self.heard.push(event));
    }

    /// Attaches to a channel; tells with which modes, or why not.
    fn attach(&mut self, channel: &str, modes: Flags) -> Result<Flags, ErrorInfo> {
        self.bridge.send(Command::Release { channel: channel.into() }).unwrap();
        self.heard.clear();
        let options = ChannelOptions { modes, ..ChannelOptions::default() };
        self.bridge.send(Command::Attach { channel: channel.into(), options }).unwrap();
        self.wait("an answer to ATTACH", |event| match event {
            Event::Channel(change) if change.channel.as_str() == channel => match change.current {
                ChannelState::Attached => Some(Ok(change.modes)),
                ChannelState::Failed => Some(Err(change.reason.clone().unwrap())),
                _ => None,
            },
            _ => None,
        })
    }

    /// What became of a command that names its outcome.
    fn outcome(&mut self, make: impl FnOnce(OperationId) -> Command) -> Result<(), ErrorInfo> {
        self.operations += 1;
        let operation = OperationId(self.operations);
        self.bridge.send(make(operation)).unwrap();
        self.wait("an outcome", |event| match event {
            Event::Published { operation: of, outcome } if *of == operation => Some(outcome.clone().map(|_| ())),
            _ => None,
        })
    }

    fn publish(&mut self, channel: &str, message: WireMessage) -> Result<(), ErrorInfo> {
        let channel = channel.into();
        self.outcome(|operation| Command::Publish {
            operation,
            channel,
            messages: vec![message],
            lifetime: Lifetime::Durable,
        })
    }
}

#[test]
fn with_a_game_token_a_player_can_do_all_that_a_room_needs() {
    let relay = relay();
    let mut apps = room(&relay, &["ada", "ben", "cy"]);
    let ben = PlayerId::new("ben").unwrap();
    apps[0].world_mut().resource_mut::<Score>().0 = 7;
    apps[0].world_mut().write_message(ToRoom::player(&ben, Note("to ben".into())));
    apps[2].world_mut().write_message(ToRoom::player(&ben, Note("from cy".into())));
    apps[2].world_mut().write_message(ToRoom::host(Note("to the host".into())));
    apps[2].world_mut().write_message(ToRoom::others(Note("to all".into())));
    until(&mut apps, "all was said", |apps| {
        apps.iter().all(|app| app.world().resource::<Score>().0 == 7)
            && notes(&apps[0]).len() == 2
            && notes(&apps[1]).len() == 3
    });
    assert!(notes(&apps[1]).contains(&("ada", "to ben")) && notes(&apps[1]).contains(&("cy", "from cy")));
    assert_eq!(notes(&apps[2]), []);
    command(&mut apps[0], |commands| commands.list_room(Listing::titled("Tokens only")));
    command(&mut apps[1], |commands| commands.watch_rooms());
    until(&mut apps, "the room is on the list", |apps| {
        apps[1].world().resource::<RoomList>().iter().any(|room| room.title == "Tokens only" && room.players == 3)
    });
}

#[test]
fn with_a_game_token_nobody_hears_what_is_for_another() {
    let relay = relay();
    let mut apps = room(&relay, &["ada", "ben"]);
    let mut eve = Eavesdropper::new(&relay, "eve", "eve");
    let inbox = "room:den:to:ben";
    for modes in [Flags::SUBSCRIBE, Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE] {
        assert_eq!(eve.attach(inbox, modes).unwrap_err().code.0, 40160);
    }
    let granted = eve.attach(inbox, Flags::empty()).unwrap();
    assert_eq!(granted.modes(), Flags::PUBLISH, "to be heard by ben, and no more");
    eve.attach("room:den", Flags::empty()).unwrap();
    let ben = PlayerId::new("ben").unwrap();
    apps[0].world_mut().write_message(ToRoom::player(&ben, Note("a secret".into())));
    apps[0].world_mut().write_message(ToRoom::everyone(Note("known to all".into())));
    until(&mut apps, "ben heard both", |apps| notes(&apps[1]).len() == 2);
    let text = |event: &Event| match event {
        Event::Messages { messages, .. } => Some(format!("{messages:?}")),
        _ => None,
    };
    eve.wait("eve heard what all heard", |event| text(event).filter(|text| text.contains("known to all")));
    eve.listen();
    assert!(!eve.heard.iter().filter_map(text).any(|text| text.contains("a secret")));
}

#[test]
fn with_a_game_token_nobody_speaks_as_another() {
    let relay = relay();
    let mut apps = room(&relay, &["ada", "ben"]);
    let mut eve = Eavesdropper::new(&relay, "eve", "eve");
    let forged = |name: &str| WireMessage { client_id: Some("ada".into()), ..WireMessage::new(name, "x") };
    for channel in ["room:den", "room:den:to:ben"] {
        assert_eq!(eve.publish(channel, forged("Note")).unwrap_err().code.0, 40012, "{channel}");
    }
    let entered = eve.outcome(|operation| Command::PresenceFor {
        operation,
        channel: "room:den".into(),
        client_id: "ada".into(),
        action: PresenceCommand::Enter,
        data: None,
    });
    assert!(entered.is_err());
    assert_eq!(eve.publish("rooms", WireMessage::new("x", "x")).unwrap_err().code.0, 40160, "the list is presence");
    assert_eq!(eve.publish("room:other", WireMessage::new("x", "x")).unwrap_err().code.0, 40160, "another room");
    assert_eq!(eve.publish("room:den:to:ben", WireMessage::new("Note", "\"hello\"")), Ok(()), "as itself it may");
    until(&mut apps, "ben knows who spoke", |apps| !notes(&apps[1]).is_empty());
    assert!(notes(&apps[1]).iter().all(|(from, _)| *from == "eve"), "{:?}", notes(&apps[1]));

    let mut impostor = Eavesdropper::new(&relay, "ada", "eve");
    let error = impostor.wait("the impostor is given no token", |event| match event {
        Event::Connection(change) if change.current == ConnectionState::Disconnected => change.reason.clone(),
        _ => None,
    });
    assert_eq!((error.code.0, error.cause.unwrap().code.0), (80019, 40003), "one token is not of two players");
}
