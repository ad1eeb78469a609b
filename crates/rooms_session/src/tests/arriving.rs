//! Arriving, founding, being refused (rules 1 to 4).

use std::time::Duration;

use serde_json::json;
use web_time::Instant;

use super::bus::*;
use crate::*;
use rooms_client::{ChannelChange, ChannelState, Command, ConnectionChange, ConnectionState, Event};
use rooms_protocol::{Data, Flags, Message};

const SECOND: Duration = Duration::from_secs(1);

fn hosts(bus: &mut Bus) -> Vec<usize> {
    (0..bus.nodes.len()).filter(|node| bus.nodes[*node].session.is_host()).collect()
}

#[test]
fn two_players_join_and_share_state_and_messages() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    assert!(bus.session(0).is_host() && !bus.session(1).is_host());
    bus.session(0).set_shared("score", json!({ "ada": 1 })).unwrap();
    bus.session(1).send(Target::Everyone, "wave", json!("hello")).unwrap();
    bus.session(1).send(Target::Host, "claim", json!({ "line": 1 })).unwrap();
    bus.run(SECOND);
    assert_eq!(bus.session(1).shared("score"), Some(&json!({ "ada": 1 })));
    assert_eq!(bus.messages(0), [json!("hello"), json!({ "line": 1 })]);
    assert_eq!(bus.messages(1), [json!("hello")]);
    let names: Vec<_> = bus.session(1).roster().iter().map(|seat| seat.profile.name.clone()).collect();
    assert_eq!(names, ["ADA", "BOB"]);
    bus.assert_agreed();
}

#[test]
fn joining_tells_host_roster_and_state_in_order() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("round", json!(3)).unwrap();
    let zoe = bus.add(config("zoe", Wish::JoinOrHost));
    bus.run(SECOND);
    let [ada, bob, zoe_id] = ["ada", "bob", "zoe"].map(|player| PlayerId::new(player).unwrap());
    let expected = [
        SessionEvent::Joined { host: false, term: Term(1) },
        SessionEvent::HostChanged { from: None, to: ada.clone(), term: Term(1) },
        SessionEvent::PlayerJoined(ada),
        SessionEvent::PlayerJoined(bob),
        SessionEvent::PlayerJoined(zoe_id.clone()),
        SessionEvent::SharedChanged { key: "round".into(), value: Some(json!(3)) },
    ];
    assert_eq!(bus.take_log(zoe), expected);
    assert_eq!(bus.take_log(1).last(), Some(&SessionEvent::PlayerJoined(zoe_id)));
}

#[test]
fn hello_is_said_at_once_and_every_two_seconds_until_there_is_an_answer() {
    let mut bus = Bus::new();
    bus.add(config("bob", Wish::Join));
    bus.run(SECOND / 2);
    assert_eq!(bus.taken_names(), ["room.hello"]);
    bus.run(9 * SECOND);
    let hellos = bus.taken_names().len();
    assert!((4..=5).contains(&hellos), "{hellos} hellos");
}

#[test]
fn who_only_wished_to_join_is_told_after_ten_seconds_that_nobody_hosts() {
    let mut bus = Bus::new();
    let bob = bus.add(config("bob", Wish::Join));
    bus.run(9 * SECOND);
    assert_eq!(bus.session(bob).status(), SessionStatus::Arriving);
    bus.run(2 * SECOND);
    assert_eq!(bus.take_log(bob), [SessionEvent::Closed(CloseReason::NoHost)]);
}

#[test]
fn a_room_is_founded_soon_where_presence_shows_nobody_and_late_where_it_does() {
    let mut alone = Bus::new();
    alone.add(config("ada", Wish::JoinOrHost));
    alone.until(2 * SECOND, |bus| bus.session(0).is_host());

    let mut company = Bus::new();
    company.enter_as("zoe", "c-zoe", json!({ "generation": 1 }));
    company.add(config("ada", Wish::JoinOrHost));
    // Those who are there may wait for a slow host for 15 s, and then take the time to replace it.
    company.run(15 * SECOND);
    assert!(!company.session(0).is_host());
    company.until(3 * SECOND, |bus| bus.session(0).is_host());
}

