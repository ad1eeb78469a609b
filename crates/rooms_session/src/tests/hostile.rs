//! Whatever anybody sends, nothing panics and nothing grows without bound.

use std::time::Duration;

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::bus::*;
use crate::*;

const KINDS: [&str; 12] = [
    "room.hello",
    "room.welcome",
    "room.refused",
    "room.wait",
    "room.claim",
    "room.state",
    "room.lease",
    "room.request",
    "room.leave",
    "room.part",
    "room.unknown",
    "wave",
];

/// Numbers at which arithmetic could overflow.
fn number() -> impl Strategy<Value = Value> {
    select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!(64),
        json!(1001),
        json!(u64::MAX),
        json!(u64::MAX - 1),
        json!(-1),
        json!(0.5),
    ])
}

fn text() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "0",
        "0000000001",
        "9999999999",
        "ada",
        "bob",
        "a:b",
        "join",
        "host",
        "v1",
        "room.state",
        "room.part",
        "{}",
    ];
    select(words.to_vec()).prop_map(Value::from)
}

fn reign() -> impl Strategy<Value = Value> {
    (text(), number(), text())
        .prop_map(|(incarnation, term, since)| json!({ "incarnation": incarnation, "term": term, "since": since }))
}

fn patch() -> impl Strategy<Value = Value> {
    let paths = [
        "",
        "/",
        "/shared",
        "/shared/a",
        "/shared/a/0",
        "/shared/a/-",
        "/roster/bob",
        "/roster/bob/order",
        "/roster/ada/generation",
        "/applied/bob",
        "/applied/bob/sequence",
        "/x/y",
        "/shared/~2",
    ];
    let operation =
        (select(vec!["add", "remove", "replace", "copy", "move", "test", "?"]), select(paths.to_vec()), anything());
    proptest::collection::vec(operation, 0..4).prop_map(|operations| {
        let operation = |(op, path, value)| json!({ "op": op, "path": path, "from": "/shared", "value": value });
        operations.into_iter().map(operation).collect()
    })
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![number(), text(), Just(Value::Null), any::<bool>().prop_map(Value::from)];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A payload that has the fields of every kind, each plausible or spoiled.
fn payload() -> impl Strategy<Value = Value> {
    let snapshot = (number(), number(), anything()).prop_map(|(order, generation, shared)| {
        let seat = json!({ "order": order, "generation": generation, "connection": "c2", "profile": { "name": "x" } });
        json!({ "roster": { "bob": seat, "ada": seat }, "applied": { "bob": { "generation": generation, "sequence": order } }, "shared": { "a": shared } })
    });
    let fields = (
        (number(), number(), number(), number(), number()),
        (reign(), reign(), number(), patch(), prop_oneof![snapshot, anything()]),
        (text(), text(), select(vec!["join", "host", "join-or-host"]), any::<u8>(), anything()),
    );
    fields.prop_map(|((generation, version, term, beat, sequence), (reign, best, base, patch, snapshot), rest)| {
        let (nonce, kind, wish, spoil, data) = rest;
        let mut payload = json!({
            "generation": generation, "version": version, "term": term, "beat": beat, "sequence": sequence,
            "firstUnconfirmed": sequence, "firstRequest": sequence, "reign": reign, "best": best,
            "incarnation": best["incarnation"], "base": { "reign": reign, "version": base }, "patch": patch,
            "nonce": nonce, "kind": kind, "wish": wish, "profile": { "name": "x", "data": data },
            "fingerprint": "v1", "host": nonce, "id": beat, "index": beat, "count": sequence, "text": "{}",
            "reason": "left",
        });
        if spoil % 2 == 0 {
            payload["snapshot"] = snapshot;
            payload.as_object_mut().unwrap().remove("patch");
        }
        if spoil % 5 == 0 {
            payload.as_object_mut().unwrap().remove("incarnation");
        }
        if spoil % 7 == 0 {
            payload = data;
        }
        payload
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_words_break_a_session_or_fill_its_memory(
        words in proptest::collection::vec((select(KINDS.to_vec()), payload(), any::<u8>(), 0..4_u8), 1..60),
    ) {
        let mut bus = Bus::with_players(&["ada", "bob"]);
        let stranger = bus.add(config("zoe", Wish::JoinOrHost));
        for (kind, payload, who, channel) in words {
            let (client, connection) = match who % 5 {
                0 => ("ada", bus.nodes[0].connection.to_string()),
                1 => ("bob", bus.nodes[1].connection.to_string()),
                2 => ("bob", "c-other".to_owned()),
                3 => ("not: a player", "c-odd".to_owned()),
                _ => ("eve", "c-eve".to_owned()),
            };
            let channel = ["room:den", "room:den:to:ada", "room:den:to:bob", "room:den:to:zoe"][usize::from(channel)];
            bus.say_as(client, &connection, channel, kind, payload);
            bus.frame();
        }
        bus.run(Duration::from_secs(3));
        for node in [0, 1, stranger] {
            let session = bus.session(node);
            let stats = session.stats();
            prop_assert!(stats.kept <= 64 && stats.waiting <= 1000, "{stats:?}");
            prop_assert!(session.roster().len() <= MAX_PLAYERS);
        }
    }
}

#[test]
fn a_flood_of_hellos_is_answered_at_the_pace_of_publishes() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.taken.clear();
    for _ in 0..50 {
        for _ in 0..10 {
            let hello = json!({
                "generation": 1, "nonce": "n", "profile": { "name": "Eve" }, "fingerprint": "v1", "wish": "join",
                "firstRequest": 1,
            });
            bus.say_as("eve", "c-eve", "room:den", "room.hello", hello);
        }
        bus.frame();
    }
    let welcomes = bus.taken_names().into_iter().filter(|name| *name == "room.welcome").count();
    assert!(welcomes <= 12, "{welcomes} welcomes in a second");
}

#[test]
fn a_game_that_takes_no_events_loses_messages_and_not_memory() {
    let mut bus = Bus::with_players(&["ada"]);
    let now = bus.now;
    let message = rooms_protocol::Message {
        client_id: Some("eve".into()),
        connection_id: Some("c-eve".into()),
        ..rooms_protocol::Message::new("wave", "x")
    };
    for _ in 0..40 {
        let messages = vec![message.clone(); 1000];
        bus.session(0).handle_event(rooms_client::Event::Messages { channel: "room:den".into(), messages }, now);
    }
    assert!(bus.session(0).stats().overflowed > 20_000);
}
