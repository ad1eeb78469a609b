//! Claims that fail, claims at the same time, and rooms that were founded twice (rules 9, 11 to 14).

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::*;
use rooms_protocol::Message;

const SECOND: Duration = Duration::from_secs(1);

fn host_of(bus: &Bus, node: usize) -> &str {
    bus.nodes[node].session.host().map_or("nobody", PlayerId::as_str)
}

fn is_of_ada(message: &Message) -> bool {
    message.client_id.as_ref().is_some_and(|id| id.as_str() == "ada")
}

fn claims(bus: &Bus) -> usize {
    bus.taken_names().iter().filter(|name| **name == "room.claim").count()
}

#[test]
fn who_lost_continuity_gives_the_host_three_more_seconds() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[0].frozen = true;
    bus.cut(1);
    bus.connect(1, false);
    bus.taken.clear();
    bus.run(Duration::from_millis(7500));
    assert_eq!(claims(&bus), 0, "the host may have missed as much, and be about to come back");
    bus.run(3 * SECOND);
    assert_eq!(host_of(&bus, 1), "bob");
}

#[test]
fn a_claim_that_does_not_come_back_is_made_again_before_the_host_would_be_missed_anew() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[0].frozen = true;
    bus.taken.clear();
    let mut lost = false;
    bus.filter = Box::new(move |to, message| {
        let lose = !lost && to == 1 && message.name.as_deref() == Some("room.claim");
        lost |= lose;
        if lose { Fate::Lost } else { Fate::Delivered }
    });
    // The lease, 3 s for the echo, and 3.5 s until the next attempt, with its gathering.
    bus.until(13 * SECOND, |bus| host_of(bus, 1) == "bob");
    assert_eq!(claims(&bus), 2);
}

#[test]
fn of_all_who_claim_at_once_the_first_leads_and_the_others_follow() {
    let mut bus = Bus::new();
    let timing = SessionTiming { stagger: Duration::ZERO, ..SessionTiming::default() };
    for (place, name) in ["ada", "bob", "cyd", "zoe"].into_iter().enumerate() {
        let wish = if place == 0 { Wish::Host } else { Wish::Join };
        let node = bus.add(SessionConfig { timing, ..config(name, wish) });
        bus.until(5 * SECOND, |bus| bus.is_joined(node));
    }
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND);
    bus.nodes[0].frozen = true;
    bus.taken.clear();
    bus.until(8 * SECOND, |bus| (1..4).all(|node| host_of(bus, node) != "ada"));
    let claimants: Vec<_> =
        bus.taken.iter().filter(|(_, message)| message.name.as_deref() == Some("room.claim")).collect();
    assert!(claimants.len() > 1, "they claim at once, or this proves nothing");
    let first = claimants[0].1.client_id.clone().unwrap();
    bus.run(3 * SECOND);
    assert!((1..4).all(|node| host_of(&bus, node) == first.as_str()));
    assert_eq!(bus.session(3).term(), Term(2), "one claim was led, and none was made above it");
    assert_eq!(bus.session(3).shared("a"), Some(&json!(1)));
}

/// Two rooms of one name: the older one's host was away for this time and is back, and knows nothing of the younger one.
fn founded_twice(away: Duration) -> Bus {
    let mut bus = Bus::with_players(&["ada"]);
    bus.session(0).set_shared("whose", json!("ada")).unwrap();
    bus.run(SECOND);
    bus.cut(0);
    bus.forget(0);
    bus.add(config("zoe", Wish::Host));
    bus.until(3 * SECOND, |bus| bus.is_joined(1));
    bus.session(1).set_shared("whose", json!("zoe")).unwrap();
    bus.run(away);
    bus.connect(0, false);
    bus.run(5 * SECOND);
    bus
}

#[test]
fn a_host_that_was_away_for_longer_than_the_grace_period_joins_the_room_that_lives() {
    let mut bus = founded_twice(35 * SECOND);
    assert_eq!((host_of(&bus, 0), host_of(&bus, 1)), ("zoe", "zoe"));
    assert_eq!(bus.session(0).shared("whose"), Some(&json!("zoe")));
    assert!(bus.take_log(0).contains(&SessionEvent::Resumed { continuity: Continuity::Lost }));
    bus.assert_agreed();
}

#[test]
fn a_host_that_was_away_for_less_brings_its_older_room_back() {
    let mut bus = founded_twice(5 * SECOND);
    assert_eq!((host_of(&bus, 0), host_of(&bus, 1)), ("ada", "ada"));
    assert_eq!(bus.session(1).shared("whose"), Some(&json!("ada")));
    bus.assert_agreed();
}

