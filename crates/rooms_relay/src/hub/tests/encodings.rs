//! Clients that write JSON and clients that write MessagePack, on one channel.

use serde_json::json;

use super::*;

/// Publishes as a client of a format does: the frame goes over the wire before the hub sees it.
fn over_the_wire(format: Format, frame: Frame) -> Frame {
    format.encode(frame).decode().unwrap()
}

/// The last frame that the hub sent, as a client of a format reads it, with payloads as far as they can be decoded.
fn received(world: &mut World, client: &Client, format: Format) -> Frame {
    let frame = world.take(client.link).pop().unwrap();
    let mut frame = over_the_wire(format, frame);
    frame.messages.iter_mut().for_each(|message| drop(message.decode_data()));
    frame.presence.iter_mut().for_each(|message| drop(message.decode_data()));
    frame
}

fn payloads() -> [(Data, Option<String>); 5] {
    let cipher = || Some("utf-8/cipher+aes-256-cbc".to_owned());
    [
        ("text".into(), None),
        (vec![0, 159, 146, 150].into(), None),
        (vec![].into(), None),
        (json!({ "numbers": [7, 42], "none": null }).into(), None),
        (vec![1; 32].into(), cipher()),
    ]
}

const FORMATS: [Format; 2] = [Format::Json, Format::MsgPack];

#[test]
fn every_payload_reaches_everybody_whatever_the_two_ends_write() {
    for from in FORMATS {
        let mut world = World::new();
        let mut publisher = world.connect(&format!("format={}&echo=false", from.name()));
        let receivers = FORMATS.map(|format| (world.connect(&format!("format={}", format.name())), format));
        for (receiver, _) in &receivers {
            world.attach(receiver, "c");
        }
        for (data, encoding) in payloads() {
            let message = Message { data: Some(data.clone()), encoding: encoding.clone(), ..Message::default() };
            let frame = Frame { messages: vec![message], ..Frame::for_channel(Action::Message, "c".into()) };
            assert_eq!(world.send_numbered(&mut publisher, over_the_wire(from, frame)).action, Action::Ack);
            for (receiver, to) in &receivers {
                let message = received(&mut world, receiver, *to).messages.remove(0);
                assert_eq!((message.data, message.encoding), (Some(data.clone()), encoding.clone()), "{from:?} {to:?}");
            }
        }
    }
}

#[test]
fn members_data_reaches_everybody_live_and_in_a_sync() {
    for from in FORMATS {
        let mut world = World::new();
        let mut member = world.connect(&format!("format={}&clientId=ada", from.name()));
        let early = world.connect("");
        world.attach(&early, "c");
        let data = Data::from(vec![0, 255]);
        let message =
            PresenceMessage { action: PresenceAction::Enter, data: Some(data.clone()), ..PresenceMessage::default() };
        let frame = Frame { presence: vec![message], ..Frame::for_channel(Action::Presence, "c".into()) };
        world.send_numbered(&mut member, over_the_wire(from, frame));
        assert_eq!(received(&mut world, &early, Format::Json).presence[0].data, Some(data.clone()));
        for to in FORMATS {
            let late = world.connect(&format!("format={}", to.name()));
            world.send(late.link, Frame::for_channel(Action::Attach, "c".into()));
            let sync = received(&mut world, &late, to);
            assert_eq!((sync.action, sync.presence[0].data.clone()), (Action::Sync, Some(data.clone())));
        }
    }
}

#[test]
fn bytes_are_kept_as_bytes_and_invalid_base64_as_it_came() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.attach(&client, "c");
    let mut publish = |data: &str| {
        let encoding = Some("cipher+aes-128-cbc/base64".to_owned());
        let message = Message { data: Some(data.into()), encoding, ..Message::default() };
        world.publish_messages(&mut client, "c", vec![message]);
        let message = world.take(client.link)[0].messages[0].clone();
        (message.data, message.encoding)
    };
    assert_eq!(publish("AAH/"), (Some(vec![0, 1, 255].into()), Some("cipher+aes-128-cbc".to_owned())));
    assert_eq!(publish("?"), (Some("?".into()), Some("cipher+aes-128-cbc/base64".to_owned())));
}

#[test]
fn size_counts_the_bytes_and_not_their_base64() {
    let mut world = World::with_limits(|limits| limits.max_message_size = 3000);
    let mut client = world.connect("");
    let mut publish = |length: usize| {
        let message = Message { data: Some(vec![0; length].into()), ..Message::default() };
        let frame = Frame { messages: vec![message], ..Frame::for_channel(Action::Message, "c".into()) };
        error_code(&world.send_numbered(&mut client, over_the_wire(Format::Json, frame)))
    };
    assert_eq!(publish(3000), None, "4,000 characters of base64");
    assert_eq!(publish(3001), Some(40009));
}

#[test]
fn bytes_that_are_no_frame_are_answered_like_text_that_is_none() {
    for format in FORMATS {
        let mut world = World::new();
        let client = world.connect(&format!("format={}", format.name()));
        world.receive(client.link, WireFrame::Binary(vec![0xc1]));
        assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(80013));
    }
}
