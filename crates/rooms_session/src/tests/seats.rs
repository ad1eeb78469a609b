//! Who is present, lost, back, or gone (rule 18), and profiles.

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::*;

const SECOND: Duration = Duration::from_secs(1);

fn bob() -> PlayerId {
    PlayerId::new("bob").unwrap()
}

#[test]
fn a_player_whose_connection_left_is_lost_and_back_when_it_says_hello() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.cut(1);
    bus.run(SECOND);
    assert_eq!(bus.session(2).roster().get(&bob()).unwrap().status, SeatStatus::Present, "a cut alone shows nobody");
    bus.forget(1);
    bus.take_log(2);
    bus.run(SECOND);
    assert_eq!(bus.take_log(2), [SessionEvent::PlayerLost(bob())]);
    bus.connect(1, false);
    bus.run(2 * SECOND);
    assert_eq!(bus.take_log(2), [SessionEvent::PlayerReturned(bob())]);
    let connection = bus.nodes[1].connection.clone();
    assert_eq!(bus.session(2).roster().get(&bob()).unwrap().connection, connection);
    bus.assert_agreed();
}

#[test]
fn a_lost_player_that_resumes_is_back_by_its_presence() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(1);
    bus.forget(1);
    bus.run(SECOND);
    bus.take_log(0);
    bus.connect(1, true);
    bus.run(SECOND);
    assert_eq!(bus.take_log(0), [SessionEvent::PlayerReturned(bob())]);
    bus.assert_agreed();
}

#[test]
fn a_lost_player_has_left_after_the_grace_period() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.kill(1);
    bus.run(29 * SECOND);
    assert!(bus.session(2).roster().contains(&bob()));
    bus.run(2 * SECOND);
    let left = SessionEvent::PlayerLeft { player: bob(), reason: LeaveReason::Vanished };
    assert!(bus.take_log(0).contains(&left) && bus.take_log(2).contains(&left));
    assert_eq!(bus.session(2).roster().len(), 2);
}

#[test]
fn a_player_that_crashed_and_restarts_in_time_has_its_seat_again() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.kill(1);
    bus.run(5 * SECOND);
    let again = bus.add(SessionConfig { generation: Generation(2), ..config("bob", Wish::JoinOrHost) });
    bus.run(2 * SECOND);
    assert!(bus.is_joined(again));
    assert_eq!(bus.session(2).roster().iter().position(|seat| seat.player == bob()), Some(1));
    assert!(bus.nodes[2].log.contains(&SessionEvent::PlayerReturned(bob())));
    bus.assert_agreed();
}

#[test]
fn who_says_goodbye_has_left_at_once() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.take_log(0);
    bus.take_log(2);
    let now = bus.now;
    bus.session(1).leave(now);
    bus.run(SECOND / 2);
    let left = [SessionEvent::PlayerLeft { player: bob(), reason: LeaveReason::Left }];
    assert_eq!(bus.take_log(0), left);
    assert_eq!(bus.take_log(2), left);
    assert_eq!(bus.closed(1), Some(&CloseReason::Left));
    assert_eq!(bus.session(1).roster().len(), 0);
    assert_eq!(bus.session(1).send(Target::Everyone, "x", json!(1)), Err(SessionError::NotJoined));
}

#[test]
fn a_goodbye_or_presence_leave_of_an_older_connection_means_nothing() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.take_log(0);
    bus.say_as("bob", "c-old", "room:den", "room.leave", json!({ "generation": 1 }));
    bus.enter_as("bob", "c-old", json!({ "generation": 1 }));
    bus.run(SECOND);
    let old = bus.nodes[1].connection.clone();
    bus.nodes[1].connection = "c-old".into();
    bus.forget(1);
    bus.nodes[1].connection = old;
    bus.run(SECOND);
    assert_eq!(bus.take_log(0), []);
}

#[test]
fn a_player_whom_presence_shows_on_another_connection_is_not_lost() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.take_log(0);
    bus.enter_as("bob", "c-next", json!({ "generation": 1 }));
    bus.forget(1);
    bus.run(SECOND);
    assert_eq!(bus.take_log(0), []);
}

