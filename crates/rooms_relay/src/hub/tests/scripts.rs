//! Channels whose names are of any script: attached, published on, entered and asked for over HTTP.

use super::*;
use crate::RestRequest;
use rooms_protocol::{json, msgpack};

/// Names as people write them, and some that nobody writes.
const NAMES: [&str; 18] = [
    "otter badger fox",
    "Füße und Öl",
    "барсук и выдра",
    "ασβός και βίδρα",
    "גירית ולוטרה",
    "غرير وثعلب الماء",
    "बिज्जू और ऊदबिलाव",
    "แบดเจอร์กับนาก",
    "獾与水獭",
    "アナグマとカワウソ",
    "오소리와 수달",
    "🦦🦡 👨‍👩‍👧‍👦 🏳️‍🌈",
    // An accent that stands alone, in an order that no keyboard gives.
    "e\u{301}\u{323}",
    // Marks that turn the direction of writing, and one of no width.
    "left\u{200f}right\u{202e}tfel\u{202c}\u{200d}",
    // Signs that mean something in a URL, in JSON or in a shell.
    "a/b?c#d&e=f%20g+h;i\\j\"k'l$m",
    // The end of what a name may hold: outside the plane of most scripts, and of no width at all.
    "\u{10ffff}\u{feff}",
    "nul\u{0}nul",
    "..",
];

/// The name as part of a path, every byte escaped.
fn escaped(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn ask(world: &mut World, name: &str, what: &str) -> Vec<serde_json::Value> {
    let target = format!("/channels/{}/{what}?key={DEVELOPMENT_KEY}", escaped(name));
    let request = RestRequest { method: "GET".to_owned(), target, ..RestRequest::default() };
    let response = world.hub.rest(&request, world.now);
    assert_eq!(response.status, 200, "{name:?} {}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).unwrap()
}

/// The frame after it went over the wire in both forms.
fn carried(frame: Frame) -> Frame {
    let frame = json::decode(&json::encode(frame)).unwrap();
    msgpack::decode(&msgpack::encode(frame)).unwrap()
}

#[test]
fn a_channel_of_any_script_carries_messages_and_members_and_has_a_history() {
    for name in NAMES {
        let mut world = World::new();
        let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
        for client in [&ada, &bob] {
            world.send(client.link, carried(Frame::for_channel(Action::Attach, name.into())));
            let attached = world.take_one(client.link, Action::Attached);
            assert_eq!(carried(attached).channel, Some(name.into()), "{name:?}");
        }
        let messages = vec![Message::new(name, name)];
        let frame = carried(Frame { messages, ..Frame::for_channel(Action::Message, name.into()) });
        assert_eq!(world.send_numbered(&mut ada, frame).action, Action::Ack, "{name:?}");
        let message = carried(world.take_one(bob.link, Action::Message));
        assert_eq!((message.channel, message.messages[0].name.as_deref()), (Some(name.into()), Some(name)));
        assert_eq!(
            world.presence(&mut ada, name, presence_message(PresenceAction::Enter, "", name)).action,
            Action::Ack
        );
        let presence = carried(world.take_one(bob.link, Action::Presence));
        assert_eq!((presence.channel.clone(), presence_in(&[presence])[0].2.as_str()), (Some(name.into()), name));
        // A URL knows two names as steps upwards; escaped they are names like others.
        assert_eq!(ask(&mut world, name, "messages")[0]["data"], name);
        assert_eq!(ask(&mut world, name, "presence")[0]["data"], name);
    }
}

#[test]
fn names_that_look_alike_are_channels_of_their_own() {
    // One letter as one sign and as two; Latin, Greek and Cyrillic; upper and lower case; with and without a mark.
    for (one, other) in [("\u{e9}", "e\u{301}"), ("A", "Α"), ("a", "а"), ("a", "A"), ("a", "a\u{200f}")] {
        let mut world = World::new();
        let (mut ada, bob) = (world.connect(""), world.connect(""));
        world.attach(&bob, other);
        world.publish(&mut ada, one, &["m"]);
        assert_eq!((world.take(bob.link).len(), world.hub.stats().channels), (0, 2), "{one:?} {other:?}");
    }
}

#[test]
fn a_member_may_have_a_name_of_any_script() {
    for name in NAMES {
        let mut world = World::new();
        let mut ada = world.connect(&format!("clientId={}", escaped(name)));
        world.attach(&ada, "c");
        assert_eq!(
            world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, name, "")).action,
            Action::Ack,
            "{name:?}"
        );
        assert_eq!(presence_in(&world.take(ada.link))[0].0, name);
    }
}

#[test]
fn a_name_counts_in_bytes_and_one_that_cannot_be_fails_alone() {
    let mut world = World::new();
    let mut client = world.connect("");
    let longest = "獾".repeat(2048 / 3);
    world.attach(&client, &longest);
    for name in ["", ":a", ",a", "[a", " a", "\u{2003}a", "\u{85}a", "a\nb", "a\rb", &"獾".repeat(2048 / 3 + 1)] {
        world.send(client.link, Frame::for_channel(Action::Attach, name.into()));
        let error = world.take_one(client.link, Action::Error);
        assert_eq!((error.channel.clone(), error_code(&error)), (Some(name.into()), Some(40010)), "{name:?}");
        let answer = world.publish(&mut client, name, &["m"]);
        assert_eq!((answer.action, error_code(&answer)), (Action::Nack, Some(40010)), "{name:?}");
    }
    assert_eq!((world.closed.len(), world.hub.stats().channels), (0, 1));
}
