//! The room protocol: players who say anything.

use std::time::Duration;

use rooms_client::{ChannelChange, ChannelState, ConnectionChange, ConnectionState, Event};
use rooms_protocol::{Flags, Message, PresenceMessage};
use rooms_session::{
        Generation, Migration, PaceConfig, PlayerId, Profile, RoomName, Session, SessionConfig, SessionTiming, Target, Wish,
    };
use serde_json::json;
use web_time::Instant;

use crate::lines;

/// Longest time between two steps that are taken one by one.
const STEP: Duration = Duration::from_millis(500);

/// A course of events in a room, for one who would join and for one who would host:
///
/// * `room MESSAGE`, `inbox MESSAGE`: a message as JSON, as the server would deliver it
/// * `member JSON`: a word about a member
/// * `lost`, `back`: the line
/// * `share TEXT`, `say TEXT`: what the game does
/// * `wait MILLISECONDS`
pub fn session(data: &[u8]) {
    for wish in [Wish::Join, Wish::JoinOrHost] {
        let Some(lines) = lines(data) else { return };
        course(wish, lines);
    }
}

fn course<'a>(wish: Wish, lines: impl Iterator<Item = (&'a str, &'a str)>) {
    let room = RoomName::new("den").expect("a name");
    let player = PlayerId::new("ada").expect("an id");
    let channels = [room.channel(), room.inbox(&player)];
    let config = SessionConfig {
        room,
        player,
        generation: Generation(5),
        profile: Profile::named("Ada"),
        wish,
        migration: Migration::default(),
        fingerprint: "f".to_owned(),
        timing: SessionTiming::default(),
        pace: PaceConfig::default(),
    };
    let mut now = Instant::now();
    let mut session = Session::new(config, 7, now);
    let line = |state: ConnectionState| {
        Event::Connection(ConnectionChange {
            previous: ConnectionState::Connecting,
            current: state,
            reason: None,
            retry_in: None,
            connection_id: Some("conn".into()),
            client_id: Some("ada".into()),
            resumed: false,
            max_inbound_rate: None,
            attempt: 1,
        })
    };
    let attached = || {
        channels.clone().map(|channel| {
            Event::Channel(ChannelChange {
                channel,
                previous: ChannelState::Attaching,
                current: ChannelState::Attached,
                resumed: false,
                has_backlog: false,
                modes: Flags::MODES,
                reason: None,
            })
        })
    };
    session.handle_event(line(ConnectionState::Connected), now);
    attached().into_iter().for_each(|event| session.handle_event(event, now));
    for (word, rest) in lines {
        let [on_room, on_inbox] = channels.clone();
        match word {
            "room" | "inbox" => {
                if let Ok(mut message) = serde_json::from_str::<Message>(rest) {
                    let _ = message.decode_data();
                    let channel = if word == "room" { on_room } else { on_inbox };
                    session.handle_event(Event::Messages { channel, messages: vec![message] }, now);
                }
            }
            "member" => {
                if let Ok(mut member) = serde_json::from_str::<PresenceMessage>(rest) {
                    let _ = member.decode_data();
                    session.handle_event(Event::Presence { channel: on_room.clone(), members: vec![member] }, now);
                    session.handle_event(Event::PresenceSynced { channel: on_room }, now);
                }
            }
            "lost" => session.handle_event(line(ConnectionState::Disconnected), now),
            "back" => {
                session.handle_event(line(ConnectionState::Connected), now);
                attached().into_iter().for_each(|event| session.handle_event(event, now));
            }
            "share" => drop(session.set_shared(rest, json!(rest))),
            "say" => drop(session.send(Target::Host, "kind", json!(rest))),
            "wait" => {
                let end = now + Duration::from_millis(rest.parse().unwrap_or(0)).min(Duration::from_secs(15));
                while now < end {
                    now += STEP;
                    session.step(now);
                    session.flush(now);
                    while session.poll_command().is_some() {}
                }
            }
            _ => {}
        }
        session.step(now);
        session.flush(now);
        while session.poll_command().is_some() {}
        while session.poll_event().is_some() {}
    }
}
