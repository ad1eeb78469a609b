//! Requests, applied exactly once and in order (rules 15 and 16).

use std::time::Duration;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::bus::*;
use crate::*;

const SECOND: Duration = Duration::from_secs(1);

fn numbers(range: std::ops::Range<u64>) -> Vec<Value> {
    range.map(Value::from).collect()
}

#[test]
fn a_request_whose_frame_is_lost_is_sent_again_and_applied_once() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let mut lost = false;
    bus.filter = Box::new(move |_, message| {
        let lose = !lost && message.name.as_deref() == Some("room.request");
        lost |= lose;
        if lose { Fate::Lost } else { Fate::Delivered }
    });
    for number in 0..3 {
        bus.session(1).send(Target::Host, "ask", json!(number)).unwrap();
    }
    bus.run(2 * SECOND);
    assert_eq!(bus.messages(0), [json!(null); 0], "what follows the lost one waits");
    bus.run(3 * SECOND);
    assert_eq!(bus.messages(0), numbers(0..3));
    assert_eq!(bus.session(1).stats().unconfirmed, 0);
    bus.taken.clear();
    bus.run(10 * SECOND);
    assert!(!bus.taken_names().contains(&"room.request"), "a confirmed request is not sent again");
}

#[test]
fn the_counter_goes_out_in_the_same_patch_as_what_the_game_made_of_the_request() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.game = game_in_which("bob");
    assert_one_state_with_both(&mut bus, "bob");
}

/// A game that asks in its turn of a frame, as an app does, hears of its own request in the next frame.
#[test]
fn the_counter_of_the_hosts_own_request_waits_for_what_the_game_makes_of_it() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.game = game_in_which("ada");
    assert_one_state_with_both(&mut bus, "ada");
}

/// A player asks once, and the host does what is asked.
fn game_in_which(asking: &'static str) -> Game {
    let mut asked = false;
    Box::new(move |_, session, told| {
        for event in told {
            if let SessionEvent::Message { data, .. } = event {
                session.set_shared("done", data.clone()).unwrap();
            }
        }
        if session.local().as_str() == asking && !std::mem::replace(&mut asked, true) {
            session.send(Target::Host, "ask", json!("it")).unwrap();
        }
    })
}

fn assert_one_state_with_both(bus: &mut Bus, asks: &str) {
    bus.taken.clear();
    bus.run(SECOND / 2);
    let states: Vec<_> =
        bus.taken.iter().filter(|(_, message)| message.name.as_deref() == Some("room.state")).collect();
    let [(_, state)] = &states[..] else { panic!("{states:?}") };
    let text = serde_json::to_string(&state.data).unwrap();
    assert!(text.contains(&format!("/applied/{asks}")) && text.contains("/shared/done"), "{text}");
}

#[test]
fn more_requests_than_are_under_way_at_once_all_arrive() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    for number in 0..500 {
        bus.session(1).send(Target::Host, "ask", json!(number)).unwrap();
    }
    bus.run(10 * SECOND);
    assert_eq!(bus.messages(0), numbers(0..500));
}

#[test]
fn a_new_process_numbers_its_requests_anew() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    for number in 0..3 {
        bus.session(1).send(Target::Host, "ask", json!(number)).unwrap();
    }
    bus.run(SECOND);
    bus.kill(1);
    let again = bus.add(SessionConfig { generation: Generation(2), ..config("bob", Wish::Join) });
    bus.run(SECOND);
    bus.session(again).send(Target::Host, "ask", json!(3)).unwrap();
    bus.run(SECOND);
    assert_eq!(bus.messages(0), numbers(0..4));
}

#[test]
fn a_request_survives_the_host_s_loss_of_continuity() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(0);
    bus.run(SECOND);
    bus.session(1).send(Target::Host, "ask", json!(0)).unwrap();
    bus.session(0).send(Target::Host, "ask", json!(1)).unwrap();
    bus.run(SECOND);
    bus.connect(0, false);
    bus.run(6 * SECOND);
    let mut heard = bus.messages(0);
    heard.sort_by_key(Value::as_u64);
    assert_eq!(heard, numbers(0..2));
    bus.assert_agreed();
}

