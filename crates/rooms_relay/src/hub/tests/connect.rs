use super::*;

#[test]
fn the_first_frame_has_all_details_of_the_connection() {
    let mut world = World::new();
    let link = world.open("clientId=ada");
    let frame = world.take_one(link, Action::Connected);
    assert!(frame.connection_id.is_some() && frame.error.is_none());
    let details = frame.connection_details.unwrap();
    assert_eq!(details.client_id, Some("ada".into()));
    assert!(details.connection_key.unwrap().as_str().len() >= 22, "128 bits and more");
    assert_eq!(details.max_message_size, Some(65_536));
    assert_eq!(details.max_frame_size, Some(524_288));
    assert_eq!(details.connection_state_ttl, Some(120_000));
    assert_eq!(details.max_idle_interval, Some(15_000));
    assert_eq!(details.max_inbound_rate, None);
}

#[test]
fn a_key_without_a_client_id_may_be_anybody() {
    let mut world = World::new();
    let link = world.open("");
    let details = world.take_one(link, Action::Connected).connection_details.unwrap();
    assert_eq!(details.client_id, Some("*".into()));
}

#[test]
fn bad_credentials_are_an_error_in_band_and_then_a_close() {
    for (query, code) in [("v=6", 40106), ("v=6&key=this.is:wrong", 40101), ("v=6&access_token=x", 40101)] {
        let mut world = World::new();
        let link = world.open_raw(query);
        let frame = world.take_one(link, Action::Error);
        assert_eq!((error_code(&frame), frame.channel.is_some()), (Some(code), false));
        assert_eq!(frame.error.unwrap().status_code, 401);
        assert_eq!(world.closed, [link]);
        assert_eq!(world.hub.stats(), HubStats::default());
    }
}

#[test]
fn what_the_relay_does_not_speak_is_refused_with_a_reason() {
    for (query, code) in [("v=1", 40017), ("v=six", 40017), ("format=xml", 40003)] {
        let mut world = World::new();
        let link = world.open(query);
        assert_eq!(error_code(&world.take_one(link, Action::Error)), Some(code));
    }
    let mut world = World::new();
    let link = world.open("v=7&format=json");
    world.take_one(link, Action::Connected);
}

#[test]
fn a_ping_is_answered_with_its_id() {
    let mut world = World::new();
    let client = world.connect("");
    world.send(client.link, Frame { id: Some("p1".to_owned()), ..Frame::new(Action::Heartbeat) });
    assert_eq!(world.take_one(client.link, Action::Heartbeat).id.as_deref(), Some("p1"));
}

#[test]
fn a_silent_link_gets_a_sign_of_life_within_the_promised_interval() {
    let mut world = World::new();
    let framed = world.connect("heartbeats=true");
    let pinged = world.connect("heartbeats=false");
    world.pass(SECOND * 10);
    assert_eq!(world.take_one(framed.link, Action::Heartbeat).id, None);
    assert_eq!(world.pings, [framed.link, pinged.link], "by its answer the relay knows that a client is there");
    world.pass(SECOND * 30);
    assert_eq!(world.take(framed.link).len(), 3);
    assert_eq!(world.pings.len(), 8);
    assert!(world.take(pinged.link).is_empty());
}

#[test]
fn a_client_may_ask_for_another_interval() {
    let mut world = World::new();
    let link = world.open("heartbeats=true&heartbeatInterval=6000");
    let details = world.take_one(link, Action::Connected).connection_details.unwrap();
    assert_eq!(details.max_idle_interval, Some(6000));
    world.pass(SECOND * 4);
    world.take_one(link, Action::Heartbeat);
    let link = world.open("heartbeatInterval=1");
    let details = world.take_one(link, Action::Connected).connection_details.unwrap();
    assert_eq!(details.max_idle_interval, Some(5000));
}

#[test]
fn close_is_answered_and_leaves_nothing_to_resume() {
    let mut world = World::new();
    let client = world.connect("");
    world.send(client.link, Frame::new(Action::Close));
    world.take_one(client.link, Action::Closed);
    assert_eq!(world.closed, [client.link]);
    assert_eq!(world.hub.stats().connections, 0);
}

#[test]
fn disconnect_ends_the_link_and_keeps_the_connection() {
    let mut world = World::new();
    let client = world.connect("");
    world.send(client.link, Frame::new(Action::Disconnect));
    assert_eq!(world.closed, [client.link]);
    assert_eq!((world.hub.stats().links, world.hub.stats().connections), (0, 1));
}

