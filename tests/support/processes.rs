//! Processes of the bingo example and of the relay, for tests that run them.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "relay.rs"]
#[expect(dead_code, reason = "no relay is configured here")]
mod relay;

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

pub use self::relay::Relay;
use super::referee::{Transcript, transcripts};

/// Longest wait for an event, so that a test that waits in vain ends; far longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// The example, which `cargo test` builds beside the tests. Before one test file alone, `cargo build --example bingo
/// --features relay,testing` does.
pub fn bingo() -> Command {
    let mut path: PathBuf = std::env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("bingo{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(path);
    command.args(["--headless", "--json", "--automark"]);
    command.env("BINGO_DATA", env!("CARGO_TARGET_TMPDIR"));
    command.env_remove("ABLY_API_KEY").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// One player, in a process of its own whose events can be waited for.
pub struct Player {
    name: String,
    process: Child,
    lines: Receiver<String>,
    reading: Option<JoinHandle<String>>,
    output: String,
}

impl Player {
    /// Starts a player.
    pub fn start(name: &str, mut command: Command) -> Self {
        let mut process = command.args(["--name", name]).spawn().expect("a player starts");
        let stdout = BufReader::new(process.stdout.take().expect("a piped output"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut stderr = process.stderr.take().expect("a piped output");
        let reading = thread::spawn(move || {
            let mut errors = String::new();
            let _ = stderr.read_to_string(&mut errors);
            errors
        });
        Self { name: name.to_owned(), process, lines, reading: Some(reading), output: String::new() }
    }

    /// Reads events until one is as wanted, and gives it.
    pub fn wait_for(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("{} did not tell the {event} that was waited for; it told:\n{}", self.name, self.output);
            };
            self.output.push_str(&line);
            self.output.push('\n');
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            if told["event"] == event && wanted(&told) {
                return told;
            }
        }
    }

    /// Sends the process a signal, by its name.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("there is a `kill`");
        assert!(sent.success(), "{} takes the signal {name}", self.name);
    }

    /// Kills the process, and gives what it told before.
    pub fn kill(mut self) -> Vec<Transcript> {
        self.process.kill().expect("the player runs");
        self.process.wait().expect("the player ends");
        self.output.extend(self.lines.iter().map(|line| line + "\n"));
        // It may have been in the middle of its last word.
        let whole: String =
            self.output.lines().filter(|line| line.ends_with('}')).map(|line| line.to_owned() + "\n").collect();
        let told = transcripts(&self.name, &whole).unwrap_or_else(|findings| panic!("{}: {findings:#?}", self.name));
        told.into_iter().map(|transcript| Transcript { is_cut_short: true, ..transcript }).collect()
    }

    /// What the player told to its end, which has to be a good one.
    pub fn finish(mut self) -> Vec<Transcript> {
        self.output.extend(self.lines.iter().map(|line| line + "\n"));
        let status = self.process.wait().expect("the player ends");
        let errors = self.reading.take().map(|reading| reading.join().expect("the errors were read"));
        let (name, output) = (&self.name, &self.output);
        assert!(status.success(), "{name} ended with {status}: {}\n{output}", errors.unwrap_or_default());
        transcripts(name, output).unwrap_or_else(|findings| panic!("{name}: {findings:#?}"))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