#[test]
fn of_several_founders_the_first_claim_wins_and_the_others_join() {
    for founders in [2, 3] {
        let mut bus = Bus::new();
        for name in ["ada", "bob", "zoe"].into_iter().take(founders) {
            bus.add(config(name, Wish::JoinOrHost));
        }
        bus.run(4 * SECOND);
        let claims = bus.taken_names().into_iter().filter(|name| *name == "room.claim").count();
        assert_eq!(claims, founders, "all claimed");
        let led = |client: &str| {
            let said = |m: &Message| m.client_id == Some(client.into()) && m.name.as_deref() == Some("room.state");
            bus.taken.iter().any(|(_, message)| said(message))
        };
        assert!(led("ada") && !led("bob") && !led("zoe"), "who lost does not lead for a moment");
        assert_eq!(hosts(&mut bus), [0]);
        assert_eq!(bus.session(founders - 1).roster().len(), founders);
        bus.assert_agreed();
    }
}

#[test]
fn an_earlier_claim_wins_even_when_it_is_heard_later() {
    let mut bus = Bus::new();
    bus.add(config("ada", Wish::JoinOrHost));
    bus.until(2 * SECOND, |bus| bus.taken_names().contains(&"room.claim"));
    bus.run(SECOND / 5);
    let mut claim = Message::new("room.claim", json!({ "generation": 1, "term": 1 }));
    claim.client_id = Some("bob".into());
    claim.connection_id = Some("c-bob".into());
    claim.serial = Some("0000000000".into());
    let now = bus.now;
    bus.session(0).handle_event(Event::Messages { channel: "room:den".into(), messages: vec![claim] }, now);
    bus.run(2 * SECOND);
    assert_eq!(bus.session(0).status(), SessionStatus::Arriving);
    bus.until(5 * SECOND, |bus| bus.session(0).is_host());
}

#[test]
fn of_two_who_want_to_host_at_once_the_second_is_told_who_hosts() {
    let mut bus = Bus::new();
    let (ada, bob) = (bus.add(config("ada", Wish::Host)), bus.add(config("bob", Wish::Host)));
    bus.run(5 * SECOND);
    assert!(bus.session(ada).is_host());
    let host = PlayerId::new("ada").unwrap();
    let refusal = Refusal::HostExists { host, name: "ADA".into() };
    assert_eq!(bus.closed(bob), Some(&CloseReason::Refused(refusal)));
}

#[test]
fn of_two_rooms_that_were_founded_apart_everyone_joins_the_older() {
    let mut bus = Bus::new();
    // A player that was in the room stays, although it wishes to host.
    bus.add(config("ada", Wish::Host));
    bus.add(config("bob", Wish::Host));
    let apart = |to: usize, from: Option<&str>| (to == 0) != (from == Some("ada"));
    bus.filter = Box::new(move |to, message| {
        let from = message.client_id.as_ref().map(|id| id.as_str());
        if apart(to, from) { Fate::Lost } else { Fate::Delivered }
    });
    bus.run(4 * SECOND);
    assert_eq!(hosts(&mut bus), [0, 1]);
    bus.session(1).set_shared("lonely", json!(true)).unwrap();
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.run(4 * SECOND);
    assert_eq!(hosts(&mut bus), [0]);
    let [ada, bob] = ["ada", "bob"].map(|player| PlayerId::new(player).unwrap());
    let changed = SessionEvent::HostChanged { from: Some(bob), to: ada, term: Term(1) };
    assert!(bus.nodes[1].log.contains(&changed));
    assert_eq!(bus.session(1).shared("lonely"), None, "the younger room's state gives way");
    assert_eq!(bus.session(0).roster().len(), 2);
    bus.assert_agreed();
}

#[test]
fn a_second_host_is_refused_and_told_who_hosts() {
    let mut bus = Bus::with_players(&["ada"]);
    let bob = bus.add(config("bob", Wish::Host));
    bus.run(SECOND);
    let refusal = Refusal::HostExists { host: PlayerId::new("ada").unwrap(), name: "ADA".into() };
    assert_eq!(bus.take_log(bob), [SessionEvent::Closed(CloseReason::Refused(refusal))]);
    assert_eq!(bus.session(0).roster().len(), 1);
}

#[test]
fn a_game_of_another_version_is_refused() {
    let mut bus = Bus::with_players(&["ada"]);
    let bob = bus.add(SessionConfig { fingerprint: "v2".into(), ..config("bob", Wish::Join) });
    bus.run(SECOND);
    let refusal = Refusal::ProtocolMismatch { own: "v2".into(), theirs: "v1".into() };
    assert_eq!(bus.closed(bob), Some(&CloseReason::Refused(refusal)));
}

