//! Messages that a client published before it attached their channel.

use super::*;

fn serials(frames: &[Frame]) -> Vec<&str> {
    frames.iter().filter_map(|frame| frame.channel_serial.as_ref()).map(ChannelSerial::as_str).collect()
}

/// Publishes one message after the other, by the first client and the second in turn.
fn publish_in_turn(world: &mut World, mut clients: [&mut Client; 2], names: &[&str]) {
    for name in names {
        world.publish(clients[0], "c", &[name]);
        clients.swap(0, 1);
    }
}

#[test]
fn a_client_gets_what_it_published_before_it_attached_in_order_and_once() {
    let mut world = World::new();
    let mut ada = world.connect("");
    let acks = [&["a", "b"][..], &["c"]].map(|names| world.publish(&mut ada, "c", names));
    let frames = world.attach(&ada, "c");
    assert_eq!(names(&frames), ["a", "b", "c"]);
    assert!(frames[0].has(Flags::HAS_BACKLOG) && !frames[0].has(Flags::RESUMED) && frames[0].error.is_none());
    let sent: Vec<_> = frames.iter().flat_map(|frame| &frame.messages).map(|message| message.serial.clone()).collect();
    assert_eq!(sent, acks.iter().flat_map(|ack| ack.res[0].serials.clone()).collect::<Vec<_>>());
    assert_eq!(frames[1].id, Some(format!("{}:0", ada.id)), "they are what everybody else got");
    world.publish(&mut ada, "c", &["d"]);
    let live = world.take(ada.link);
    assert_eq!(names(&live), ["d"]);
    let all = [frames, live].concat();
    assert!(serials(&all).is_sorted_by(|a, b| a < b), "{:?}", serials(&all));
    assert_eq!(actions(&world.attach(&ada, "c")), [Action::Attached], "attached again in place");
    assert_eq!(actions(&world.attach(&ada, "[?x=1]c")), [Action::Attached], "attached under another name");
}

#[test]
fn what_others_published_meanwhile_comes_too_and_only_once() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.connect(""), world.connect(""));
    publish_in_turn(&mut world, [&mut bob, &mut ada], &["0", "1", "2", "3", "4"]);
    let frames = world.attach(&ada, "c");
    assert_eq!(names(&frames), ["1", "2", "3", "4"], "an answer to what it published is among them");
    assert!(serials(&frames).is_sorted_by(|a, b| a < b));
    world.close(ada.link);
    world.publish(&mut bob, "c", &["5"]);
    let resumed = world.connect(&ada.resume_query());
    let seen = frames.last().unwrap().channel_serial.clone();
    let again = world.attach_with(&resumed, "c", |frame| frame.channel_serial = seen.clone());
    assert!(again[0].has(Flags::RESUMED));
    assert_eq!(names(&again), ["5"]);
}

