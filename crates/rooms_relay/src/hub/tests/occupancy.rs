//! Occupancy events: who watches is told how many use a channel.

use serde_json::{Value, json};

use super::*;
use crate::ApiKey;

/// The numbers of the events among frames, in order.
#[track_caller]
fn numbers(frames: &[Frame]) -> Vec<Value> {
    let messages = frames.iter().flat_map(|frame| &frame.messages);
    let events = messages.filter(|message| message.name.as_deref() == Some("[meta]occupancy"));
    events
        .map(|event| {
            assert_eq!(event.encoding.as_deref(), Some("json"));
            let data: Value = serde_json::from_str(event.data.as_ref().and_then(Data::as_text).unwrap()).unwrap();
            data["metrics"].clone()
        })
        .collect()
}

fn watching(metrics: &'static str) -> impl FnOnce(&mut Frame) {
    move |frame: &mut Frame| frame.params = BTreeMap::from([("occupancy".into(), metrics.to_owned())])
}

fn turn(world: &mut World, client: &Client) -> Vec<Frame> {
    world.pass(Duration::ZERO);
    world.take(client.link)
}

#[test]
fn who_watches_is_told_all_numbers_when_it_attaches() {
    let mut world = World::new();
    let ada = world.connect("");
    let frames = world.attach_with(&ada, "c", watching("metrics"));
    assert_eq!(actions(&frames), [Action::Attached, Action::Message]);
    assert_eq!(frames[0].params.get("occupancy").map(String::as_str), Some("metrics"));
    let expected = json!({
        "connections": 1, "publishers": 1, "subscribers": 1, "presenceConnections": 1, "presenceMembers": 0,
        "presenceSubscribers": 1, "objectPublishers": 0, "objectSubscribers": 0,
    });
    assert_eq!(numbers(&frames), [expected]);
    let event = &frames[1];
    assert_eq!((&event.connection_id, &event.channel_serial, event.timestamp), (&None, &None, Some(WALL)));
    assert_eq!((&event.messages[0].client_id, &event.messages[0].serial), (&None, &None));
    assert_eq!(event.messages[0].action.map(i64::from), Some(3), "it is from the server");
    assert!(event.id.as_deref().is_some_and(|id| id.ends_with(":0") && id.starts_with(world.hub.channels.node())));
    assert!(turn(&mut world, &ada).is_empty(), "nothing changed since");
}

#[test]
fn first_and_last_ones_are_told_at_once_and_others_within_a_second() {
    let mut world = World::new();
    let (ada, mut bob, eve) = (world.connect(""), world.connect("clientId=bob"), world.connect(""));
    world.attach_with(&ada, "[?occupancy=metrics.presenceMembers]c", |frame| frame.flags = Some(Flags::SUBSCRIBE));
    world.attach_with(&eve, "c", watching("metrics.connections"));
    world.pass(SECOND * 5);
    world.take(ada.link);
    world.take(eve.link);
    world.presence(&mut bob, "c", presence_message(PresenceAction::Enter, "", ""));
    let event = turn(&mut world, &ada);
    assert_eq!(numbers(&event), [json!({ "presenceMembers": 1 })]);
    assert_eq!(event[0].channel, Some("[?occupancy=metrics.presenceMembers]c".into()), "under the name it uses");
    assert!(numbers(&turn(&mut world, &eve)).is_empty(), "its number is the same");
    world.attach(&bob, "c");
    assert!(numbers(&turn(&mut world, &eve)).is_empty(), "merely one more");
    world.pass(SECOND);
    assert_eq!(numbers(&world.take(eve.link)), [json!({ "connections": 3 })]);
    world.presence(&mut bob, "c", presence_message(PresenceAction::Leave, "", ""));
    world.pass(Duration::from_millis(100));
    assert_eq!(numbers(&world.take(ada.link)), [json!({ "presenceMembers": 0 })]);
    world.close(bob.link);
    world.pass(SECOND);
    assert_eq!(numbers(&world.take(eve.link)), [json!({ "connections": 2 })], "a broken line does not count");
}

#[test]
fn many_changes_make_few_events() {
    let mut world = World::new();
    let ada = world.connect("");
    world.attach_with(&ada, "c", watching("metrics.connections"));
    for _ in 0..50 {
        let other = world.connect("");
        world.attach(&other, "c");
        world.pass(Duration::from_millis(10));
    }
    world.pass(SECOND * 2);
    let told = numbers(&world.take(ada.link));
    assert!(told.len() <= 2, "{told:?}");
    assert_eq!(told.last(), Some(&json!({ "connections": 51 })));
}

