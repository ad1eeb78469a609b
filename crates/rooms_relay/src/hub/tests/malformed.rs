//! Frames that cannot be read: each is refused once, and the client gets beyond it.

use super::*;

/// The NACK of a frame that came over a socket.
#[track_caller]
fn refused(world: &mut World, client: &mut Client, wire: &str) -> Frame {
    let wire = wire.replace("SERIAL", &client.serial.to_string());
    client.serial += 1;
    world.receive(client.link, WireFrame::Text(wire));
    let nack = world.take_one(client.link, Action::Nack);
    assert_eq!((nack.msg_serial, nack.count), (Some(MsgSerial(client.serial - 1)), Some(1)));
    nack
}

/// What official SDKs let pass, and the relay cannot read.
const BAD_MESSAGES: [&str; 4] = [
    r#"{"name":5}"#,
    r#"{"name":"m","data":"cut \ud83d"}"#,
    r#"{"name":"m","extras":[1]}"#,
    r#"{"name":"m","data":NaN}"#,
];

#[test]
fn a_bad_message_in_the_middle_is_refused_and_what_comes_after_it_is_published() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
    world.attach(&bob, "c");
    world.publish(&mut ada, "c", &["first"]);
    for bad in BAD_MESSAGES {
        let frame =
            format!(r#"{{"action":15,"channel":"c","messages":[{bad},{{"name":"beside"}}],"msgSerial":SERIAL}}"#);
        let nack = refused(&mut world, &mut ada, &frame);
        assert_eq!(error_code(&nack), Some(40013), "{bad}");
        assert!(nack.error.unwrap().message.starts_with("the frame is not valid: "), "{bad}");
        world.publish(&mut ada, "c", &["next"]);
    }
    assert_eq!(names(&world.take(bob.link)), ["first", "next", "next", "next", "next"], "all of a frame or nothing");
    assert!(world.closed.is_empty());
}

#[test]
fn a_bad_presence_message_is_refused_in_the_same_way() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada");
    for bad in [r#"{"action":2,"extras":7}"#, r#"{"action":2,"clientId":{}}"#, r#"{"action":"x"}"#] {
        let frame = format!(r#"{{"action":14,"channel":"c","msgSerial":SERIAL,"presence":[{bad}]}}"#);
        assert_eq!(error_code(&refused(&mut world, &mut ada, &frame)), Some(40013), "{bad}");
    }
    assert_eq!(world.hub.stats().members, 0);
    let entered = world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, "", "here"));
    assert_eq!(entered.action, Action::Ack);
}

#[test]
fn a_bad_frame_that_is_sent_again_after_a_resume_is_refused_again_and_not_published_in_between() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect(""), world.connect(""));
    world.attach(&bob, "c");
    let bad = r#"{"action":15,"channel":"c","messages":[{"name":5}],"msgSerial":SERIAL}"#;
    let first = refused(&mut world, &mut ada, bad);
    world.close(ada.link);
    let mut again = world.connect(&ada.resume_query());
    assert_eq!(refused(&mut world, &mut again, bad), first);
    again.serial = 0;
    assert_eq!(world.publish(&mut again, "c", &["in its place"]), first, "a number has one outcome");
    world.publish(&mut again, "c", &["after"]);
    assert_eq!(names(&world.take(bob.link)), ["after"]);
}

#[test]
fn an_error_does_not_repeat_a_long_text_of_the_clients() {
    let mut world = World::new();
    let mut ada = world.connect("");
    let frame = format!(r#"{{"action":15,"messages":"{}","msgSerial":SERIAL}}"#, "é".repeat(100_000));
    let message = refused(&mut world, &mut ada, &frame).error.unwrap().message;
    assert!(message.len() < 500 && message.ends_with('…'), "{message}");
}

#[test]
fn too_many_messages_are_refused_before_they_are_built() {
    let mut world = World::new();
    let mut ada = world.connect("");
    for (message, code) in [(r#"{"name":"number","data":"twelve"}"#, 40034), ("{}", 40034)] {
        let list = vec![message; 1_001].join(",");
        let frame = format!(r#"{{"action":15,"channel":"c","messages":[{list}],"msgSerial":SERIAL}}"#);
        assert_eq!(error_code(&refused(&mut world, &mut ada, &frame)), Some(code));
    }
    let list = vec!["{}"; 1_000].join(",");
    let frame = format!(r#"{{"action":15,"channel":"c","messages":[{list}],"msgSerial":SERIAL}}"#);
    assert_eq!(error_code(&refused(&mut world, &mut ada, &frame)), Some(40009), "so many empty ones are no message");
}

#[test]
fn an_attach_that_cannot_be_read_fails_its_channel_alone() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.attach(&ada, "other");
    world.receive(ada.link, WireFrame::Text(r#"{"action":10,"channel":"c","params":[]}"#.to_owned()));
    let error = world.take_one(ada.link, Action::Error);
    assert_eq!((error.channel.clone(), error_code(&error)), (Some("c".into()), Some(40013)));
    world.publish(&mut ada, "other", &["goes on"]);
    assert_eq!(names(&world.take(ada.link)), ["goes on"]);
}

#[test]
fn a_publish_that_was_cut_on_the_way_is_published_when_it_comes_again() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect(""), world.connect(""));
    world.attach(&bob, "c");
    let cut = r#"{"action":15,"channel":"c","msgSerial":0,"messages":[{"name":"who"#;
    world.receive(ada.link, WireFrame::Text(cut.to_owned()));
    assert_eq!(error_code(&world.take_one(ada.link, Action::Disconnected)), Some(80013));
    ada = world.connect(&ada.resume_query());
    assert_eq!(world.publish(&mut ada, "c", &["whole"]).action, Action::Ack);
    assert_eq!(names(&world.take(bob.link)), ["whole"]);
}
