//! A relay that serves the game's page beside the room, over real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rooms_relay::{RelayConfig, RelayError, RelayHandle, TokenEndpoint};

/// No answer in this time is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a page, which goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bevy_rooms-{}-page-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn with_page(test: &str) -> Self {
        let folder = Self::new(test);
        fs::write(folder.0.join("index.html"), "<title>Game</title>").unwrap();
        fs::write(folder.0.join("game_bg.wasm"), "as it is").unwrap();
        fs::write(folder.0.join("game_bg.wasm.gz"), "packed").unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config(folder: &Path) -> RelayConfig {
    RelayConfig { serve: Some(folder.to_owned()), ..RelayConfig::default() }
}

fn relay(folder: &Folder) -> RelayHandle {
    rooms_relay::spawn(config(&folder.0)).unwrap()
}

/// What the relay says to a request; headers in lower case.
fn ask(addr: SocketAddr, method: &str, path: &str, headers: &str) -> (String, String) {
    let mut line = TcpStream::connect(addr).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(line, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn get(relay: &RelayHandle, path: &str, headers: &str) -> (String, String) {
    ask(relay.addr(), "GET", path, headers)
}

#[test]
fn a_browser_gets_the_page_and_what_belongs_to_it() {
    let folder = Folder::with_page("files");
    let relay = relay(&folder);
    for path in ["/", "/?room=otter-badger-fox", "/index.html"] {
        let (head, body) = get(&relay, path, "");
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/html"), "{path}: {head}");
        assert!(head.contains("cache-control: no-cache"), "{head}");
        assert_eq!(body, "<title>Game</title>");
    }
    let (head, body) = get(&relay, "/game_bg.wasm", "");
    assert!(head.contains("content-type: application/wasm") && !head.contains("content-encoding"), "{head}");
    assert_eq!(body, "as it is");
}

#[test]
fn a_browser_that_unpacks_gets_less_to_load() {
    let folder = Folder::with_page("packed");
    let relay = relay(&folder);
    let (head, body) = get(&relay, "/game_bg.wasm", "Accept-Encoding: gzip, br\r\n");
    assert!(head.contains("content-encoding: gzip") && head.contains("content-type: application/wasm"), "{head}");
    assert_eq!(body, "packed");
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let outer = Folder::with_page("outer");
    fs::write(outer.0.join("secret"), "hush").unwrap();
    let inner = outer.0.join("page");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("index.html"), "").unwrap();
    let relay = rooms_relay::spawn(config(&inner)).unwrap();
    for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "//secret"] {
        let (head, body) = get(&relay, path, "");
        assert!(!head.starts_with("http/1.1 200") && !body.contains("hush"), "{path}: {head} {body}");
    }
}

#[cfg(unix)]
#[test]
fn hidden_files_and_links_out_of_the_folder_are_not_served() {
    use std::os::unix::fs::symlink;
    let outer = Folder::with_page("links");
    fs::write(outer.0.join("secret"), "hush").unwrap();
    let inner = outer.0.join("page");
    fs::create_dir_all(inner.join(".git/objects")).unwrap();
    fs::create_dir_all(inner.join("assets")).unwrap();
    for (file, text) in [("index.html", "page"), ("assets/a.txt", "here"), (".env", "hush"), (".git/config", "hush")] {
        fs::write(inner.join(file), text).unwrap();
    }
    for (target, link) in [
        (outer.0.join("secret"), "file.txt"),
        (outer.0.clone(), "folder"),
        (inner.join(".env"), "shown.txt"),
        (inner.join("assets/a.txt"), "same.txt"),
        (outer.0.join("secret"), "index.html.gz"),
        (inner.join("missing"), "dangling.txt"),
    ] {
        symlink(target, inner.join(link)).unwrap();
    }
    fs::create_dir(inner.join("sub")).unwrap();
    symlink(outer.0.join("secret"), inner.join("sub/index.html")).unwrap();
    let relay = rooms_relay::spawn(config(&inner)).unwrap();
    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/assets/../.env",
        "/file.txt",
        "/folder/secret",
        "/shown.txt",
        "/sub/",
        "/sub/index.html",
        "/index.html",
        "/dangling.txt",
        "/.",
        "/./.env",
    ] {
        let (head, body) = get(&relay, path, "Accept-Encoding: gzip\r\n");
        assert!(!head.starts_with("http/1.1 200") && !body.contains("hush"), "{path}: {head} {body}");
    }
    for path in ["/assets/a.txt", "/same.txt"] {
        assert_eq!(get(&relay, path, "").1, "here", "{path}");
    }
}

