use serde_json::json;

use super::*;

#[test]
fn a_message_reaches_subscribers_stamped_by_the_server() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada");
    let bob = world.connect("clientId=bob");
    world.attach(&bob, "c");
    let mut message = Message::new("hi", "there");
    message.connection_id = Some("forged".into());
    message.connection_key = Some("secret".into());
    message.timestamp = Some(Timestamp(1));
    message.serial = Some("forged".into());
    let ack = world.publish_messages(&mut ada, "c", vec![message, Message::new("again", "x")]);
    let frame = world.take_one(bob.link, Action::Message);
    assert_eq!(frame.id, Some(format!("{}:0", ada.id)));
    assert_eq!(frame.connection_id, Some(ada.id));
    assert_eq!(frame.timestamp, Some(WALL));
    let [first, second] = &frame.messages[..] else { panic!("two messages in one frame") };
    assert_eq!(first.client_id, Some("ada".into()));
    assert_eq!((&first.connection_id, &first.connection_key, first.timestamp), (&None, &None, None));
    let serials = [first.serial.clone(), second.serial.clone()];
    assert_eq!(ack.res[0].serials, serials, "the publisher learns the serials");
    assert!(serials[0] < serials[1]);
    let prefix = frame.channel_serial.unwrap();
    assert!(
        serials.iter().all(|serial| serial.as_ref().is_some_and(|serial| serial.as_str().starts_with(prefix.as_str())))
    );
}

#[test]
fn publishing_needs_no_attachment_but_an_attached_channel_needs_the_mode() {
    let mut world = World::new();
    let mut client = world.connect("");
    assert_eq!(world.publish(&mut client, "c", &["a"]).action, Action::Ack);
    world.attach_with(&client, "c", |frame| frame.flags = Some(Flags::SUBSCRIBE));
    let nack = world.publish(&mut client, "c", &["b"]);
    assert_eq!((nack.action, error_code(&nack)), (Action::Nack, Some(40165)));
    assert_eq!(nack.error.map(|error| error.status_code), Some(401));
    assert!(world.take(client.link).is_empty() && world.closed.is_empty());
}

#[test]
fn own_messages_come_back_unless_echo_is_off() {
    let mut world = World::new();
    let (mut with, mut without) = (world.connect(""), world.connect("echo=false"));
    world.attach(&with, "c");
    world.attach(&without, "c");
    world.publish(&mut with, "c", &["a"]);
    world.publish(&mut without, "c", &["b"]);
    assert_eq!(names(&world.take(with.link)), ["a", "b"]);
    assert_eq!(names(&world.take(without.link)), ["a"]);
}

#[test]
fn all_receivers_share_one_frame() {
    let mut world = World::new();
    let mut client = world.connect("");
    let receivers = [(); 4].map(|()| world.connect(""));
    for receiver in &receivers {
        world.attach(receiver, "c");
    }
    let frame = Frame {
        messages: vec![Message::new("a", "x")],
        msg_serial: Some(MsgSerial(client.serial)),
        ..Frame::for_channel(Action::Message, "c".into())
    };
    client.serial += 1;
    world.hub.handle_frame(client.link, frame, world.now);
    let mut batches = Vec::new();
    while let Some(Output::Send { batch, .. }) = world.hub.poll_output() {
        batches.push(batch);
    }
    let [one, two, three, four, _ack] = &mut batches[..] else {
        panic!("four receivers and the publisher: {batches:?}")
    };
    for (one, two, format) in [(one, two, Format::Json), (three, four, Format::MsgPack)] {
        let (one, two) = (one.next_bytes(format).unwrap(), two.next_bytes(format).unwrap());
        assert!(std::ptr::eq(&*one, &*two), "encoded once");
    }
}

#[test]
fn what_may_not_be_published_is_refused_with_its_code() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada");
    let with = |change: fn(&mut Message)| {
        let mut message = Message::new("a", "x");
        change(&mut message);
        vec![message]
    };
    let cases: [(&str, Vec<Message>, u32); 9] = [
        ("c", with(|message| message.data = Some(Data::from("x".repeat(65_536)))), 40009),
        ("c", with(|message| message.encoding = Some("x".repeat(65_536))), 40009),
        (":c", with(|_| {}), 40010),
        ("c", with(|message| message.client_id = Some("bob".into())), 40012),
        ("c", with(|message| message.client_id = Some("*".into())), 40012),
        ("c", with(|message| message.id = Some(String::new())), 40031),
        ("c", with(|message| message.id = Some("x".repeat(257))), 40031),
        ("c", with(|message| message.action = Some(rooms_protocol::MessageAction::Append)), 93002),
        ("c", vec![Message::default(); 1_001], 40034),
    ];
    for (channel, messages, code) in cases {
        let nack = world.publish_messages(&mut ada, channel, messages);
        assert_eq!((nack.action, error_code(&nack)), (Action::Nack, Some(code)));
    }
    assert_eq!(world.publish(&mut ada, "c", &["fine"]).action, Action::Ack, "the connection goes on");
}

