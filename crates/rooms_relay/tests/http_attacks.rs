//! What strangers do to the relay over plain HTTP, over real sockets on loopback, and that others are served meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{future::Future, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use rooms_protocol::{Action, DEVELOPMENT_KEY, Frame, MsgSerial, PresenceAction, PresenceMessage, json};
use rooms_relay::{RelayConfig, RelayHandle};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};

/// No answer in this time is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

fn relay(change: impl FnOnce(&mut RelayConfig)) -> RelayHandle {
    let mut config = RelayConfig::default();
    change(&mut config);
    rooms_relay::spawn(config).unwrap()
}

async fn socket(relay: &RelayHandle) -> TcpStream {
    in_time("connecting", TcpStream::connect(relay.addr())).await.unwrap()
}

/// Reads one answer with a `Content-Length`. `None` where the socket ends before.
async fn answer(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time("an answer", socket.read_u8()).await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    in_time("a body", socket.read_exact(&mut body)).await.ok()?;
    Some((head, body))
}

async fn ask(relay: &RelayHandle, request: &str) -> (String, Vec<u8>) {
    let mut socket = socket(relay).await;
    socket.write_all(request.as_bytes()).await.unwrap();
    answer(&mut socket).await.unwrap()
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

async fn ends(socket: &mut TcpStream) {
    let mut rest = Vec::new();
    // Whether it ends in order or by a reset makes no difference.
    let _ = in_time("the end", socket.read_to_end(&mut rest)).await;
}

/// The first frame that a client with `query` gets: its action, and the code of its error.
async fn connect(
    relay: &RelayHandle,
    query: &str,
) -> (WebSocketStream<MaybeTlsStream<TcpStream>>, Action, Option<u32>) {
    let url = format!("{}/?v=6&format=json&{query}", relay.url());
    let (mut socket, _) = in_time("connecting", connect_async(url)).await.unwrap();
    let message = in_time("the first frame", socket.next()).await.unwrap().unwrap();
    let tungstenite::Message::Text(text) = message else { panic!("{message:?}") };
    let frame = json::decode(&text).unwrap();
    (socket, frame.action, frame.error.map(|error| error.code.0))
}

#[tokio::test]
async fn however_many_sockets_strangers_hold_open_a_newcomer_gets_in() {
    const PLACES: usize = 16;
    // More than may be new at the same time.
    const STRANGERS: usize = 300;
    let relay = relay(|config| {
        config.hub.limits.http_sockets = PLACES;
        config.hub.limits.connections = 100;
    });
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        let mut stranger = socket(&relay).await;
        // One that was closed for a newcomer cannot ask.
        let _ = stranger.write_all(get("/time").as_bytes()).await;
        strangers.push(stranger);
    }
    let (_ada, action, _) = connect(&relay, &format!("key={DEVELOPMENT_KEY}")).await;
    assert_eq!(action, Action::Connected);
    assert!(ask(&relay, &get("/time")).await.0.starts_with("http/1.1 200"));
    for stranger in &mut strangers[..STRANGERS - PLACES] {
        ends(stranger).await;
    }
}

#[tokio::test]
async fn sockets_with_wrong_keys_take_no_place_from_websockets() {
    let relay = relay(|config| {
        config.hub.limits.http_sockets = 4;
        config.hub.limits.connections = 8;
    });
    let mut refused = Vec::new();
    for _ in 0..60 {
        let (socket, action, code) = connect(&relay, "key=rooms.dev:wrong").await;
        assert_eq!((action, code), (Action::Error, Some(40101)));
        refused.push(socket);
    }
    let mut players = Vec::new();
    for player in 0..8 {
        let (socket, action, _) = connect(&relay, &format!("key={DEVELOPMENT_KEY}&clientId=player{player}")).await;
        assert_eq!(action, Action::Connected);
        players.push(socket);
    }
    let (_, action, code) = connect(&relay, &format!("key={DEVELOPMENT_KEY}&clientId=late")).await;
    assert_eq!((action, code), (Action::Error, Some(40111)));
}

#[tokio::test]
async fn a_byte_of_a_next_request_does_not_keep_a_socket_open() {
    let relay = relay(|config| config.hub.limits.handshake_timeout = Duration::from_secs(1));
    let mut stranger = socket(&relay).await;
    stranger.write_all((get("/time") + "G").as_bytes()).await.unwrap();
    answer(&mut stranger).await.unwrap();
    ends(&mut stranger).await;
}

#[tokio::test]
async fn two_thousand_clients_that_come_at_once_all_get_in() {
    const CLIENTS: usize = 2_000;
    let relay = relay(|_| {});
    let connecting = (0..CLIENTS).map(|client| {
        let query = format!("key={DEVELOPMENT_KEY}&clientId=player{client}");
        let relay = &relay;
        async move { connect(relay, &query).await }
    });
    let connected = futures_util::future::join_all(connecting).await;
    assert!(connected.iter().all(|(_, action, _)| *action == Action::Connected));
}

fn basic(key: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(key))
}

fn post(target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}Content-Length: \
         {length}\r\n\r\n{body}"
    )
}

/// The code of an answer's error.
fn code(head: &str) -> Option<&str> {
    head.split("x-ably-errorcode: ").nth(1)?.split("\r\n").next()
}

