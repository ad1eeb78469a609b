//! Another player takes the place of a host that is gone (rules 7 to 14).

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::*;
use rooms_client::Command;
use rooms_protocol::{ErrorCode, ErrorInfo, Message};

const SECOND: Duration = Duration::from_secs(1);

fn host_changed(from: &str, to: &str, term: u64) -> SessionEvent {
    let player = |name| PlayerId::new(name).unwrap();
    SessionEvent::HostChanged { from: Some(player(from)), to: player(to), term: Term(term) }
}

fn lost(player: &str) -> SessionEvent {
    SessionEvent::PlayerLost(PlayerId::new(player).unwrap())
}

fn host_of(bus: &Bus, node: usize) -> &str {
    bus.nodes[node].session.host().map_or("nobody", PlayerId::as_str)
}

/// A message of this kind that somebody published.
fn said<'a>(bus: &'a Bus, by: &str, kind: &str) -> Option<&'a Message> {
    let taken = bus.taken.iter().map(|(_, message)| message);
    taken.into_iter().find(|message| {
        message.name.as_deref() == Some(kind) && message.client_id.as_ref().is_some_and(|id| id.as_str() == by)
    })
}

/// How long it takes until everyone but `gone` obeys `to`.
fn time_until_led(bus: &mut Bus, gone: usize, to: &str) -> Duration {
    let from = bus.now;
    bus.until(20 * SECOND, |bus| {
        (0..bus.nodes.len()).filter(|node| *node != gone).all(|node| host_of(bus, node) == to)
    });
    bus.now - from
}

#[test]
fn a_host_that_dies_is_replaced_by_the_next_in_the_roster_with_the_state_as_it_was() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.session(0).set_shared("score", json!({ "ada": 7 })).unwrap();
    bus.run(SECOND);
    bus.nodes.iter_mut().for_each(|node| node.log.clear());
    bus.nodes[0].frozen = true;
    let time = time_until_led(&mut bus, 0, "bob");
    assert!(time <= Duration::from_millis(6500), "lease and 1.5 s: {time:?}");
    bus.run(SECOND);
    assert!(bus.session(1).is_host() && !bus.session(2).is_host());
    assert_eq!(bus.session(1).shared("score"), Some(&json!({ "ada": 7 })));
    let silent = SessionEvent::Interrupted { reason: InterruptReason::HostSilent };
    let resumed = SessionEvent::Resumed { continuity: Continuity::Kept };
    let told = bus.take_log(2);
    for event in [silent, host_changed("ada", "bob", 2), lost("ada"), resumed] {
        assert!(told.contains(&event), "{event:?} is missing in {told:?}");
    }
    assert_eq!(bus.take_log(1).iter().filter(|event| **event == host_changed("ada", "bob", 2)).count(), 1);
    bus.assert_agreed();
}

#[test]
fn a_closed_connection_or_a_goodbye_hastens_the_change_of_host() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.kill(0);
    let time = time_until_led(&mut bus, 0, "bob");
    assert!(time <= 2 * SECOND, "{time:?}");
    let now = bus.now;
    bus.session(1).set_shared("last", json!(1)).unwrap();
    bus.session(1).leave(now);
    let from = bus.now;
    bus.until(2 * SECOND, |bus| bus.session(2).is_host());
    assert!(bus.now - from <= 2 * SECOND);
    bus.run(SECOND);
    assert_eq!(bus.session(2).shared("last"), Some(&json!(1)), "the last word is heard");
    let left = SessionEvent::PlayerLeft { player: PlayerId::new("bob").unwrap(), reason: LeaveReason::Left };
    assert!(bus.take_log(2).contains(&left));
    assert_eq!(bus.session(2).roster().len(), 2, "ada is lost, and keeps her seat for now");
}

#[test]
fn a_host_that_is_back_on_a_new_connection_at_once_stays_host() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(0);
    bus.connect(0, false);
    bus.run(5 * SECOND);
    assert!(bus.session(0).is_host() && host_of(&bus, 1) == "ada");
}