#[test]
fn ids_of_several_messages_must_belong_together() {
    let mut world = World::new();
    let mut client = world.connect("");
    let messages = |ids: &[Option<&str>]| -> Vec<Message> {
        ids.iter().map(|id| Message { id: id.map(str::to_owned), ..Message::new("a", "x") }).collect()
    };
    for ids in [[Some("a:0"), Some("b:1")], [Some("a:0"), None], [Some("a:1"), Some("a:0")], [Some("a"), Some("a")]] {
        assert_eq!(error_code(&world.publish_messages(&mut client, "c", messages(&ids))), Some(40031), "{ids:?}");
    }
    let ack = world.publish_messages(&mut client, "c", messages(&[Some("a:0"), Some("a:1")]));
    assert_eq!(ack.action, Action::Ack);
}

#[test]
fn a_message_whose_id_is_known_is_taken_but_not_delivered_again() {
    let mut world = World::new();
    let (mut client, other) = (world.connect(""), world.connect(""));
    world.attach(&other, "c");
    let message = Message { id: Some("mine".to_owned()), ..Message::new("a", "x") };
    let first = world.publish_messages(&mut client, "c", vec![message.clone()]);
    let frame = world.take_one(other.link, Action::Message);
    assert_eq!(frame.messages[0].id.as_deref(), Some("mine"));
    let again = world.publish_messages(&mut client, "c", vec![message.clone()]);
    assert_eq!(first.res, again.res, "the original serial");
    assert!(world.take(other.link).is_empty());
    world.pass(SECOND * 121);
    world.take(other.link);
    world.publish_messages(&mut client, "c", vec![message]);
    assert_eq!(names(&world.take(other.link)), ["a"], "after the window it is a new one");
}

#[test]
fn raw_json_becomes_text_with_the_encoding_json() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.attach(&client, "c");
    let message = |value| Message { data: Some(Data::Json(value)), ..Message::default() };
    world.publish_messages(&mut client, "c", vec![message(json!({ "a": [1] })), message(json!(5))]);
    let frame = world.take_one(client.link, Action::Message);
    assert_eq!(frame.messages[0].data, Some(r#"{"a":[1]}"#.into()));
    assert_eq!(frame.messages[0].encoding.as_deref(), Some("json"));
    assert_eq!((&frame.messages[1].data, &frame.messages[1].encoding), (&Some("5".into()), &None));
}

#[test]
fn absent_and_empty_stay_apart_on_the_way() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.attach(&client, "c");
    let extras = json!({ "headers": { "a": "b" } }).as_object().cloned().map(rooms_protocol::Extras::from);
    let messages = vec![Message::default(), Message { extras, ..Message::new("", "") }];
    world.publish_messages(&mut client, "c", messages.clone());
    let frame = world.take_one(client.link, Action::Message);
    for (got, sent) in frame.messages.iter().zip(&messages) {
        assert_eq!((&got.name, &got.data, &got.extras), (&sent.name, &sent.data, &sent.extras));
    }
}

#[test]
fn rates_are_enforced_only_where_they_are_configured() {
    let mut world = World::with_limits(|limits| {
        limits.connection_rate = Some(2);
        limits.channel_rate = Some(3);
    });
    let (mut one, mut two) = (world.connect(""), world.connect(""));
    assert_eq!(world.publish(&mut one, "c", &["a", "b"]).action, Action::Ack);
    assert_eq!(error_code(&world.publish(&mut one, "other", &["c"])), Some(42911));
    assert_eq!(error_code(&world.publish(&mut two, "c", &["a", "b"])), Some(42913));
    world.pass(SECOND);
    assert_eq!(world.publish(&mut one, "c", &["c"]).action, Action::Ack);
    let mut free = World::new();
    let mut client = free.connect("");
    for _ in 0..200 {
        assert_eq!(free.publish(&mut client, "c", &["a"]).action, Action::Ack);
    }
}

#[test]
fn what_all_channels_keep_is_bounded() {
    let mut world = World::with_limits(|limits| {
        limits.replay_frames = 5;
        limits.replay_bytes_total = 4_000;
    });
    let mut client = world.connect("");
    for index in 0..50 {
        world.publish(&mut client, &format!("c{}", index % 3), &["a"]);
        assert!(world.hub.stats().message_bytes <= 4_000 && world.hub.stats().messages <= 15);
    }
    assert!(world.hub.stats().messages > 0);
}

#[test]
fn a_publish_of_nothing_brings_no_channel_into_being() {
    let mut world = World::new();
    let mut client = world.connect("");
    assert_eq!(world.publish(&mut client, "c", &[]).action, Action::Ack);
    assert_eq!(world.hub.stats().channels, 0);
    world.publish(&mut client, "c", &["a"]);
    assert_eq!(world.hub.stats().channels, 1);
}

