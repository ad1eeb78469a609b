//! Servers that are none. The player hears at once that it is tried, how often, what answered, and what to look at; and a relay that
//! opens up meanwhile is found.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::shared::{
    player::{Player, bingo},
    program,
};

/// The time within which a failure is told. A server that says nothing is given up after 6 s; all else is told at once.
const TOLD: Duration = Duration::from_secs(5);
const TOLD_OF_SILENCE: Duration = Duration::from_secs(13);

/// Starts a player who hosts a room on a relay at this address.
fn player(url: &str) -> Player {
    let mut command: Command = bingo();
    command.args(["--room", "den", "--host", "--relay", url, "--interval", "50ms"]);
    Player::start("Ada", &mut command)
}

/// What a player tells of a server that is none: twice tried, and why it failed.
fn told(url: &str, within: Duration) -> String {
    let mut player = player(url);
    player.wait_for("connection", |event| event["state"] == "Connecting" && event["attempt"] == 1);
    let started = Instant::now();
    let failed = player.wait_for("connection", |event| event["state"] == "Disconnected");
    assert!(started.elapsed() < within, "it took {:?}", started.elapsed());
    assert!(failed["attempt"] == 1 && failed["retry_in_ms"].as_u64().is_some_and(|wait| wait <= 2_000), "{failed}");
    let notice = player.wait_for("notice", |event| text(event).starts_with("The server cannot be reached."));
    assert!(text(&notice).contains("(2nd try)"), "{notice}");
    player.wait_for("connection", |event| event["state"] == "Connecting" && event["attempt"] == 2);
    failed["reason"].as_str().expect("a reason").to_owned()
}

fn text(event: &Value) -> &str {
    event["text"].as_str().unwrap_or_default()
}

/// A server on a free port that does this with every connection, for as long as the tests run.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    port
}

/// A server that reads a request and gives this answer.
fn answering(answer: &'static [u8]) -> u16 {
    server(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
    })
}

#[test]
fn a_server_that_answers_something_else_is_named_at_once() {
    for (answer, words) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..],
            &["answered with a web page (HTTP 200)", "log in"][..],
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n",
            &["redirects to http://login.example:80 (HTTP 302)", "log in"],
        ),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", &["asks for a login (HTTP 403)"]),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", &["in trouble (HTTP 503)"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n", &["no WebSocket server (it says \"SSH-2.0-OpenSSH_9.2\")"]),
        (b"\x00\xff\x00\xff", &["no WebSocket server"]),
    ] {
        let reason = told(&format!("ws://127.0.0.1:{}", answering(answer)), TOLD);
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    }
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_named_when_the_attempt_ends() {
    let port = server(|stream| _ = Box::leak(Box::new(stream)));
    let reason = told(&format!("ws://127.0.0.1:{port}"), TOLD_OF_SILENCE);
    assert!(reason.contains(&format!("127.0.0.1:{port} takes the connection and says nothing")), "{reason}");
}

#[test]
fn the_wrong_one_of_ws_and_wss_is_told_with_the_right_one() {
    let plain = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let reason = told(&format!("wss://127.0.0.1:{plain}"), TOLD);
    assert!(reason.contains("does not speak TLS") && reason.contains("write ws://"), "{reason}");
    // A fatal alert, as a TLS server answers to plain text.
    let secure = answering(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x32]);
    let reason = told(&format!("ws://127.0.0.1:{secure}"), TOLD);
    assert!(reason.contains("accepts only encrypted connections (TLS); write wss://"), "{reason}");
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such() {
    // No name has a part of more than 63 letters, so nobody is asked for it. Encrypted, since the key must not be read on the way.
    let reason = told(&format!("wss://{}.example", "x".repeat(64)), TOLD);
    assert!(reason.contains("cannot be found"), "{reason}");
}

#[test]
fn a_relay_that_opens_up_where_nothing_listened_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let mut player = player(&format!("ws://{address}"));
    let failed = player.wait_for("connection", |event| event["state"] == "Disconnected" && event["attempt"] == 2);
    let reason = failed["reason"].as_str().expect("a reason");
    assert!(reason.starts_with(&format!("nothing listens at {address} (connection refused)")), "{reason}");
    let mut relay = program::relay()
        .args(["--listen", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a relay");
    player.wait_for("notice", |event| event["text"].is_null());
    player.wait_for("joined", |_| true);
    let _ = relay.kill();
    let _ = relay.wait();
}
