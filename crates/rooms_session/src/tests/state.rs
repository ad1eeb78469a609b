//! The shared state and the host's lease (rules 5 to 8).

use std::{cell::Cell, rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::bus::*;
use crate::*;
use rooms_client::{Command, Lifetime};
use rooms_protocol::{Data, Message};

const SECOND: Duration = Duration::from_secs(1);

fn states(bus: &Bus) -> Vec<Value> {
    let json = |message: &Message| message.data.as_ref().and_then(Data::as_json).cloned();
    let state = |message: &&Message| message.name.as_deref() == Some("room.state");
    bus.taken.iter().map(|(_, message)| message).filter(state).filter_map(json).collect()
}

#[test]
fn a_change_goes_out_as_a_patch_onto_the_full_stamp_of_its_base() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("calls", (0..80).collect()).unwrap();
    bus.run(SECOND);
    bus.taken.clear();
    let base = serde_json::to_value(bus.session(0).stamp().unwrap()).unwrap();
    bus.session(0).set_shared("calls", (0..81).collect()).unwrap();
    bus.run(SECOND / 2);
    let [state] = &states(&bus)[..] else { panic!("one change, one state") };
    assert_eq!(state["base"], base);
    assert_eq!(state["patch"], json!([{ "op": "add", "path": "/shared/calls/80", "value": 80 }]));
    bus.assert_agreed();
}

#[test]
fn a_change_that_is_longer_than_the_whole_goes_out_as_a_snapshot() {
    let mut bus = Bus::with_players(&["ada"]);
    bus.session(0).set_shared("many", (0..300).collect()).unwrap();
    bus.run(SECOND);
    bus.taken.clear();
    for key in 0..50 {
        bus.session(0).set_shared(&format!("k{key}"), json!(1)).unwrap();
    }
    bus.session(0).set_shared("many", json!(null)).unwrap();
    bus.run(SECOND / 2);
    assert!(states(&bus)[0]["snapshot"].is_object());
}

#[test]
fn what_did_not_change_is_not_published() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("round", json!(1)).unwrap();
    bus.run(SECOND);
    bus.taken.clear();
    bus.take_log(1);
    bus.session(0).set_shared("round", json!(1)).unwrap();
    bus.session(0).set_shared("other", json!(1)).unwrap();
    bus.run(SECOND / 2);
    assert_eq!(states(&bus).len(), 1);
    assert_eq!(bus.take_log(1), [SessionEvent::SharedChanged { key: "other".into(), value: Some(json!(1)) }]);
    bus.session(0).set_shared("other", json!(2)).unwrap();
    bus.session(0).set_shared("other", json!(1)).unwrap();
    bus.run(SECOND / 2);
    assert_eq!(states(&bus).len(), 1, "there and back is no change");
}

#[test]
fn what_the_host_changes_and_says_in_a_frame_is_one_publish_with_the_state_first() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[0].said.clear();
    bus.session(0).send(Target::Everyone, "called", json!(7)).unwrap();
    bus.session(0).set_shared("called", json!([7])).unwrap();
    bus.frame();
    let publishes = bus.nodes[0].said.iter().filter_map(|command| match command {
        Command::Publish { messages, lifetime, .. } => Some((messages, *lifetime)),
        _ => None,
    });
    let publishes: Vec<_> = publishes.collect();
    let [(messages, Lifetime::Connection)] = &publishes[..] else { panic!("{publishes:?}") };
    let names: Vec<_> = messages.iter().filter_map(|message| message.name.as_deref()).collect();
    assert_eq!(names, ["room.state", "called"]);
}

#[test]
fn states_go_out_no_more_often_than_the_publish_interval() {
    let published = states_of_50_frames(Duration::from_millis(100));
    assert!((9..=12).contains(&published), "{published} states in a second");
}

#[test]
fn a_server_without_limits_gets_the_state_of_each_frame() {
    assert_eq!(SessionTiming::default().publish_interval, Duration::ZERO);
    assert_eq!(states_of_50_frames(Duration::ZERO), 50);
}

/// How many states a host publishes in a second, in each of whose 50 frames it changes something.
fn states_of_50_frames(publish_interval: Duration) -> usize {
    let mut bus = Bus::new();
    for (name, wish) in [("ada", Wish::Host), ("bob", Wish::Join)] {
        let timing = SessionTiming { publish_interval, ..SessionTiming::default() };
        let node = bus.add(SessionConfig { timing, ..config(name, wish) });
        bus.until(5 * SECOND, |bus| bus.is_joined(node));
    }
    bus.run(SECOND / 2);
    bus.taken.clear();
    for step in 0..50 {
        bus.session(0).set_shared("step", json!(step)).unwrap();
        bus.frame();
    }
    bus.run(SECOND / 2);
    assert_eq!(bus.session(1).shared("step"), Some(&json!(49)));
    states(&bus).len()
}