#[test]
fn a_channel_keeps_its_share_where_others_came_first() {
    let mut world = World::with_limits(|limits| limits.replay_bytes_total = 40_000);
    let mut client = world.connect("");
    for _ in 0..100 {
        world.publish(&mut client, "first", &["a"]);
    }
    let mut ada = world.connect("");
    let start = world.attach(&ada, "second")[0].channel_serial.clone();
    for name in ["1", "2", "3"] {
        world.publish(&mut client, "second", &[name]);
    }
    world.close(ada.link);
    ada = world.connect(&ada.resume_query());
    let frames = world.attach_with(&ada, "second", |frame| frame.channel_serial = start);
    assert!(frames[0].has(Flags::RESUMED));
    assert_eq!(names(&frames[1..]), ["1", "2", "3"]);
    for _ in 0..100 {
        world.publish(&mut client, "first", &["a"]);
    }
    assert!(world.hub.stats().message_bytes <= 40_000, "the first comes down to what is left");
}

#[test]
fn a_publish_without_a_number_breaks_the_protocol() {
    for serial in [None, Some(MsgSerial(-1))] {
        let mut world = World::new();
        let client = world.connect("");
        let frame = Frame { msg_serial: serial, ..Frame::for_channel(Action::Message, "c".into()) };
        world.send(client.link, frame);
        assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(80013));
    }
}

#[test]
fn a_publish_that_would_grow_into_too_large_a_frame_is_refused() {
    let mut world = World::new();
    let mut client = world.connect(&format!("clientId={}", "a".repeat(256)));
    let base = "b".repeat(250);
    let small = |index| Message { id: Some(format!("{base}:{index}")), ..Message::default() };
    let nack = world.publish_messages(&mut client, "c", (0..1_000).map(small).collect());
    assert_eq!(error_code(&nack), Some(40009));
    assert_eq!(world.publish_messages(&mut client, "c", (0..100).map(small).collect()).action, Action::Ack);
}

#[test]
fn messages_beyond_the_rate_of_a_connection_are_left_out_and_reported() {
    let mut world = World::with_limits(|limits| limits.delivery_rate = Some(2));
    let (mut ada, bob) = (world.connect("echo=false"), world.connect(""));
    world.attach(&bob, "c");
    for names in [&["1"][..], &["2", "3"], &["4"], &["5"]] {
        assert_eq!(world.publish(&mut ada, "c", names).action, Action::Ack);
    }
    assert_eq!(names(&world.take(bob.link)), ["1", "4"], "a publish arrives whole or not at all");
    world.pass(SECOND);
    let report = world.take_one(bob.link, Action::Attached);
    assert_eq!((error_code(&report), report.has(Flags::RESUMED)), (Some(80020), false));
    assert!(report.channel_serial.is_some(), "it resumes from here");
    assert!(!report.has(Flags::HAS_PRESENCE), "there are no members");
    world.publish(&mut ada, "c", &["6"]);
    assert_eq!(names(&world.take(bob.link)), ["6"]);
    world.pass(SECOND * 2);
    assert!(world.take(bob.link).is_empty(), "it is reported once");
}

#[test]
fn a_client_that_missed_messages_gets_the_members_that_it_is_promised() {
    let mut world = World::with_limits(|limits| limits.delivery_rate = Some(1));
    let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
    world.attach(&bob, "c");
    world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, "", "here"));
    world.take(bob.link);
    for name in ["1", "2", "3"] {
        world.publish(&mut ada, "c", &[name]);
    }
    world.pass(SECOND);
    let frames = world.take(bob.link);
    assert_eq!(actions(&frames), [Action::Message, Action::Attached, Action::Sync]);
    assert!(frames[1].has(Flags::HAS_PRESENCE));
    assert_eq!(frames[2].presence[0].client_id, Some("ada".into()));
}

#[test]
fn what_all_send_and_get_counts_together() {
    let mut world = World::with_limits(|limits| limits.account_rate = Some(4));
    let (mut ada, bob) = (world.connect("echo=false"), world.connect(""));
    world.attach(&bob, "c");
    assert_eq!(world.publish(&mut ada, "c", &["1", "2"]).action, Action::Ack);
    let refused = world.publish(&mut ada, "c", &["3"]);
    assert_eq!((refused.action, error_code(&refused)), (Action::Nack, Some(42917)));
    world.pass(SECOND);
    assert_eq!(world.publish(&mut ada, "c", &["3"]).action, Action::Ack);
}

#[test]
fn nobody_uses_up_the_ids_of_others() {
    let mut world = World::new();
    let (mut mallory, mut ada) = (world.connect("clientId=mallory"), world.connect("clientId=ada"));
    let (mut one, mut two) = (world.connect(""), world.connect(""));
    let bob = world.connect("");
    world.attach(&bob, "c");
    let message = || Message { id: Some("guessed:0".to_owned()), ..Message::new("a", "x") };
    for client in [&mut mallory, &mut ada, &mut one, &mut two] {
        for _ in 0..2 {
            assert_eq!(world.publish_messages(client, "c", vec![message()]).action, Action::Ack);
        }
        assert_eq!(names(&world.take(bob.link)), ["a"], "once from each");
    }
    let mut again = world.connect("clientId=ada");
    world.publish_messages(&mut again, "c", vec![message()]);
    assert!(world.take(bob.link).is_empty(), "the same client over another connection");
}
