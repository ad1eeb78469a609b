//! Lines that break at every step of the way.

use super::*;

/// One step of a session between a client that connects, attaches, enters, publishes, detaches and closes, and its
/// server.
type Step = (&'static str, fn(&mut Bench));

const STEPS: [Step; 10] = [
    ("the client connects", |bench| bench.command(Command::Connect)),
    ("the socket opens", |bench| {
        if let Some(socket) = bench.socket {
            bench.client.handle_opened(socket, bench.now);
        }
    }),
    ("the server answers", |bench| bench.receive(welcome("conn-1"))),
    ("the client attaches", |bench| bench.attach("c")),
    ("the channel is attached", |bench| {
        bench.receive(json!({ "action": 11, "channel": "c", "channelSerial": "s0", "flags": 1 }));
    }),
    ("a page of members comes", |bench| {
        bench.receive(json!({ "action": 16, "channel": "c", "channelSerial": "x:1", "presence": [] }));
    }),
    ("the client enters", |bench| bench.presence(1, PresenceCommand::Enter, "hi")),
    ("the client publishes", |bench| bench.publish(2, Lifetime::Durable)),
    ("the first frame is acknowledged", |bench| bench.receive(json!({ "action": 1, "msgSerial": 0, "count": 1 }))),
    ("the second frame is acknowledged", |bench| bench.receive(json!({ "action": 1, "msgSerial": 1, "count": 1 }))),
];

/// Answers what the client sends until nothing more comes, as a patient server would.
fn serve(bench: &mut Bench) {
    for _ in 0..100 {
        if bench.client.state() == ConnectionState::Connecting && bench.socket.is_some() {
            bench.accept("conn-1");
        }
        let sent = std::mem::take(&mut bench.sent);
        if sent.is_empty() && bench.client.state() == ConnectionState::Connected {
            return;
        }
        for frame in sent {
            let (channel, serial) = (frame.channel.clone(), frame.msg_serial);
            match frame.action {
                Action::Attach => bench.receive(json!({ "action": 11, "channel": channel, "flags": 4 })),
                Action::Message | Action::Presence => {
                    bench.receive(json!({ "action": 1, "msgSerial": serial, "count": 1 }));
                }
                _ => {}
            }
        }
        bench.pass(SECOND);
    }
    panic!("the client did not come to rest in {:?}", bench.client.state());
}

#[test]
fn whatever_step_the_line_breaks_at_all_comes_right_in_the_end() {
    for cut in 1..=STEPS.len() {
        let mut bench = Bench::new();
        for (_, step) in &STEPS[..cut] {
            step(&mut bench);
        }
        let name = STEPS[cut - 1].0;
        bench.sent.clear();
        bench.cut();
        serve(&mut bench);
        for (_, step) in STEPS[cut..].iter().filter(|(name, _)| name.starts_with("the client")) {
            step(&mut bench);
            serve(&mut bench);
        }
        assert_eq!(bench.client.channel_state(&"c".into()), ChannelState::Attached, "after: {name}");
        let (mut taken, failed) = bench.outcomes();
        taken.sort_unstable();
        assert_eq!((taken, failed), (vec![1, 2], vec![]), "after: {name}");
        assert_eq!(bench.client.stats().pending + bench.client.stats().queued, 0, "after: {name}");
    }
}

#[test]
fn whatever_step_closing_comes_at_the_client_ends_closed() {
    for close in 1..=STEPS.len() {
        let mut bench = Bench::new();
        for (_, step) in &STEPS[..close] {
            step(&mut bench);
        }
        bench.command(Command::Close);
        bench.pass(10 * SECOND);
        let name = STEPS[close - 1].0;
        assert_eq!(bench.client.state(), ConnectionState::Closed, "after: {name}");
        assert_eq!((bench.client.poll_timeout(), bench.socket), (None, None), "after: {name}");
        let stats = bench.client.stats();
        assert_eq!((stats.pending, stats.queued, stats.members), (0, 0, 0), "after: {name}");
    }
}

#[test]
fn word_of_a_socket_that_is_not_the_current_one_is_ignored() {
    let mut bench = Bench::connected();
    let old = bench.socket.unwrap();
    bench.cut();
    bench.forget();
    let frame = wire::decode(&welcome("conn-9").to_string()).unwrap();
    bench.client.handle_opened(old, bench.now);
    bench.client.handle_frame(old, frame, bench.now);
    bench.client.handle_malformed(old, &wire::decode("").unwrap_err(), bench.now);
    bench.client.handle_closed(old, None, bench.now);
    bench.drain();
    assert_eq!((bench.client.state(), bench.events.len()), (ConnectionState::Connecting, 0));
}
