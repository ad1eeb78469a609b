//! A player of bingo in a process of its own, whose transcript the referee reads.

use std::process::Command;

use serde_json::Value;

use super::{
    program::{Program, example},
    referee::{Transcript, transcripts},
};

/// The example without a window.
pub fn bingo() -> Command {
    let mut command = example("bingo");
    command.args(["--headless", "--json", "--automark"]);
    command.env("BINGO_DATA", env!("CARGO_TARGET_TMPDIR")).env_remove("ABLY_API_KEY");
    command
}

/// One player, or one with bots.
pub struct Player(Program);

impl Player {
    /// Starts a player.
    pub fn start(name: &str, command: &mut Command) -> Self {
        Self(Program::spawn(name, command.args(["--name", name])))
    }

    /// Reads events until one is as wanted, and gives it.
    pub fn wait_for(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.0.wait_for(event, |told| told["event"] == event && wanted(told))
    }

    /// Sends the process a signal, by its name.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.0.id().to_string()]).status();
        assert!(sent.expect("there is a `kill`").success(), "the player takes the signal {name}");
    }

    /// Kills the process, and gives what it told before.
    pub fn kill(self) -> Vec<Transcript> {
        let name = self.0.label.clone();
        let told = self.0.kill();
        // It may have been in the middle of its last word.
        let whole: String =
            told.lines().filter(|line| line.ends_with('}')).map(|line| line.to_owned() + "\n").collect();
        let told = read(&name, &whole).into_iter();
        told.map(|transcript| Transcript { is_cut_short: true, ..transcript }).collect()
    }

    /// What the player told to its end, which has to be a good one.
    pub fn finish(self) -> Vec<Transcript> {
        let name = self.0.label.clone();
        read(&name, &self.0.end().well(&name).output)
    }
}

fn read(name: &str, told: &str) -> Vec<Transcript> {
    transcripts(name, told).unwrap_or_else(|findings| panic!("{name}: {findings:#?}"))
}