#[test]
fn who_never_shows_up_in_presence_is_lost_in_the_end() {
    let mut bus = Bus::with_players(&["ada"]);
    let hello = json!({
        "generation": 1, "nonce": "n", "profile": { "name": "Bob" }, "fingerprint": "v1", "wish": "join", "firstRequest": 1,
    });
    bus.say_as("bob", "c-bob", "room:den", "room.hello", hello);
    bus.run(SECOND);
    assert_eq!(bus.session(0).roster().get(&bob()).unwrap().status, SeatStatus::Present);
    bus.run(15 * SECOND);
    assert_eq!(bus.session(0).roster().get(&bob()).unwrap().status, SeatStatus::Lost);
}

#[test]
fn a_profile_change_reaches_everyone() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    (0..3).for_each(|node| drop(bus.take_log(node)));
    bus.session(1).set_profile(Profile::named("Robert").with_data(json!({ "colour": "red" })));
    bus.session(0).set_profile(Profile::named("Countess"));
    bus.run(2 * SECOND);
    for node in 0..3 {
        let names: Vec<_> = bus.session(node).roster().iter().map(|seat| seat.profile.name.clone()).collect();
        assert_eq!(names, ["Countess", "Robert", "ZOE"]);
        assert!(bus.take_log(node).contains(&SessionEvent::PlayerChanged(bob())));
    }
}

#[test]
fn messages_reach_those_they_are_for() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.session(1).send(Target::Others, "a", json!("others")).unwrap();
    bus.session(1).send(Target::Player(PlayerId::new("zoe").unwrap()), "a", json!(5)).unwrap();
    bus.session(0).send(Target::Host, "a", json!(["host"])).unwrap();
    bus.run(SECOND);
    assert_eq!(bus.messages(0), [json!(["host"]), json!("others")]);
    assert_eq!(bus.messages(1), [json!(null); 0]);
    assert_eq!(bus.messages(2), [json!("others"), json!(5)]);
    let sender = SessionEvent::Message { sender: bob(), kind: "a".into(), data: json!("others") };
    assert!(bus.nodes[2].log.contains(&sender));
    let nobody = PlayerId::new("nobody").unwrap();
    let session = bus.session(1);
    assert_eq!(session.send(Target::Player(nobody.clone()), "a", json!(1)), Err(SessionError::UnknownPlayer(nobody)));
    assert_eq!(session.send(Target::Host, "room.x", json!(1)), Err(SessionError::ReservedKind("room.x".into())));
    let large = json!("x".repeat(64 * 1024));
    assert!(matches!(session.send(Target::Everyone, "a", large), Err(SessionError::TooLarge { .. })));
}

#[test]
fn a_page_with_a_plain_sdk_is_heard_without_our_headers() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.say_as("a-page", "c-page", "room:den", "wave", json!({ "from": "a page" }));
    bus.run(SECOND / 2);
    assert_eq!(bus.messages(0), [json!({ "from": "a page" })]);
    assert_eq!(bus.messages(1), [json!({ "from": "a page" })]);
}

#[test]
fn no_more_than_a_bounded_number_of_messages_waits() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(1);
    bus.run(SECOND / 2);
    let session = bus.session(1);
    let sent = (0..5000).take_while(|_| session.send(Target::Everyone, "a", json!(1)).is_ok()).count();
    assert_eq!(sent, 1000);
    assert!(matches!(session.send(Target::Everyone, "a", json!(1)), Err(SessionError::Full { waiting: 1000 })));
    let asked = (0..5000).take_while(|_| session.send(Target::Host, "a", json!(1)).is_ok()).count();
    assert_eq!(asked, 1000);
}

/// A sender that claims to be a newer process of a player, from another connection.
fn say_hello_as_twin(bus: &mut Bus, player: &str) {
    let hello = json!({
        "generation": 2, "nonce": "twin", "profile": { "name": "Twin" }, "fingerprint": "v1", "wish": "join",
        "firstRequest": 1,
    });
    bus.say_as(player, "c-twin", "room:den", "room.hello", hello);
}

