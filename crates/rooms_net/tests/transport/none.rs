//! What is told of a server that is none: who answered, and what to look at. Natively: a browser tells a page nothing of it.

use rooms_net::transport::{Connector, Incoming};
use rooms_protocol::ErrorInfo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    test,
};

use super::{connector, next};

/// Why no socket came about, and whether the machine was reached before.
async fn failure(url: &str) -> (bool, ErrorInfo) {
    let mut link = connector().open(url);
    let mut reached = false;
    loop {
        match next(&mut link).await {
            Some(Incoming::Reached) => reached = true,
            Some(Incoming::Closed(Some(reason))) => return (reached, reason),
            other => panic!("{other:?}"),
        }
    }
}

/// The port of a server that reads until a request is whole or nothing more comes, gives this answer, and closes.
async fn answering(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = [0; 4096];
        let _ = stream.read(&mut read).await;
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        // Bytes that nobody read would make the system reset the connection, and with it the answer.
        while matches!(stream.read(&mut read).await, Ok(1..)) {}
    });
    port
}

/// What is told of a server with this answer, for a `ws` or `wss` address with a secret.
async fn told(scheme: &str, answer: &'static [u8]) -> ErrorInfo {
    let port = answering(answer).await;
    let (reached, reason) = failure(&format!("{scheme}://127.0.0.1:{port}/?key=s3cret")).await;
    assert!(reached && reason.message.contains(&format!("127.0.0.1:{port}")), "{reason}");
    assert!(!reason.message.contains("s3cret"), "{reason}");
    reason
}

#[test]
async fn an_answer_over_http_is_told_with_its_status_and_what_it_may_mean() {
    for (answer, status, words) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..], 400, &["web page (HTTP 200)", "log in"][..]),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://login.example/?to=s3cret\r\nContent-Length: 0\r\n\r\n",
            400,
            &["redirects to https://login.example:443 (HTTP 302)", "log in"],
        ),
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            403,
            &["asks for a login (HTTP 403)", "a proxy asks for it"],
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, &["without a WebSocket", "check the address"]),
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", 429, &["no more connections"]),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503, &["in trouble (HTTP 503)"]),
    ] {
        let reason = told("ws", answer).await;
        assert_eq!(reason.status_code, status, "{reason}");
        assert!(words.iter().all(|word| reason.message.contains(word)), "{reason}");
    }
}

#[test]
async fn a_server_of_another_kind_is_told_with_its_greeting() {
    let reason = told("ws", b"SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(reason.message.contains("no WebSocket server (it says \"SSH-2.0-OpenSSH_9.2\")"), "{reason}");
    let reason = told("ws", b"\x00\x01\x02\xff\xfe garbage \xff").await;
    assert!(reason.message.contains("is no WebSocket server;"), "{reason}");
}

#[test]
async fn a_server_that_ends_the_connection_at_once_is_told() {
    let reason = told("ws", b"").await;
    assert!(reason.message.contains("ended it without an answer"), "{reason}");
}

#[test]
async fn the_wrong_one_of_ws_and_wss_is_told_with_the_right_one() {
    let reason = told("wss", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    assert!(
        reason.message.contains("does not speak TLS (it says \"HTTP/1.1 400 Bad Request\"); write ws://"),
        "{reason}"
    );
    // What a TLS server says to a request in plain text: a fatal alert.
    let reason = told("ws", &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x32]).await;
    assert!(reason.message.contains("accepts only encrypted connections (TLS); write wss://"), "{reason}");
}

#[test]
async fn a_closed_port_and_an_unknown_name_are_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (reached, reason) = failure(&format!("ws://127.0.0.1:{port}/?key=s3cret")).await;
    assert!(!reached && reason.message.starts_with(&format!("nothing listens at 127.0.0.1:{port}")), "{reason}");
    // No name has a part of more than 63 letters, so nobody is asked for it.
    let (reached, reason) = failure(&format!("ws://{}.example:9/?key=s3cret", "x".repeat(64))).await;
    assert!(!reached && reason.message.contains("cannot be found; check how it is written"), "{reason}");
    let (_, reason) = failure("ws://127.0.0.1:notaport/?key=s3cret").await;
    assert!(reason.message.starts_with("this is not a valid server address"), "{reason}");
}
