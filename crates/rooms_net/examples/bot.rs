//! A player without an engine: it joins a room, or hosts it where nobody does, and answers every wave.
//!
//! ```sh
//! cargo run -p rooms_relay                       # a relay on this machine
//! cargo run -p rooms_net --example bot -- Ada    # in two terminals, with two names
//! cargo run -p rooms_net --example bot -- Ben
//! ```

use std::{env, error::Error, thread, time::Duration};

use rooms_client::{ClientOptions, Command, Credentials, Endpoint};
use rooms_net::{
    bridge::{Bridge, Runtime, now},
    transport::native::NativeConnector,
};
use rooms_protocol::DEVELOPMENT_KEY;
use rooms_session::{PlayerId, Profile, RoomName, Session, SessionConfig, SessionEvent, Target, Wish};
use serde_json::json;

/// How often the bot looks at the room.
const FRAME: Duration = Duration::from_millis(16);

/// What all bots of this kind understand. Games with other messages are refused.
const FINGERPRINT: &str = "waving bots 1";

fn main() -> Result<(), Box<dyn Error>> {
    let name = env::args().nth(1).unwrap_or_else(|| "Bot".to_owned());
    let relay = env::args().nth(2).unwrap_or_else(|| "ws://127.0.0.1:8787".to_owned());
    let seed = getrandom::u64()?;
    let player = PlayerId::new(format!("{seed:016x}"))?;

    // The background task owns the connection. It connects when it is told to.
    let options = ClientOptions {
        client_id: Some(player.client_id()),
        ..ClientOptions::new(Endpoint::Url(relay), Credentials::Key(DEVELOPMENT_KEY.to_owned()))
    };
    let mut bridge = Bridge::start(options, NativeConnector::new()?, &Runtime::OwnThread, seed)?;
    let config = SessionConfig {
        profile: Profile::named(name),
        wish: Wish::JoinOrHost,
        fingerprint: FINGERPRINT.to_owned(),
        ..SessionConfig::new(RoomName::new("waving-bots")?, player)
    };
    let mut session = Session::new(config, seed, now());
    bridge.send(Command::Connect).map_err(|_| "the background task ended")?;

    loop {
        bridge.receive(|event| session.handle_event(event, now()));
        session.step(now());
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Joined { host, .. } => println!("in the room{}", if host { ", as its host" } else { "" }),
                SessionEvent::PlayerJoined(player) if player != *session.local() => {
                    println!("{player} is here");
                    session.send(Target::Player(player), "wave", json!("hello"))?;
                }
                SessionEvent::Message { sender, kind, .. } if kind == "wave" => println!("{sender} waves"),
                SessionEvent::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        session.flush(now());
        // What finds the queue full goes out in the next frame.
        while bridge.capacity() > 0 {
            let Some(command) = session.poll_command() else { break };
            bridge.send(command).map_err(|_| "the background task ended")?;
        }
        thread::sleep(FRAME);
    }
}