#[test]
fn a_missed_state_makes_a_peer_ask_and_the_welcome_fills_the_gap() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let mut lost = false;
    bus.filter = Box::new(move |to, message| {
        let lose = to == 1 && !lost && message.name.as_deref() == Some("room.state");
        lost |= lose;
        if lose { Fate::Lost } else { Fate::Delivered }
    });
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND / 5);
    bus.session(0).set_shared("b", json!(2)).unwrap();
    bus.run(SECOND / 10);
    assert_eq!(bus.session(1).shared("b"), None, "it does not fit");
    assert_eq!(bus.session(1).stats().kept, 1);
    bus.taken.clear();
    bus.run(SECOND * 3 / 2);
    assert_eq!(bus.session(1).shared("b"), Some(&json!(2)));
    assert_eq!(bus.taken_names().into_iter().filter(|name| *name == "room.hello").count(), 1);
    bus.assert_agreed();
}

#[test]
fn a_lease_ahead_of_a_peer_makes_it_ask() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.filter = Box::new(|to, message| {
        let state = to == 1 && message.name.as_deref() == Some("room.state");
        if state { Fate::Lost } else { Fate::Delivered }
    });
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(3 * SECOND);
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)), "the welcome came over the inbox");
}

#[test]
fn the_host_shows_that_it_lives_while_nothing_else_is_said() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.taken.clear();
    bus.run(15 * SECOND);
    let leases = bus.taken_names().len();
    assert!((9..=11).contains(&leases) && bus.taken_names().iter().all(|name| *name == "room.lease"), "{leases}");
}

#[test]
fn a_stale_word_is_answered_with_a_lease_but_no_more_than_five_times_a_second() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.taken.clear();
    for _ in 0..50 {
        bus.say_as("zoe", "c-zoe", "room:den", "room.claim", json!({ "generation": 1, "term": 1 }));
        bus.frame();
    }
    let leases = bus.taken_names().into_iter().filter(|name| *name == "room.lease").count();
    assert!((4..=6).contains(&leases), "{leases} leases in a second");
    assert!(bus.session(0).is_host());
}

#[test]
fn a_state_larger_than_a_message_goes_out_in_parts_and_reaches_newcomers_too() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let large = json!("zoë\n\"x\" ".repeat(20_000));
    bus.session(0).set_shared("large", large.clone()).unwrap();
    bus.run(SECOND);
    assert_eq!(bus.session(1).shared("large"), Some(&large));
    let zoe = bus.add(config("zoe", Wish::Join));
    bus.run(SECOND);
    assert_eq!(bus.session(zoe).shared("large"), Some(&large));
    bus.assert_agreed();
}

#[test]
fn a_state_over_the_limits_is_refused_and_the_old_one_stays() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let host = bus.session(0);
    host.set_shared("a", json!(1)).unwrap();
    let large = json!("x".repeat(MAX_SHARED_SIZE));
    assert!(matches!(host.set_shared("a", large), Err(SessionError::TooLarge { .. })));
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(matches!(host.set_shared("a", deep), Err(SessionError::TooDeep { .. })));
    (0..MAX_SHARED_KEYS - 1).for_each(|key| host.set_shared(&format!("{key}"), json!(0)).unwrap());
    assert!(matches!(host.set_shared("one more", json!(0)), Err(SessionError::TooManyKeys { .. })));
    assert_eq!(host.shared("a"), Some(&json!(1)));
    assert_eq!(bus.session(1).set_shared("a", json!(2)), Err(SessionError::NotHost));
}

#[test]
fn a_host_whose_words_do_not_come_back_stops_acting_until_a_lease_does() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let deaf = Rc::new(Cell::new(true));
    let heard = deaf.clone();
    bus.filter = Box::new(move |to, message| {
        let own = message.client_id.as_ref().is_some_and(|id| id.as_str() == "ada");
        if to == 0 && own && heard.get() { Fate::Lost } else { Fate::Delivered }
    });
    bus.run(4 * SECOND);
    bus.taken.clear();
    bus.session(1).send(Target::Host, "ask", json!(1)).unwrap();
    bus.session(0).set_shared("a", json!(1)).unwrap();
    let zoe = bus.add(config("zoe", Wish::Join));
    bus.run(3 * SECOND);
    assert_eq!(bus.messages(0), [json!(null); 0], "nothing is applied");
    assert!(!bus.is_joined(zoe), "nobody is admitted");
    assert_eq!(states(&bus).len(), 0, "nothing is published");
    deaf.set(false);
    bus.run(4 * SECOND);
    assert_eq!(bus.messages(0), [json!(1)]);
    assert!(bus.is_joined(zoe));
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    bus.assert_agreed();
}

#[test]
fn a_host_that_was_frozen_does_not_act_before_it_was_heard_again() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[0].frozen = true;
    bus.session(1).send(Target::Host, "ask", json!(1)).unwrap();
    bus.run(2 * SECOND);
    bus.nodes[0].frozen = false;
    bus.frame();
    assert_eq!(bus.messages(0), [json!(null); 0]);
    bus.run(SECOND);
    assert_eq!(bus.messages(0), [json!(1)]);
}

