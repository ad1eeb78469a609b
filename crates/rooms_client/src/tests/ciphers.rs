//! Channels whose payloads are encrypted.

use serde_json::json;

use super::*;
use crate::{CipherKey, CipherParams, MemberQuery};
use rooms_protocol::{Data, Format, PresenceAction, PresenceMessage};

fn cipher(byte: u8) -> CipherParams {
    CipherParams::new(CipherKey::from_bytes(&[byte; 32]).unwrap())
}

/// A client attached to `c` with this key.
fn attached_with(cipher: CipherParams) -> Bench {
    let mut bench = Bench::attached();
    let options = ChannelOptions { cipher: Some(cipher), ..ChannelOptions::default() };
    bench.command(Command::Attach { channel: "c".into(), options });
    bench
}

/// What the client sent last, as the server would send it on to others.
fn echo(bench: &mut Bench) -> Value {
    let mut frame = bench.sent.pop().expect("a frame was sent");
    frame.id = Some("other:0".to_owned());
    frame.connection_id = Some("other".into());
    frame.msg_serial = None;
    serde_json::from_str(&wire::encode(frame)).unwrap()
}

fn messages(bench: &mut Bench) -> Vec<Message> {
    let frames = bench.take_events().into_iter().filter_map(|event| match event {
        Event::Messages { messages, .. } => Some(messages),
        _ => None,
    });
    frames.flatten().collect()
}

fn publish(bench: &mut Bench, data: impl Into<Data>) {
    let messages = vec![Message::new("m", data)];
    let (operation, lifetime) = (OperationId(1), Lifetime::Durable);
    bench.command(Command::Publish { operation, channel: "c".into(), messages, lifetime });
}

#[test]
fn a_message_goes_out_encrypted_and_comes_back_readable() {
    let mut bench = attached_with(cipher(1));
    assert_eq!(bench.sent_actions(), [], "the server need not know of the key");
    let kinds: [(Data, &str); 3] = [
        ("secret".into(), "utf-8/cipher+aes-256-cbc"),
        (vec![1, 2].into(), "cipher+aes-256-cbc"),
        (json!({ "secret": 1 }).into(), "json/utf-8/cipher+aes-256-cbc"),
    ];
    for (data, encoding) in kinds {
        publish(&mut bench, data.clone());
        let sent = &bench.sent[0].messages[0];
        assert_eq!((sent.name.as_deref(), sent.encoding.as_deref()), (Some("m"), Some(encoding)));
        let frame = echo(&mut bench);
        bench.receive(frame);
        let received = messages(&mut bench).remove(0);
        assert_eq!((received.data, received.encoding), (Some(data), None));
    }
}

