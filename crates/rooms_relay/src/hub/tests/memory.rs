//! What the hub holds for its clients: little for each of them, and never more than its budget.

use super::*;
use crate::budget::Purpose;

const MIB: usize = 1024 * 1024;

fn world_of(memory: usize) -> World {
    World::with_limits(|limits| limits.memory = Some(memory))
}

/// Handles a frame and leaves what the hub sends in its queue, as for clients that do not read.
fn handle(world: &mut World, client: &mut Client, mut frame: Frame) {
    frame.msg_serial = Some(MsgSerial(client.serial));
    client.serial += 1;
    world.hub.handle_frame(client.link, frame, world.now);
}

fn publish_of(channel: &str, data: &str) -> Frame {
    Frame { messages: vec![Message::new("m", data)], ..Frame::for_channel(Action::Message, channel.into()) }
}

fn enter_of(channel: &str, clients: impl Iterator<Item = usize>, data: &str) -> Frame {
    let presence = clients.map(|index| presence_message(PresenceAction::Enter, &format!("m{index}"), data)).collect();
    Frame { presence, ..Frame::for_channel(Action::Presence, channel.into()) }
}

#[test]
fn a_channel_with_many_names_costs_one_frame_and_a_connection_has_eight_of_them_at_most() {
    let mut world = World::new();
    let mut ada = world.connect("");
    let clients: Vec<Client> = (0..10).map(|_| world.connect("")).collect();
    for client in &clients {
        for index in 0..8 {
            world.attach(client, &format!("[?x={index}]c"));
        }
        let ninth = Frame::for_channel(Action::Attach, "[?x=8]c".into());
        world.send(client.link, ninth);
        let error = world.take_one(client.link, Action::Error);
        assert_eq!((error_code(&error), error.channel), (Some(90010), Some("[?x=8]c".into())));
        world.attach(client, "other");
    }
    let before = world.hub.budget.used();
    let mut largest = 0;
    for _ in 0..10 {
        handle(&mut world, &mut ada, publish_of("c", &"x".repeat(1_000)));
        largest = largest.max(world.hub.budget.used());
    }
    assert!(largest - before < 10 * 20 * 1_000, "{} bytes are held for 10,000", largest - before);
    let mut names = BTreeMap::new();
    while let Some(output) = world.hub.poll_output() {
        if let Output::Send { mut batch, .. } = output {
            let frame = batch.next_frame().unwrap();
            *names.entry(frame.channel.map(|name| name.as_str().to_owned())).or_insert(0) += 1;
        }
    }
    assert_eq!((names.get(&Some("[?x=3]c".to_owned())), names.len()), (Some(&100), 9), "each under its name, and ACKs");
}

#[test]
fn what_is_published_is_held_once_and_given_back() {
    let mut world = World::new();
    let mut ada = world.connect("");
    let readers: Vec<Client> = (0..100).map(|_| world.connect("")).collect();
    for reader in &readers {
        world.attach(reader, "c");
    }
    let before = world.hub.budget.used();
    let sent = publish_of("c", "x");
    let on_the_wire = Format::Json.encode(sent.clone()).len();
    handle(&mut world, &mut ada, sent);
    world.drain();
    let held = world.hub.budget.used() - before;
    assert!(held < 20 * on_the_wire, "{held} bytes are held for {on_the_wire}, with what the publisher may ask again");
    world.pass(SECOND * 121);
    world.drain();
    assert_eq!(world.hub.budget.used_for(Purpose::Messages), 0, "the history is over");
    for client in readers.into_iter().chain([ada]) {
        world.close(client.link);
    }
    world.pass(SECOND * 600);
    assert_eq!(world.hub.budget.used(), 0, "everything is given back");
}

#[test]
fn members_have_a_total_for_each_connection_and_each_channel() {
    let mut world = World::new();
    let mut ada = world.connect("");
    for channel in ["a", "b"] {
        let answer = world.send_numbered(&mut ada, enter_of(channel, 0..125, ""));
        assert_eq!(answer.action, Action::Ack);
    }
    let refused = world.send_numbered(&mut ada, enter_of("c", 0..1, ""));
    assert_eq!((refused.action, error_code(&refused)), (Action::Nack, Some(91003)));
    assert_eq!(world.send_numbered(&mut ada, enter_of("a", 0..125, "again")).action, Action::Ack, "no new ones");
    let leave = Frame { presence: vec![presence_message(PresenceAction::Leave, "m3", "")], ..enter_of("b", 0..0, "") };
    world.send_numbered(&mut ada, leave);
    assert_eq!(world.send_numbered(&mut ada, enter_of("c", 0..1, "")).action, Action::Ack);
    let mut bob = world.connect("");
    assert_eq!(world.send_numbered(&mut bob, enter_of("c", 0..199, "")).action, Action::Ack, "others have their own");
    assert_eq!(
        error_code(&world.send_numbered(&mut bob, enter_of("c", 200..201, ""))),
        Some(91003),
        "the channel is full"
    );
}