#[test]
fn no_file_hides_what_the_relay_answers_itself() {
    let folder = Folder::with_page("hiding");
    for name in ["token", "time", "channels", "stats"] {
        fs::write(folder.0.join(name), "a file").unwrap();
    }
    let relay = relay(&folder);
    for path in ["/token?clientId=ada", "/time", "/channels", "/stats", "/token/", "//time"] {
        assert!(!get(&relay, path, "").1.contains("a file"), "{path}");
    }
    assert!(get(&relay, "/token?clientId=ada", "").0.starts_with("http/1.1 200"));
}

#[test]
fn what_the_folder_does_not_have_is_asked_of_the_relay() {
    let folder = Folder::with_page("rest");
    let relay = relay(&folder);
    let (head, body) = get(&relay, "/elsewhere", "");
    assert!(head.starts_with("http/1.1 404") && body.contains("40400"), "{head} {body}");
    let (head, _) = get(&relay, "/time", "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let (head, _) = ask(relay.addr(), "POST", "/", "");
    assert!(!head.starts_with("http/1.1 200"), "a page is there to be read: {head}");
}

#[test]
fn sockets_are_opened_at_the_pages_own_address() {
    let folder = Folder::with_page("socket");
    let relay = relay(&folder);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut line = TcpStream::connect(relay.addr()).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(line, "GET /?v=6&key=wrong HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n").unwrap();
    let mut status = [0; 12];
    line.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
}

#[test]
fn a_page_gets_tokens_and_elsewhere_nobody_does() {
    let folder = Folder::with_page("tokens");
    let (head, body) = get(&relay(&folder), "/token?clientId=ada", "");
    assert!(head.starts_with("http/1.1 200") && body.contains("\"clientId\":\"ada\""), "{head} {body}");
    let without = rooms_relay::spawn(RelayConfig::default()).unwrap();
    let (head, body) = get(&without, "/token?clientId=ada", "");
    assert!(head.starts_with("http/1.1 4") && !body.contains("keyName"), "{head} {body}");
}

#[test]
fn a_page_for_the_neighbours_has_a_key_that_nobody_knows() {
    let folder = Folder::with_page("neighbours");
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut config = config(&folder.0);
    config.listen = everywhere;
    let relay = rooms_relay::spawn(config).unwrap();
    let here = SocketAddr::from((IpAddr::from(Ipv4Addr::LOCALHOST), relay.addr().port()));
    let messages = "/channels/c/messages?key=rooms.dev:insecure-development-key";
    assert!(ask(here, "GET", messages, "").0.starts_with("http/1.1 401"));
    assert!(ask(here, "GET", "/token?clientId=ada", "").0.starts_with("http/1.1 200"));
}

/// Runs the relay's program until the test is over.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_gives_tokens_to_its_page_also_where_a_key_for_them_is_named() {
    let folder = Folder::with_page("program");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rooms-relay"));
    command.args(["--listen", "127.0.0.1:0", "--key", "app.id:secret", "--token-endpoint", "app.id"]);
    command.arg("--serve").arg(&folder.0).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = Program(command.spawn().unwrap());
    let mut line = String::new();
    let mut output = BufReader::new(program.0.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap().parse().unwrap();
    let (head, body) = ask(address, "GET", "/token?clientId=ada", "");
    assert!(head.starts_with("http/1.1 200") && body.contains("app.id"), "{head} {body}");
}

#[test]
fn a_page_that_gets_no_tokens_is_told_what_is_missing() {
    let folder = Folder::with_page("rooms");
    let mut config = config(&folder.0);
    config.hub.token_endpoint = Some(TokenEndpoint::new("rooms.dev"));
    let (head, body) = get(&rooms_relay::spawn(config).unwrap(), "/token?clientId=ada", "");
    assert!(head.starts_with("http/1.1 400") && body.contains("every_channel = true"), "{head} {body}");
}

#[test]
fn a_folder_without_a_page_is_named() {
    let folder = Folder::new("empty");
    let error = rooms_relay::spawn(config(&folder.0)).unwrap_err();
    assert!(matches!(error, RelayError::NoPage { .. }));
    assert!(
        error.to_string().contains(folder.0.to_str().unwrap()) && error.to_string().contains("web/build"),
        "{error}"
    );
}
