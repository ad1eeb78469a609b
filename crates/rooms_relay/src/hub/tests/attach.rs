use super::*;

fn params(frame: &mut Frame, params: &[(&str, &str)]) {
    frame.params = params.iter().map(|(name, value)| (SmolStr::new(name), (*value).to_owned())).collect();
}

#[test]
fn attached_has_position_and_modes() {
    let mut world = World::new();
    let client = world.connect("");
    let frames = world.attach(&client, "c");
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].flags, Some(Flags::MODES | Flags::ANNOTATION_PUBLISH));
    assert_eq!(frames[0].channel_serial.as_ref().map(|serial| serial.as_str().len()), Some(14 + 1 + 3 + 1 + 8));
    assert!(frames[0].params.is_empty() && frames[0].error.is_none());
}

#[test]
fn a_bad_name_is_an_error_on_that_channel_even_when_it_is_empty() {
    let mut world = World::new();
    let client = world.connect("");
    for name in ["", ":c", "[x]c"] {
        world.send(client.link, Frame::for_channel(Action::Attach, name.into()));
        let frame = world.take_one(client.link, Action::Error);
        assert_eq!((error_code(&frame), frame.channel), (Some(40010), Some(name.into())));
    }
    assert!(world.closed.is_empty(), "the connection stays");
}

#[test]
fn attaching_again_changes_modes_in_place_without_replay() {
    let mut world = World::new();
    let mut client = world.connect("");
    let first = world.attach(&client, "c").remove(0);
    world.publish(&mut client, "c", &["a"]);
    world.take(client.link);
    let frames = world.attach_with(&client, "c", |frame| {
        frame.flags = Some(Flags::PUBLISH);
        frame.channel_serial = first.channel_serial.clone();
    });
    assert_eq!(actions(&frames), [Action::Attached]);
    assert_eq!(frames[0].flags, Some(Flags::PUBLISH | Flags::RESUMED));
    assert!(frames[0].channel_serial > first.channel_serial, "it has the current serial");
    world.publish(&mut client, "c", &["b"]);
    assert!(world.take(client.link).is_empty(), "no longer subscribed");
}

#[test]
fn params_come_back_as_they_were_understood() {
    let mut world = World::new();
    let client = world.connect("");
    let frames = world.attach_with(&client, "c", |frame| {
        params(frame, &[("rewind", "1"), ("modes", "subscribe"), ("agent", "x")]);
    });
    let got: Vec<_> = frames[0].params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(got, [("modes", "subscribe"), ("rewind", "1")]);
    assert_eq!(frames[0].flags, Some(Flags::SUBSCRIBE));
}

#[test]
fn rewind_sends_the_latest_messages_with_their_ids_and_not_as_a_resume() {
    let mut world = World::new();
    let mut publisher = world.connect("");
    for name in ["a", "b", "c"] {
        world.publish(&mut publisher, "c", &[name]);
    }
    let client = world.connect("");
    let frames = world.attach_with(&client, "c", |frame| params(frame, &[("rewind", "2")]));
    assert_eq!(names(&frames), ["b", "c"]);
    assert!(frames[0].has(Flags::HAS_BACKLOG) && !frames[0].has(Flags::RESUMED));
    assert_eq!(frames[1].id, Some(format!("{}:1", publisher.id)));
    assert!(frames[0].channel_serial < frames[1].channel_serial);
}

#[test]
fn without_rewind_or_serial_only_what_is_new_comes() {
    let mut world = World::new();
    let mut publisher = world.connect("");
    world.publish(&mut publisher, "c", &["a"]);
    let client = world.connect("");
    assert_eq!(actions(&world.attach(&client, "c")), [Action::Attached]);
    world.publish(&mut publisher, "c", &["b"]);
    assert_eq!(names(&world.take(client.link)), ["b"]);
}

#[test]
fn a_channel_under_a_qualified_name_is_the_same_channel() {
    let mut world = World::new();
    let mut publisher = world.connect("");
    world.publish(&mut publisher, "news", &["a"]);
    let client = world.connect("");
    let frames = world.attach(&client, "[?rewind=1]news");
    assert_eq!(names(&frames), ["a"]);
    world.publish(&mut publisher, "news", &["b"]);
    let live = world.take(client.link);
    assert_eq!(names(&live), ["b"]);
    for frame in frames.iter().chain(&live) {
        assert_eq!(frame.channel, Some("[?rewind=1]news".into()), "sent under the name that the client uses");
    }
}