#[test]
fn a_connection_is_present_on_as_many_channels_as_it_may_attach_to_attached_or_not() {
    let mut world = World::with_limits(|limits| limits.channels_per_connection = 3);
    let mut ada = world.connect("clientId=ada");
    let mut enter = |world: &mut World, channel: &str| {
        error_code(&world.presence(&mut ada, channel, presence_message(PresenceAction::Enter, "", "")))
    };
    for channel in ["a", "b", "c", "a"] {
        assert_eq!(enter(&mut world, channel), None);
    }
    assert_eq!(enter(&mut world, "d"), Some(90010));
    let left = world.presence(&mut ada, "b", presence_message(PresenceAction::Leave, "", ""));
    assert_eq!(left.action, Action::Ack);
    let entered = world.presence(&mut ada, "d", presence_message(PresenceAction::Enter, "", ""));
    assert_eq!(entered.action, Action::Ack);
}

#[test]
fn many_members_leave_in_portions_and_each_of_them_does() {
    let mut world = World::new();
    let mut ada = world.connect("");
    let bob = world.connect("");
    for channel in 0..100 {
        world.attach(&bob, &format!("c{channel}"));
    }
    for channel in 0..100 {
        let answer = world.send_numbered(&mut ada, enter_of(&format!("c{channel}"), 0..2, &"x".repeat(20_000)));
        assert_eq!(answer.action, Action::Ack);
    }
    world.take(bob.link);
    let mut portions = Vec::new();
    world.hub.handle_frame(ada.link, Frame::new(Action::Close), world.now);
    loop {
        world.drain();
        portions.push(presence_in(&world.take(bob.link)).len());
        match world.hub.poll_timeout() {
            Some(at) if at < world.now + SECOND => world.now = at,
            _ => break,
        }
        world.hub.handle_timeout(world.now);
    }
    assert_eq!(portions.iter().sum::<usize>(), 200);
    assert!(portions.iter().all(|portion| *portion <= 16), "{portions:?}");
    assert_eq!(world.hub.stats().members, 0);
}

#[test]
fn who_enters_again_while_others_leave_stays() {
    let mut world = World::new();
    let mut ada = world.connect("");
    world.attach(&ada, "c");
    for from in [0, 20, 40] {
        world.send_numbered(&mut ada, enter_of("c", from..from + 20, &"x".repeat(3_000)));
    }
    world.hub.handle_frame(ada.link, Frame::for_channel(Action::Detach, "c".into()), world.now);
    assert!(world.hub.stats().members > 0, "not all have left yet");
    world.send_numbered(&mut ada, enter_of("c", 59..60, "again"));
    world.pass(SECOND);
    assert_eq!(world.hub.stats().members, 1);
}

#[test]
fn members_of_a_connection_that_comes_back_while_others_leave_stay() {
    let mut world = World::new();
    let (mut ada, bob) = (world.connect("clientId=ada&remainPresentFor=1000"), world.connect(""));
    for channel in ["a", "b"] {
        world.attach(&bob, channel);
    }
    for channel in ["a", "b"] {
        world.presence(&mut ada, channel, presence_message(PresenceAction::Enter, "", "here"));
    }
    world.close(ada.link);
    let again = world.connect(&format!("clientId=ada&{}", ada.resume_query()));
    world.attach(&again, "a");
    world.pass(SECOND * 20);
    assert_eq!(world.hub.stats().members, 1);
}

