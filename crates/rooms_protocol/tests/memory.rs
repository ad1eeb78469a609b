//! What a stranger's frame costs in memory: no more than 20 bytes for each byte on the wire, whatever is in it.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{fs, path::Path};

use allocation_counter::measure;
use rooms_protocol::{
    Action, Data, Extras, Format, Frame, Message, PresenceMessage, PublishResult, WireFrame, json as text_form, msgpack,
};
use serde_json::{Value, json};

/// Most bytes held for each byte that came.
const FACTOR: u64 = 20;

/// What every frame may hold beside that: its own structure, and a few parts.
const ALLOWANCE: u64 = 5 * 1024;

/// What may be in use for a moment while a frame is read: a list of messages that grows.
const WHILE_READING: u64 = 512 * 1024;

/// Messages in a frame that the relay takes.
const MOST: usize = 1_000;

/// Bytes of a frame that the relay takes.
const LARGEST: usize = 512 * 1024;

/// Reads a frame, and checks what that takes. Returns whether it can be read.
fn check(what: &str, wire: &WireFrame) -> bool {
    let length = wire.len() as u64;
    let outline = match wire {
        WireFrame::Text(text) => text_form::outline(text),
        WireFrame::Binary(bytes) => msgpack::outline(bytes),
    };
    let mut read = None;
    let used = measure(|| read = Some(wire.decode_checked(MOST)));
    let held = u64::try_from(used.bytes_current).unwrap();
    assert!(held <= FACTOR * length + ALLOWANCE, "{what}: {length} bytes came, {held} are held");
    assert!(
        used.bytes_max <= FACTOR * length + WHILE_READING,
        "{what}: {length} bytes came, {} were in use",
        used.bytes_max
    );
    let Some(Ok(frame)) = &read else { return false };
    let expected = outline.most_bytes(wire.len()) as u64;
    assert!(held <= expected, "{what}: {held} bytes are held, and its outline lets expect {expected}");
    let told = frame.held_bytes() as u64;
    assert!(told >= held, "{what}: {held} bytes are held, and the frame tells of {told}");
    true
}

fn both(what: &str, value: &Value) -> [bool; 2] {
    let forms = [WireFrame::Text(value.to_string()), WireFrame::Binary(msgpack::to_vec(value))];
    forms.map(|wire| check(what, &wire))
}

#[test]
fn the_seeds_of_the_fuzz_targets_hold_little() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for (folder, is_text) in [("json_frame", true), ("msgpack_frame", false)] {
        for file in fs::read_dir(seeds.join(folder)).into_iter().flatten() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let wire = match is_text {
                true => WireFrame::Text(String::from_utf8(bytes).unwrap()),
                false => WireFrame::Binary(bytes),
            };
            check(&path.display().to_string(), &wire);
        }
    }
}

#[test]
fn lists_of_empty_things_are_not_built() {
    for (field, element) in [
        ("messages", json!({})),
        ("messages", json!({ "extras": {} })),
        ("messages", json!({ "version": {} })),
        ("presence", json!({})),
        ("res", json!({})),
        ("res", json!({ "serials": [null] })),
        ("unknown", json!({})),
        ("unknown", json!([[]])),
    ] {
        for count in [1, 10, 100, 1_000, 1_001, 50_000] {
            let frame = json!({ "action": 15, "msgSerial": 0, field: vec![element.clone(); count] });
            both(&format!("{count} × {field} {element}"), &frame);
        }
    }
    let serials = json!({ "action": 15, "res": [{ "serials": vec![Value::Null; 100_000] }] });
    assert!(!both("serials", &serials)[1], "each is one byte");
}

