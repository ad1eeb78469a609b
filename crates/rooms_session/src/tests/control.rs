//! Room control: capacity, lock, kicks and bans, latecomers, and the game's own rule of admission.

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::*;

const SECOND: Duration = Duration::from_secs(1);

fn id(player: &str) -> PlayerId {
    PlayerId::new(player).unwrap()
}

fn join(bus: &mut Bus, player: &str, generation: u64) -> usize {
    let node = bus.add(SessionConfig { generation: Generation(generation), ..config(player, Wish::Join) });
    bus.run(SECOND);
    node
}

fn refused(refusal: Refusal) -> Option<CloseReason> {
    Some(CloseReason::Refused(refusal))
}

#[test]
fn one_more_than_the_capacity_is_refused_and_who_has_a_seat_is_not() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_capacity(2).unwrap();
    let zoe = join(&mut bus, "zoe", 1);
    assert_eq!(bus.closed(zoe).cloned(), refused(Refusal::Full { limit: 2 }));
    bus.kill(1);
    let bob = join(&mut bus, "bob", 2);
    assert!(bus.is_joined(bob), "the seat is kept while its player is lost");
    bus.session(0).set_capacity(0).unwrap();
    assert_eq!(bus.session(0).rules().capacity(), 1);
    bus.run(SECOND);
    assert_eq!(bus.session(0).roster().len(), 2, "nobody is thrown out by it");
}

#[test]
fn a_locked_room_admits_nobody_new_until_it_is_opened() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_locked(true).unwrap();
    let zoe = join(&mut bus, "zoe", 1);
    assert_eq!(bus.closed(zoe).cloned(), refused(Refusal::Locked));
    bus.connect(1, false);
    bus.run(2 * SECOND);
    assert!(bus.is_joined(1), "a new line is nobody new");
    bus.session(0).set_locked(false).unwrap();
    let zoe = join(&mut bus, "zoe", 2);
    assert!(bus.is_joined(zoe));
}

#[test]
fn the_rules_are_everyones_and_told_when_they_change() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.take_log(1);
    bus.session(0).set_capacity(7).unwrap();
    bus.session(0).set_newcomers(Newcomers::Wait).unwrap();
    bus.session(0).ban(&id("eve"), "cheats").unwrap();
    bus.session(0).set_listing(Some(Listing::titled("x".repeat(99)).with_data(json!({ "map": 3 })))).unwrap();
    bus.run(SECOND);
    assert!(bus.take_log(1).contains(&SessionEvent::RulesChanged));
    let rules = bus.session(1).rules().clone();
    assert_eq!(&rules, bus.session(0).rules());
    assert_eq!((rules.capacity(), rules.newcomers), (7, Newcomers::Wait));
    assert_eq!(rules.bans().collect::<Vec<_>>(), [&id("eve")]);
    assert_eq!(rules.listing.unwrap().title.len(), MAX_TITLE);
    bus.session(0).set_newcomers(Newcomers::Play).unwrap();
    let zoe = join(&mut bus, "zoe", 1);
    assert_eq!(bus.session(zoe).rules().capacity(), 7, "a newcomer has them with the welcome");
    bus.assert_agreed();
}

#[test]
fn the_rules_stay_when_the_room_is_led_anew() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).ban(&id("eve"), "cheats").unwrap();
    bus.session(0).set_capacity(3).unwrap();
    bus.run(SECOND);
    let reign = bus.session(0).stamp().unwrap().reign.clone();
    let best = json!({ "incarnation": reign.incarnation, "term": 4, "since": "9" });
    let hello = json!({
        "generation": 1, "nonce": "n", "profile": { "name": "Kim" }, "fingerprint": "v1", "wish": "join",
        "firstRequest": 1, "best": best,
    });
    bus.say_as("kim", "c-kim", "room:den", "room.hello", hello);
    bus.run(5 * SECOND);
    assert_eq!(bus.session(1).term(), Term(5));
    assert_eq!(bus.session(1).rules().capacity(), 3);
    let eve = join(&mut bus, "eve", 1);
    assert_eq!(bus.closed(eve).cloned(), refused(Refusal::Banned { reason: "cheats".into() }));
}

