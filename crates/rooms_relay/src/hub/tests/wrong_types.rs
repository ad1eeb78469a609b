//! Fields of every wrong type, in each frame that a client sends and in both encodings: it hurts its sender once, and nobody
//! else. A publish is refused under its number and an ATTACH on its channel. Anything else ends the link with the error of the
//! protocol, and the connection can be resumed.

use serde_json::{Value, json};

use super::*;
use rooms_protocol::msgpack;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Integer,
    /// An integer that is not below 0.
    Bits,
    Object,
    /// An object of text, into which numbers and truth values may be put for text.
    Texts,
    /// A list of objects.
    Objects,
}

/// In the encoded form this text becomes bytes that are no text, which JSON cannot hold.
const BYTES: &str = "\u{1}abc";

impl Kind {
    /// Values of all other types. Null is of every type: it stands for a field that is not there.
    fn wrong(self) -> Vec<Value> {
        let all = [json!(true), json!(7), json!(-7), json!(1.5), json!(u64::MAX), json!("text"), json!([]), json!({})];
        let fits = |value: &Value| match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Bits => value.is_i64() && value.as_i64() >= Some(0),
            Self::Object | Self::Texts => value.is_object(),
            Self::Objects => value.is_array(),
        };
        let mut wrong: Vec<Value> = all.into_iter().filter(|value| !fits(value)).collect();
        match self {
            Self::Objects => wrong.extend([json!([7]), json!([null]), json!(["text"]), json!([[]]), json!([{}, true])]),
            Self::Texts => wrong.extend([json!({ "rewind": [] }), json!({ "rewind": {} })]),
            _ => {}
        }
        wrong
    }
}

/// The fields of every frame, whether its action looks at them or not.
const OF_FRAMES: [(&str, Kind); 15] = [
    ("id", Kind::Text),
    ("channel", Kind::Text),
    ("channelSerial", Kind::Text),
    ("connectionId", Kind::Text),
    ("connectionDetails", Kind::Object),
    ("msgSerial", Kind::Integer),
    ("count", Kind::Bits),
    ("res", Kind::Objects),
    ("error", Kind::Object),
    ("flags", Kind::Bits),
    ("params", Kind::Texts),
    ("messages", Kind::Objects),
    ("presence", Kind::Objects),
    ("timestamp", Kind::Integer),
    ("auth", Kind::Object),
];

/// The fields of a message but its data, which may be of any type.
const OF_MESSAGES: [(&str, Kind); 11] = [
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("clientId", Kind::Text),
    ("connectionId", Kind::Text),
    ("connectionKey", Kind::Text),
    ("encoding", Kind::Text),
    ("extras", Kind::Object),
    ("timestamp", Kind::Integer),
    ("action", Kind::Integer),
    ("serial", Kind::Text),
    ("version", Kind::Object),
];

/// The same for a presence message.
const OF_WORDS: [(&str, Kind); 7] = [
    ("id", Kind::Text),
    ("action", Kind::Integer),
    ("clientId", Kind::Text),
    ("connectionId", Kind::Text),
    ("encoding", Kind::Text),
    ("extras", Kind::Object),
    ("timestamp", Kind::Integer),
];

/// A right frame of each action that a client sends.
fn right_frames() -> Vec<Value> {
    vec![
        json!({ "action": 0, "id": "ping" }),
        json!({ "action": 5 }),
        json!({ "action": 7 }),
        json!({ "action": 10, "channel": "c", "flags": 1 << 17, "params": { "rewind": "1" } }),
        json!({ "action": 12, "channel": "c" }),
        json!({ "action": 14, "channel": "c", "msgSerial": 0, "presence": [{ "action": 2, "clientId": "ada" }] }),
        json!({ "action": 15, "channel": "c", "msgSerial": 0, "messages": [{ "name": "n", "data": "d" }] }),
        json!({ "action": 16, "channel": "c" }),
        json!({ "action": 17, "auth": { "accessToken": "token" } }),
    ]
}

fn wire(value: &Value, format: Format) -> WireFrame {
    match format {
        Format::Json => WireFrame::Text(value.to_string()),
        Format::MsgPack => {
            let mut bytes = msgpack::to_vec(value);
            // A text of four bytes and three bytes of binary data are as long.
            if let Some(at) = bytes.windows(5).position(|five| five == b"\xa4\x01abc") {
                bytes[at..at + 5].copy_from_slice(b"\xc4\x03\xff\xfe\xfd");
            }
            WireFrame::Binary(bytes)
        }
    }
}

fn read(value: &Value, format: Format) -> Frame {
    wire(value, format).decode().unwrap()
}