#[test]
fn a_newer_process_takes_the_seat_over_and_the_older_one_ends() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    let newer = bus.add(SessionConfig { generation: Generation(2), ..config("bob", Wish::Join) });
    bus.run(2 * SECOND);
    assert!(bus.is_joined(newer));
    let returned = SessionEvent::PlayerReturned(PlayerId::new("bob").unwrap());
    assert!(bus.nodes[0].log.contains(&returned) && bus.nodes[2].log.contains(&returned));
    assert_eq!(bus.closed(1), Some(&CloseReason::Refused(Refusal::Superseded)));
    let order: Vec<_> = bus.session(0).roster().iter().map(|seat| seat.player.to_string()).collect();
    assert_eq!(order, ["ada", "bob", "zoe"], "the seat is the same");
    let older = bus.add(config("bob", Wish::Join));
    bus.run(SECOND);
    assert_eq!(bus.closed(older), Some(&CloseReason::Refused(Refusal::Superseded)));
}

#[test]
fn the_host_s_own_id_and_the_id_of_somebody_present_are_taken() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let second_ada = bus.add(SessionConfig { generation: Generation(9), ..config("ada", Wish::Join) });
    let second_bob = bus.add(config("bob", Wish::Join));
    bus.run(SECOND);
    assert_eq!(bus.closed(second_ada), Some(&CloseReason::Refused(Refusal::IdTaken)));
    assert_eq!(bus.closed(second_bob), Some(&CloseReason::Refused(Refusal::IdTaken)));
    assert!(bus.is_joined(1));
}

#[test]
fn a_welcome_goes_out_after_the_state_that_holds_the_seat() {
    let mut bus = Bus::with_players(&["ada"]);
    bus.taken.clear();
    bus.add(config("bob", Wish::Join));
    bus.run(SECOND);
    let names = bus.taken_names();
    let at = |wanted: &str| names.iter().position(|name| *name == wanted).unwrap();
    assert!(at("room.state") < at("room.welcome"));
}

#[test]
fn states_that_come_before_the_welcome_are_applied_after_it() {
    let mut bus = Bus::with_players(&["ada"]);
    let bob = bus.add(config("bob", Wish::Join));
    let mut held = 0;
    // The first welcome is lost. By the next the state has changed several times.
    bus.filter = Box::new(move |to, message| {
        let first = to == bob && message.name.as_deref() == Some("room.welcome") && held == 0;
        held += usize::from(first);
        if first { Fate::Lost } else { Fate::Delivered }
    });
    for step in 0..20 {
        bus.session(0).set_shared("step", json!({ "at": step })).unwrap();
        bus.run(SECOND / 5);
    }
    assert!(bus.is_joined(bob));
    assert_eq!(bus.session(bob).stats().kept, 0);
    bus.assert_agreed();
}

#[test]
fn a_welcome_or_refusal_counts_only_with_the_nonce_of_this_process() {
    let mut bus = Bus::new();
    let bob = bus.add(config("bob", Wish::Join));
    bus.run(SECOND);
    let refused = json!({ "generation": 1, "nonce": "made-up", "reason": "superseded" });
    bus.say_as("eve", "c-eve", "room:den:to:bob", "room.refused", refused);
    let reign = json!({ "incarnation": "1", "term": 1, "since": "1" });
    let seat = json!({ "order": 0, "generation": 1, "connection": "c1", "profile": { "name": "x" } });
    let snapshot = json!({ "roster": { "bob": seat } });
    let welcome = json!({ "generation": 1, "nonce": "made-up", "host": "eve", "reign": reign, "version": 1, "snapshot": snapshot });
    bus.say_as("eve", "c-eve", "room:den:to:bob", "room.welcome", welcome);
    bus.run(SECOND);
    assert_eq!(bus.session(bob).status(), SessionStatus::Arriving);
    assert_eq!(bus.session(bob).stats().impostors, 2);
}

#[test]
fn a_host_that_missed_a_claim_claims_above_it() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("round", json!(1)).unwrap();
    bus.run(SECOND);
    let reign = bus.session(0).stamp().unwrap().reign.clone();
    let better = json!({ "incarnation": reign.incarnation, "term": 4, "since": "9" });
    let hello = json!({
        "generation": 1, "nonce": "n", "profile": { "name": "Zoe" }, "fingerprint": "v1", "wish": "join",
        "firstRequest": 1, "best": better,
    });
    bus.say_as("zoe", "c-zoe", "room:den", "room.hello", hello);
    bus.run(5 * SECOND);
    assert!(bus.session(0).is_host());
    assert_eq!(bus.session(0).term(), Term(5));
    assert_eq!(bus.session(1).shared("round"), Some(&json!(1)));
    bus.assert_agreed();
}