#[test]
fn the_history_up_to_the_attachment_and_what_comes_with_it_are_everything_once() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.connect(""), world.connect(""));
    publish_in_turn(&mut world, [&mut bob, &mut ada], &["0", "1", "2", "3", "4", "5"]);
    let frames = world.attach(&ada, "c");
    let serial = frames[0].channel_serial.as_ref().unwrap().as_str();
    let (history, _) = world.list(&format!("/channels/c/messages?direction=forwards&from_serial={serial}"));
    let before = history.iter().map(|message| message["name"].as_str().unwrap());
    assert_eq!(before.chain(names(&frames)).collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn what_was_published_on_a_resumed_link_comes_where_the_attachment_cannot_go_on() {
    for early in [false, true] {
        let mut world = World::with_limits(|limits| limits.replay_frames = 3);
        let (mut ada, mut bob) = (world.connect(""), world.connect(""));
        if early {
            world.publish(&mut ada, "c", &["early"]);
        }
        let seen = world.attach(&ada, "c").last().unwrap().channel_serial.clone();
        world.close(ada.link);
        for _ in 0..4 {
            world.publish(&mut bob, "c", &["missed"]);
        }
        let mut resumed = Client { serial: ada.serial, ..world.connect(&ada.resume_query()) };
        world.publish(&mut resumed, "c", &["again"]);
        let frames = world.attach_with(&resumed, "c", |frame| {
            frame.channel_serial = seen;
            frame.flags = Some(Flags::ATTACH_RESUME);
        });
        assert_eq!(error_code(&frames[0]), Some(ErrorCode::CONTINUITY_LOST.0));
        assert_eq!(names(&frames), ["again"]);
    }
}

#[test]
fn a_client_that_names_a_serial_knows_that_it_was_attached() {
    let mut world = World::with_limits(|limits| limits.replay_frames = 3);
    let (mut ada, mut bob) = (world.connect(""), world.connect(""));
    for name in ["0", "1"] {
        world.publish(&mut bob, "c", &[name]);
    }
    world.publish(&mut ada, "c", &["early"]);
    assert_eq!(names(&world.attach(&ada, "c")), ["early"]);
    world.close(ada.link);
    let resumed = world.connect(&ada.resume_query());
    let frames = world.attach_with(&resumed, "c", |frame| frame.channel_serial = Some("of-another-relay".into()));
    assert_eq!((error_code(&frames[0]), names(&frames)), (Some(ErrorCode::CONTINUITY_LOST.0), Vec::new()));
}

#[test]
fn a_quiet_channel_is_resumed_whatever_others_published_before_the_attachment() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.connect(""), world.connect(""));
    world.publish(&mut ada, "c", &["1"]);
    world.publish(&mut bob, "c", &["2"]);
    let seen = world.attach(&ada, "c").last().unwrap().channel_serial.clone();
    world.pass(SECOND * 200);
    world.close(ada.link);
    let resumed = world.connect(&ada.resume_query());
    let again = world.attach_with(&resumed, "c", |frame| frame.channel_serial = seen);
    assert_eq!((error_code(&again[0]), again.len()), (None, 1), "nothing was missed");
}

#[test]
fn they_come_once_when_the_link_breaks_before_the_client_got_them() {
    for got in 0..3 {
        let mut world = World::new();
        let mut ada = world.connect("");
        world.publish(&mut ada, "c", &["a"]);
        world.publish(&mut ada, "c", &["b"]);
        let mut frames = world.attach(&ada, "c");
        frames.truncate(got);
        world.close(ada.link);
        let resumed = world.connect(&ada.resume_query());
        let seen = frames.last().and_then(|frame| frame.channel_serial.clone());
        frames.extend(world.attach_with(&resumed, "c", |frame| frame.channel_serial = seen));
        assert_eq!(names(&frames), ["a", "b"], "the client got {got} frames");
    }
}

#[test]
fn they_come_across_a_resume_and_when_the_client_sends_them_again() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.publish(&mut ada, "c", &["a"]);
    world.close(ada.link);
    let mut resumed = world.connect(&ada.resume_query());
    resumed.serial = 0;
    world.publish(&mut resumed, "c", &["a"]);
    world.publish(&mut resumed, "c", &["b"]);
    assert_eq!(names(&world.attach(&resumed, "c")), ["a", "b"]);
}

#[test]
fn a_client_that_detached_gets_what_it_published_since_then() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.publish(&mut ada, "c", &["a"]);
    world.attach(&ada, "c");
    world.publish(&mut ada, "c", &["b"]);
    let detach = |world: &mut World| {
        world.send(ada.link, Frame::for_channel(Action::Detach, "c".into()));
        world.take(ada.link);
    };
    detach(&mut world);
    assert_eq!(actions(&world.attach(&ada, "c")), [Action::Attached]);
    detach(&mut world);
    let mut again = ada.clone();
    world.publish(&mut again, "c", &["c"]);
    assert_eq!(names(&world.attach(&ada, "c")), ["c"]);
}