#[test]
fn who_is_kicked_is_told_why_and_the_others_that_it_was_kicked() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    (0..3).for_each(|node| drop(bus.take_log(node)));
    bus.session(0).kick(&id("bob"), "too loud").unwrap();
    bus.run(SECOND);
    assert_eq!(bus.closed(1), Some(&CloseReason::Kicked { reason: "too loud".into() }));
    let left = SessionEvent::PlayerLeft { player: id("bob"), reason: LeaveReason::Kicked };
    assert!(bus.take_log(0).contains(&left) && bus.take_log(2).contains(&left));
    assert_eq!(bus.session(2).roster().len(), 2);
    let again = join(&mut bus, "bob", 2);
    assert!(bus.is_joined(again), "a kick is no ban");
    bus.assert_agreed();
}

#[test]
fn who_was_kicked_while_its_line_was_cut_hears_of_it_when_it_is_back() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.cut(1);
    bus.session(0).kick(&id("bob"), "gone").unwrap();
    bus.run(SECOND);
    bus.connect(1, false);
    bus.run(3 * SECOND);
    assert_eq!(bus.closed(1), Some(&CloseReason::Kicked { reason: "gone".into() }));
    assert!(!bus.session(0).roster().contains(&id("bob")));
}

#[test]
fn who_is_banned_goes_and_is_refused_when_it_comes_back_until_the_ban_is_lifted() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.session(0).ban(&id("bob"), "cheats").unwrap();
    bus.run(SECOND);
    assert_eq!(bus.closed(1), Some(&CloseReason::Kicked { reason: "cheats".into() }));
    let left = SessionEvent::PlayerLeft { player: id("bob"), reason: LeaveReason::Banned };
    assert!(bus.take_log(2).contains(&left));
    for generation in [2, 3] {
        let again = join(&mut bus, "bob", generation);
        assert_eq!(bus.closed(again).cloned(), refused(Refusal::Banned { reason: "cheats".into() }));
    }
    bus.session(0).unban(&id("bob")).unwrap();
    let again = join(&mut bus, "bob", 4);
    assert!(bus.is_joined(again));
}

#[test]
fn what_a_removed_player_still_says_is_not_heard() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.session(0).ban(&id("bob"), "").unwrap();
    bus.run(SECOND);
    bus.say_as("bob", "c-bob", "room:den", "wave", json!("still here"));
    bus.run(SECOND);
    assert_eq!((bus.messages(0), bus.messages(2)), (vec![], vec![]));
}

#[test]
fn only_the_host_controls_the_room_and_not_against_itself() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    let peer = bus.session(1);
    assert_eq!(peer.kick(&id("zoe"), ""), Err(SessionError::NotHost));
    assert_eq!(peer.ban(&id("zoe"), ""), Err(SessionError::NotHost));
    assert_eq!(peer.set_locked(true), Err(SessionError::NotHost));
    let host = bus.session(0);
    assert_eq!(host.kick(&id("ada"), ""), Err(SessionError::OwnSeat));
    assert_eq!(host.kick(&id("kim"), ""), Err(SessionError::UnknownPlayer(id("kim"))));
    let large = Listing::titled("x").with_data(json!("x".repeat(2000)));
    assert!(matches!(host.set_listing(Some(large)), Err(SessionError::TooLarge { .. })));
    for number in 0..MAX_BANS {
        host.ban(&id(&format!("p{number}")), "").unwrap();
    }
    assert_eq!(host.ban(&id("zoe"), ""), Err(SessionError::TooManyBans { max: MAX_BANS }));
    let mut outside = Session::new(config("kim", Wish::Join), 1, bus.now);
    assert_eq!(outside.set_capacity(3), Err(SessionError::NotJoined));
}

#[test]
fn who_comes_while_a_round_runs_watches_it_and_plays_in_the_next() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_newcomers(Newcomers::Spectate).unwrap();
    let zoe = join(&mut bus, "zoe", 1);
    let watches = |bus: &mut Bus, node| bus.session(node).roster().get(&id("zoe")).unwrap().spectator;
    assert!(watches(&mut bus, zoe) && watches(&mut bus, 1));
    assert!(!bus.session(zoe).roster().get(&id("bob")).unwrap().spectator);
    bus.connect(zoe, false);
    bus.run(2 * SECOND);
    assert!(watches(&mut bus, 1), "a new line makes no player of a spectator");
    bus.take_log(1);
    bus.session(0).set_newcomers(Newcomers::Play).unwrap();
    bus.run(SECOND);
    assert!(!watches(&mut bus, 1) && !watches(&mut bus, zoe));
    assert!(bus.take_log(1).contains(&SessionEvent::PlayerChanged(id("zoe"))));
    bus.assert_agreed();
}

