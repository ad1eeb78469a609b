//! When a player doubts its socket: the room is silent though the connection seems to be up.

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::*;
use rooms_client::Command;
use rooms_protocol::Message;

const SECOND: Duration = Duration::from_secs(1);

/// How often a player asked for a sign of life, and forgets it.
fn doubts(bus: &mut Bus, node: usize) -> usize {
    let said = std::mem::take(&mut bus.nodes[node].said);
    said.iter().filter(|command| matches!(command, Command::CheckSocket)).count()
}

#[test]
fn a_player_that_hears_nothing_of_the_room_doubts_its_socket_before_the_host_counts_as_silent() {
    let mut bus = Bus::with_players(&["ada", "bob", "cy"]);
    bus.filter = Box::new(|node, _| if node == 1 { Fate::Lost } else { Fate::Delivered });
    (0..3).for_each(|node| _ = doubts(&mut bus, node));
    bus.take_log(1);
    bus.run(7 * SECOND / 2);
    assert_eq!([0, 1, 2].map(|node| doubts(&mut bus, node)), [0, 1, 0]);
    assert!(!bus.take_log(1).iter().any(|event| matches!(event, SessionEvent::Interrupted { .. })));
    bus.run(6 * SECOND);
    assert_eq!(doubts(&mut bus, 1), 2, "and again while the silence lasts");
}

#[test]
fn a_host_whose_own_messages_do_not_come_back_doubts_its_socket_though_it_hears_others() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let own = bus.nodes[0].connection.clone();
    let is_own = move |message: &Message| message.connection_id.as_ref() == Some(&own);
    bus.filter = Box::new(move |node, message| if node == 0 && is_own(message) { Fate::Lost } else { Fate::Delivered });
    doubts(&mut bus, 0);
    for _ in 0..14 {
        bus.session(1).send(Target::Everyone, "wave", json!("hello")).unwrap();
        bus.run(SECOND / 4);
    }
    assert_eq!(doubts(&mut bus, 0), 1);
}

#[test]
fn nobody_doubts_its_socket_in_a_room_in_which_nothing_happens() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let cy = bus.add(SessionConfig { room: RoomName::new("den").unwrap(), ..config("cy", Wish::Join) });
    bus.run(60 * SECOND);
    assert_eq!([0, 1, cy].map(|node| doubts(&mut bus, node)), [0, 0, 0]);
}

#[test]
fn there_is_nothing_to_doubt_while_the_connection_is_down_or_after_a_frozen_frame() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(1);
    bus.run(10 * SECOND);
    assert_eq!(doubts(&mut bus, 1), 0);
    bus.connect(1, true);
    bus.run(SECOND);
    bus.nodes[1].frozen = true;
    bus.run(10 * SECOND);
    bus.nodes[1].frozen = false;
    bus.run(SECOND);
    assert_eq!(doubts(&mut bus, 1), 0, "what came meanwhile is read first");
}

#[test]
fn a_peer_can_ask_how_long_it_has_waited_for_the_host() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let now = bus.now;
    assert_eq!(bus.session(0).host_silence(now), None, "a host waits for nobody");
    assert!(bus.session(1).host_silence(now).is_some_and(|silence| silence < 2 * SECOND));
    bus.nodes[0].frozen = true;
    bus.run(4 * SECOND);
    let now = bus.now;
    assert!(bus.session(1).host_silence(now).is_some_and(|silence| silence > 2 * SECOND));
    bus.cut(1);
    bus.run(SECOND);
    let now = bus.now;
    assert_eq!(bus.session(1).host_silence(now), None, "nothing can come in");
    assert_eq!(bus.session(1).migration(), Migration::Automatic);
}

#[test]
fn a_player_that_hears_nothing_at_all_does_not_claim_the_place_of_a_host_that_may_be_well() {
    let mut bus = Bus::with_players(&["ada", "bob", "cy"]);
    bus.filter = Box::new(|node, _| if node == 1 { Fate::Lost } else { Fate::Delivered });
    bus.nodes[1].deaf = true;
    bus.taken.clear();
    let claims = |bus: &Bus| bus.taken_names().iter().filter(|name| **name == "room.claim").count();
    bus.run(14 * SECOND);
    assert_eq!(claims(&bus), 0, "its own line is silent");
    bus.run(4 * SECOND);
    assert!(claims(&bus) > 0, "a line that never shows whether it works is no reason to wait for ever");
}

#[test]
fn a_player_that_hears_the_server_and_not_the_host_claims_when_the_lease_is_over() {
    let mut bus = Bus::with_players(&["ada", "bob", "cy"]);
    bus.nodes[0].frozen = true;
    bus.taken.clear();
    bus.run(11 * SECOND / 2);
    assert!(bus.taken_names().contains(&"room.claim"), "the answer about its socket came in time");
}