#[test]
fn what_another_key_encrypted_is_delivered_as_far_as_it_was_decoded() {
    let mut other = attached_with(cipher(2));
    publish(&mut other, "secret");
    let frame = echo(&mut other);
    for mut bench in [attached_with(cipher(1)), Bench::attached()] {
        bench.receive(frame.clone());
        let received = messages(&mut bench).remove(0);
        assert!(matches!(received.data, Some(Data::Binary(_))));
        assert_eq!(received.encoding.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
    }
}

#[test]
fn what_was_not_encrypted_is_read_on_an_encrypted_channel_too() {
    let mut bench = attached_with(cipher(1));
    bench.receive(json!({ "action": 15, "channel": "c", "messages": [{ "data": "open" }] }));
    assert_eq!(messages(&mut bench)[0].data, Some("open".into()));
}

#[test]
fn data_of_a_kind_that_cannot_be_sent_is_refused_before_it_is_encrypted() {
    let mut bench = attached_with(cipher(1));
    publish(&mut bench, json!(7));
    assert_eq!(bench.outcomes(), (vec![], vec![(1, ErrorCode::INVALID_DATA)]));
}

#[test]
fn a_member_is_encrypted_when_it_enters_and_when_it_is_entered_again() {
    let cipher = cipher(1);
    let mut bench = attached_with(cipher.clone());
    let is_encrypted = |word: &PresenceMessage| {
        let readable = matches!(word.data, Some(Data::Text(_)));
        !readable && word.encoding.as_deref() == Some("utf-8/cipher+aes-256-cbc")
    };
    bench.presence(1, PresenceCommand::Enter, "secret");
    let mut word = bench.sent[0].presence[0].clone();
    assert!(is_encrypted(&word));
    // The server tells everybody, this client too.
    word.encode_for(Format::Json);
    word.id = Some("conn-1:0:0".to_owned());
    word.client_id = Some("ada".into());
    bench.receive(json!({ "action": 1, "msgSerial": 0, "count": 1 }));
    bench.receive(json!({ "action": 14, "channel": "c", "connectionId": "conn-1", "presence": [word] }));
    let told = bench.take_events().into_iter().find_map(|event| match event {
        Event::Presence { mut members, .. } => Some(members.remove(0)),
        _ => None,
    });
    assert_eq!(told.and_then(|member| member.data), Some("secret".into()));

    bench.forget();
    bench.receive(json!({ "action": 11, "channel": "c", "channelSerial": "s1" }));
    let again = &bench.sent[0].presence[0];
    assert_eq!(again.action, PresenceAction::Enter);
    assert!(is_encrypted(again), "{again:?}");
}

#[test]
fn nothing_goes_out_in_the_clear_before_a_channel_is_attached_anew() {
    let mut bench = attached_with(cipher(1));
    bench.receive(json!({ "action": 9, "error": { "message": "no", "code": 40000, "statusCode": 400 } }));
    assert_eq!(bench.client.state(), ConnectionState::Failed);
    bench.command(Command::Connect);
    publish(&mut bench, "secret");
    bench.presence(2, PresenceCommand::Enter, "secret");
    bench.accept("conn-2");
    bench.receive(json!({ "action": 11, "channel": "c", "channelSerial": "s0", "flags": Flags::MODES.bits() }));
    let encoding = Some("utf-8/cipher+aes-256-cbc");
    let messages: Vec<_> =
        bench.sent.iter().flat_map(|frame| &frame.messages).map(|message| message.encoding.as_deref()).collect();
    let words: Vec<_> =
        bench.sent.iter().flat_map(|frame| &frame.presence).map(|word| word.encoding.as_deref()).collect();
    assert_eq!((messages, words), (vec![encoding], vec![encoding]));
    bench.release("c");
    bench.forget();
    publish(&mut bench, "open");
    assert_eq!(bench.sent[0].messages[0].encoding, None, "a released channel is known no more");
}

#[test]
fn a_question_for_the_members_of_a_forgotten_channel_keeps_its_cipher() {
    let mut bench = attached_with(cipher(1));
    bench.receive(json!({ "action": 9, "error": { "message": "no", "code": 40000, "statusCode": 400 } }));
    bench.command(Command::Connect);
    assert_eq!(bench.client.channel_state(&"c".into()), ChannelState::Initialized, "the channel is forgotten");
    let (operation, query) = (OperationId(2), MemberQuery::default());
    bench.command(Command::Members { operation, channel: "c".into(), query });
    assert_eq!(bench.client.channel_options(&"c".into()).and_then(|options| options.cipher), Some(cipher(1)));
    publish(&mut bench, "secret");
    bench.accept("conn-2");
    bench.receive(json!({ "action": 11, "channel": "c", "channelSerial": "s0", "flags": Flags::MODES.bits() }));
    let encodings: Vec<_> =
        bench.sent.iter().flat_map(|frame| &frame.messages).map(|message| message.encoding.as_deref()).collect();
    assert_eq!(encodings, [Some("utf-8/cipher+aes-256-cbc")]);
}

#[test]
fn attaching_again_without_a_cipher_keeps_the_one_that_there_is() {
    let mut bench = attached_with(cipher(1));
    bench.command(Command::Attach { channel: "c".into(), options: ChannelOptions::default() });
    publish(&mut bench, "secret");
    assert_eq!(bench.sent[0].messages[0].encoding.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
}
