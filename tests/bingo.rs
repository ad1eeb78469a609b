//! Rounds of bingo between real processes over real sockets, judged by a referee that knows only the rules.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "support/processes.rs"]
#[expect(dead_code, reason = "nothing is waited for or killed here")]
mod processes;
#[path = "support/referee.rs"]
mod referee;

use std::{
    io::{BufRead, BufReader, Read},
    process::Child,
};

use processes::{Relay, bingo};
use referee::{Summary, Transcript, judge, transcripts};

/// The transcripts of a process that has to end well.
fn finished(name: &str, mut process: Child) -> Vec<Transcript> {
    let (mut output, mut errors) = (String::new(), String::new());
    let mut stderr = process.stderr.take().expect("a piped output");
    let reading = std::thread::spawn(move || {
        let _ = stderr.read_to_string(&mut errors);
        errors
    });
    process.stdout.take().expect("a piped output").read_to_string(&mut output).expect("text");
    let status = process.wait().expect("the process ends");
    let errors = reading.join().expect("the errors were read");
    assert!(status.success(), "{name} ended with {status}: {errors}\n{output}");
    transcripts(name, &output).unwrap_or_else(|findings| panic!("{name}: {findings:#?}"))
}

fn judged(transcripts: &[Transcript]) -> Summary {
    judge(transcripts).unwrap_or_else(|findings| panic!("the referee found: {findings:#?}"))
}

#[test]
fn four_processes_on_one_relay_play_a_fair_round() {
    let relay = Relay::start();
    let players = ["Ada", "Ben", "Cy", "Di"].map(|name| {
        let mut command = bingo();
        command.args(["--room", "den", "--relay", &relay.url, "--name", name, "--interval", "50ms"]);
        command.args(if name == "Ada" { &["--host", "--players", "4"][..] } else { &["--join"][..] });
        (name, command.spawn().expect("a player starts"))
    });
    let transcripts: Vec<Transcript> =
        players.into_iter().flat_map(|(name, process)| finished(name, process)).collect();
    let summary = judged(&transcripts);
    assert_eq!((summary.players.len(), summary.rounds.len()), (4, 1));
    assert_eq!(summary.rounds[0].players.len(), 4, "everyone was dealt a strip");
    assert!(!summary.rounds[0].prizes.is_empty(), "somebody won something");
}

/// Without `--relay` the game runs one itself, at the port where other games look for it: so this test uses that port.
#[test]
fn one_process_with_four_bots_plays_two_fair_rounds_without_a_relay_given() {
    let mut command = bingo();
    command.args(["--bots", "4", "--rounds", "2", "--interval", "50ms", "--seed", "7"]);
    let transcripts = finished("bots", command.spawn().expect("the game starts"));
    let summary = judged(&transcripts);
    assert_eq!((summary.players.len(), summary.rounds.len()), (5, 2));
}

#[test]
fn slow_enough_for_everyone_to_shout_the_round_ends_with_a_full_house() {
    let relay = Relay::start();
    let mut command = bingo();
    command.args(["--relay", &relay.url, "--bots", "3", "--interval", "200ms", "--seed", "1"]);
    let transcripts = finished("bots", command.spawn().expect("the game starts"));
    let summary = judged(&transcripts);
    assert_eq!(summary.rounds[0].prizes.len(), 3, "one line, two lines, full house");
}

#[test]
fn a_second_host_ends_with_one_clear_line() {
    let relay = Relay::start();
    let mut command = bingo();
    command.args(["--relay", &relay.url, "--room", "den", "--host", "--players", "9"]);
    let mut host = command.spawn().expect("a player starts");
    let mut lines = BufReader::new(host.stdout.take().expect("a piped output")).lines();
    assert!(lines.any(|line| line.expect("text").contains(r#""event":"joined""#)), "the host is in");
    let mut second = bingo();
    second.args(["--relay", &relay.url, "--room", "den", "--host", "--name", "Second"]);
    let second = second.output().expect("a player starts");
    host.kill().expect("the host runs");
    host.wait().expect("the host ends");
    let (output, errors) = (String::from_utf8_lossy(&second.stdout), String::from_utf8_lossy(&second.stderr));
    assert!(!second.status.success());
    assert!(output.contains(r#""event":"refused""#), "{output}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("already has a host"), "{errors}");
}
