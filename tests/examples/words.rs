//! Words over a broken line: each arrives once.

use serde_json::Value;

use super::{
    program::{Program, of_kind},
    relay::Relay,
};

/// Forty words.
fn phrase() -> String {
    (0..40).map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ")
}

fn host(relay: &Relay, more: &[&str]) -> Program {
    let phrase = phrase();
    Program::start("words", &relay.url, &[&["--host", "--every", "100ms", "--phrase", &phrase], more].concat())
}

/// Waits until the channel is attached.
fn reader(relay: &Relay, flags: &[&str]) -> Program {
    let mut reader = Program::start("words", &relay.url, flags);
    reader.wait_for("channel", |event| event["event"] == "channel" && event["state"] == "Attached");
    reader
}

/// What a program told, in which each word has to be there once and in its place.
fn whole(program: Program) -> Vec<Value> {
    let told = program.finish();
    let words: Vec<_> = of_kind(&told, "word").filter_map(|event| event["number"].as_u64()).collect();
    assert_eq!(words, (0..40).collect::<Vec<_>>());
    assert_eq!(of_kind(&told, "phrase").filter_map(|event| event["phrase"].as_str()).collect::<Vec<_>>(), [phrase()]);
    told
}

fn continuities(told: &[Value]) -> Vec<&str> {
    of_kind(told, "channel").filter_map(|event| event["continuity"].as_str()).collect()
}

#[test]
fn each_word_arrives_once_over_a_cut_of_each_side() {
    let relay = Relay::start();
    let reader = reader(&relay, &["--cut-after-words", "5", "--cut-for", "5s"]);
    let host = host(&relay, &["--cut-after-words", "10", "--cut-for", "5s"]);
    for told in [whole(reader), whole(host)] {
        assert_eq!(continuities(&told), ["Kept"], "the line went on where it was");
        assert_eq!(of_kind(&told, "caught_up").count(), 0);
        let states: Vec<_> = of_kind(&told, "connection").map(|event| event["state"].as_str()).collect();
        assert!(states.contains(&Some("Disconnected")), "the line was cut: {states:?}");
        let waits =
            of_kind(&told, "connection").any(|event| event["retry_in_ms"].as_u64().is_some_and(|wait| wait > 0));
        assert!(waits, "and the wait for the next attempt was told");
    }
}

#[test]
fn past_the_resume_window_the_reader_catches_up_and_says_so_and_a_latecomer_rewinds() {
    let relay = Relay::with_config("[limits]\nresume_window_seconds = 1\n");
    let reader = reader(&relay, &["--cut-after-words", "5", "--cut-for", "5s"]);
    let mut host = host(&relay, &[]);
    host.wait_for("the middle of the phrase", |event| event["number"] == 20);
    let latecomer = self::reader(&relay, &[]);
    let told = whole(reader);
    assert_eq!(continuities(&told), ["Lost"]);
    let caught_up: Vec<_> = of_kind(&told, "caught_up").collect();
    let recovered = of_kind(&told, "word").filter(|event| event["recovered"] == true).count();
    assert!(recovered > 0, "{told:?}");
    assert!(caught_up.len() == 1 && caught_up[0]["recovered"] == recovered && caught_up[0]["complete"] == true);
    whole(latecomer);
    whole(host);
}
