//! The MessagePack form against bytes that were put together by hand, as other SDKs send them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Action, Data, ErrorCode, ErrorInfo, Flags, Message, MsgSerial, PresenceMessage, json as text};

/// A short string, as MessagePack writes it.
fn str(text: &str) -> Vec<u8> {
    assert!(text.len() < 32);
    [vec![0xa0 | text.len() as u8], text.as_bytes().to_vec()].concat()
}

/// A short map.
fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| [str(key), value.to_vec()].concat());
    [vec![0x80 | entries.len() as u8], entries.flatten().collect()].concat()
}

/// A short list.
fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x90 | elements.len() as u8], elements.concat()].concat()
}

/// A MESSAGE frame with one message.
fn message(fields: &[(&str, &[u8])]) -> Vec<u8> {
    map(&[("action", &[15]), ("channel", &str("c")), ("messages", &list(&[map(fields)]))])
}

fn read_message(fields: &[(&str, &[u8])]) -> Message {
    decode(&message(fields)).unwrap().messages.remove(0)
}

#[test]
fn a_frame_is_a_map_with_the_field_names_of_json() {
    let mut frame = Frame::for_channel(Action::Message, "c".into());
    frame.messages = vec![Message { name: Some("n".to_owned()), ..Message::default() }];
    assert_eq!(encode(frame), message(&[("name", &str("n"))]));
}

#[test]
fn strings_and_bytes_are_told_apart() {
    assert_eq!(read_message(&[("data", &str("hi"))]).data, Some("hi".into()));
    assert_eq!(read_message(&[("data", &[0xc4, 2, 0, 0xff])]).data, Some(Data::Binary(vec![0, 0xff])));
    assert_eq!(read_message(&[("data", &[0xc4, 0])]).data, Some(Data::Binary(vec![])));
    let mut frame = Frame::for_channel(Action::Message, "c".into());
    frame.messages = vec![Message { data: Some(vec![0, 0xff].into()), ..Message::default() }];
    assert_eq!(encode(frame), message(&[("data", &[0xc4, 2, 0, 0xff])]), "bin, and no encoding");
}