#[test]
fn a_host_that_was_frozen_comes_back_as_a_peer_and_is_told() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND);
    bus.nodes[0].frozen = true;
    bus.run(20 * SECOND);
    assert!(bus.session(1).is_host());
    bus.session(1).set_shared("a", json!(2)).unwrap();
    bus.run(SECOND);
    bus.take_log(0);
    bus.nodes[0].frozen = false;
    bus.run(3 * SECOND);
    assert!(!bus.session(0).is_host());
    assert_eq!(bus.session(0).shared("a"), Some(&json!(2)));
    assert!(bus.take_log(0).contains(&host_changed("ada", "bob", 2)));
    let returned = SessionEvent::PlayerReturned(PlayerId::new("ada").unwrap());
    assert!(bus.take_log(2).contains(&returned));
    bus.assert_agreed();
}

#[test]
fn what_a_host_says_that_was_replaced_counts_neither_here_nor_there() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.cut(0);
    bus.run(SECOND);
    // In one frame, and published only when the connection is back.
    bus.session(0).set_shared("call", json!(42)).unwrap();
    bus.session(0).send(Target::Everyone, "call", json!(42)).unwrap();
    bus.run(10 * SECOND);
    assert!(bus.session(1).is_host());
    bus.connect(0, true);
    bus.run(3 * SECOND);
    for node in 0..3 {
        assert_eq!(bus.session(node).shared("call"), None, "{node}");
        assert_eq!(bus.messages(node), [json!(null); 0], "{node}");
    }
    bus.assert_agreed();
}

#[test]
fn the_next_but_one_takes_over_where_the_next_is_gone_too() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    (0..2).for_each(|node| bus.nodes[node].frozen = true);
    bus.run(12 * SECOND);
    assert!(bus.session(2).is_host());
    assert_eq!(bus.session(2).term(), Term(2));
}

#[test]
fn a_claimant_that_dies_after_its_claim_is_followed_by_the_next_in_rank() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.nodes[0].frozen = true;
    bus.until(10 * SECOND, |bus| said(bus, "bob", "room.claim").is_some());
    bus.nodes[1].frozen = true;
    bus.run(6 * SECOND);
    assert!(bus.session(2).is_host(), "the claim lapsed");
    assert!(bus.session(2).term() > Term(2), "the claim's term is taken");
}

#[test]
fn a_healthy_host_counters_a_claim_of_one_who_does_not_hear_it() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND);
    // Bob gets nothing from ada for a while.
    let ada = rooms_protocol::ClientId::from("ada");
    bus.filter = Box::new(move |to, message| {
        let deaf = to == 1 && message.client_id.as_ref() == Some(&ada);
        if deaf { Fate::Lost } else { Fate::Delivered }
    });
    bus.until(10 * SECOND, |bus| said(bus, "bob", "room.claim").is_some());
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.run(4 * SECOND);
    assert!(bus.session(0).is_host());
    assert_eq!(bus.session(1).term(), Term(3), "above the claim");
    bus.assert_agreed();
}

#[test]
fn a_state_that_somebody_has_seen_is_not_dropped_by_a_claimant_that_has_not() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    let state = |message: &Message| message.name.as_deref().is_some_and(|name| name.starts_with("room.state"));
    // Bob and ada herself never get the last state. Zoe does.
    bus.filter = Box::new(move |to, message| if to != 2 && state(message) { Fate::Lost } else { Fate::Delivered });
    bus.session(0).set_shared("seen", json!("by zoe")).unwrap();
    bus.until(SECOND, |bus| bus.session(2).shared("seen").is_some());
    bus.kill(0);
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.run(10 * SECOND);
    assert!(bus.session(2).is_host(), "zoe countered bob's claim");
    assert_eq!(bus.session(1).shared("seen"), Some(&json!("by zoe")));
    bus.assert_agreed();
}

