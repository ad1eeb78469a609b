use super::*;

#[test]
fn within_two_minutes_a_connection_goes_on_under_a_fresh_key() {
    let mut world = World::new();
    let client = world.connect("");
    world.close(client.link);
    world.pass(SECOND * 119);
    let resumed = world.connect(&client.resume_query());
    assert_eq!(resumed.id, client.id);
    assert_ne!(resumed.key, client.key);
    world.pass(SECOND * 600);
    assert_eq!(world.hub.stats().connections, 1, "it is not forgotten while it is there");
}

#[test]
fn after_two_minutes_or_with_a_wrong_key_the_connection_is_new_and_has_an_error() {
    let mut world = World::new();
    let client = world.connect("");
    world.close(client.link);
    world.pass(SECOND * 120);
    assert_eq!(world.hub.stats().connections, 0);
    let wrong = format!("resume={}!wrong", client.id);
    for query in [client.resume_query(), wrong, "resume=_____!ablyjs_test_fake-key____".to_owned()] {
        let link = world.open(&query);
        let frame = world.take_one(link, Action::Connected);
        assert_eq!(error_code(&frame), Some(80018));
        assert_ne!(frame.connection_id, Some(client.id.clone()));
    }
}

#[test]
fn the_old_key_is_valid_until_the_client_has_shown_that_it_knows_the_new_one() {
    let mut world = World::new();
    let client = world.connect("");
    world.close(client.link);
    let unheard = world.connect(&client.resume_query());
    world.close(unheard.link);
    let resumed = world.connect(&client.resume_query());
    assert_eq!(resumed.id, client.id, "its CONNECTED was lost with the link");
    world.send(resumed.link, Frame::new(Action::Heartbeat));
    world.close(resumed.link);
    assert_ne!(world.connect(&client.resume_query()).id, client.id);
    assert_eq!(world.connect(&resumed.resume_query()).id, client.id);
}

#[test]
fn a_new_transport_takes_over_without_anybody_noticing() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
    world.attach(&ada, "c");
    world.attach(&bob, "c");
    world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, "", ""));
    world.take(bob.link);
    let again = world.connect(&format!("clientId=ada&{}", ada.resume_query()));
    assert_eq!(world.closed, [ada.link]);
    world.close(ada.link);
    world.attach(&again, "c");
    world.pass(SECOND * 200);
    assert!(presence_in(&world.take(bob.link)).is_empty());
    assert_eq!((world.hub.stats().links, world.hub.stats().members), (2, 1));
}

#[test]
fn a_connection_is_resumed_only_by_its_own_identity_and_app() {
    let mut config = HubConfig::default();
    config.keys.push("other.k:s".parse().unwrap());
    let mut world = World::with_config(config);
    let client = world.connect("clientId=ada");
    let link = world.open(&format!("clientId=bob&{}", client.resume_query()));
    assert_eq!(error_code(&world.take_one(link, Action::Error)), Some(40102));
    let link = world.open_raw(&format!("key=other.k:s&clientId=ada&{}", client.resume_query()));
    assert_eq!(error_code(&world.take_one(link, Action::Connected)), Some(80018));
    assert_eq!(world.hub.stats().links, 2, "the real one was not disturbed");
}

#[test]
fn nothing_comes_on_a_channel_before_it_is_attached_again() {
    let mut world = World::new();
    let (client, mut other) = (world.connect(""), world.connect(""));
    world.attach(&client, "c");
    world.close(client.link);
    let resumed = world.connect(&client.resume_query());
    world.publish(&mut other, "c", &["a"]);
    assert!(world.take(resumed.link).is_empty());
}

#[test]
fn what_was_missed_is_replayed_once_and_then_goes_on() {
    let mut world = World::new();
    let (client, mut other) = (world.connect(""), world.connect(""));
    world.attach(&client, "c");
    world.publish(&mut other, "c", &["a"]);
    let seen = world.take_one(client.link, Action::Message).channel_serial;
    world.close(client.link);
    world.publish(&mut other, "c", &["b", "c"]);
    let resumed = world.connect(&client.resume_query());
    let frames = world.attach_with(&resumed, "c", |frame| frame.channel_serial = seen.clone());
    assert!(frames[0].has(Flags::RESUMED | Flags::HAS_BACKLOG));
    assert_eq!(frames[0].channel_serial, seen, "where the attachment starts from");
    assert_eq!(names(&frames), ["b", "c"]);
    assert_eq!(frames[1].id, Some(format!("{}:1", other.id)));
    world.publish(&mut other, "c", &["d"]);
    assert_eq!(names(&world.take(resumed.link)), ["d"]);
}

#[test]
fn a_quiet_channel_is_resumed_without_backlog_even_when_nobody_else_was_there() {
    let mut world = World::new();
    let client = world.connect("");
    let serial = world.attach(&client, "c")[0].channel_serial.clone();
    world.close(client.link);
    world.pass(SECOND * 100);
    let resumed = world.connect(&client.resume_query());
    let frames = world.attach_with(&resumed, "c", |frame| frame.channel_serial = serial);
    assert!(frames[0].has(Flags::RESUMED) && !frames[0].has(Flags::HAS_BACKLOG));
}

#[test]
fn a_serial_that_is_too_old_or_unknown_attaches_at_the_newest_with_an_error() {
    let mut world = World::new();
    let (client, mut other) = (world.connect(""), world.connect(""));
    let old = world.attach(&client, "c")[0].channel_serial.clone();
    world.publish(&mut other, "c", &["a"]);
    world.pass(SECOND * 121);
    let ahead = ChannelSerial::new("99999999999999-000@").as_str().to_owned() + world.hub.channels.node();
    for serial in [old, Some("nonsense".into()), Some("".into()), Some(ahead.into())] {
        let again = world.connect("");
        let frames = world.attach_with(&again, "c", |frame| frame.channel_serial = serial.clone());
        assert_eq!(frames.len(), 1, "{serial:?}");
        assert!(!frames[0].has(Flags::RESUMED));
        assert_eq!(error_code(&frames[0]), Some(90003));
    }
}

#[test]
fn a_frame_sent_again_after_a_resume_is_answered_again_and_published_once() {
    let mut world = World::new();
    let (mut client, other) = (world.connect(""), world.connect(""));
    world.attach(&other, "c");
    let first = world.publish(&mut client, "c", &["a"]);
    let refused = world.publish(&mut client, ":", &["b"]);
    world.close(client.link);
    let mut resumed = world.connect(&client.resume_query());
    assert_eq!(world.publish(&mut resumed, "c", &["a"]), first);
    assert_eq!(world.publish(&mut resumed, "c", &["b"]), refused);
    world.publish(&mut resumed, "c", &["c"]);
    assert_eq!(names(&world.take(other.link)), ["a", "c"]);
}

#[test]
fn members_stay_when_their_connection_comes_back_for_the_channel_in_time() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
    for channel in ["back", "gone"] {
        world.attach(&ada, channel);
        world.attach(&bob, channel);
        world.presence(&mut ada, channel, presence_message(PresenceAction::Enter, "", ""));
        world.take(ada.link);
        world.take(bob.link);
    }
    world.close(ada.link);
    world.pass(SECOND * 10);
    let resumed = world.connect(&format!("clientId=ada&{}", ada.resume_query()));
    world.attach(&resumed, "back");
    world.pass(SECOND * 60);
    let frames = world.take(bob.link);
    let left: Vec<_> = frames.iter().filter(|frame| frame.action == Action::Presence).collect();
    assert_eq!(left.len(), 1, "only where it did not come back");
    assert_eq!(left[0].channel, Some("gone".into()));
}