#[test]
fn detach_is_answered_even_when_nothing_was_attached() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.attach(&client, "c");
    for name in ["c", "c", "never", ""] {
        world.send(client.link, Frame::for_channel(Action::Detach, name.into()));
        assert_eq!(world.take_one(client.link, Action::Detached).channel, Some(name.into()));
    }
    world.publish(&mut client, "c", &["a"]);
    assert!(world.take(client.link).is_empty());
}

#[test]
fn a_connection_is_attached_to_so_many_channels_and_no_more() {
    let mut world = World::with_limits(|limits| limits.channels_per_connection = 2);
    let client = world.connect("");
    world.attach(&client, "a");
    world.attach(&client, "b");
    world.attach(&client, "b");
    world.send(client.link, Frame::for_channel(Action::Attach, "c".into()));
    let frame = world.take_one(client.link, Action::Error);
    assert_eq!((error_code(&frame), frame.channel), (Some(90010), Some("c".into())));
    world.send(client.link, Frame::for_channel(Action::Detach, "a".into()));
    world.take(client.link);
    world.attach(&client, "c");
}

#[test]
fn a_relay_full_of_channels_refuses_new_ones() {
    let mut world = World::with_limits(|limits| limits.channels = 1);
    let mut client = world.connect("");
    world.attach(&client, "a");
    world.send(client.link, Frame::for_channel(Action::Attach, "b".into()));
    assert_eq!(error_code(&world.take_one(client.link, Action::Error)), Some(40113));
    assert_eq!(error_code(&world.publish(&mut client, "b", &["x"])), Some(40113));
}

#[test]
fn a_failed_change_of_an_attachment_ends_it() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.attach(&client, "c");
    let mut frame = Frame::for_channel(Action::Attach, "c".into());
    params(&mut frame, &[("rewind", "soon")]);
    world.send(client.link, frame);
    assert_eq!(error_code(&world.take_one(client.link, Action::Error)), Some(40003));
    world.publish(&mut client, "c", &["a"]);
    assert!(world.take(client.link).is_empty());
}

#[test]
fn apps_do_not_see_each_others_channels() {
    let mut config = HubConfig::default();
    config.keys.push("other.k:s".parse().unwrap());
    let mut world = World::with_config(config);
    let client = world.connect("");
    world.attach(&client, "c");
    let link = world.open_raw("key=other.k:s");
    world.take_one(link, Action::Connected);
    let mut frame = Frame::for_channel(Action::Message, "c".into());
    frame.messages = vec![Message::new("a", "x")];
    frame.msg_serial = Some(MsgSerial(0));
    world.send(link, frame);
    world.take_one(link, Action::Ack);
    assert!(world.take(client.link).is_empty());
    assert_eq!(world.hub.stats().channels, 2);
}

#[test]
fn an_idle_channel_is_dropped_and_a_used_one_is_not() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.attach(&client, "used");
    world.publish(&mut client, "idle", &["a"]);
    assert_eq!((world.hub.stats().channels, world.hub.stats().messages), (2, 1));
    world.pass(SECOND * 300);
    assert_eq!((world.hub.stats().channels, world.hub.stats().message_bytes), (1, 0));
    world.close(client.link);
    world.pass(SECOND * 300);
    assert_eq!(world.hub.stats(), HubStats::default());
    assert_eq!(world.hub.poll_timeout(), None, "no timer is left");
}

#[test]
fn channels_come_into_being_at_the_rate_that_they_may_and_known_ones_do_not_count() {
    let mut world = World::with_limits(|limits| limits.new_channel_rate = Some(1));
    let mut client = world.connect("");
    world.attach(&client, "a");
    world.send(client.link, Frame::for_channel(Action::Attach, "b".into()));
    let refused = world.take_one(client.link, Action::Error);
    assert_eq!((refused.channel.clone(), error_code(&refused)), (Some("b".into()), Some(42910)));
    let answer = world.publish(&mut client, "b", &["m"]);
    assert_eq!((answer.action, error_code(&answer)), (Action::Nack, Some(42910)));
    assert_eq!(world.publish(&mut client, "a", &["m"]).action, Action::Ack);
    world.take(client.link);
    world.pass(SECOND);
    world.take(client.link);
    world.attach(&client, "b");
}