#[test]
fn a_term_that_was_led_does_not_give_way_to_one_of_the_same_number_that_nobody_heard_of() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    // The server forgets everyone. Ada is back first, leads anew, and her connection drops before the others are there.
    (0..3).for_each(|node| bus.cut(node));
    bus.run(SECOND);
    bus.connect(0, false);
    bus.until(5 * SECOND, |bus| bus.session(0).term() == Term(3) && said(bus, "ada", "room.state").is_some());
    bus.cut(0);
    (1..3).for_each(|node| bus.connect(node, false));
    bus.until(15 * SECOND, |bus| bus.session(2).is_host() && host_of(bus, 1) == "zoe");
    bus.session(2).set_shared("seen", json!("by bob")).unwrap();
    bus.until(SECOND, |bus| bus.session(1).shared("seen").is_some());
    bus.connect(0, true);
    bus.run(5 * SECOND);
    assert!(bus.session(2).is_host() && !bus.session(0).is_host());
    assert_eq!(bus.session(0).shared("seen"), Some(&json!("by bob")));
    bus.assert_agreed();
}

#[test]
fn a_host_hands_over_with_everything_it_did() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    let zoe = PlayerId::new("zoe").unwrap();
    assert_eq!(bus.session(1).hand_over_to(&zoe), Err(SessionError::NotHost));
    let nobody = PlayerId::new("nobody").unwrap();
    assert_eq!(bus.session(0).hand_over_to(&nobody), Err(SessionError::UnknownPlayer(nobody)));
    bus.session(0).hand_over_to(&zoe).unwrap();
    bus.session(0).set_shared("last", json!("word")).unwrap();
    let from = bus.now;
    bus.until(3 * SECOND, |bus| bus.session(2).is_host());
    assert!(bus.now - from < 2 * SECOND);
    bus.run(SECOND);
    assert_eq!(bus.session(2).shared("last"), Some(&json!("word")));
    assert!(!bus.session(0).is_host() && bus.is_joined(0));
    let silent = SessionEvent::Interrupted { reason: InterruptReason::HostSilent };
    assert!(!bus.take_log(1).contains(&silent), "nobody was missed");
    bus.assert_agreed();
}

#[test]
fn what_a_host_says_after_a_claim_that_nobody_led_on_is_heard_alike_by_those_who_were_away() {
    let mut bus = Bus::with_players(&["ada", "bob", "yan", "zoe"]);
    bus.nodes[3].frozen = true;
    bus.session(0).hand_over_to(&PlayerId::new("bob").unwrap()).unwrap();
    bus.until(SECOND, |bus| said(bus, "bob", "room.claim").is_some());
    bus.nodes[1].frozen = true;
    bus.run(4 * SECOND);
    // In one frame, so that the message counts if the state does.
    bus.session(0).set_shared("call", json!(42)).unwrap();
    bus.session(0).send(Target::Everyone, "call", json!(42)).unwrap();
    bus.run(SECOND);
    bus.nodes[3].frozen = false;
    bus.run(3 * SECOND);
    for node in [0, 2, 3] {
        assert_eq!(bus.messages(node), [json!(42)], "{node}");
    }
    assert_eq!(bus.session(0).term(), Term(3), "above the claim");
    bus.assert_agreed();
}

#[test]
fn a_host_whose_successor_does_not_answer_goes_on() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[1].frozen = true;
    bus.session(0).hand_over_to(&PlayerId::new("bob").unwrap()).unwrap();
    bus.run(5 * SECOND);
    assert!(bus.session(0).is_host());
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.nodes[1].frozen = false;
    bus.run(3 * SECOND);
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    bus.assert_agreed();
}

#[test]
fn a_host_that_is_cut_off_while_it_hands_over_goes_on_once_its_line_is_back() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.session(0).hand_over_to(&PlayerId::new("bob").unwrap()).unwrap();
    bus.run(SECOND / 10);
    bus.kill(1);
    bus.cut(0);
    bus.run(6 * SECOND);
    bus.connect(0, true);
    bus.run(2 * SECOND);
    let zoe = bus.add(config("zoe", Wish::Join));
    bus.run(5 * SECOND);
    assert!(bus.session(0).is_host() && bus.is_joined(zoe));
}

#[test]
fn a_room_that_does_not_migrate_closes_once_its_host_is_lost() {
    let mut bus = Bus::new();
    bus.add(SessionConfig { migration: Migration::Never, ..config("ada", Wish::Host) });
    bus.until(5 * SECOND, |bus| bus.is_joined(0));
    bus.add(config("bob", Wish::Join));
    bus.until(5 * SECOND, |bus| bus.is_joined(1));
    let bob = PlayerId::new("bob").unwrap();
    assert_eq!(bus.session(0).hand_over_to(&bob), Err(SessionError::NoMigration));
    bus.kill(0);
    bus.run(30 * SECOND);
    assert!(bus.is_joined(1), "the host may come back");
    bus.run(7 * SECOND);
    assert_eq!(bus.closed(1), Some(&CloseReason::HostLost));
}