#[test]
fn structured_data_goes_out_as_text_with_its_encoding() {
    let mut frame = Frame::for_channel(Action::Presence, "c".into());
    frame.presence = vec![PresenceMessage { data: Some(json!({ "a": 1 }).into()), ..PresenceMessage::default() }];
    let mut back = decode(&encode(frame)).unwrap().presence.remove(0);
    assert_eq!((back.data.clone(), back.encoding.as_deref()), (Some(r#"{"a":1}"#.into()), Some("json")));
    back.decode_data().unwrap();
    assert_eq!(back.data, Some(Data::Json(json!({ "a": 1 }))));
}

#[test]
fn integers_come_in_every_width_and_as_floats() {
    let serials: [(&[u8], i64); 7] = [
        (&[7], 7),
        (&[0xff], -1),
        (&[0xcd, 1, 0], 256),
        (&[0xcf, 0, 0, 1, 0, 0, 0, 0, 0], 1 << 40),
        (&[0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], -2),
        (&[0xca, 0x40, 0x40, 0, 0], 3),
        (&[0xcb, 0x42, 0x70, 0, 0, 0, 0, 0, 0], 1 << 40),
    ];
    for (bytes, expected) in serials {
        let frame = decode(&map(&[("action", &[15]), ("msgSerial", bytes)])).unwrap();
        assert_eq!(frame.msg_serial, Some(MsgSerial(expected)), "{bytes:x?}");
    }
    let too_large = [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert!(decode(&map(&[("action", &[15]), ("msgSerial", &too_large)])).is_err());
    assert!(decode(&map(&[("action", &[0xca, 0x3f, 0xc0, 0, 0])])).is_err(), "one and a half is no action");
}

#[test]
fn nil_and_extensions_mean_absent_everywhere() {
    let undefined = [0xd4, 0, 0];
    for nothing in [&[0xc0][..], &undefined, &[0xc7, 2, 5, 1, 2]] {
        let empty = read_message(&[("name", nothing), ("data", nothing), ("extras", nothing), ("id", nothing)]);
        assert_eq!(empty, Message::default(), "{nothing:x?}");
        let frame = decode(&map(&[("action", &[15]), ("messages", nothing), ("error", nothing), ("params", nothing)]));
        assert_eq!(frame.unwrap(), Frame::new(Action::Message));
    }
    let mut message = read_message(&[("data", &list(&[vec![1], undefined.to_vec()]))]);
    assert_eq!((&message.data, message.encoding.as_deref()), (&Some("[1,null]".into()), Some("json")));
    message.decode_data().unwrap();
    assert_eq!(message.data, Some(Data::Json(json!([1, null]))));
}

#[test]
fn unknown_fields_actions_and_flags_are_tolerated() {
    let unknown = map(&[("x", &list(&[vec![0xd5, 1, 2, 3], vec![0xc4, 1, 9]]))]);
    let frame = decode(&map(&[("action", &[99]), ("flags", &[4]), ("brandNew", &unknown), ("zzz", &[0xc3])])).unwrap();
    assert_eq!((frame.action, frame.has(Flags::RESUMED)), (Action::Unknown(99), true));
}

#[test]
fn extras_keep_values_that_are_no_strings_and_take_keys_that_are_numbers() {
    let numbered = [vec![0x81, 7], str("seven")].concat();
    let extras = map(&[("headers", &map(&[("a", &[1]), ("b", &[0xc2])])), ("n", &numbered), ("bin", &[0xc4, 1, 0])]);
    let message = read_message(&[("extras", &extras)]);
    let expected = json!({ "headers": { "a": 1, "b": false }, "n": { "7": "seven" }, "bin": "AA==" });
    assert_eq!(message.extras.map(|extras| extras.to_value()), Some(expected));
}

#[test]
fn an_error_always_carries_message_code_and_status() {
    let bytes = encode(Frame::error(Some("".into()), ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "no")));
    let value: serde_json::Value = from_slice(&bytes).unwrap();
    assert_eq!(value["error"], json!({ "message": "no", "code": 40000, "statusCode": 400 }));
    assert_eq!(value["channel"], "", "an empty channel name is not an absent one");
}

#[test]
fn malformed_frames_are_typed_errors() {
    let cut: &[&[u8]] =
        &[&[], &[0x81], &[0xc1], &[0xdf, 0xff, 0xff, 0xff, 0xff], &[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0]];
    let wrong: &[&[u8]] = &[&[0x90], &[0xc0], &[7], &[0x80], &[0xd4, 0, 0], b"{\"action\":0}"];
    for bytes in cut.iter().chain(wrong) {
        assert!(decode(bytes).is_err(), "{bytes:x?}");
    }
    for field in ["action", "id", "channel", "messages", "presence", "params", "error", "connectionDetails", "count"] {
        let bytes = map(&[("action", &[15]), (field, &[0xc2])]);
        assert!(decode(&bytes).is_err(), "{field}");
    }
    let two = [encode(Frame::new(Action::Heartbeat)), vec![0xc0]].concat();
    assert!(matches!(decode(&two), Err(DecodeError::TrailingBytes)));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| message(&[("data", &[vec![0x91; depth], vec![0xc0]].concat())]);
    assert!(decode(&nested(100)).is_ok());
    for depth in [200, 100_000] {
        assert!(decode(&nested(depth)).is_err(), "{depth}");
    }
}

#[test]
fn long_strings_bytes_and_lists_use_the_wider_forms() {
    for length in [31, 32, 255, 256, 65_535, 65_536] {
        let mut frame = Frame::for_channel(Action::Message, "c".into());
        frame.messages = vec![Message::new("s", "x".repeat(length)), Message::new("b", vec![7; length])];
        assert_eq!(decode(&encode(frame.clone())).unwrap(), frame, "{length}");
    }
    let mut frame = Frame::for_channel(Action::Message, "c".into());
    frame.messages = vec![Message::default(); 70_000];
    assert_eq!(decode(&encode(frame.clone())).unwrap(), frame);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn damaged_frames_never_panic(index in 0_usize..80, byte in any::<u8>(), cut in 0_usize..80) {
        let extras = map(&[("a", &list(&[vec![1], str("b")])), ("c", &[0xd4, 0, 0])]);
        let mut bytes = message(&[("name", &str("n")), ("data", &[0xc4, 2, 1, 2]), ("extras", &extras)]);
        if let Some(at) = bytes.get_mut(index) {
            *at = byte;
        }
        let _ = decode(&bytes);
        bytes.truncate(cut);
        let _ = decode(&bytes);
    }

    #[test]
    fn what_json_carries_messagepack_carries_too(
        action in 0_i64..30, serial in any::<Option<i64>>(), name in any::<Option<String>>(), data in any::<String>(),
        number in any::<i32>(),
    ) {
        let value = json!({
            "action": action, "channel": "c", "msgSerial": serial, "params": { "rewind": number },
            "messages": [{ "name": name, "data": data, "extras": { "n": [number, null, { "x": data }] } }],
        });
        let frame = text::decode(&value.to_string()).unwrap();
        prop_assert_eq!(&decode(&encode(frame.clone())).unwrap(), &frame);
    }
}
