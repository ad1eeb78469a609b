//! The program `rooms-relay` as whoever runs it sees it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::process::{Command, Output};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rooms-relay"))
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_lists_every_limit_with_its_unit_and_default() {
    let help = text(&run(&["--help"]).stdout);
    for limit in rooms_relay::LimitInfo::all() {
        let default = limit.default_value();
        let line = format!("{} ({}) [default: {}]", limit.name, limit.unit(), default.trim_matches('"'));
        assert!(help.contains(&line) && help.contains(limit.what), "{line}");
    }
    assert!(help.contains("--memory"));
}

#[test]
fn a_limit_that_makes_no_sense_is_named() {
    for (flag, told) in [
        ("--memory=much", "memory is a size"),
        ("--limit=speed=5", "no limit with this name"),
        ("--limit=connections", "such as"),
    ] {
        let output = run(&[flag]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
}