#[tokio::test]
async fn a_body_may_be_as_large_as_its_call_needs() {
    let relay = relay(|_| {});
    let tree = format!(r#"{{"a":[{}{{}}]}}"#, r#"{"":0},"#.repeat(70_000));
    let request = "/keys/rooms.dev/requestToken";
    assert_eq!(code(&ask(&relay, &post(request, "", &tree)).await.0), Some("40009"));
    let fitting = format!(r#"{{"x":"{}"}}"#, "x".repeat(16_000));
    assert_eq!(code(&ask(&relay, &post(request, "", &fitting)).await.0), Some("40101"));
    assert!(ask(&relay, &post(request, &basic(DEVELOPMENT_KEY), &fitting)).await.0.starts_with("http/1.1 201"));
    let publish = "/channels/c/messages";
    let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(60_000));
    assert!(ask(&relay, &post(publish, &basic(DEVELOPMENT_KEY), &large)).await.0.starts_with("http/1.1 201"));
    let larger = format!(r#"{{"data":"{}"}}"#, "x".repeat(512 * 1024));
    assert_eq!(code(&ask(&relay, &post(publish, &basic(DEVELOPMENT_KEY), &larger)).await.0), Some("40009"));
}

#[tokio::test]
async fn a_stranger_is_told_before_it_sends_its_body() {
    let relay = relay(|_| {});
    let mut stranger = socket(&relay).await;
    let head =
        format!("POST /channels/c/messages HTTP/1.1\r\nHost: x\r\n{}Content-Length: 400000\r\n\r\n", basic("a.b:c"));
    stranger.write_all(head.as_bytes()).await.unwrap();
    let (head, _) = answer(&mut stranger).await.unwrap();
    assert_eq!(code(&head), Some("40101"));
    ends(&mut stranger).await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_has_its_time_and_no_more() {
    let relay = relay(|config| config.hub.limits.handshake_timeout = Duration::from_secs(1));
    let mut stranger = socket(&relay).await;
    let head = format!(
        "POST /channels/c/messages HTTP/1.1\r\nHost: x\r\n{}Content-Length: 400\r\n\r\n{{",
        basic(DEVELOPMENT_KEY)
    );
    stranger.write_all(head.as_bytes()).await.unwrap();
    ends(&mut stranger).await;
}

#[tokio::test]
async fn requests_without_a_right_key_cost_those_with_one_nothing() {
    let relay = relay(|config| {
        config.hub.limits.token_rate = Some(50);
        config.hub.limits.request_rate = Some(80);
    });
    let flooding = async {
        let mut strangers = Vec::new();
        for _ in 0..10 {
            strangers.push(socket(&relay).await);
        }
        loop {
            for stranger in &mut strangers {
                let request = post("/keys/rooms.dev/requestToken", "", r#"{"mac":"AAAA","nonce":"0123456789abcdef"}"#);
                stranger.write_all(request.as_bytes()).await.unwrap();
            }
            for stranger in &mut strangers {
                assert_eq!(code(&answer(stranger).await.unwrap().0), Some("40101"));
            }
        }
    };
    let asking = async {
        let mut friend = socket(&relay).await;
        for _ in 0..40 {
            let request = post("/keys/rooms.dev/requestToken", &basic(DEVELOPMENT_KEY), "{}");
            friend.write_all(request.as_bytes()).await.unwrap();
            let (head, _) = answer(&mut friend).await.unwrap();
            assert!(head.starts_with("http/1.1 201"), "{head}");
        }
    };
    tokio::select! {
        () = flooding => {}
        () = in_time("the tokens", asking) => {}
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_are_small_and_delay_nobody() {
    const MEMBERS: usize = 100;
    let relay = relay(|_| {});
    let (mut client, action, _) = connect(&relay, &format!("key={DEVELOPMENT_KEY}")).await;
    assert_eq!(action, Action::Connected);
    for number in 0..MEMBERS {
        let message = PresenceMessage {
            action: PresenceAction::Enter,
            client_id: Some(format!("client{number:03}").as_str().into()),
            data: Some("x".repeat(60_000).as_str().into()),
            ..PresenceMessage::default()
        };
        let frame = Frame {
            msg_serial: Some(MsgSerial(i64::try_from(number).unwrap())),
            presence: vec![message],
            ..Frame::for_channel(Action::Presence, "c".into())
        };
        client.send(tungstenite::Message::text(json::encode(frame))).await.unwrap();
        in_time("the ACK", client.next()).await.unwrap().unwrap();
    }
    let request = format!("GET /channels/c/presence?limit=1000 HTTP/1.1\r\nHost: x\r\n{}\r\n", basic(DEVELOPMENT_KEY));
    let mut unread = Vec::new();
    for _ in 0..60 {
        let mut stranger = socket(&relay).await;
        stranger.write_all(request.as_bytes()).await.unwrap();
        unread.push(stranger);
    }
    assert!(ask(&relay, &get("/time")).await.0.starts_with("http/1.1 200"));
    // The one who leaves so much unread is refused. Others are not.
    let (head, _) = ask(&relay, &request).await;
    assert!(head.starts_with("http/1.1 200") || code(&head) == Some("42910"), "{head}");
    let of_ada = request.replace("Host: x", &format!("Host: x\r\nX-Ably-ClientId: {}", STANDARD.encode("ada")));
    let (head, body) = ask(&relay, &of_ada).await;
    assert!(head.contains("rel=\"next\"") && body.len() < 1_300_000, "{} bytes: {head}", body.len());
}