#[test]
fn a_room_that_does_not_migrate_closes_at_once_when_its_host_leaves() {
    let mut bus = Bus::new();
    bus.add(SessionConfig { migration: Migration::Never, ..config("ada", Wish::Host) });
    bus.until(5 * SECOND, |bus| bus.is_joined(0));
    bus.add(config("bob", Wish::Join));
    bus.until(5 * SECOND, |bus| bus.is_joined(1));
    let now = bus.now;
    bus.session(0).leave(now);
    bus.run(SECOND);
    assert_eq!(bus.closed(1), Some(&CloseReason::HostLost));
    assert_eq!(bus.session(1).poll_timeout(), None);
}

#[test]
fn requests_count_once_over_a_change_of_host() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.game = Box::new(|_, session, told| {
        for event in told {
            if matches!(event, SessionEvent::Message { kind, .. } if kind == "add") {
                let sum = session.shared("sum").and_then(serde_json::Value::as_u64).unwrap_or_default();
                session.set_shared("sum", json!(sum + 1)).unwrap();
            }
        }
    });
    for round in 0..20 {
        bus.session(2).send(Target::Host, "add", json!(1)).unwrap();
        if round == 10 {
            bus.kill(0);
        }
        bus.run(SECOND);
    }
    bus.run(10 * SECOND);
    assert!(bus.session(1).is_host());
    assert_eq!(bus.session(2).shared("sum"), Some(&json!(20)));
    assert_eq!(bus.session(2).stats().unconfirmed, 0);
}

#[test]
fn whoever_arrives_while_nobody_leads_is_admitted_by_the_successor() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[0].frozen = true;
    bus.run(2 * SECOND);
    let zoe = bus.add(config("zoe", Wish::JoinOrHost));
    bus.run(8 * SECOND);
    assert!(bus.session(1).is_host() && bus.is_joined(zoe));
    bus.assert_agreed();
}

/// Lets the host be unheard for so long by everybody but itself, and then be heard for a while. Gives whether another took over.
fn is_replaced_after(bus: &mut Bus, silence: Duration) -> bool {
    let own = bus.nodes[0].connection.clone();
    let is_of_host = move |message: &Message| message.connection_id.as_ref() == Some(&own);
    bus.filter =
        Box::new(move |node, message| if node != 0 && is_of_host(message) { Fate::Lost } else { Fate::Delivered });
    (0..3).for_each(|node| _ = bus.take_log(node));
    bus.run(silence);
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.run(4 * SECOND);
    bus.take_log(1).iter().any(|event| matches!(event, SessionEvent::HostChanged { .. }))
}

#[test]
fn a_host_that_was_slow_before_is_waited_for_and_one_that_was_not_is_replaced() {
    let (slow, longer) = (Duration::from_millis(3_500), 7 * SECOND);
    let mut bus = Bus::with_players(&["ada", "bob", "cy"]);
    for _ in 0..3 {
        assert!(!is_replaced_after(&mut bus, slow));
    }
    assert!(!is_replaced_after(&mut bus, longer), "it was slow before");
    let mut bus = Bus::with_players(&["ada", "bob", "cy"]);
    assert!(is_replaced_after(&mut bus, longer), "it was always heard");
}

#[test]
fn a_lease_that_the_server_refuses_is_sent_again_before_anybody_misses_it() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.refusal = ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, "too many");
    let mut refused = 0;
    bus.refuse = Box::new(move |command| {
        let is_lease =
            matches!(command, Command::Publish { messages, .. } if messages[0].name.as_deref() == Some("room.lease"));
        refused += u32::from(is_lease);
        is_lease && refused <= 3
    });
    bus.take_log(0);
    bus.run(6 * SECOND);
    let log = bus.take_log(0);
    assert!(!log.iter().any(|event| matches!(event, SessionEvent::Interrupted { .. })), "{log:?}");
}
