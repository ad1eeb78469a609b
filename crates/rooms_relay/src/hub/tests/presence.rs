use super::*;
use PresenceAction::{Enter, Leave, Present, Update};

fn entry(client: &str, action: PresenceAction, data: &str) -> (String, PresenceAction, String) {
    (client.to_owned(), action, data.to_owned())
}

#[test]
fn members_come_change_and_go_before_everybodys_eyes() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect("clientId=ada"), world.connect("clientId=bob"));
    world.attach(&ada, "c");
    world.attach(&bob, "c");
    for (action, data) in [(Enter, "1"), (Update, "2"), (Leave, "")] {
        assert_eq!(world.presence(&mut ada, "c", presence_message(action, "", data)).action, Action::Ack);
    }
    let expected = [entry("ada", Enter, "1"), entry("ada", Update, "2"), entry("ada", Leave, "2")];
    let frames = world.take(bob.link);
    assert_eq!(presence_in(&frames), expected);
    assert_eq!(frames[1].presence[0].id, Some(format!("{}:1:0", ada.id)));
    assert_eq!(frames[1].connection_id, Some(ada.id.clone()));
    assert!(frames.is_sorted_by(|a, b| a.channel_serial < b.channel_serial));
    assert_eq!(presence_in(&world.take(ada.link)), expected, "the member itself hears too");
    assert_eq!(world.hub.stats().members, 0);
}

#[test]
fn a_newcomer_gets_all_members_in_a_sync_after_attached() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.attach(&ada, "c");
    world.presence(&mut ada, "c", presence_message(Enter, "ada", "1"));
    let bob = world.connect("");
    let frames = world.attach(&bob, "c");
    assert!(frames[0].has(Flags::HAS_PRESENCE));
    assert_eq!(actions(&frames), [Action::Attached, Action::Sync]);
    let member = &frames[1].presence[0];
    assert_eq!((member.action, member.id.clone()), (Present, Some(format!("{}:0:0", ada.id))), "the original id");
    assert_eq!((&member.connection_id, member.timestamp), (&Some(ada.id.clone()), Some(WALL)));
    let cursor = frames[1].channel_serial.as_ref().unwrap().as_str().to_owned();
    assert!(cursor.ends_with(':') && cursor.trim_end_matches(':').chars().all(|c| c.is_ascii_alphanumeric()));
}

#[test]
fn a_client_may_ask_for_all_members_again() {
    let mut world = World::new();
    let client = world.connect("");
    world.send(client.link, Frame::for_channel(Action::Sync, "c".into()));
    assert!(world.take(client.link).is_empty(), "not on a channel it is not attached to");
    world.attach(&client, "c");
    world.send(client.link, Frame::for_channel(Action::Sync, "c".into()));
    assert!(world.take_one(client.link, Action::Sync).presence.is_empty());
}

#[test]
fn own_presence_comes_back_whatever_echo_and_modes_are() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada&echo=false");
    let bob = world.connect("");
    let only = |flags| move |frame: &mut Frame| frame.flags = Some(flags);
    world.attach_with(&ada, "c", only(Flags::PRESENCE));
    world.attach_with(&bob, "c", only(Flags::SUBSCRIBE));
    world.presence(&mut ada, "c", presence_message(Enter, "", ""));
    assert_eq!(presence_in(&world.take(ada.link)), [entry("ada", Enter, "")]);
    assert!(world.take(bob.link).is_empty(), "no presence_subscribe");
    assert!(!world.attach_with(&bob, "c", only(Flags::SUBSCRIBE))[0].has(Flags::HAS_PRESENCE));
    world.send(bob.link, Frame::for_channel(Action::Sync, "c".into()));
    assert!(world.take(bob.link).is_empty(), "nor for the asking");
}

#[test]
fn presence_that_may_not_be_is_refused_with_its_code() {
    let mut world = World::with_limits(|limits| limits.members_per_channel = 2);
    let (mut any, mut ada) = (world.connect(""), world.connect("clientId=ada"));
    assert_eq!(error_code(&world.presence(&mut any, "c", presence_message(Enter, "", ""))), Some(91000));
    assert_eq!(error_code(&world.presence(&mut ada, "c", presence_message(Enter, "bob", ""))), Some(40012));
    assert_eq!(
        error_code(&world.presence(&mut ada, "c", presence_message(PresenceAction::Unknown(9), "", ""))),
        Some(40000)
    );
    assert_eq!(
        error_code(&world.presence(&mut ada, "c", presence_message(Enter, "", &"x".repeat(65_537)))),
        Some(40009)
    );
    world.attach_with(&ada, "c", |frame| frame.flags = Some(Flags::SUBSCRIBE));
    assert_eq!(error_code(&world.presence(&mut ada, "c", presence_message(Enter, "", ""))), Some(40165));
    for (client, code) in [("a", None), ("b", None), ("c", Some(91003)), ("b", None)] {
        assert_eq!(error_code(&world.presence(&mut any, "c", presence_message(Enter, client, ""))), code, "{client}");
    }
    assert_eq!(world.presence(&mut any, "c", presence_message(Leave, "nobody", "")).action, Action::Ack);
}

