//! A server or a network that follows no rule: nothing panics, and nothing grows without bound.

use proptest::prelude::*;

use super::*;

/// Values that a server should not send, in any field.
fn junk() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(-1), Just(0), -3_i64..5].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c:]{0,4}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{ "serials": ["x", null] }, {}])),
    ]
}

/// Frames that have the right shape, more or less.
fn frame() -> impl Strategy<Value = Value> {
    let channel = prop_oneof![Just("c"), Just("d"), Just("unknown"), Just("")];
    let serial = prop_oneof![Just(i64::MIN), Just(i64::MAX), -2_i64..6];
    let id = prop_oneof![Just("conn-1"), Just("conn-2"), Just("")];
    let word = (0_i64..7, prop_oneof![Just("ada"), Just("bob"), Just("eve")], "[a-c]:-?[0-9]{1,3}:[0-9]", id.clone())
        .prop_map(|(action, client, id, connection)| {
            json!({ "action": action, "clientId": client, "connectionId": connection, "id": id, "data": "{", "encoding": "json" })
        });
    let words = prop::collection::vec(word, 0..4);
    let cursor =
        prop_oneof![Just(Value::Null), Just(json!("x:1")), Just(json!("x:")), Just(json!("y:2")), Just(json!(""))];
    (0_i64..20, channel, serial, any::<u32>(), any::<u32>(), words, cursor, id).prop_map(
        |(action, channel, serial, count, flags, words, cursor, id)| {
            let mut frame = json!({
                "action": action, "channel": channel, "msgSerial": serial, "count": count, "flags": flags,
                "channelSerial": cursor, "connectionId": id, "id": "conn-1:0", "timestamp": serial,
                "presence": words, "messages": [{ "data": "x", "encoding": "base64" }, {}],
                "connectionDetails": { "connectionKey": "k", "maxIdleInterval": count, "connectionStateTtl": flags },
            });
            if serial < 0 && action != 11 {
                frame.as_object_mut().unwrap().remove("channel");
            }
            frame
        },
    )
}

#[derive(Clone, Debug)]
enum Happening {
    Frame(Value),
    /// A frame with one field replaced by something that does not belong there.
    Mutated(Value, String, Value),
    /// A frame cut short.
    Truncated(Value, usize),
    Cut,
    Accept,
    Pass(u64),
    Command(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let field = prop_oneof![
        Just("action"),
        Just("channel"),
        Just("msgSerial"),
        Just("count"),
        Just("flags"),
        Just("presence"),
        Just("messages"),
        Just("connectionDetails"),
        Just("channelSerial"),
        Just("error"),
        Just("res"),
        Just("params"),
    ];
    prop_oneof![
        4 => frame().prop_map(Happening::Frame),
        2 => (frame(), field, junk()).prop_map(|(frame, field, junk)| Happening::Mutated(frame, field.to_owned(), junk)),
        1 => (frame(), 0_usize..80).prop_map(|(frame, length)| Happening::Truncated(frame, length)),
        1 => Just(Happening::Cut),
        3 => Just(Happening::Accept),
        1 => (0_u64..40_000).prop_map(Happening::Pass),
        4 => any::<u8>().prop_map(Happening::Command),
    ]
}

fn receive_text(bench: &mut Bench, text: &str) {
    let Some(socket) = bench.socket else { return };
    match wire::decode(text) {
        Ok(frame) => bench.client.handle_frame(socket, frame, bench.now),
        Err(error) => bench.client.handle_malformed(socket, &error, bench.now),
    }
    bench.drain();
}

fn happen(bench: &mut Bench, happening: Happening) {
    match happening {
        Happening::Frame(frame) => receive_text(bench, &frame.to_string()),
        Happening::Mutated(mut frame, field, junk) => {
            frame[field] = junk;
            receive_text(bench, &frame.to_string());
        }
        Happening::Truncated(frame, length) => {
            let text: String = frame.to_string().chars().take(length).collect();
            receive_text(bench, &text);
        }
        Happening::Cut if bench.socket.is_some() => bench.cut(),
        Happening::Accept if bench.socket.is_some() => bench.accept("conn-1"),
        Happening::Cut | Happening::Accept => {}
        Happening::Pass(ms) => bench.pass(Duration::from_millis(ms)),
        Happening::Command(number) => match number % 10 {
            0 => bench.command(Command::Connect),
            1 => bench.attach("c"),
            2 => bench.attach("d"),
            3 => bench.detach("c"),
            4 => bench.publish(number.into(), Lifetime::Durable),
            5 => bench.publish(number.into(), Lifetime::Volatile),
            6 => bench.publish(number.into(), Lifetime::Connection),
            7 => bench.presence(number.into(), PresenceCommand::Enter, "x"),
            8 => bench.presence(number.into(), PresenceCommand::Leave, "x"),
            _ if number < 20 => bench.command(Command::Close),
            _ => bench.command(Command::Ping),
        },
    }
}

/// How many operations the happening starts; each of them ends with one outcome.
fn operations(happening: &Happening) -> usize {
    usize::from(matches!(happening, Happening::Command(number) if (4..=8).contains(&(number % 10))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_nothing_panics_and_everything_stays_bounded(
        happenings in prop::collection::vec(happening(), 1..120),
    ) {
        let mut bench = Bench::with(ClientOptions { outbox_limit: 8, ..options() });
        bench.command(Command::Connect);
        let (mut started, mut ended) = (0, 0);
        for happening in happenings {
            started += operations(&happening);
            happen(&mut bench, happening);
            let stats = bench.client.stats();
            // Entering again is the client's own doing, once per channel.
            prop_assert!(stats.queued + stats.pending <= 8 + 2, "{stats:?}");
            prop_assert!(stats.channels <= 2 && stats.members <= 100, "{stats:?}");
            ended += bench.events.iter().filter(|event| matches!(event, Event::Published { .. })).count();
            bench.forget();
        }
        bench.command(Command::Close);
        bench.pass(10 * SECOND);
        ended += bench.events.iter().filter(|event| matches!(event, Event::Published { .. })).count();
        prop_assert_eq!(started, ended, "every operation has exactly one outcome");
        prop_assert_eq!(bench.client.poll_timeout(), None, "and nothing goes on after the end");
    }
}

#[test]
fn a_server_that_answers_every_reentry_with_a_lost_channel_fills_nothing() {
    let mut bench = Bench::attached();
    bench.presence(1, PresenceCommand::Enter, "x");
    bench.receive(json!({ "action": 1, "msgSerial": 0, "count": 1 }));
    for _ in 0..1000 {
        bench.receive(json!({ "action": 11, "channel": "c", "flags": 0 }));
    }
    assert!(bench.client.stats().pending <= 1);
}

#[test]
fn channels_that_come_and_are_released_leave_nothing_behind() {
    let mut bench = Bench::connected();
    for index in 0..1000 {
        let name = format!("c{index}");
        bench.attach(&name);
        bench.receive(json!({ "action": 11, "channel": name, "flags": 1 }));
        bench.release(&name);
        bench.receive(json!({ "action": 13, "channel": name }));
        bench.forget();
    }
    assert_eq!(bench.client.stats().channels, 0);
    assert_eq!(bench.client.poll_timeout(), Some(bench.now + 25 * SECOND), "only the silence is watched");
}