#[test]
fn a_token_that_comes_in_band_is_refused() {
    let mut world = World::new();
    let client = world.connect("");
    world.send(client.link, Frame::new(Action::Auth));
    let frame = world.take_one(client.link, Action::Error);
    assert_eq!((error_code(&frame), frame.channel), (Some(40101), None));
    assert_eq!(world.closed, [client.link]);
}

#[test]
fn unknown_actions_are_ignored() {
    let mut world = World::new();
    let client = world.connect("");
    for number in [-1, 2, 3, 18, 99, i64::MAX] {
        world.send(client.link, Frame::new(Action::from(number)));
    }
    assert!(world.take(client.link).is_empty() && world.closed.is_empty());
}

#[test]
fn publishes_of_features_that_are_not_here_are_refused_not_dropped() {
    let mut world = World::new();
    let mut client = world.connect("");
    for number in [19, 21] {
        let answer = world.send_numbered(&mut client, Frame::for_channel(Action::from(number), "c".into()));
        assert_eq!(answer.action, Action::Nack);
    }
    assert_eq!(world.publish(&mut client, "c", &["a"]).action, Action::Ack);
}

#[test]
fn a_malformed_frame_disconnects_and_the_connection_may_be_resumed() {
    let mut world = World::new();
    let client = world.connect("");
    world.receive(client.link, WireFrame::Text("{".to_owned()));
    assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(80013));
    assert_eq!(world.closed, [client.link]);
    assert_eq!(world.connect(&client.resume_query()).id, client.id);
}

#[test]
fn a_full_relay_refuses_new_connections_and_still_resumes_old_ones() {
    let mut world = World::with_limits(|limits| limits.connections = 1);
    let client = world.connect("");
    let refused = world.open("");
    let error = world.take_one(refused, Action::Error).error.unwrap();
    assert_eq!((error.code.0, error.status_code), (40111, 403));
    world.close(client.link);
    assert_eq!(world.connect(&client.resume_query()).id, client.id);
}

#[test]
fn all_clients_get_disconnected_at_a_shutdown_and_so_do_later_ones() {
    let mut world = World::new();
    let (one, two) = (world.connect(""), world.connect(""));
    world.hub.shut_down(world.now);
    world.drain();
    for client in [&one, &two] {
        let frame = world.take_one(client.link, Action::Disconnected);
        assert_eq!((error_code(&frame), frame.error.unwrap().status_code), (Some(80003), 503));
    }
    let late = world.open("");
    world.take_one(late, Action::Disconnected);
    assert_eq!(world.closed, [one.link, two.link, late]);
}

#[test]
fn links_that_were_closed_are_ignored() {
    let mut world = World::new();
    let client = world.connect("");
    world.close(client.link);
    world.send(client.link, Frame::for_channel(Action::Attach, "c".into()));
    world.close(client.link);
    assert!(world.take(client.link).is_empty());
    assert_eq!(world.hub.stats().channels, 0);
}

#[test]
fn durations_without_end_are_no_trouble() {
    let mut world = World::with_limits(|limits| {
        limits.connection_state_ttl = Duration::MAX;
        limits.max_idle_interval = Duration::MAX;
        limits.remain_present_for = Duration::MAX;
        limits.replay_window = Duration::MAX;
    });
    let mut client = world.connect("clientId=ada");
    world.attach(&client, "c");
    world.publish(&mut client, "c", &["a"]);
    world.presence(&mut client, "c", presence_message(PresenceAction::Enter, "", ""));
    world.close(client.link);
    world.pass(SECOND * 1_000);
    assert_eq!(world.connect(&format!("clientId=ada&{}", client.resume_query())).id, client.id);
}

#[test]
fn connections_begin_at_the_rate_that_they_may_and_resuming_does_not_count() {
    let mut world = World::with_limits(|limits| limits.new_connection_rate = Some(1));
    let ada = world.connect("");
    let refused = world.open("");
    assert_eq!(error_code(&world.take_one(refused, Action::Error)), Some(42910));
    let again = world.open(&ada.resume_query());
    assert_eq!(world.take_one(again, Action::Connected).connection_id, Some(ada.id));
    world.pass(SECOND);
    world.connect("");
}
