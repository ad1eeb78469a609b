//! The JSON text form of a frame: one object per WebSocket text message.

mod scanner;

use super::{ChannelName, DecodeError, Format, Frame, Outline, Unreadable, lenient::AsMap};

/// Reads one frame. Payloads are left in their wire form; see [`Message::decode_data`](super::Message::decode_data).
///
/// # Errors
/// [`DecodeError`] for anything that is not one JSON object with an `action` and fields of the right types.
pub fn decode(text: &str) -> Result<Frame, DecodeError> {
    let AsMap(frame) = serde_json::from_str(text)?;
    Ok(frame)
}

/// Reads one frame that a stranger sent, with `most` messages or presence messages. One that would be much larger in memory
/// than on the wire is not built.
///
/// # Errors
/// [`Unreadable`], with what the frame says about itself nevertheless.
pub fn decode_checked(text: &str, most: usize) -> Result<Frame, Unreadable> {
    decode_outlined(text, outline(text), most)
}

/// As [`decode_checked`], with the frame's [`outline`], for who looked at that first.
///
/// # Errors
/// [`Unreadable`], with the outline.
pub fn decode_outlined(text: &str, outline: Outline, most: usize) -> Result<Frame, Unreadable> {
    Unreadable::unless(outline, text.len(), most, || decode(text))
}

/// What a frame says about itself, as far as it can be read, whatever else is wrong with it.
pub fn outline(text: &str) -> Outline {
    scanner::outline(text)
}

/// See [`Format::renamed`].
pub(super) fn renamed(frame: &[u8], name: &ChannelName) -> Option<Vec<u8>> {
    let action = frame.strip_prefix(br#"{"action":"#)?;
    let rest = &action[action.iter().position(|byte| *byte == b',')?..];
    let old = rest.strip_prefix(br#","channel":"#)?;
    let after = scanner::after_string(old)?;
    let before = frame.get(..frame.len() - old.len())?;
    let mut renamed = Vec::with_capacity(before.len() + name.as_str().len() + 2 + after.len());
    renamed.extend_from_slice(before);
    // A name is a string, which can be written.
    serde_json::to_writer(&mut renamed, name).ok()?;
    renamed.extend_from_slice(after);
    Some(renamed)
}

/// Writes one frame. Payloads go out in the wire form; those that are not yet are turned into it.
pub fn encode(mut frame: Frame) -> String {
    frame.messages.iter_mut().for_each(|message| message.encode_for(Format::Json));
    frame.presence.iter_mut().for_each(|word| word.encode_for(Format::Json));
    let mut bytes = Vec::with_capacity(expected_bytes(&frame));
    // Every part of a frame writes itself as plain JSON, with string keys only; there is nothing that could fail.
    let _ = serde_json::to_writer(&mut bytes, &frame);
    String::from_utf8(bytes).unwrap_or_default()
}

/// About how long the text of a frame is: most texts fit, so that they need not be moved while they grow.
fn expected_bytes(frame: &Frame) -> usize {
    /// A frame without what it carries, and a message without its payload.
    const HEAD: usize = 256;
    const MESSAGE: usize = 192;
    let messages = frame.messages.iter().map(|message| MESSAGE + message.size());
    let presence = frame.presence.iter().map(|word| MESSAGE + word.size());
    messages.chain(presence).fold(HEAD, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Action, Data, ErrorCode, ErrorInfo, Flags, Message, MsgSerial, PresenceAction};

    #[test]
    fn unknown_fields_actions_and_flags_are_tolerated() {
        let frame = decode(r#"{"action":99,"flags":4294967300,"brandNew":{"x":[1]},"channel":"c"}"#).unwrap();
        assert_eq!(frame.action, Action::Unknown(99));
        assert!(frame.has(Flags::RESUMED));
        assert_eq!(frame.flags.map(|flags| flags.bits()), Some(4_294_967_300));
    }

    #[test]
    fn null_means_absent_everywhere() {
        let text = r#"{"action":15,"id":null,"channel":"c","msgSerial":null,"params":null,"presence":null,"res":null,
            "messages":[{"name":null,"data":null,"extras":null,"encoding":null}]}"#;
        let frame = decode(text).unwrap();
        assert_eq!(frame.messages, [Message::default()]);
        assert_eq!(encode(frame), r#"{"action":15,"channel":"c","messages":[{}]}"#);
    }

    #[test]
    fn absent_and_empty_names_stay_apart() {
        let frame = decode(r#"{"action":15,"channel":"","messages":[{"name":""},{}]}"#).unwrap();
        assert_eq!(encode(frame), r#"{"action":15,"channel":"","messages":[{"name":""},{}]}"#);
    }

    #[test]
    fn integers_may_come_as_floats_and_params_as_numbers() {
        let frame = decode(r#"{"action":10.0,"channel":"c","msgSerial":3.0,"params":{"rewind":1,"x":true}}"#).unwrap();
        assert_eq!((frame.action, frame.msg_serial), (Action::Attach, Some(MsgSerial(3))));
        assert_eq!(frame.params.get("rewind").map(String::as_str), Some("1"));
        assert_eq!(frame.params.get("x").map(String::as_str), Some("true"));
    }

    #[test]
    fn an_error_always_carries_message_code_and_status() {
        let text = encode(Frame::error(Some("".into()), ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "no")));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["error"], json!({ "message": "no", "code": 40000, "statusCode": 400 }));
        assert_eq!(value["channel"], "", "an empty channel name is not an absent one");
    }

    #[test]
    fn malformed_frames_are_typed_errors() {
        for text in ["", "{", "[]", "[15]", "null", "7", r#"{"channel":"c"}"#, r#"{"action":"x"}"#, r#"{"action":1.5}"#]
        {
            assert!(matches!(decode(text), Err(DecodeError::Json(_))), "{text}");
        }
        for field in ["id", "channel", "messages", "presence", "params", "error", "connectionDetails", "count", "flags"]
        {
            let text = format!(r#"{{"action":15,"{field}":{}}}"#, if field == "flags" { "\"x\"" } else { "-7.5" });
            assert!(decode(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn structured_data_goes_out_as_text_with_its_encoding() {
        let mut frame = Frame::for_channel(Action::Message, "c".into());
        frame.messages = vec![Message::new("m", json!({ "a": 1 }))];
        let mut back = decode(&encode(frame)).unwrap();
        assert_eq!(back.messages[0].encoding.as_deref(), Some("json"));
        back.messages[0].decode_data().unwrap();
        assert_eq!(back.messages[0].data, Some(Data::Json(json!({ "a": 1 }))));
    }

    #[test]
    fn presence_actions_are_numbers() {
        let frame = decode(r#"{"action":14,"channel":"c","presence":[{"action":2,"clientId":"a"},{"action":77}]}"#);
        let presence = frame.unwrap().presence;
        assert_eq!(presence[0].action, PresenceAction::Enter);
        assert_eq!(presence[1].action, PresenceAction::Unknown(77));
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in ".{0,200}") {
            let _ = decode(&text);
        }

        #[test]
        fn a_frame_that_was_read_once_reads_the_same_after_writing(
            action in 0_i64..30, serial in any::<Option<i64>>(), name in any::<Option<String>>(), data in any::<String>(),
        ) {
            let value = json!({
                "action": action, "channel": "c", "msgSerial": serial, "messages": [{ "name": name, "data": data }],
            });
            let frame = decode(&value.to_string()).unwrap();
            prop_assert_eq!(&decode(&encode(frame.clone())).unwrap(), &frame);
        }
    }
}