#[test]
fn a_room_goes_on_where_an_older_one_is_heard_of_and_falls_silent() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND);
    let reign = json!({ "incarnation": "0000000000", "term": 1, "since": "0000000000" });
    let lease = json!({ "generation": 1, "reign": reign, "version": 5, "beat": 1 });
    bus.say_as("eve", "c-eve", "room:den", "room.lease", lease);
    bus.run(SECOND);
    assert!(!bus.session(0).is_host(), "the older room has precedence while it lives");
    bus.run(14 * SECOND);
    assert!(bus.is_joined(0) && bus.is_joined(1));
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    assert_eq!([0, 1].into_iter().filter(|node| bus.session(*node).is_host()).count(), 1);
    bus.assert_agreed();
}

#[test]
fn who_did_not_hear_that_the_next_host_has_a_seat_asks_and_is_told() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    // From now on bob gets nothing from ada, so he does not learn of zoe's seat.
    bus.filter = Box::new(|to, message| if to == 1 && is_of_ada(message) { Fate::Lost } else { Fate::Delivered });
    bus.add(config("zoe", Wish::Join));
    bus.until(3 * SECOND, |bus| bus.is_joined(2));
    bus.taken.clear();
    bus.session(0).hand_over_to(&PlayerId::new("zoe").unwrap()).unwrap();
    // Before bob would miss the host and claim its place.
    bus.until(3 * SECOND, |bus| host_of(bus, 1) == "zoe");
    assert_eq!(claims(&bus), 1, "zoe's");
    bus.run(SECOND);
    bus.assert_agreed();
}

#[test]
fn a_host_that_did_not_hear_of_the_seat_of_a_better_one_asks_and_follows() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.filter = Box::new(|to, message| if to == 1 && is_of_ada(message) { Fate::Lost } else { Fate::Delivered });
    bus.add(config("zoe", Wish::Join));
    bus.until(3 * SECOND, |bus| bus.is_joined(2));
    bus.kill(0);
    // Both claim, and bob takes zoe for a stranger.
    bus.until(9 * SECOND, |bus| bus.session(1).is_host() && host_of(bus, 2) == "zoe");
    bus.until(5 * SECOND, |bus| host_of(bus, 1) == "zoe");
    bus.run(SECOND);
    bus.assert_agreed();
}

#[test]
fn a_host_asks_nobody_that_it_has_banned() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).ban(&PlayerId::new("eve").unwrap(), "").unwrap();
    bus.run(SECOND);
    bus.taken.clear();
    let reign = bus.session(0).stamp().unwrap().reign.clone();
    let lead = |bus: &mut Bus, name: &str| {
        let reign = json!({ "incarnation": reign.incarnation, "term": 9, "since": reign.since });
        let lease = json!({ "generation": 1, "reign": reign, "version": 5, "beat": 1 });
        bus.say_as(name, &format!("c-{name}"), "room:den", "room.lease", lease);
        bus.run(3 * SECOND);
        bus.taken_names().iter().filter(|kind| **kind == "room.hello").count()
    };
    assert_eq!(lead(&mut bus, "eve"), 0);
    assert!(lead(&mut bus, "kim") > 0, "somebody else may have got a seat meanwhile");
    bus.run(10 * SECOND);
    bus.taken.clear();
    bus.run(5 * SECOND);
    assert!(!bus.taken_names().contains(&"room.hello"), "whoever does not answer is forgotten");
    assert!(bus.session(0).is_host());
}

#[test]
fn a_seat_that_a_host_gave_and_nobody_heard_of_does_not_silence_who_claims_in_it() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    // Ada hears the others, and nobody hears her.
    bus.filter = Box::new(|_, message| if is_of_ada(message) { Fate::Lost } else { Fate::Delivered });
    bus.add(SessionConfig { generation: Generation(2), ..config("bob", Wish::Join) });
    let bob = PlayerId::new("bob").unwrap();
    let generation = |bus: &Bus| bus.nodes[0].session.roster().get(&bob).map(|seat| seat.generation);
    bus.until(2 * SECOND, |bus| generation(bus) == Some(Generation(2)));
    bus.until(9 * SECOND, |bus| bus.session(1).is_host());
    bus.run(SECOND);
    assert_eq!((host_of(&bus, 0), host_of(&bus, 2)), ("bob", "bob"));
    assert_eq!(generation(&bus), Some(Generation(1)), "the seat was never given");
    assert!(bus.is_joined(1));
}