#[test]
fn a_resumed_client_gets_far_more_than_may_wait_for_a_socket_in_small_parts() {
    let mut world = World::with_limits(|limits| limits.replay_bytes = 64 * MIB);
    let mut ada = world.connect("");
    let bob = world.connect("");
    let mut serials = Vec::new();
    for channel in ["a", "b", "c"] {
        serials.push(world.attach(&bob, channel)[0].channel_serial.clone());
    }
    world.close(bob.link);
    let data = "x".repeat(60_000);
    for channel in ["a", "b", "c"] {
        for _ in 0..200 {
            world.send_numbered(&mut ada, publish_of(channel, &data));
        }
    }
    let again = world.connect(&bob.resume_query());
    let before = world.hub.budget.used();
    for (channel, serial) in ["a", "b", "c"].into_iter().zip(serials) {
        let attach = Frame { channel_serial: serial, ..Frame::for_channel(Action::Attach, channel.into()) };
        world.hub.handle_frame(again.link, attach, world.now);
    }
    assert!(world.hub.budget.used() - before < 100_000, "what the channels keep is not held again");
    handle(&mut world, &mut ada, publish_of("a", "live"));
    let (mut waiting, mut bytes, mut frames) = (0, 0, Vec::new());
    while let Some(output) = world.hub.poll_output() {
        let Output::Send { link, mut batch } = output else { continue };
        if link == again.link {
            waiting += batch.waiting_bytes();
            bytes += batch.held_bytes();
            frames.extend(std::iter::from_fn(|| batch.next_frame()));
        }
    }
    assert!(waiting < 50_000 && bytes > 3 * 200 * 60_000, "{waiting} of {bytes}");
    let messages: Vec<&Frame> = frames.iter().filter(|frame| frame.action == Action::Message).collect();
    assert_eq!(messages.len(), 601);
    assert_eq!(messages[600].messages[0].data, Some("live".into()), "after what was missed");
    assert!(messages[..200].iter().is_sorted_by_key(|frame| frame.channel_serial.clone()));
}

#[test]
fn a_publish_and_a_newcomer_are_refused_where_there_is_no_room() {
    let mut world = world_of(MIB);
    let mut ada = world.connect("clientId=ada");
    world.publish(&mut ada, "c", &["first"]);
    let held = world.hub.budget.charge(Purpose::Answers, 900_000);
    let refused = world.publish_messages(&mut ada, "c", vec![Message::new("m", "x".repeat(60_000))]);
    assert_eq!((refused.action, error_code(&refused)), (Action::Nack, Some(42910)));
    let small = world.publish_messages(&mut ada, "c", vec![Message::new("m", "x")]);
    assert_eq!(small.action, Action::Ack, "the largest are refused first");
    let word = presence_message(PresenceAction::Enter, "", &"x".repeat(60_000));
    assert_eq!(error_code(&world.presence(&mut ada, "c", word)), Some(42910));
    let more = world.hub.budget.charge(Purpose::Answers, 120_000);
    let link = world.open("");
    assert_eq!(error_code(&world.take_one(link, Action::Error)), Some(42910));
    world.send(ada.link, Frame::for_channel(Action::Attach, "d".into()));
    assert_eq!(error_code(&world.take_one(ada.link, Action::Error)), Some(42910));
    assert_eq!(world.hub.refusals.counters().refusals().get(&ErrorCode::RATE_EXCEEDED), Some(&4));
    drop((held, more));
    assert_eq!(world.publish_messages(&mut ada, "c", vec![Message::new("m", "x".repeat(60_000))]).action, Action::Ack);
}

#[test]
fn whatever_is_published_and_entered_the_budget_holds() {
    let mut world = world_of(4 * MIB);
    let mut clients: Vec<Client> = (0..4).map(|index| world.connect(&format!("clientId=c{index}"))).collect();
    let mut refused = 0;
    for round in 0..400 {
        for (index, client) in clients.iter_mut().enumerate() {
            let channel = format!("c{}", (round + index) % 7);
            handle(&mut world, client, publish_of(&channel, &"x".repeat(60_000)));
            let word = presence_message(PresenceAction::Enter, "", &"y".repeat(60_000));
            handle(&mut world, client, Frame { presence: vec![word], ..enter_of(&channel, 0..0, "") });
            assert!(world.hub.budget.used() <= 4 * MIB);
        }
        world.pass(Duration::from_millis(20));
        world.drain();
        for client in &clients {
            refused += world.take(client.link).iter().filter(|frame| error_code(frame) == Some(42910)).count();
        }
    }
    let shed = world.hub.refusals.counters().shed_bytes.get();
    assert!(shed > 10 * MIB as u64, "{shed} bytes of histories made room");
    assert!(refused < 400, "{refused} of 3,200 were refused before there was room");
}
