//! The program `rooms-relay` as whoever runs it sees it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use rooms_protocol::{Action, Frame, json};
use tokio::{net::TcpStream as AsyncStream, time::timeout};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async, connect_async_tls_with_config,
    tungstenite::{self, Message},
};

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
    /// Its log, where it is read.
    log: Option<BufReader<ChildStderr>>,
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
        let address = line.split("://").nth(1).and_then(|rest| rest.split_whitespace().next());
        Self { address: address.unwrap_or_else(|| panic!("no address: {line}")).to_owned(), child, log: None }
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits until it has ended, and returns its exit code and its log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = self.log.take().unwrap_or_else(|| BufReader::new(self.child.stderr.take().unwrap()));
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }

    /// The next line of its log that contains this text.
    fn log_line(&mut self, text: &str) -> String {
        let log = self.log.get_or_insert_with(|| BufReader::new(self.child.stderr.take().unwrap()));
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log ended before {text}");
        }
        line
    }

    async fn connect(&self, key: &str) -> Client {
        self.connect_with(&format!("key={key}")).await
    }

    async fn connect_with(&self, query: &str) -> Client {
        let (socket, _) = connect_async(format!("ws://{}/?v=6&format=json&{query}", self.address)).await.unwrap();
        Client(socket)
    }

    /// Waits until the path answers with this status, and returns the whole answer.
    fn get_until(&self, path: &str, status: u16) -> String {
        let begun = Instant::now();
        loop {
            let answer = get(&self.address, path, "");
            if answer.starts_with(&format!("HTTP/1.1 {status}")) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} does not answer {status}, but: {answer}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole answer to a request over plain HTTP.
fn ask(address: &str, head: &str, headers: &str) -> String {
    let mut line = TcpStream::connect(address).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(line, "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).unwrap();
    text(&answer)
}

fn get(address: &str, path: &str, headers: &str) -> String {
    ask(address, &format!("GET {path}"), headers)
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Client(WebSocketStream<MaybeTlsStream<AsyncStream>>);

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
fn the_documentation_lists_every_limit_as_it_is() {
    let header =
        "| limit | default | unit | what it limits | who goes beyond it gets |\n| --- | ---: | --- | --- | --- |\n";
    let table = rooms_relay::LimitInfo::all().iter().fold(header.to_owned(), |table, limit| {
        let (name, default, code) =
            (limit.name, limit.default_value(), if limit.code == "-" { "" } else { limit.code });
        let default = default.trim_matches('"');
        table + &format!("| `{name}` | {default} | {} | {} | {code} |\n", limit.unit(), limit.what)
    });
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/relay.md")).unwrap();
    assert!(document.contains(&format!("<!-- limits -->\n{table}<!-- /limits -->")), "put this table there:\n{table}");
}

#[test]
fn the_configuration_to_begin_with_works_once_its_files_are_there() {
    let begin = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rooms-relay.toml")).unwrap();
    let certificate = Certificate::new("begin");
    let [cert, key] = &certificate.files;
    let config = begin
        .replace("/etc/rooms-relay/fullchain.pem", cert.path())
        .replace("/etc/rooms-relay/privkey.pem", key.path());
    let output = run(&["--check", "--config", ConfigFile::new("begin", &config).path()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let warnings: Vec<_> =
        text(&output.stdout).lines().filter(|line| line.contains("warning")).map(str::to_owned).collect();
    assert!(warnings.iter().all(|line| line.contains("open files")), "{warnings:?}");
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
    let output = run(&["--check", "--config", file.path(), "--memory", "64 MiB", "--trusted-proxy", "10.0.0.0/8"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for line in [
        "listen = \"0.0.0.0:0\"",
        "key = \"app.id:…\"",
        "connections = 200",
        "trusted_proxies = [\"10.0.0.0/8\"]",
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

/// The tests themselves may run where a hangup is ignored, such as under `nohup`; the relay respects that.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hangup_without_a_configuration_file_ends_the_relay_with_a_goodbye() {
    let mut program = Command::new("env");
    program.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_rooms-relay"), "--key", KEY]);
    let running = Running::start_as(&mut program);
    let mut client = running.connect(KEY).await;
    client.expect(Action::Connected).await;
    running.signal("-HUP");
    assert_eq!(client.expect(Action::Disconnected).await.error.unwrap().code.0, 80003);
    drop(client);
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn operators_read_health_readiness_and_metrics_at_an_address_of_their_own() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let running = Running::start(&["--key", KEY, "--metrics", &metrics]);
    let mut client = running.connect(KEY).await;
    client.expect(Action::Connected).await;
    for (path, told) in [("/health", "ok"), ("/ready", "ready")] {
        for address in [&metrics, &running.address] {
            let answer = get(address, path, "");
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&format!("{told}\n")), "{answer}");
        }
    }
    client.ping().await;
    let answer = get(&metrics, "/metrics", "");
    for line in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8",
        "rooms_relay_connections 1.0",
        "rooms_relay_sockets{kind=\"websocket\"} 1.0",
        "rooms_relay_frame_bytes_total{direction=\"in\"} 24",
    ] {
        assert!(answer.lines().any(|known| known == line), "{line} in {answer}");
    }
    assert!(
        answer.contains("rooms_relay_hub_turn_seconds_count") && answer.contains("_memory_budget_bytes"),
        "{answer}"
    );
}

#[test]
fn at_the_clients_address_the_metrics_are_for_whoever_may_read_statistics() {
    let few = r#"app.few:another-long-secret={"c":["subscribe"]}"#;
    let running = Running::start(&["--key", KEY, "--key", few, "--limit", "stranger_rate=20"]);
    let ask = |key: &str| get(&running.address, &format!("/metrics?key={key}"), "");
    assert!(ask(KEY).contains("rooms_relay_uptime_seconds"));
    for (key, code) in [("app.few:another-long-secret", 40160), ("app.id:wrong", 40101)] {
        let answer = ask(key);
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains(&code.to_string()), "{answer}");
        assert!(!answer.contains("rooms_relay_"), "{answer}");
    }
    assert!(get(&running.address, "/metrics", "").starts_with("HTTP/1.1 401"));
    let basic = "Authorization: Basic YXBwLmlkOmEtc2VjcmV0LXRoYXQtbm9ib2R5LWd1ZXNzZXM=\r\n";
    assert!(get(&running.address, "/metrics", basic).contains("rooms_relay_uptime_seconds"));
    let drain = ask_post(&running.address, "/drain", "");
    assert!(drain.starts_with("HTTP/1.1 404"), "clients cannot ask for a drain: {drain}");
    let wrong = || ask("app.id:wrong").starts_with("HTTP/1.1 429");
    assert!((0..1_000).any(|_| wrong()), "whoever tries keys has the rate of strangers");
    assert!(ask(KEY).contains("rooms_relay_uptime_seconds"), "which is not that of operators");
}

fn ask_post(address: &str, path: &str, headers: &str) -> String {
    ask(address, &format!("POST {path}"), &format!("Content-Length: 0\r\n{headers}"))
}

#[cfg(unix)]
#[tokio::test]
async fn a_hangup_reloads_keys_and_limits_and_drops_whose_key_is_gone_alone() {
    let config = |keys: &[&str], more: &str| {
        let keys: String = keys.iter().map(|key| format!("[[keys]]\nkey = '{key}'\n")).collect();
        format!("{keys}[limits]\n{more}")
    };
    let (old, new) = ("app.old:a-secret-that-leaked", "app.new:a-secret-that-is-new");
    let file = ConfigFile::new("reload", &config(&[KEY, old], ""));
    let mut running = Running::start(&["--config", file.path()]);
    let (mut kept, mut gone) = (running.connect(KEY).await, running.connect(old).await);
    for client in [&mut kept, &mut gone] {
        client.expect(Action::Connected).await;
    }

    file.write("keys = 'broken'");
    running.signal("-HUP");
    assert!(running.log_line("ERROR").contains("the configuration stays as it was"));
    gone.ping().await;

    file.write(&config(&[KEY, new], "connections = 2\nmax_frame_size = 1000"));
    running.signal("-HUP");
    assert_eq!(gone.expect(Action::Error).await.error.unwrap().code.0, 40131);
    running.log_line("read the configuration again");
    kept.ping().await;
    let mut fresh = running.connect(new).await;
    fresh.expect(Action::Connected).await;
    for (key, code) in [(old, 40400), (new, 40111)] {
        let mut refused = running.connect(key).await;
        assert_eq!(refused.expect(Action::Error).await.error.unwrap().code.0, code);
    }
    fresh.0.send(Message::text("x".repeat(1_001))).await.unwrap();
    assert!(fresh.next().await.is_none(), "the frame is larger than it may be now");
    kept.ping().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_relay_that_is_asked_to_end_lets_nobody_in_and_disconnects_in_portions() {
    let running = Running::start(&["--key", KEY, "--drain-seconds", "2"]);
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = running.connect(KEY).await;
        client.expect(Action::Connected).await;
        clients.push(client);
    }
    running.signal("-TERM");
    let answer = running.get_until("/ready", 503);
    assert!(answer.contains("emptied"), "{answer}");
    assert!(get(&running.address, "/health", "").starts_with("HTTP/1.1 200"), "it is well all the same");
    let mut late = running.connect(KEY).await;
    assert_eq!(late.expect(Action::Disconnected).await.error.unwrap().code.0, 80003);
    let mut ends = Vec::new();
    for client in &mut clients {
        assert_eq!(client.expect(Action::Disconnected).await.error.unwrap().code.0, 80003);
        ends.push(Instant::now());
    }
    let spread = ends[7].saturating_duration_since(ends[0]);
    assert!(spread > Duration::from_millis(500), "not all at once: {spread:?}");
    drop(clients);
    assert_eq!(running.end().0, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_signal_ends_a_drain() {
    let mut running = Running::start(&["--key", KEY, "--drain-seconds", "3600"]);
    let (mut first, mut second) = (running.connect(KEY).await, running.connect(KEY).await);
    for client in [&mut first, &mut second] {
        client.expect(Action::Connected).await;
    }
    running.signal("-TERM");
    running.log_line("letting nobody new in");
    running.signal("-INT");
    for mut client in [first, second] {
        client.expect(Action::Disconnected).await;
    }
    assert_eq!(running.end().0, Some(0));
}

#[tokio::test]
async fn a_drain_over_http_is_for_operators_on_the_same_machine() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let running = Running::start(&["--key", KEY, "--metrics", &metrics]);
    let mut client = running.connect(KEY).await;
    client.expect(Action::Connected).await;
    let of_a_page = ask_post(&metrics, "/drain", "Origin: http://evil.example\r\n");
    assert!(of_a_page.starts_with("HTTP/1.1 403"), "{of_a_page}");
    client.ping().await;
    let answer = ask_post(&metrics, "/drain?seconds=0", "");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(client.expect(Action::Disconnected).await.error.unwrap().code.0, 80003);
    drop(client);
    assert_eq!(running.end().0, Some(0));
}

/// A certificate for localhost and its key, in files.
struct Certificate {
    files: [ConfigFile; 2],
    der: CertificateDer<'static>,
}

impl Certificate {
    fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = [
            ConfigFile::new(&format!("{name}-certificate"), &made.cert.pem()),
            ConfigFile::new(&format!("{name}-key"), &made.signing_key.serialize_pem()),
        ];
        Self { files, der: made.cert.der().clone() }
    }

    /// Connects to the relay, trusting this certificate alone.
    async fn connect(&self, running: &Running) -> Result<Client, tungstenite::Error> {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let port = running.address.rsplit(':').next().unwrap();
        let url = format!("wss://localhost:{port}/?v=6&format=json&key={KEY}");
        let connector = Some(Connector::Rustls(Arc::new(config)));
        Ok(Client(connect_async_tls_with_config(url, None, false, connector).await?.0))
    }
}

#[cfg(unix)]
#[tokio::test]
async fn clients_connect_over_tls_alone_and_a_hangup_shows_the_new_certificate() {
    let (old, new) = (Certificate::new("old"), Certificate::new("new"));
    let [certificate, key] = &old.files;
    let (certificate_path, key_path) = (certificate.path(), key.path());
    let config = format!("[tls]\ncertificate = '{certificate_path}'\nkey = '{key_path}'\n[[keys]]\nkey = '{KEY}'\n");
    let file = ConfigFile::new("tls", &config);
    let mut running = Running::start(&["--config", file.path()]);
    let mut client = old.connect(&running).await.unwrap();
    client.expect(Action::Connected).await;
    assert!(new.connect(&running).await.is_err(), "it is not the certificate that the relay shows");
    let plain = connect_async(format!("ws://{}/?key={KEY}", running.address)).await;
    assert!(plain.is_err(), "without TLS nobody comes in");

    certificate.write(&fs::read_to_string(new.files[0].path()).unwrap());
    running.signal("-HUP");
    assert!(running.log_line("ERROR").contains("stays as it was"), "the key does not belong to the certificate");
    key.write(&fs::read_to_string(new.files[1].path()).unwrap());
    running.signal("-HUP");
    running.log_line("read the configuration again");
    new.connect(&running).await.unwrap().expect(Action::Connected).await;
    client.ping().await;
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let certificate = Certificate::new("named");
    let key = certificate.files[1].path();
    for (cert, told) in [("/nowhere", "/nowhere"), (key, "certificate")] {
        let output = run(&["--check", "--tls-cert", cert, "--tls-key", key]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_serves_on_as_many_threads_as_it_is_told_to() {
    for (told, expected) in [("1", 0), ("3", 3)] {
        let running = Running::start(&["--key", KEY, "--threads", told]);
        running.connect(KEY).await.expect(Action::Connected).await;
        let tasks = fs::read_dir(format!("/proc/{}/task", running.child.id())).unwrap();
        let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
        // The first of them has the program's own name, which is the same.
        assert_eq!(names.filter(|name| name.trim() == "rooms-relay").count(), expected + 1);
    }
    assert_eq!(run(&["--threads", "0"]).status.code(), Some(2));
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_its_client_in_text_or_json() {
    for (format, told) in [
        (
            "text",
            " refused a connection: the API key is not one of this relay's code=40101 client_id=\"a\\nb\" key=app.id address=127.0.0.1 left_out=0",
        ),
        ("json", r#""client_id":"a\nb","code":40101,"key":"app.id""#),
    ] {
        let mut running = Running::start(&["--key", KEY, "--log-format", format]);
        let mut client = running.connect_with("key=app.id:wrong&clientId=a%0Ab").await;
        client.expect(Action::Error).await;
        let line = running.log_line("refused");
        assert!(line.contains(told) && !line.contains(":wrong"), "{line}");
    }
}