#[test]
fn who_has_to_wait_is_told_so_and_comes_in_by_itself_when_the_round_is_over() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).set_newcomers(Newcomers::Wait).unwrap();
    let zoe = bus.add(config("zoe", Wish::JoinOrHost));
    bus.run(30 * SECOND);
    assert_eq!(bus.take_log(zoe), [SessionEvent::Waiting], "it is told once, and founds no room of its own");
    assert!(bus.session(zoe).is_waiting());
    bus.connect(1, false);
    bus.run(2 * SECOND);
    assert!(bus.is_joined(1));
    bus.session(0).set_newcomers(Newcomers::Play).unwrap();
    bus.run(3 * SECOND);
    assert!(bus.is_joined(zoe) && !bus.session(zoe).is_waiting());
    bus.assert_agreed();
}

#[test]
fn the_game_is_asked_once_about_a_newcomer_and_its_answer_counts() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).ask_before_admitting(true);
    let nodes = ["kim", "lou", "max", "zoe"].map(|player| bus.add(config(player, Wish::Join)));
    bus.run(5 * SECOND);
    let asked = |event: &SessionEvent| match event {
        SessionEvent::AdmissionAsked { player, profile } => Some((player.to_string(), profile.name.clone())),
        _ => None,
    };
    let mut asked: Vec<_> = bus.nodes[0].log.iter().filter_map(asked).collect();
    asked.sort();
    assert_eq!(asked.iter().map(|(player, _)| player.as_str()).collect::<Vec<_>>(), ["kim", "lou", "max", "zoe"]);
    assert_eq!(asked[0].1, "KIM");
    assert!(nodes.iter().all(|node| bus.session(*node).status() == SessionStatus::Arriving));
    bus.session(0).admit(&id("kim"), Admission::Admit);
    bus.session(0).admit(&id("lou"), Admission::Spectate);
    bus.session(0).admit(&id("max"), Admission::Wait);
    bus.session(0).admit(&id("zoe"), Admission::Refuse("no cards".into()));
    bus.session(0).admit(&id("nobody"), Admission::Admit);
    bus.run(SECOND);
    assert!(bus.is_joined(nodes[0]) && bus.is_joined(nodes[1]));
    assert!(bus.session(0).roster().get(&id("lou")).unwrap().spectator);
    assert!(bus.session(nodes[2]).is_waiting());
    assert_eq!(bus.closed(nodes[3]).cloned(), refused(Refusal::NotAdmitted { why: "no cards".into() }));
    bus.take_log(0);
    bus.connect(1, false);
    bus.run(2 * SECOND);
    assert!(bus.is_joined(1));
    let about_bob =
        |event: &SessionEvent| matches!(event, SessionEvent::AdmissionAsked { player, .. } if *player == id("bob"));
    assert!(!bus.take_log(0).iter().any(about_bob), "who has a seat needs no admission");
}

#[test]
fn no_more_than_a_bounded_number_of_newcomers_waits_for_the_game() {
    let mut bus = Bus::with_players(&["ada"]);
    bus.session(0).ask_before_admitting(true);
    for number in 0..200 {
        let hello = json!({
            "generation": 1, "nonce": "n", "profile": { "name": "x" }, "fingerprint": "v1", "wish": "join",
            "firstRequest": 1,
        });
        bus.say_as(&format!("p{number}"), "c", "room:den", "room.hello", hello);
    }
    bus.run(SECOND);
    let asked = bus.take_log(0).iter().filter(|event| matches!(event, SessionEvent::AdmissionAsked { .. })).count();
    assert_eq!(asked, 64);
}

#[test]
fn a_made_up_wait_is_not_heeded() {
    let mut bus = Bus::new();
    let bob = bus.add(config("bob", Wish::Join));
    bus.run(SECOND);
    bus.say_as("eve", "c-eve", "room:den:to:bob", "room.wait", json!({ "generation": 1, "nonce": "made-up" }));
    bus.run(SECOND);
    assert!(!bus.session(bob).is_waiting());
    assert_eq!(bus.session(bob).stats().impostors, 1);
}
