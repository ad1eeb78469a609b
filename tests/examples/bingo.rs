//! Rounds of bingo between real processes over real sockets, judged by a referee that knows only the rules.

use super::{
    player::{Player, bingo},
    program::Program,
    referee::{Summary, Transcript, judge},
    relay::Relay,
};

fn judged(transcripts: &[Transcript]) -> Summary {
    judge(transcripts).unwrap_or_else(|findings| panic!("the referee found: {findings:#?}"))
}

#[test]
fn four_processes_on_one_relay_play_a_fair_round() {
    let relay = Relay::start();
    let players = ["Ada", "Ben", "Cy", "Di"].map(|name| {
        let mut command = bingo();
        command.args(["--room", "den", "--relay", &relay.url, "--interval", "50ms"]);
        command.args(if name == "Ada" { &["--host", "--players", "4"][..] } else { &["--join"][..] });
        Player::start(name, &mut command)
    });
    let transcripts: Vec<Transcript> = players.into_iter().flat_map(Player::finish).collect();
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
    let transcripts = Player::start("Ada", &mut command).finish();
    let summary = judged(&transcripts);
    assert_eq!((summary.players.len(), summary.rounds.len()), (5, 2));
}

#[test]
fn slow_enough_for_everyone_to_shout_the_round_ends_with_a_full_house() {
    let relay = Relay::start();
    let mut command = bingo();
    command.args(["--relay", &relay.url, "--bots", "3", "--interval", "200ms", "--seed", "1"]);
    let transcripts = Player::start("Ada", &mut command).finish();
    let summary = judged(&transcripts);
    assert_eq!(summary.rounds[0].prizes.len(), 3, "one line, two lines, full house");
}

#[test]
fn a_second_host_ends_with_one_clear_line() {
    let relay = Relay::start();
    let mut command = bingo();
    command.args(["--relay", &relay.url, "--room", "den", "--host", "--players", "9"]);
    let mut host = Player::start("Ada", &mut command);
    host.wait_for("joined", |_| true);
    let mut command = bingo();
    let second = command.args(["--relay", &relay.url, "--room", "den", "--host", "--name", "Second"]);
    let second = Program::spawn("Second", second).end();
    assert!(!second.status.success());
    assert!(second.told.iter().any(|told| told["event"] == "refused"), "{}", second.output);
    assert_eq!(second.errors.lines().count(), 1, "{}", second.errors);
    assert!(second.errors.contains("already has a host"), "{}", second.errors);
}
