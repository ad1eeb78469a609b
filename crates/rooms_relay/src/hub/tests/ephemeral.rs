//! Messages that only those get who are there when they are published.

use serde_json::{Value, json};

use super::*;

fn ephemeral(name: &str) -> Message {
    Message::new(name, "x").ephemeral()
}

fn history(world: &mut World) -> Vec<Value> {
    let (messages, _) = world.list("/channels/c/messages?direction=forwards");
    messages.iter().map(|message| message["name"].clone()).collect()
}

#[test]
fn an_ephemeral_message_reaches_who_is_there_and_is_not_kept() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect(""), world.connect(""));
    world.attach(&bob, "c");
    world.publish(&mut ada, "c", &["kept"]);
    let ack = world.publish_messages(&mut ada, "c", vec![ephemeral("a"), ephemeral("b")]);
    assert_eq!(ack.res[0].serials.iter().flatten().count(), 2, "it has a serial as any other");
    let frames = world.take(bob.link);
    assert_eq!(names(&frames), ["kept", "a", "b"]);
    assert_eq!(
        frames[1].messages[0].extras.as_ref().map(|extras| extras.to_value()),
        Some(json!({ "ephemeral": true }))
    );
    assert!(frames[0].channel_serial < frames[1].channel_serial);
    assert_eq!(history(&mut world), ["kept"]);
    assert_eq!(world.hub.stats().messages, 1);
    let eve = world.connect("");
    let rewound = world.attach(&eve, "[?rewind=3]c");
    assert_eq!(names(&rewound), ["kept"]);
    assert_eq!(actions(&world.attach(&ada, "c")), [Action::Attached, Action::Message]);
}

#[test]
fn a_resume_leaves_ephemeral_messages_out_and_goes_on_from_one() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect(""), world.connect(""));
    world.attach(&bob, "c");
    world.publish_messages(&mut ada, "c", vec![ephemeral("seen")]);
    let seen = world.take_one(bob.link, Action::Message).channel_serial;
    world.close(bob.link);
    world.publish_messages(&mut ada, "c", vec![ephemeral("missed")]);
    world.publish(&mut ada, "c", &["kept"]);
    let resumed = world.connect(&bob.resume_query());
    let frames = world.attach_with(&resumed, "c", |frame| frame.channel_serial = seen);
    assert!(frames[0].has(Flags::RESUMED) && frames[0].error.is_none());
    assert_eq!(names(&frames), ["kept"]);
}

#[test]
fn a_publish_that_mixes_both_kinds_is_refused_whole() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect(""), world.connect(""));
    world.attach(&bob, "c");
    let mixed = vec![ephemeral("a"), Message::new("b", "x")];
    assert_eq!(error_code(&world.publish_messages(&mut ada, "c", mixed)), Some(40030));
    assert!(world.take(bob.link).is_empty());
    let body =
        json!([{ "name": "a", "extras": { "ephemeral": true } }, { "name": "b", "extras": { "ephemeral": false } }]);
    let response = world.ask("POST", "/channels/c/messages", body.to_string());
    assert_eq!((response.status, response.header("x-ably-errorcode")), (400, Some("40030")));
}

#[test]
fn a_parameter_of_a_request_makes_all_its_messages_ephemeral() {
    let mut world = World::new();
    let bob = world.connect("");
    world.attach(&bob, "c");
    for (query, body) in [
        ("?ephemeral=true", json!([{ "name": "a" }, { "name": "b", "extras": { "headers": { "x": 1 } } }])),
        ("", json!({ "name": "c", "extras": { "ephemeral": true } })),
        ("?ephemeral=false", json!({ "name": "d" })),
    ] {
        assert_eq!(world.ask("POST", &format!("/channels/c/messages{query}"), body.to_string()).status, 201);
    }
    let frames = world.take(bob.link);
    assert_eq!(names(&frames), ["a", "b", "c", "d"]);
    let extras = frames[0].messages[1].extras.as_ref().unwrap().to_value();
    assert_eq!(extras, json!({ "ephemeral": true, "headers": { "x": 1 } }));
    assert_eq!(history(&mut world), ["d"]);
}
