//! An example in a process of its own, whose events can be waited for and which takes lines.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Longest wait for an event, so that a test that waits in vain ends; far longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest wait for what has to come of many events.
const LIMIT: Duration = Duration::from_secs(180);

/// The example, which `cargo test` builds beside the tests. Before these tests alone, `cargo build --examples --features
/// relay,ui` does.
pub fn example(name: &str) -> Command {
    Command::new(built(&format!("examples/{name}")))
}

/// The relay's program, which `cargo test` builds with the tests of its crate. Before these tests alone, `cargo build -p
/// rooms_relay` does.
pub fn relay() -> Command {
    Command::new(built("rooms-relay"))
}

/// A program in the folder of what was built, of which the tests are in `deps`.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("a test is in a folder of what was built");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// One process of an example.
pub struct Program {
    /// What it is called where a test fails.
    pub label: String,
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    /// All lines that were read so far.
    output: String,
    /// The same, parsed; what is no JSON is a string.
    pub told: Vec<Value>,
}

impl Program {
    /// Starts an example without a window on this relay.
    pub fn start(name: &str, relay: &str, arguments: &[&str]) -> Self {
        let label = format!("{name} {}", arguments.join(" "));
        Self::spawn(&label, example(name).args(["--headless", "--relay", relay]).args(arguments))
    }

    /// Starts a process, whose output is lines of JSON.
    pub fn spawn(label: &str, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the example starts");
        let (input, output) = (process.stdin.take(), process.stdout.take().expect("a piped output"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut stderr = process.stderr.take().expect("a piped output");
        let errors = thread::spawn(move || {
            let mut errors = String::new();
            let _ = stderr.read_to_string(&mut errors);
            errors
        });
        let (label, output, told) = (label.to_owned(), String::new(), Vec::new());
        Self { label, process, input, lines, errors: Some(errors), output, told }
    }

    /// Its number in the operating system.
    #[cfg(unix)]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("an open input"), "{line}").expect("the process reads");
    }

    /// Reads events until one is as wanted, and gives it.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("{}: no {what} came; it told:\n{}", self.label, self.output);
            };
            let event = self.keep(line);
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Reads events until all that was told is as wanted.
    pub fn wait_until(&mut self, what: &str, mut wanted: impl FnMut(&[Value]) -> bool) {
        let start = Instant::now();
        while !wanted(&self.told) {
            assert!(start.elapsed() < LIMIT, "{}: it did not come to {what}, though it goes on telling", self.label);
            self.wait_for(what, |_| true);
        }
    }

    /// Kills the process, and gives what it told before.
    pub fn kill(mut self) -> String {
        self.process.kill().expect("the process runs");
        self.end().output
    }

    /// All that it told to its end, which has to be a good one; its input ends first.
    pub fn finish(self) -> Vec<Value> {
        let label = self.label.clone();
        self.end().well(&label).told
    }

    /// Waits for the end; its input ends first.
    pub fn end(mut self) -> Ended {
        self.input = None;
        while let Ok(line) = self.lines.recv() {
            self.keep(line);
        }
        let status = self.process.wait().expect("the process ends");
        let errors = self.errors.take().map(|errors| errors.join().expect("the errors were read"));
        let (output, told) = (std::mem::take(&mut self.output), std::mem::take(&mut self.told));
        Ended { status, output, told, errors: errors.unwrap_or_default() }
    }

    fn keep(&mut self, line: String) -> Value {
        let event = serde_json::from_str(&line).unwrap_or_else(|_| Value::String(line.clone()));
        self.output.push_str(&line);
        self.output.push('\n');
        self.told.push(event.clone());
        event
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub output: String,
    /// The lines of the output, parsed.
    pub told: Vec<Value>,
    pub errors: String,
}

impl Ended {
    /// Fails the test unless the process ended well.
    pub fn well(self, label: &str) -> Self {
        assert!(self.status.success(), "{label} ended with {}: {}\n{}", self.status, self.errors, self.output);
        self
    }
}

/// The events of one kind.
pub fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == kind)
}
