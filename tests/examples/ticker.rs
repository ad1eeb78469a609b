//! The ticker: all viewers agree.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    program::{Program, of_kind},
    relay::Relay,
};

/// What one viewer saw, in order: ticks and numbers of sessions of one channel.
type Seen = Vec<(String, u64)>;

fn seen(events: &[Value], channel: &str) -> BTreeMap<u64, Seen> {
    let mut seen = BTreeMap::<u64, Seen>::new();
    for event in events.iter().filter(|event| event["channel"] == channel) {
        let kind = event["event"].as_str().unwrap_or_default();
        if let (Some(viewer), Some(value)) =
            (event["viewer"].as_u64(), event[if kind == "tick" { "tick" } else { "sessions" }].as_u64())
        {
            seen.entry(viewer).or_default().push((kind.to_owned(), value));
        }
    }
    seen
}

/// Waits until all viewers of a process saw this number of sessions last.
fn agree(program: &mut Program, viewers: usize, sessions: u64) {
    // Each event is looked at once: with 25 viewers they come faster than all of them can be read again for each.
    let (mut read, mut last) = (0, BTreeMap::new());
    program.wait_until(&format!("{sessions} sessions"), |told| {
        for (viewer, seen) in seen(&told[read..], "ticker") {
            let value = seen.iter().rfind(|(kind, _)| kind == "sessions").map(|(_, value)| *value);
            let known = last.entry(viewer).or_default();
            *known = value.or(*known);
        }
        read = told.len();
        last.len() == viewers && last.values().all(|value| *value == Some(sessions))
    });
}

/// Whether a viewer saw what was published, without a gap, a double or a swap, from when it came to when it went.
fn is_part_of(seen: &Seen, all: &Seen) -> bool {
    all.windows(seen.len()).any(|part| part == seen.as_slice())
}

#[test]
fn fifty_viewers_agree_on_every_tick_and_on_the_sessions_while_viewers_come_and_go() {
    let relay = Relay::start();
    let viewers = |count: &str| Program::start("ticker", &relay.url, &["--viewers", count]);
    let mut publisher = Program::start("ticker", &relay.url, &["--publish", "--every", "100ms"]);
    publisher.wait_for("tick", |event| event["event"] == "tick");
    let mut first = viewers("25");
    agree(&mut first, 25, 25);
    let mut second = viewers("20");
    agree(&mut second, 20, 45);
    let mut third = viewers("5");
    for (program, count) in [(&mut first, 25), (&mut second, 20), (&mut third, 5)] {
        agree(program, count, 50);
    }
    second.say("quit");
    let second = second.finish();
    agree(&mut first, 25, 30);
    third.say("-ticker");
    agree(&mut first, 25, 25);
    let heard = |told: &[Value], kind: &str| of_kind(told, kind).filter(|event| event["viewer"] == 1).count();
    first.wait_until("all who left", |told| heard(told, "deregistered") == 25);
    assert!(heard(&first.told, "registered") >= 25, "and each who came after viewer 1");
    let (first, third) = (first.finish(), third.finish());
    agree(&mut publisher, 1, 0);
    let published = publisher.finish();
    let all = &seen(&published, "ticker")[&1];
    let ticks: Vec<u64> = all.iter().filter(|(kind, _)| kind == "tick").map(|(_, value)| *value).collect();
    assert!(ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ticks:?}");
    for (viewer, seen) in [first, second, third].iter().flat_map(|events| seen(events, "ticker")) {
        assert!(is_part_of(&seen, all), "viewer {viewer} saw {seen:?} of {all:?}");
    }
}

#[test]
fn a_session_is_on_many_channels_at_once_and_changes_them_as_it_runs() {
    let relay = Relay::start();
    let mut publisher = Program::start(
        "ticker",
        &relay.url,
        &["--publish", "--every", "100ms", "--channel", "red", "--channel", "blue"],
    );
    let mut viewer = Program::start("ticker", &relay.url, &["--channel", "red"]);
    let tick_of = |channel: &'static str| move |event: &Value| event["channel"] == channel && event["event"] == "tick";
    viewer.wait_for("red tick", tick_of("red"));
    viewer.say("+blue");
    viewer.wait_for("blue tick", tick_of("blue"));
    viewer.wait_for("red tick still", tick_of("red"));
    viewer.say("-red");
    publisher.wait_for("end of the session", |event| event["channel"] == "red" && event["sessions"] == 0);
    viewer.wait_for("blue tick still", tick_of("blue"));
    let before = viewer.told.len();
    viewer.wait_for("next blue tick", tick_of("blue"));
    assert!(!viewer.told[before..].iter().any(|event| event["channel"] == "red"), "red is over");
}