#[test]
fn a_client_without_echo_or_that_does_not_subscribe_gets_none_of_them() {
    let mut world = World::new();
    let mut without = world.connect("echo=false");
    world.publish(&mut without, "c", &["a"]);
    assert_eq!(actions(&world.attach(&without, "c")), [Action::Attached]);
    let mut writer = world.connect("");
    world.publish(&mut writer, "c", &["a"]);
    let frames = world.attach_with(&writer, "c", |frame| frame.flags = Some(Flags::PUBLISH));
    assert_eq!(actions(&frames), [Action::Attached]);
}

fn rewind(count: &'static str) -> impl FnOnce(&mut Frame) {
    move |frame| frame.params = BTreeMap::from([("rewind".into(), count.to_owned())])
}

#[test]
fn with_rewind_what_is_more_comes_and_none_twice() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.connect(""), world.connect(""));
    publish_in_turn(&mut world, [&mut bob, &mut ada], &["0", "1", "2", "3", "4"]);
    let frames = world.attach_with(&ada, "c", rewind("2"));
    assert_eq!(names(&frames), ["1", "2", "3", "4"]);
    assert!(serials(&frames).is_sorted_by(|a, b| a < b));
    world.publish(&mut bob, "d", &["0"]);
    world.publish(&mut ada, "d", &["1"]);
    assert_eq!(names(&world.attach_with(&ada, "d", rewind("9"))), ["0", "1"]);
}

#[test]
fn rewind_does_not_cut_what_the_client_published_at_once() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.publish(&mut ada, "c", &["1", "2", "3"]);
    assert_eq!(names(&world.attach_with(&ada, "c", rewind("1"))), ["1", "2", "3"]);
    world.publish(&mut ada, "d", &["1", "2", "3"]);
    let bob = world.connect("");
    assert_eq!(names(&world.attach_with(&bob, "d", rewind("1"))), ["3"], "as everybody else gets it");
}

#[test]
fn they_are_kept_for_two_minutes_and_up_to_a_number_of_messages() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.publish(&mut ada, "c", &["old"]);
    world.pass(SECOND * 90);
    world.publish(&mut ada, "c", &["new"]);
    world.pass(SECOND * 60);
    world.take(ada.link);
    assert_eq!(names(&world.attach(&ada, "c")), ["new"]);
    world.publish(&mut ada, "d", &["old"]);
    world.pass(SECOND * 121);
    world.take(ada.link);
    assert_eq!(actions(&world.attach(&ada, "d")), [Action::Attached]);
    for _ in 0..11 {
        world.publish(&mut ada, "e", &["x"; 100]);
    }
    assert_eq!(names(&world.attach(&ada, "e")).len(), 1_000);
}

#[test]
fn a_refused_attach_does_not_lose_them_and_another_connection_does_not_get_them() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect(""), world.connect(""));
    world.publish(&mut ada, "c", &["a"]);
    let mut attach = Frame::for_channel(Action::Attach, "c".into());
    attach.params = BTreeMap::from([("rewind".into(), "soon".to_owned())]);
    world.send(ada.link, attach);
    world.take_one(ada.link, Action::Error);
    assert_eq!(actions(&world.attach(&bob, "c")), [Action::Attached]);
    assert_eq!(names(&world.attach(&ada, "c")), ["a"]);
    assert_eq!(world.hub.stats().messages, 1, "they are kept once, with the others");
}

#[test]
fn the_place_of_early_messages_is_charged_and_given_back() {
    let mut world = World::new();
    let mut publish = |query: &str| {
        let before = world.hub.budget.used_for(Purpose::Tables);
        let mut client = world.connect(query);
        world.publish(&mut client, "c", &["a"]);
        (client.link, world.hub.budget.used_for(Purpose::Tables) - before)
    };
    publish("echo=false");
    let ((without, least), (with, more)) = (publish("echo=false"), publish(""));
    assert!(more > least, "{more} and {least}");
    world.close(without);
    world.close(with);
    for link in world.hub.links.iter().collect::<Vec<_>>() {
        world.close(link);
    }
    world.pass(SECOND * 300);
    assert_eq!(world.hub.budget.used_for(Purpose::Tables), 0);
}
