//! Arriving, founding, being refused.

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::session::*;

const SECOND: Duration = Duration::from_secs(1);

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
}