#[test]
fn trees_stay_text() {
    let tree = json!({ "a": vec![json!({ "": 0 }); 20_000] });
    let nils = json!({ "a": vec![Value::Null; 100_000] });
    let truths = json!({ "a": vec![json!(false); 80_000] });
    let deep = (0..100).fold(json!(0), |inner, _| json!([inner]));
    let controls = json!({ "a": "\u{1}".repeat(60_000) });
    for (what, part) in
        [("tree", tree), ("nils", nils), ("truths", truths), ("deep", json!({ "a": deep })), ("controls", controls)]
    {
        for field in ["extras", "data"] {
            let message = json!({ "action": 15, "messages": [{ field: part }] });
            assert_eq!(both(&format!("{what} in {field}"), &message), [true, true], "{what} in {field}");
            let word = json!({ "action": 14, "presence": [{ "action": 2, field: part }] });
            assert_eq!(both(&format!("{what} in {field} of presence"), &word), [true, true], "{what} in {field}");
        }
        both(&format!("{what} in an unknown field"), &json!({ "action": 15, "brandNew": part }));
    }
}

#[test]
fn many_params_and_fields_are_not_built() {
    for count in [1, 10, 100, 1_000, 10_000] {
        let params: Value =
            (0..count).map(|index| (format!("{index:x}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
        both(&format!("{count} params"), &json!({ "action": 10, "channel": "c", "params": params }));
        let mut fields: serde_json::Map<_, _> = (0..count).map(|index| (format!("x{index:x}"), json!({}))).collect();
        fields.insert("action".to_owned(), json!(0));
        both(&format!("{count} fields"), &fields.into());
    }
    let again = WireFrame::Text(format!(r#"{{"action":0{}}}"#, r#","messages":[{}]"#.repeat(10_000)));
    assert!(!check("the same field again and again", &again));
    let causes = (0..60).fold(json!({}), |inner, _| json!({ "cause": inner }));
    both("causes", &json!({ "action": 9, "error": causes }));
}

#[test]
fn bytes_that_claim_more_than_they_are_hold_nothing() {
    for claim in
        [&b"\xdd\xff\xff\xff\xff"[..], b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
    {
        for field in ["messages", "presence", "res", "params", "extras", "x"] {
            let mut bytes = vec![0x82, 0xa6];
            bytes.extend(b"action\x0f");
            bytes.push(0xa0 | field.len() as u8);
            bytes.extend(field.as_bytes());
            bytes.extend(claim);
            assert!(!check(field, &WireFrame::Binary(bytes.clone())));
            bytes.resize(LARGEST, 0x80);
            check(field, &WireFrame::Binary(bytes));
        }
    }
    let nested = [&b"\x82\xa6action\x0f\xa8messages\x91\x81\xa4data"[..], &vec![0x91; LARGEST - 100]].concat();
    assert!(!check("nested lists", &WireFrame::Binary(nested)));
    let nested = format!(r#"{{"action":15,"messages":[{{"data":{}"#, "[".repeat(LARGEST - 100));
    assert!(!check("nested lists", &WireFrame::Text(nested)));
}

#[test]
fn what_a_game_sends_is_taken_and_told() {
    let long = "x".repeat(100);
    let message = Message {
        id: Some("id:0".to_owned()),
        client_id: Some(long.as_str().into()),
        connection_id: Some(long.as_str().into()),
        connection_key: Some(long.as_str().into()),
        extras: Some(Extras::from_iter([("headers".to_owned(), json!({ "a": long }))])),
        ..Message::new("move", Data::Binary(vec![7; 100]))
    };
    let word = PresenceMessage {
        client_id: Some(long.as_str().into()),
        data: Some("here".into()),
        ..PresenceMessage::default()
    };
    let serials = vec![None, Some(long.as_str().into())];
    let small = Message::new("move", "12,7");
    let frames = [
        Frame { messages: vec![message; 500], ..Frame::new(Action::Message) },
        Frame { messages: vec![small; 1_000], ..Frame::new(Action::Message) },
        Frame { presence: vec![word; 100], ..Frame::new(Action::Presence) },
        Frame { res: vec![PublishResult { serials }; 100], ..Frame::new(Action::Ack) },
    ];
    for frame in frames {
        for format in [Format::Json, Format::MsgPack] {
            assert!(
                check(&format!("{:?}", frame.action), &format.encode(frame.clone())),
                "{:?} {format:?}",
                frame.action
            );
        }
    }
}