#[test]
fn a_host_that_steps_down_goes_back_to_the_last_state_that_came_back() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("a", json!("confirmed")).unwrap();
    bus.run(SECOND);
    bus.session(0).set_shared("a", json!("provisional")).unwrap();
    bus.take_log(0);
    // A room that is older than this one turns out to have a host.
    let reign = json!({ "incarnation": "0", "term": 1, "since": "0" });
    let lease = json!({ "generation": 1, "reign": reign, "version": 7 });
    bus.say_as("zoe", "c-zoe", "room:den", "room.lease", lease);
    bus.filter =
        Box::new(|_, message| if message.name.as_deref() == Some("room.state") { Fate::Lost } else { Fate::Delivered });
    bus.run(SECOND / 2);
    assert!(!bus.session(0).is_host());
    assert_eq!(bus.session(0).shared("a"), Some(&json!("confirmed")));
    let [ada, zoe] = ["ada", "zoe"].map(|player| PlayerId::new(player).unwrap());
    let expected = [
        SessionEvent::HostChanged { from: Some(ada), to: zoe, term: Term(1) },
        SessionEvent::SharedChanged { key: "a".into(), value: Some(json!("confirmed")) },
    ];
    assert_eq!(bus.take_log(0), expected);
    assert_eq!(bus.session(0).set_shared("a", json!(2)), Err(SessionError::NotHost));
}

#[test]
fn a_host_that_does_not_hear_its_own_last_state_says_it_again() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let mut lost = false;
    bus.filter = Box::new(move |node, message| {
        let lose = node == 0 && !lost && message.name.as_deref() == Some("room.state");
        lost |= lose;
        if lose { Fate::Lost } else { Fate::Delivered }
    });
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(6 * SECOND);
    assert_eq!(bus.session(0).shared("a"), Some(&json!(1)), "what it shows is what came back");
    assert_eq!(bus.session(0).term(), Term(1));
    bus.assert_agreed();
}

#[test]
fn a_state_that_the_server_refused_is_made_good_by_a_snapshot() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let mut refused = 0;
    bus.refuse = Box::new(move |command| {
        let Command::Publish { messages, .. } = command else { return false };
        let refuse = refused < 1 && messages.iter().any(|message| message.name.as_deref() == Some("room.state"));
        refused += usize::from(refuse);
        refuse
    });
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(4 * SECOND);
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    assert_eq!(bus.session(0).term(), Term(1), "the host knows why its word did not come back");
    bus.assert_agreed();
}

#[test]
fn a_bogus_patch_leaves_the_state_whole_and_makes_the_peer_ask() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("a", json!({ "b": 1 })).unwrap();
    bus.run(SECOND);
    let stamp = bus.session(0).stamp().unwrap().clone();
    let patch =
        json!([{ "op": "replace", "path": "/shared/a/b", "value": 2 }, { "op": "remove", "path": "/shared/x" }]);
    let state =
        json!({ "generation": 1, "reign": stamp.reign, "version": stamp.version.0 + 1, "base": stamp, "patch": patch });
    let connection = bus.nodes[0].connection.clone();
    bus.filter = Box::new(|to, _| if to == 0 { Fate::Lost } else { Fate::Delivered });
    bus.say_as("ada", connection.as_str(), "room:den", "room.state", state);
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.taken.clear();
    bus.run(2 * SECOND);
    assert_eq!(bus.session(1).shared("a"), Some(&json!({ "b": 1 })));
    assert!(bus.taken_names().contains(&"room.hello"));
    assert_eq!(bus.session(1).stats().malformed, 1);
}

#[test]
fn only_the_host_is_believed_about_the_state() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    let stamp = bus.session(0).stamp().unwrap().clone();
    let state =
        json!({ "generation": 1, "reign": stamp.reign, "version": 99, "snapshot": { "shared": { "a": "forged" } } });
    for (client, connection) in [("zoe", "c3"), ("eve", "c-eve")] {
        bus.say_as(client, connection, "room:den", "room.state", state.clone());
    }
    let mut usurped = state;
    usurped["reign"]["term"] = json!(2);
    bus.say_as("eve", "c-eve", "room:den", "room.state", usurped);
    bus.run(SECOND);
    assert_eq!(bus.session(1).shared("a"), None);
    assert_eq!(bus.session(1).stats().impostors, 3, "nor is a stranger who says that it leads now");
    assert!(bus.session(0).is_host());
}

#[test]
fn an_idle_frame_says_and_asks_nothing() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.run(SECOND / 2);
    let now = bus.now;
    for node in &mut bus.nodes {
        node.session.step(now);
        node.session.flush(now);
        assert_eq!(node.session.poll_command(), None);
        assert_eq!(node.session.poll_event(), None);
    }
}
