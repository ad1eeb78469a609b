//! Shares: whoever tries to take all is refused alone.

use super::*;
use crate::RestRequest;

/// What a client with `query` is told first: that it is connected, or the code of its error.
fn refusal(world: &mut World, query: &str) -> Option<u32> {
    let link = world.open(query);
    let frame = world.take(link).remove(0);
    error_code(&frame)
}

#[test]
fn a_client_that_brings_many_channels_into_being_is_refused_alone() {
    let mut world = World::with_limits(|limits| {
        limits.channels_per_client = 5;
        limits.client_channel_rate = None;
    });
    let (mut mallory, mut ada) = (world.connect("clientId=mallory"), world.connect("clientId=ada"));
    for number in 0..5 {
        assert_eq!(world.publish(&mut mallory, &format!("room:X:to:{number}"), &["a"]).action, Action::Ack);
    }
    assert_eq!(error_code(&world.publish(&mut mallory, "room:X:to:5", &["a"])), Some(40113));
    world.send(mallory.link, Frame::for_channel(Action::Attach, "other".into()));
    assert_eq!(error_code(&world.take_one(mallory.link, Action::Error)), Some(40113));
    let enter = presence_message(PresenceAction::Enter, "", "");
    assert_eq!(error_code(&world.presence(&mut mallory, "third", enter)), Some(40113));
    assert_eq!(world.publish(&mut mallory, "room:X:to:4", &["a"]).action, Action::Ack, "one that there is");
    world.attach(&ada, "other");
    assert_eq!(world.publish(&mut mallory, "other", &["a"]).action, Action::Ack, "one of somebody else");
    assert_eq!(world.publish(&mut ada, "room:X:to:6", &["a"]).action, Action::Ack);
    world.pass(SECOND * 121);
    assert_eq!(world.publish(&mut mallory, "room:X:to:7", &["a"]).action, Action::Ack, "idle channels are gone");
}

#[test]
fn a_refused_frame_that_left_its_channel_behind_counts() {
    let mut world = World::with_limits(|limits| {
        limits.channels_per_client = 2;
        limits.members_per_channel = 0;
    });
    let mut mallory = world.connect("clientId=mallory");
    let enter = || presence_message(PresenceAction::Enter, "", "");
    for (channel, code) in [("a", 91003), ("b", 91003), ("c", 40113)] {
        assert_eq!(error_code(&world.presence(&mut mallory, channel, enter())), Some(code), "{channel}");
    }
}

#[test]
fn channels_come_into_being_at_the_rate_of_their_client() {
    let mut world = World::with_limits(|limits| limits.client_channel_rate = Some(2));
    let (mut mallory, mut ada) = (world.connect("clientId=mallory"), world.connect("clientId=ada"));
    for channel in ["a", "b"] {
        assert_eq!(world.publish(&mut mallory, channel, &["x"]).action, Action::Ack);
    }
    assert_eq!(error_code(&world.publish(&mut mallory, "c", &["x"])), Some(42910));
    assert_eq!(world.publish(&mut ada, "d", &["x"]).action, Action::Ack);
    world.pass(SECOND);
    assert_eq!(world.publish(&mut mallory, "c", &["x"]).action, Action::Ack);
}

#[test]
fn who_connects_and_drops_hurts_nobody() {
    let mut world = World::with_limits(|limits| {
        limits.connections = 30;
        limits.client_connection_rate = None;
    });
    let ada = world.connect("clientId=ada");
    world.attach(&ada, "c");
    world.close(ada.link);
    for number in 0..200 {
        let mallory = world.connect(&format!("clientId=mallory{}", number % 50));
        world.close(mallory.link);
        assert!(world.hub.stats().connections <= 30);
    }
    assert_eq!(refusal(&mut world, "clientId=bob"), None);
    assert_eq!(world.connect(&format!("clientId=ada&{}", ada.resume_query())).id, ada.id, "hers is kept");
}

#[test]
fn a_client_has_so_many_connections_and_begins_so_many_a_second() {
    let mut world = World::with_limits(|limits| limits.connections_per_client = 3);
    let held: Vec<Client> = (0..3).map(|_| world.connect("clientId=mallory")).collect();
    assert_eq!(refusal(&mut world, "clientId=mallory"), Some(40111));
    assert_eq!(refusal(&mut world, "clientId=ada"), None);
    world.close(held[0].link);
    assert_eq!(refusal(&mut world, "clientId=mallory"), None, "it takes the place of the dropped one");
    let gone = world.open(&format!("clientId=mallory&{}", held[0].resume_query()));
    assert_eq!(error_code(&world.take_one(gone, Action::Error)), Some(40111));

    let mut world = World::new();
    for _ in 0..50 {
        let mallory = world.connect("clientId=mallory");
        world.close(mallory.link);
    }
    assert_eq!(refusal(&mut world, "clientId=mallory"), Some(42910));
    assert_eq!(refusal(&mut world, "clientId=ada"), None);
    world.pass(SECOND);
    assert_eq!(refusal(&mut world, "clientId=mallory"), None);
}

