//! An example in a process of its own, whose events can be waited for and which takes lines.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

/// Longest wait for an event, so that a test that waits in vain ends; far longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One process of an example.
pub struct Program {
    label: String,
    process: Child,
    input: Option<ChildStdin>,
    events: Receiver<Value>,
    errors: Option<JoinHandle<String>>,
    /// All events that were read so far.
    pub told: Vec<Value>,
}

impl Program {
    /// Starts the example, which `cargo test` builds beside the tests. Before this test file alone, `cargo build --examples
    /// --features relay,testing` does.
    pub fn start(example: &str, relay: &str, arguments: &[&str]) -> Self {
        let mut path = std::env::current_exe().expect("a test has a path");
        path.pop();
        path.pop();
        path.push("examples");
        path.push(format!("{example}{}", std::env::consts::EXE_SUFFIX));
        let mut process = Command::new(path)
            .args(["--headless", "--relay", relay])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let (input, output) = (process.stdin.take(), process.stdout.take().expect("a piped output"));
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
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
        let label = format!("{example} {}", arguments.join(" "));
        Self { label, process, input, events, errors: Some(errors), told: Vec::new() }
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("an open input"), "{line}").expect("the process reads");
    }

    /// Reads events until one is as wanted, and gives it.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Ok(event) = self.events.recv_timeout(PATIENCE) else {
                let told = self.told.iter().map(|event| format!("{event}\n")).collect::<String>();
                panic!("{}: no {what} came; it told:\n{told}", self.label);
            };
            self.told.push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Reads events until all that was told is as wanted.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&[Value]) -> bool) {
        while !wanted(&self.told) {
            self.wait_for(what, |_| true);
        }
    }

    /// All that it told to its end, which has to be a good one; its input ends first.
    pub fn finish(mut self) -> Vec<Value> {
        self.input = None;
        self.told.extend(self.events.iter());
        let status = self.process.wait().expect("the process ends");
        let errors = self.errors.take().map(|errors| errors.join().expect("the errors were read"));
        assert!(status.success(), "{} ended with {status}: {}", self.label, errors.unwrap_or_default());
        std::mem::take(&mut self.told)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The events of one kind.
pub fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == kind)
}