#[test]
fn a_made_up_term_does_not_stop_a_room() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let reign = bus.session(0).stamp().unwrap().reign.clone();
    let lease = json!({ "generation": 1, "reign": { "incarnation": reign.incarnation, "term": u64::MAX, "since": "0" }, "version": 9 });
    bus.say_as("bob", "c2", "room:den", "room.lease", lease);
    let claim = json!({ "generation": 1, "incarnation": reign.incarnation, "term": u64::MAX });
    bus.say_as("bob", "c2", "room:den", "room.claim", claim);
    bus.run(5 * SECOND);
    bus.session(0).set_shared("round", json!(1)).unwrap();
    bus.run(SECOND);
    assert!(bus.session(0).is_host());
    assert_eq!(bus.session(1).shared("round"), Some(&json!(1)));
}

#[test]
fn equal_seeds_make_equal_commands_whatever_else_the_process_runs() {
    let commands = || {
        let mut bus = Bus::with_players(&["ada", "bob"]);
        bus.run(SECOND);
        bus.nodes.into_iter().map(|node| node.said).collect::<Vec<_>>()
    };
    assert_eq!(commands(), commands());
}

#[test]
fn sessions_that_follow_each_other_on_one_client_number_their_operations_apart() {
    let operations = |seed| {
        let mut session = Session::new(config("ada", Wish::Host), seed, Instant::now());
        let commands = std::iter::from_fn(|| session.poll_command());
        commands
            .filter_map(|command| match command {
                Command::Presence { operation, .. } => Some(operation),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let (first, second) = (operations(1), operations(2));
    assert!(!first.is_empty() && first.iter().all(|operation| !second.contains(operation)), "{first:?} {second:?}");
}

/// What a client tells of a connection on which both channels of `bob` are attached. In between comes `early`.
fn connected(early: Event) -> Vec<Event> {
    let connection = Event::Connection(ConnectionChange {
        previous: ConnectionState::Connecting,
        current: ConnectionState::Connected,
        reason: None,
        retry_in: None,
        connection_id: Some("c-bob".into()),
        client_id: Some("bob".into()),
        resumed: false,
        max_inbound_rate: None,
        attempt: 0,
    });
    let attached = |channel: &str| {
        Event::Channel(ChannelChange {
            channel: channel.into(),
            previous: ChannelState::Attaching,
            current: ChannelState::Attached,
            resumed: false,
            has_backlog: false,
            modes: Flags::MODES,
            reason: None,
        })
    };
    vec![connection, attached("room:den"), early, attached("room:den:to:bob")]
}

#[test]
fn a_session_that_gave_up_with_a_welcome_on_its_way_stays_closed() {
    let now = Instant::now();
    let said = |channel: &str, name: &str, data| {
        let (client_id, connection_id, serial) = (Some("ada".into()), Some("c-ada".into()), Some("1".into()));
        let message = Message { client_id, connection_id, serial, ..Message::new(name, Data::Json(data)) };
        Event::Messages { channel: channel.into(), messages: vec![message] }
    };
    let zero = Duration::ZERO;
    let timing = SessionTiming { founding_wait: zero, longest_lease: zero, gather: zero, ..SessionTiming::default() };
    let mut bob = Session::new(SessionConfig { timing, ..config("bob", Wish::Join) }, 1, now);
    // The open claim of ada is why bob does not give up at once.
    let claim = said("room:den", "room.claim", json!({ "generation": 1, "term": 1 }));
    connected(claim).into_iter().for_each(|event| bob.handle_event(event, now));
    bob.step(now);
    bob.flush(now);
    let hello = std::iter::from_fn(|| bob.poll_command()).find_map(|command| match command {
        Command::Publish { messages, .. } => messages.into_iter().find_map(|message| message.data),
        _ => None,
    });
    let nonce = hello.as_ref().and_then(Data::as_json).unwrap()["nonce"].clone();
    let reign = json!({ "incarnation": "1", "term": 1, "since": "1" });
    let seat = json!({ "order": 1, "generation": 1, "connection": "c-bob", "profile": { "name": "Bob" } });
    let welcome = json!({
        "generation": 1, "nonce": nonce, "host": "ada", "reign": reign, "version": 1, "snapshot": { "roster": { "bob": seat } },
    });
    bob.handle_event(said("room:den:to:bob", "room.welcome", welcome), now);
    let told: Vec<_> = std::iter::from_fn(|| bob.poll_event()).collect();
    assert_eq!(told, [SessionEvent::Closed(CloseReason::NoHost)]);
    assert_eq!(bob.status(), SessionStatus::Closed);
}