#[test]
fn an_address_has_half_of_the_connections() {
    let mut world = World::with_limits(|limits| limits.connections = 400);
    let mut connect = |client: usize, address: [u8; 4]| {
        let query = format!("v=6&key={DEVELOPMENT_KEY}&clientId=client{client}");
        let request = ConnectRequest { address: Some(address.into()), ..ConnectRequest::from_query(&query) };
        let link = world.hub.open(&request, world.now);
        world.drain();
        error_code(&world.take(link).remove(0))
    };
    for client in 0..200 {
        assert_eq!(connect(client, [10, 0, 0, 1]), None);
    }
    assert_eq!(connect(200, [10, 0, 0, 1]), Some(40111));
    assert_eq!(connect(200, [10, 0, 0, 2]), None);
}

#[test]
fn twenty_players_of_one_address_play_without_being_refused() {
    let mut world = World::new();
    let mut players = Vec::new();
    for player in 0..20 {
        let query = format!("v=6&key={DEVELOPMENT_KEY}&clientId=player{player}");
        let request = ConnectRequest { address: Some([127, 0, 0, 1].into()), ..ConnectRequest::from_query(&query) };
        let link = world.hub.open(&request, world.now);
        world.drain();
        let connected = world.take_one(link, Action::Connected);
        let key = connected.connection_details.unwrap().connection_key.unwrap();
        players.push(Client { link, id: connected.connection_id.unwrap(), key, serial: 0 });
    }
    for (number, player) in players.iter_mut().enumerate() {
        for channel in ["room:otter".to_owned(), format!("room:otter:to:player{number}"), "rooms".to_owned()] {
            world.send(player.link, Frame::for_channel(Action::Attach, channel.as_str().into()));
            assert!(world.take(player.link).iter().any(|frame| frame.action == Action::Attached));
            let enter = presence_message(PresenceAction::Enter, "", "here");
            assert_eq!(world.presence(player, &channel, enter).action, Action::Ack);
        }
        for other in 0..20 {
            let inbox = format!("room:otter:to:player{other}");
            assert_eq!(world.publish(player, &inbox, &["hello"]).action, Action::Ack);
        }
    }
}

#[test]
fn what_comes_over_http_counts_for_the_share_of_its_client() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut world = World::with_limits(|limits| limits.channels_per_client = 2);
    let mut publish = |channel: &str, client: &str| {
        let headers = [
            ("authorization", format!("Basic {}", STANDARD.encode(DEVELOPMENT_KEY))),
            ("x-ably-clientid", STANDARD.encode(client)),
        ];
        let request = RestRequest {
            method: "POST".to_owned(),
            target: format!("/channels/{channel}/messages"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: b"{}".to_vec(),
        };
        let response = world.hub.rest(&request, world.now);
        (response.status, response.header("x-ably-errorcode").map(str::to_owned))
    };
    for channel in ["a", "b", "a"] {
        assert_eq!(publish(channel, "mallory").0, 201);
    }
    assert_eq!(publish("c", "mallory"), (429, Some("40113".to_owned())));
    assert_eq!(publish("c", "ada").0, 201);
}

#[test]
fn one_client_leaves_others_something_of_the_rates_of_all() {
    let mut world = World::with_limits(|limits| {
        limits.new_connection_rate = Some(8);
        limits.new_channel_rate = Some(8);
    });
    let begun = (0..20).filter(|_| refusal(&mut world, "clientId=mallory").is_none()).count();
    assert_eq!(begun, 6);
    let mut ada = world.connect("clientId=ada");
    world.pass(SECOND);
    let mut mallory = world.connect("clientId=mallory");
    let publish = |world: &mut World, client: &mut Client, name: String| {
        world.publish(client, &name, &["a"]).action == Action::Ack
    };
    let made = (0..20).filter(|number| publish(&mut world, &mut mallory, format!("m{number}"))).count();
    assert_eq!(made, 6);
    assert!(publish(&mut world, &mut ada, "a".to_owned()));
}
