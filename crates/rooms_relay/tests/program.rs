//! The program `rooms-relay` as whoever runs it sees it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Output, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use rooms_protocol::{Action, Frame, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// No answer in this time is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key whose secret is long enough.
const KEY: &str = "app.id:a-secret-that-nobody-guesses";

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rooms-relay"))
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration file for one test.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rooms-relay-{}-{name}.toml", std::process::id()));
        let file = Self(path);
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The program while it runs.
struct Running {
    child: Child,
    /// Where it listens.
    address: String,
}

impl Running {
    /// Starts the program on a free port of loopback with a key, and waits until it listens. Nobody reads its log.
    fn start(arguments: &[&str]) -> Self {
        Self::start_as(program().args(arguments))
    }

    /// The same with a command that has its arguments.
    fn start_as(command: &mut Command) -> Self {
        let mut child =
            command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        Self { address: address.unwrap_or_else(|| panic!("no address: {line}")).to_owned(), child }
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits until it has ended, and returns its exit code and its log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log: ChildStderr = self.child.stderr.take().unwrap();
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }

    async fn connect(&self, key: &str) -> Client {
        let (socket, _) = connect_async(format!("ws://{}/?v=6&format=json&key={key}", self.address)).await.unwrap();
        Client(socket)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        let next = async {
            loop {
                if let Message::Text(text) = self.0.next().await?.ok()? {
                    return Some(json::decode(&text).unwrap());
                }
            }
        };
        timeout(PATIENCE, next).await.unwrap()
    }

    async fn expect(&mut self, action: Action) -> Frame {
        let frame = self.next().await.unwrap_or_else(|| panic!("the stream ended before {action:?}"));
        assert_eq!(frame.action, action, "{frame:?}");
        frame
    }

    async fn ping(&mut self) {
        let text = r#"{"action":0,"id":"here"}"#;
        self.0.send(Message::text(text)).await.unwrap();
        self.expect(Action::Heartbeat).await;
    }
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
        ("--limit=connections=0", "connections is zero"),
    ] {
        let output = run(&[flag]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
}

#[test]
fn a_secret_that_others_guess_is_refused_where_others_reach_the_relay() {
    let output = run(&["--listen", "0.0.0.0:0", "--key", "app.id:s"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).contains("the key app.id is so short"), "{}", text(&output.stderr));
}

#[test]
fn a_check_prints_the_configuration_as_it_works_with_warnings_and_without_secrets() {
    let config =
        "listen = '0.0.0.0:0'\n[[keys]]\nkey = 'app.id:hushhush'\n[limits]\nplan = 'free'\nreplay_frames = 7\n";
    let file = ConfigFile::new("check", config);
    let output = run(&["--check", "--config", file.path(), "--memory", "64 MiB"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for line in [
        "listen = \"0.0.0.0:0\"",
        "key = \"app.id:…\"",
        "connections = 200",
        "replay_frames = 7",
        "memory = \"64 MiB\"",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} in {printed}");
    }
    assert!(printed.starts_with("# warning: ") && printed.contains("app.id has fewer than 16 bytes"), "{printed}");
    assert!(!printed.contains("hushhush"), "{printed}");

    file.write("[limits]\nconnections = 0\n");
    let output = run(&["--check", "--config", file.path()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).contains("nobody could connect"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn the_limit_of_open_files_is_raised_and_too_many_connections_for_it_are_a_warning() {
    // The shell lowers the soft limit, which the program raises again, and then the hard one, which it cannot.
    let run = |limit: &str| {
        let line = format!("ulimit {limit} 256 && exec \"$0\" --check --limit connections=1000");
        let program = env!("CARGO_BIN_EXE_rooms-relay");
        text(&Command::new("sh").args(["-c", &line, program]).output().unwrap().stdout)
    };
    assert!(!run("-Sn").contains("open files"), "{}", run("-Sn"));
    assert!(run("-n").contains("but the system only 256"), "{}", run("-n"));
}

/// Its log is more than the pipe holds, and nobody reads it.
#[tokio::test]
async fn an_unread_log_does_not_stop_the_relay() {
    let running = Running::start_as(program().args(["--key", KEY]).env("RUST_LOG", "trace"));
    for _ in 0..500 {
        let mut refused = running.connect("app.id:wrong").await;
        refused.expect(Action::Error).await;
    }
    let mut client = running.connect(KEY).await;
    client.expect(Action::Connected).await;
    client.ping().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_hangup_without_a_configuration_file_ends_the_relay_with_a_goodbye() {
    let running = Running::start(&["--key", KEY]);
    let mut client = running.connect(KEY).await;
    client.expect(Action::Connected).await;
    running.signal("-HUP");
    assert_eq!(client.expect(Action::Disconnected).await.error.unwrap().code.0, 80003);
    drop(client);
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
}
