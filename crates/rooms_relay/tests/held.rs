//! What the hub holds for whoever sends it anything: no more than 20 bytes for each byte that came, as the allocator counts
//! them, and not much for each connection and channel. It looks at the seeds of the fuzz targets, at what a run of them left in
//! `fuzz/corpus`, and at courses that were thought up to make it hold much.

#![cfg(not(target_arch = "wasm32"))]

mod course;

use std::{fmt::Write as _, fs, path::Path};

const KEY: &str = "key=rooms.dev:insecure-development-key";

/// Lines of a course that are looked at.
const MOST: usize = 10_000;

fn open(clients: usize, more: &str) -> String {
    (0..clients).map(|client| format!("open v=6&{KEY}&clientId=c{client}{more}\n")).collect()
}

fn attach(link: usize, channel: &str) -> String {
    format!("json {link} {{\"action\":10,\"channel\":\"{channel}\"}}\n")
}

fn publish(link: usize, channel: &str, serial: usize, messages: &str) -> String {
    format!(
        "json {link} {{\"action\":15,\"channel\":\"{channel}\",\"msgSerial\":{serial},\"messages\":[{messages}]}}\n"
    )
}

fn run(course: &str) {
    course::hub(course.as_bytes(), MOST, |limits| {
        limits.replay_frames = 1_000;
        limits.channels = 1_000;
        limits.channels_per_connection = 200;
        limits.members_per_channel = 200;
    });
}

#[test]
fn the_seeds_and_the_corpus_of_the_fuzz_target_hold_little() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for folder in ["seeds/hub", "corpus/hub"] {
        for file in fs::read_dir(fuzz.join(folder)).into_iter().flatten() {
            course::hub(&fs::read(file.unwrap().path()).unwrap(), MOST, |_| {});
        }
    }
}

#[test]
fn histories_hold_little_however_small_the_messages_are() {
    for message in ["{}", r#"{"data":"x"}"#, r#"{"data":{}}"#, r#"{"extras":{}}"#, r#"{"id":"a:0","name":"n"}"#] {
        let mut course = open(2, "") + &attach(0, "c");
        for serial in 0..200 {
            course += &publish(1, "c", serial, message);
        }
        run(&course);
        run(&(open(1, "") + &publish(0, "c", 0, &vec![message; 1_000].join(","))));
    }
}

#[test]
fn trees_are_held_as_text() {
    let tree = format!(r#"{{"a":[{}]}}"#, vec![r#"{"":0}"#; 8_000].join(","));
    for field in ["extras", "data"] {
        let mut course = open(2, "") + &attach(0, "c");
        for serial in 0..10 {
            course += &publish(1, "c", serial, &format!(r#"{{"{field}":{tree}}}"#));
            let _ = writeln!(
                course,
                r#"json 0 {{"action":14,"channel":"c","msgSerial":{serial},"presence":[{{"action":2,"{field}":{tree}}}]}}"#
            );
        }
        run(&course);
    }
}

#[test]
fn members_and_what_is_kept_of_their_comings_and_goings_are_small() {
    let mut course = open(1, "") + &attach(0, "c");
    for serial in 0..300 {
        let action = 2 + 2 * (serial % 2);
        let _ = writeln!(
            course,
            r#"json 0 {{"action":14,"channel":"c{}","msgSerial":{serial},"presence":[{{"action":{action},"data":"d"}}]}}"#,
            serial % 4
        );
    }
    run(&course);
}

#[test]
fn what_waits_for_those_who_do_not_read_is_held_once() {
    for format in ["json", "msgpack"] {
        let mut course = open(5, &format!("&format={format}"));
        for link in 0..4 {
            for name in 0..8 {
                course += &attach(link, &format!("[?x={name}]c"));
            }
            let _ = writeln!(course, "stop {link}");
        }
        for serial in 0..100 {
            course += &publish(4, "c", serial, r#"{"data":"x"}"#);
        }
        course += &attach(0, "[?rewind=100]c");
        course += "read 0\nread 1\nread 2\n";
        run(&course);
    }
}

#[test]
fn refusals_that_nobody_reads_are_small() {
    let mut course = open(1, "") + "stop 0\n";
    for serial in 0..500 {
        course += &publish(0, "c", serial, r#"{"name":5}"#);
        course += &attach(0, &format!("[?rewind={serial}x]c"));
        course += &attach(0, &format!("c{serial}"));
    }
    run(&course);
}

#[test]
fn connections_that_come_and_go_leave_little() {
    let mut course = String::new();
    for round in 0..50 {
        course += &open(3, "&echo=false&heartbeats=true");
        for link in 0..3 {
            let link = 3 * round + link;
            course += &attach(link, "a");
            course += &publish(link, "b", 0, r#"{"data":"x"}"#);
            let _ = writeln!(course, "close {link}");
        }
        course += "wait 30000\n";
    }
    run(&course);
}