/// What a malformed frame leads to: its sender is told in the way that the frame still allows, others see nothing, and the
/// connection goes on or is resumed.
#[track_caller]
fn hurts_its_sender_once(value: &Value, format: Format) {
    let mut world = World::new();
    let (mut client, witness) = (world.connect("clientId=ada"), world.connect(""));
    world.attach(&client, "c");
    world.attach(&witness, "c");
    let wire = wire(value, format);
    assert!(wire.decode().is_err(), "{format:?} {value}");
    world.receive(client.link, wire.clone());
    let told = world.take(client.link);
    let [told] = &told[..] else { panic!("{value} is answered by one frame: {told:?}") };
    let error = told.error.as_ref().unwrap();
    let is_publish = matches!(value["action"].as_i64(), Some(14 | 15)) && value["msgSerial"].as_i64().is_some();
    let is_attach = value["action"] == 10 && value["channel"] == "c";
    match told.action {
        Action::Nack if is_publish => {
            assert_eq!((told.msg_serial, error.code), (Some(MsgSerial(0)), ErrorCode::INVALID_DATA), "{value}");
            client.serial += 1;
            world.receive(client.link, wire);
            assert_eq!(world.take(client.link), std::slice::from_ref(told), "{value} is refused when it comes again");
        }
        Action::Error if is_attach => {
            assert_eq!((told.channel.clone(), error.code), (Some("c".into()), ErrorCode::INVALID_DATA), "{value}");
        }
        Action::Disconnected if !is_publish && !is_attach => {
            assert_eq!((error.code, error.status_code), (ErrorCode::PROTOCOL_ERROR, 400), "{value}");
            assert_eq!(world.closed, [client.link], "{value}");
            let again = world.open(&client.resume_query());
            let connected = world.take_one(again, Action::Connected);
            assert_eq!((connected.connection_id, connected.error), (Some(client.id.clone()), None), "{value}");
            client.link = again;
        }
        action => panic!("{value} is answered by {action:?}"),
    }
    assert!(!world.frames.contains_key(&witness.link), "{value}");
    assert_eq!(world.publish(&mut client, "c", &["still here"]).action, Action::Ack, "{value}");
    assert_eq!(names(&world.take(witness.link)), ["still here"], "{value}");
}

fn with(mut frame: Value, field: &str, value: Value) -> Value {
    frame[field] = value;
    frame
}

fn wrong_values(kind: Kind, format: Format) -> Vec<Value> {
    let bytes = (format == Format::MsgPack).then(|| json!(BYTES));
    kind.wrong().into_iter().chain(bytes).collect()
}

#[test]
fn a_field_of_a_wrong_type_hurts_its_sender_once_in_whatever_frame_it_is() {
    for format in [Format::Json, Format::MsgPack] {
        for frame in right_frames() {
            read(&frame, format);
            for (field, kind) in OF_FRAMES {
                for value in wrong_values(kind, format) {
                    hurts_its_sender_once(&with(frame.clone(), field, value), format);
                }
            }
        }
    }
}

#[test]
fn a_field_of_a_wrong_type_in_a_message_or_presence_message_is_refused_under_the_frames_number() {
    for format in [Format::Json, Format::MsgPack] {
        for (list, action, fields) in [("messages", 15, &OF_MESSAGES[..]), ("presence", 14, &OF_WORDS[..])] {
            for (field, kind) in fields {
                for value in wrong_values(*kind, format) {
                    let frame = json!({ "action": action, "channel": "c", "msgSerial": 0 });
                    hurts_its_sender_once(&with(frame, list, json!([{ "action": 2 }, { *field: value }])), format);
                }
            }
        }
    }
}

#[test]
fn a_token_of_a_wrong_type_ends_the_link_and_not_the_connection() {
    for format in [Format::Json, Format::MsgPack] {
        for value in wrong_values(Kind::Text, format) {
            hurts_its_sender_once(&json!({ "action": 17, "auth": { "accessToken": value } }), format);
        }
    }
}

#[test]
fn what_is_no_object_with_an_action_ends_the_line() {
    for format in [Format::Json, Format::MsgPack] {
        let frames =
            [json!(null), json!(true), json!(15), json!("text"), json!([]), json!([0]), json!([[0]]), json!({})];
        let actions = [json!(null), json!(true), json!("0"), json!(1.5), json!([0]), json!({}), json!(u64::MAX)];
        let of_actions = actions.into_iter().map(|action| json!({ "action": action, "channel": "c" }));
        for value in frames.into_iter().chain(of_actions) {
            hurts_its_sender_once(&value, format);
        }
    }
}

#[test]
fn data_may_be_of_any_type_and_what_is_neither_object_nor_list_is_sent_as_text() {
    for format in [Format::Json, Format::MsgPack] {
        for (data, text) in [(json!(7), "7"), (json!(true), "true"), (json!(1.5), "1.5"), (json!([7]), "[7]")] {
            let mut world = World::new();
            let mut client = world.connect("");
            world.attach(&client, "c");
            let frame = json!({ "action": 15, "channel": "c", "msgSerial": 0, "messages": [{ "data": data }] });
            let answer = world.send_numbered(&mut client, read(&frame, format));
            assert_eq!(answer.action, Action::Ack);
            let messages = world.take_one(client.link, Action::Message).messages;
            assert_eq!(messages[0].data.as_ref().and_then(Data::as_text), Some(text), "{data}");
        }
    }
}

#[test]
fn actions_that_are_unknown_or_a_servers_own_change_nothing() {
    let of_servers = [1, 2, 3, 4, 6, 8, 9, 11, 13];
    for action in of_servers.into_iter().chain([-1, 22, 23, 99, i64::MAX, i64::MIN]) {
        let mut world = World::new();
        let mut client = world.connect("");
        world.attach(&client, "c");
        let error = json!({ "message": "no", "code": 40000, "statusCode": 400 });
        let frame =
            json!({ "action": action, "channel": "c", "msgSerial": 0, "count": 1, "error": error, "brandNew": 1 });
        world.send(client.link, read(&frame, Format::Json));
        assert_eq!((world.take(client.link).len(), world.closed.len()), (0, 0), "{action}");
        assert_eq!(world.publish(&mut client, "c", &["still here"]).action, Action::Ack, "{action}");
        assert_eq!(names(&world.take(client.link)), ["still here"]);
    }
}

#[test]
fn a_publish_without_a_number_ends_the_line() {
    for serial in [json!(null), json!(-1), json!(i64::MIN)] {
        for action in [14, 15] {
            let mut world = World::new();
            let client = world.connect("clientId=ada");
            let frame = json!({ "action": action, "channel": "c", "msgSerial": serial });
            world.send(client.link, read(&frame, Format::Json));
            assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(80013));
            assert_eq!(world.closed, [client.link]);
        }
    }
}