#[test]
fn requests_are_sent_again_at_once_to_a_host_in_a_new_term() {
    let mut bus = Bus::new();
    bus.add(config("ada", Wish::Host));
    bus.run(2 * SECOND);
    let timing = SessionTiming { request_retry: 1000 * SECOND, ..SessionTiming::default() };
    bus.add(SessionConfig { timing, ..config("bob", Wish::Join) });
    bus.run(SECOND);
    bus.filter = Box::new(
        |_, message| {
            if message.name.as_deref() == Some("room.request") { Fate::Lost } else { Fate::Delivered }
        },
    );
    bus.session(1).send(Target::Host, "ask", json!(0)).unwrap();
    bus.run(SECOND);
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.cut(0);
    bus.connect(0, false);
    bus.run(5 * SECOND);
    assert_eq!(bus.session(0).term(), Term(3), "one is left free for a claim that the host may have missed");
    assert_eq!(bus.messages(0), numbers(0..1));
}

#[test]
fn a_player_that_vanished_and_comes_back_does_not_have_its_requests_applied_again() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.filter = Box::new(|to, _| if to == 1 { Fate::Lost } else { Fate::Delivered });
    bus.session(1).send(Target::Host, "ask", json!(0)).unwrap();
    bus.run(SECOND / 2);
    bus.cut(1);
    bus.forget(1);
    bus.run(40 * SECOND);
    assert_eq!(bus.session(0).roster().len(), 1);
    bus.filter = Box::new(|_, _| Fate::Delivered);
    bus.connect(1, false);
    bus.run(5 * SECOND);
    bus.session(1).send(Target::Host, "ask", json!(1)).unwrap();
    bus.run(SECOND);
    assert_eq!(bus.messages(0), numbers(0..2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn requests_are_applied_exactly_once_over_a_bad_line(seed in any::<u64>()) {
        let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
        bus.game = Box::new(|_, session, told| {
            for event in told {
                if let SessionEvent::Message { kind, data, .. } = event && kind == "ask" {
                    let key = format!("heard of {}", data["by"]);
                    let mut heard = session.shared(&key).and_then(Value::as_array).cloned().unwrap_or_default();
                    heard.push(data["number"].clone());
                    session.set_shared(&key, heard.into()).unwrap();
                }
            }
        });
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(!seed);
        bus.filter = Box::new(move |_, message| {
            let request = message.name.as_deref() == Some("room.request");
            match dice.random_range(0..10) {
                0..=2 if request => Fate::Lost,
                0 => Fate::Lost,
                1..=4 => Fate::Doubled,
                _ => Fate::Delivered,
            }
        });
        let mut asked = [0_u64, 0];
        for _ in 0..300 {
            for (player, count) in asked.iter_mut().enumerate() {
                if rng.random_range(0..10) == 0 {
                    let data = json!({ "by": player, "number": *count });
                    if bus.session(player + 1).send(Target::Host, "ask", data).is_ok() {
                        *count += 1;
                    }
                }
            }
            match rng.random_range(0..150) {
                node @ 0..3 => {
                    bus.cut(node);
                    let resumed = rng.random_range(0..2) == 0;
                    let frames = rng.random_range(1..50);
                    (0..frames).for_each(|_| bus.frame());
                    bus.connect(node, resumed);
                }
                _ => bus.frame(),
            }
        }
        bus.filter = Box::new(|_, _| Fate::Delivered);
        bus.run(15 * SECOND);
        for (player, count) in asked.into_iter().enumerate() {
            let heard = bus.session(0).shared(&format!("heard of {player}")).and_then(Value::as_array).cloned();
            prop_assert_eq!(heard.unwrap_or_default(), numbers(0..count));
            prop_assert_eq!(bus.session(player + 1).stats().unconfirmed, 0);
        }
        bus.assert_agreed();
    }
}