#[test]
fn a_process_that_is_refused_does_not_silence_the_one_that_has_the_seat() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).send(Target::Everyone, "a", json!("before")).unwrap();
    bus.run(SECOND);
    say_hello_as_twin(&mut bus, "ada");
    bus.run(SECOND);
    assert!(bus.taken_names().contains(&"room.refused"), "a host that lives keeps its seat");
    bus.session(0).send(Target::Everyone, "a", json!("after")).unwrap();
    bus.run(SECOND);
    assert_eq!(bus.messages(1), [json!("before"), json!("after")]);
}

#[test]
fn what_a_process_says_after_a_newer_one_took_its_seat_is_not_heard() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let say = |bus: &mut Bus, sequence: &str| {
        let extras = json!({ "headers": { "generation": "1", "sequence": sequence } });
        bus.say_with_extras_as("bob", "room:den", "a", json!({ "number": sequence }), extras);
        bus.run(SECOND);
    };
    say(&mut bus, "1");
    // Until the host gives the seat to a newer process, the old one's messages count.
    bus.filter = Box::new(|to, _| if to == 1 { Fate::Lost } else { Fate::Delivered });
    say_hello_as_twin(&mut bus, "bob");
    bus.run(SECOND);
    say(&mut bus, "2");
    assert_eq!(bus.messages(0), [json!({ "number": "1" })]);
}

#[test]
fn a_process_that_goes_on_in_a_seat_that_it_lost_is_told_to_stop() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    // It does not notice that a newer one came, and tries to lead.
    bus.filter = Box::new(|to, message| {
        let told = message.name.as_deref() == Some("room.refused");
        if to == 1 && !told { Fate::Lost } else { Fate::Delivered }
    });
    say_hello_as_twin(&mut bus, "bob");
    bus.run(SECOND);
    assert_eq!(bus.session(0).roster().get(&bob()).unwrap().generation, Generation(2));
    bus.taken.clear();
    bus.run(15 * SECOND);
    assert_eq!(bus.closed(1), Some(&CloseReason::Refused(Refusal::Superseded)));
    assert_eq!(bus.session(0).term(), Term(1), "nobody else heeded its claim");
    let told = bus.taken_names().iter().filter(|name| **name == "room.refused").count();
    assert_eq!(told, 1);
}

#[test]
fn only_who_has_a_seat_tells_the_process_that_is_meant_to_stop() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let refuse = |bus: &mut Bus, by: &str, process: u64, reason: &str| {
        let refused = json!({ "generation": 1, "nonce": "", "process": process, "reason": reason });
        bus.say_as(by, &format!("c-{by}"), "room:den:to:bob", "room.refused", refused);
        bus.run(SECOND);
    };
    refuse(&mut bus, "stranger", 1, "superseded");
    refuse(&mut bus, "ada", 2, "superseded");
    refuse(&mut bus, "ada", 1, "full");
    assert_eq!(bus.closed(1), None);
    refuse(&mut bus, "ada", 1, "superseded");
    assert_eq!(bus.closed(1), Some(&CloseReason::Refused(Refusal::Superseded)));
}

#[test]
fn a_process_that_heard_of_a_newer_one_is_told_to_stop_by_anyone() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let refused = json!({ "generation": 1, "nonce": "", "process": 1, "reason": "superseded" });
    // Their own room does not know of the one that the newer processes came to.
    say_hello_as_twin(&mut bus, "ada");
    bus.enter_as("bob", "c-twin", json!({ "generation": 2 }));
    for player in ["ada", "bob"] {
        bus.say_as("stranger", "c-stranger", &format!("room:den:to:{player}"), "room.refused", refused.clone());
    }
    bus.run(SECOND);
    for node in 0..2 {
        assert_eq!(bus.closed(node), Some(&CloseReason::Refused(Refusal::Superseded)));
    }
}