#[test]
fn a_newcomer_does_not_keep_a_number_that_was_true_for_a_moment() {
    let mut world = World::new();
    let (ada, eve) = (world.connect(""), world.connect(""));
    world.attach_with(&ada, "c", watching("metrics.connections"));
    world.attach(&eve, "c");
    world.pass(SECOND * 5);
    assert_eq!(numbers(&world.take(ada.link)), [json!({ "connections": 2 })]);
    let bob = world.connect("");
    let told = numbers(&world.attach_with(&bob, "c", watching("metrics.connections")));
    assert_eq!(told, [json!({ "connections": 3 })]);
    world.send(eve.link, Frame::for_channel(Action::Detach, "c".into()));
    world.pass(SECOND * 5);
    assert_eq!(numbers(&world.take(bob.link)), [json!({ "connections": 2 })]);
    assert!(numbers(&world.take(ada.link)).is_empty(), "it knows");
}

#[test]
fn events_are_no_part_of_the_stream() {
    let mut world = World::new();
    let mut ada = world.connect("");
    let attached = world.attach_with(&ada, "c", watching("metrics"));
    world.publish(&mut ada, "c", &["a"]);
    world.pass(SECOND);
    let (messages, _) = world.list("/channels/c/messages");
    assert_eq!(messages.len(), 1);
    let newcomer = world.connect("");
    assert_eq!(names(&world.attach(&newcomer, "[?rewind=9]c")), ["a"]);
    world.close(ada.link);
    let resumed = world.connect(&ada.resume_query());
    let frames = world.attach_with(&resumed, "c", |frame| {
        frame.channel_serial = attached[0].channel_serial.clone();
        watching("metrics.connections")(frame);
    });
    assert_eq!(names(&frames), ["a", "[meta]occupancy"]);
    assert!(frames[0].has(Flags::RESUMED));
}

#[test]
fn nobody_is_told_who_does_not_ask_may_not_or_does_not_subscribe() {
    let keys = [ApiKey::development(), r#"rooms.few:few={"c":["subscribe","publish"]}"#.parse().unwrap()];
    let mut world = World::with_config(HubConfig { keys: keys.to_vec(), ..HubConfig::default() });
    let plain = world.connect("");
    assert_eq!(actions(&world.attach(&plain, "c")), [Action::Attached]);
    let writer = world.connect("");
    let frames = world.attach_with(&writer, "c", |frame| {
        watching("metrics")(frame);
        frame.flags = Some(Flags::PUBLISH);
    });
    assert_eq!(actions(&frames), [Action::Attached]);
    let link = world.open_raw("key=rooms.few:few");
    world.take_one(link, Action::Connected);
    let mut attach = Frame::for_channel(Action::Attach, "[?occupancy=metrics]c".into());
    world.send(link, attach.clone());
    assert_eq!(error_code(&world.take_one(link, Action::Error)), Some(40160), "that needs channel-metadata");
    attach.channel = Some("c".into());
    watching("metrics.spies")(&mut attach);
    world.send(plain.link, attach);
    assert_eq!(error_code(&world.take_one(plain.link, Action::Error)), Some(40003));
    world.pass(SECOND * 5);
    assert!(numbers(&world.take(plain.link)).is_empty() && numbers(&world.take(writer.link)).is_empty());
}

#[test]
fn all_who_want_the_same_numbers_share_a_frame_and_no_timer_stays() {
    let mut world = World::new();
    let watchers = [(); 3].map(|()| world.connect(""));
    for watcher in &watchers {
        world.attach_with(watcher, "c", watching("metrics"));
    }
    world.pass(SECOND * 5);
    world.frames.clear();
    let before = world.hub.counters().messages_out.get();
    let mut writer = world.connect("");
    world.presence(&mut writer, "c", presence_message(PresenceAction::Enter, "bob", ""));
    world.pass(SECOND);
    for watcher in &watchers {
        assert_eq!(numbers(&world.take(watcher.link)).len(), 1);
    }
    assert_eq!(world.hub.counters().messages_out.get() - before, 6, "three presence messages and three events");
    for client in watchers.iter().chain([&writer]) {
        world.send(client.link, Frame::new(Action::Close));
    }
    world.pass(SECOND * 300);
    assert_eq!((world.hub.stats(), world.hub.poll_timeout()), (HubStats::default(), None));
}

#[test]
fn a_newcomer_to_a_large_channel_knows_the_number_soon() {
    let mut world = World::with_limits(|limits| limits.connections_per_client = 2_000);
    let others: Vec<Client> = (0..600).map(|_| world.connect("")).collect();
    for other in &others {
        world.attach(other, "c");
    }
    for number in 601..604 {
        let newcomer = world.connect("");
        let first = numbers(&world.attach_with(&newcomer, "c", watching("metrics.connections")));
        assert_eq!(first.len(), 1);
        world.pass(SECOND * 2);
        let latest = first.into_iter().chain(numbers(&world.take(newcomer.link))).last();
        assert_eq!(latest, Some(json!({ "connections": number })));
    }
    let both = [(); 2].map(|()| world.connect(""));
    for newcomer in &both {
        assert_eq!(numbers(&world.attach_with(newcomer, "c", watching("metrics.connections"))).len(), 1);
    }
    world.pass(SECOND * 2);
    assert_eq!(numbers(&world.take(both[1].link)), [json!({ "connections": 605 })], "it was told an old number first");
}