#[test]
fn entering_again_with_the_same_id_is_silent() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada");
    world.attach(&ada, "c");
    world.presence(&mut ada, "c", presence_message(Enter, "", "1"));
    let id = world.take(ada.link)[0].presence[0].id.clone();
    let again = PresenceMessage { id, ..presence_message(Enter, "ada", "1") };
    assert_eq!(world.presence(&mut ada, "c", again).action, Action::Ack);
    assert!(world.take(ada.link).is_empty());
    world.presence(&mut ada, "c", presence_message(Enter, "ada", "1"));
    assert_eq!(presence_in(&world.take(ada.link)), [entry("ada", Enter, "1")], "without the id it is told");
}

#[test]
fn detach_and_close_let_members_leave_at_once_with_ids_of_their_own() {
    for action in [Action::Detach, Action::Close] {
        let mut world = World::new();
        let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
        world.attach(&ada, "c");
        world.attach(&bob, "c");
        world.presence(&mut ada, "c", presence_message(Enter, "", "1"));
        let entered = world.take_one(bob.link, Action::Presence).presence.remove(0);
        world.send(ada.link, Frame::for_channel(action, "c".into()));
        let mut frame = world.take_one(bob.link, Action::Presence);
        assert_eq!(presence_in(std::slice::from_ref(&frame)), [entry("ada", Leave, "1")]);
        frame.inherit();
        let mut entered = entered;
        entered.connection_id = Some(ada.id.clone());
        assert!(frame.presence[0].parsed_id().is_some(), "not made up");
        assert!(frame.presence[0].is_newer_than(&entered));
    }
}

#[test]
fn members_of_a_dropped_connection_leave_after_a_while_with_a_made_up_id() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect("clientId=ada"), world.connect(""));
    world.attach(&ada, "c");
    world.attach(&bob, "c");
    world.presence(&mut ada, "c", presence_message(Enter, "", "1"));
    world.take(bob.link);
    world.close(ada.link);
    world.pass(SECOND * 14);
    assert!(presence_in(&world.take(bob.link)).is_empty());
    world.pass(SECOND);
    let frames = world.take(bob.link);
    assert_eq!(presence_in(&frames), [entry("ada", Leave, "1")]);
    let mut frame = frames.into_iter().find(|frame| frame.action == Action::Presence).unwrap();
    frame.inherit();
    assert!(frame.presence[0].id.is_some() && frame.presence[0].parsed_id().is_none());
    assert_eq!(frame.presence[0].timestamp, Some(WALL.plus(SECOND * 15)));
    assert_eq!(world.hub.stats().connections, 2, "the connection can still be resumed");
}

#[test]
fn a_client_may_choose_how_long_its_members_stay() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada&remainPresentFor=2000");
    world.attach(&ada, "c");
    world.presence(&mut ada, "c", presence_message(Enter, "", ""));
    world.close(ada.link);
    world.pass(SECOND);
    assert_eq!(world.hub.stats().members, 1);
    world.pass(SECOND);
    assert_eq!(world.hub.stats().members, 0);
}

#[test]
fn members_entered_without_an_attachment_leave_unless_it_comes() {
    let mut world = World::new();
    let mut ada = world.connect("clientId=ada");
    world.presence(&mut ada, "kept", presence_message(Enter, "", ""));
    world.presence(&mut ada, "left", presence_message(Enter, "", ""));
    world.attach(&ada, "kept");
    world.pass(SECOND * 60);
    assert_eq!(world.hub.stats().members, 1);
}

#[test]
fn large_members_leave_in_several_frames_that_clients_can_take() {
    let mut world = World::new();
    let (mut many, watcher) = (world.connect(""), world.connect(""));
    world.attach(&watcher, "c");
    let data = "\u{1}".repeat(60_000);
    for index in 0..20 {
        world.presence(&mut many, "c", presence_message(Enter, &format!("m{index}"), &data));
    }
    world.take(watcher.link);
    world.send(many.link, Frame::new(Action::Close));
    world.pass(SECOND);
    let frames = world.take(watcher.link);
    assert_eq!(presence_in(&frames).len(), 20);
    for frame in frames {
        assert!(rooms_protocol::json::encode(frame).len() <= rooms_protocol::DEFAULT_MAX_FRAME_SIZE);
    }
}
