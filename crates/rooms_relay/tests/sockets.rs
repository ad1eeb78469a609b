//! The relay over real sockets on loopback: what a client of the protocol sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    future::Future,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use rooms_protocol::{
    Action, ConnectionKey, DEVELOPMENT_KEY, Flags, Format, Frame, Message, MsgSerial, PresenceAction, PresenceMessage,
    WireFrame, json, msgpack,
};
use rooms_relay::{Limits, Relay, RelayConfig, RelayError, RelayHandle};
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

fn relay_with(change: impl FnOnce(&mut Limits)) -> RelayHandle {
    let mut config = RelayConfig::default();
    change(&mut config.hub.limits);
    rooms_relay::spawn(config).unwrap()
}

fn relay() -> RelayHandle {
    relay_with(|_| {})
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    format: Format,
    serial: i64,
}

impl Client {
    async fn open(url: &str, query: &str) -> Self {
        let (socket, _) = in_time("connecting", connect_async(format!("{url}/?{query}"))).await.unwrap();
        let format = if query.contains("format=msgpack") { Format::MsgPack } else { Format::Json };
        Self { socket, format, serial: 0 }
    }

    /// Connects with the development key and reads CONNECTED.
    async fn connect(relay: &RelayHandle, query: &str) -> (Self, Frame) {
        let mut client = Self::open(&relay.url(), &format!("v=6&format=json&key={DEVELOPMENT_KEY}&{query}")).await;
        let connected = client.expect(Action::Connected).await;
        (client, connected)
    }

    async fn attached(relay: &RelayHandle, query: &str) -> Self {
        let (mut client, _) = Self::connect(relay, query).await;
        client.send(Frame::for_channel(Action::Attach, "c".into())).await;
        client.expect(Action::Attached).await;
        client
    }

    async fn send(&mut self, frame: Frame) {
        let message = match self.format.encode(frame) {
            WireFrame::Text(text) => tungstenite::Message::text(text),
            WireFrame::Binary(bytes) => tungstenite::Message::binary(bytes),
        };
        self.socket.send(message).await.unwrap();
    }

    async fn send_numbered(&mut self, mut frame: Frame) {
        frame.msg_serial = Some(MsgSerial(self.serial));
        self.serial += 1;
        self.send(frame).await;
    }

    async fn publish(&mut self, name: &str, data: &str) {
        let messages = vec![Message::new(name, data)];
        self.send_numbered(Frame { messages, ..Frame::for_channel(Action::Message, "c".into()) }).await;
    }

    async fn enter(&mut self, data: &str) {
        let message =
            PresenceMessage { action: PresenceAction::Enter, data: Some(data.into()), ..PresenceMessage::default() };
        self.send_numbered(Frame { presence: vec![message], ..Frame::for_channel(Action::Presence, "c".into()) }).await;
    }

    /// The next frame; `None` at the end of the stream, however it came.
    async fn next(&mut self) -> Option<Frame> {
        in_time("the next frame", self.read()).await
    }

    /// The same, for as long as it takes. Pings come and are no frames.
    async fn read(&mut self) -> Option<Frame> {
        loop {
            match self.socket.next().await? {
                Ok(tungstenite::Message::Text(text)) => {
                    assert_eq!(self.format, Format::Json);
                    return Some(json::decode(&text).unwrap());
                }
                Ok(tungstenite::Message::Binary(bytes)) => {
                    assert_eq!(self.format, Format::MsgPack);
                    return Some(msgpack::decode(&bytes).unwrap());
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    async fn expect(&mut self, action: Action) -> Frame {
        let frame = self.next().await.unwrap_or_else(|| panic!("the stream ended before {action:?}"));
        assert_eq!(frame.action, action, "{frame:?}");
        frame
    }
}

#[tokio::test]
async fn json_may_come_in_a_binary_message() {
    let relay = relay();
    let (mut client, _) = Client::connect(&relay, "").await;
    let attach = br#"{"action":10,"channel":"c"}"#.to_vec();
    client.socket.send(tungstenite::Message::binary(attach)).await.unwrap();
    client.expect(Action::Attached).await;
}

#[tokio::test]
async fn a_client_connects_attaches_publishes_and_receives_its_own_message() {
    let relay = relay();
    let mut client = Client::attached(&relay, "clientId=ada").await;
    client.publish("hi", "there").await;
    let message = client.expect(Action::Message).await;
    assert_eq!(message.messages[0].client_id, Some("ada".into()));
    let ack = client.expect(Action::Ack).await;
    assert_eq!(ack.res[0].serials[0], message.messages[0].serial);
    client.send(Frame::new(Action::Close)).await;
    client.expect(Action::Closed).await;
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_speaks_messagepack_gets_binary_frames_and_keeps_its_bytes() {
    let relay = relay();
    let mut client = Client::open(&relay.url(), &format!("v=6&format=msgpack&key={DEVELOPMENT_KEY}")).await;
    client.expect(Action::Connected).await;
    client.send(Frame::for_channel(Action::Attach, "c".into())).await;
    client.expect(Action::Attached).await;
    let mut other = Client::attached(&relay, "").await;
    let messages = vec![Message::new("bytes", vec![0, 255])];
    client.send_numbered(Frame { messages, ..Frame::for_channel(Action::Message, "c".into()) }).await;
    assert_eq!(client.expect(Action::Message).await.messages[0].data, Some(vec![0, 255].into()));
    assert_eq!(other.expect(Action::Message).await.messages[0].data, Some("AP8=".into()));
}

#[tokio::test]
async fn clients_that_come_later_get_the_members() {
    let relay = relay();
    let mut ada = Client::attached(&relay, "clientId=ada").await;
    ada.enter("first").await;
    assert_eq!(ada.expect(Action::Presence).await.presence[0].action, PresenceAction::Enter);
    ada.expect(Action::Ack).await;
    let (mut bob, _) = Client::connect(&relay, "clientId=bob").await;
    bob.send(Frame::for_channel(Action::Attach, "c".into())).await;
    assert!(bob.expect(Action::Attached).await.has(Flags::HAS_PRESENCE));
    let sync = bob.expect(Action::Sync).await;
    assert_eq!(sync.presence[0].client_id, Some("ada".into()));
    ada.send(Frame::new(Action::Close)).await;
    assert_eq!(bob.expect(Action::Presence).await.presence[0].action, PresenceAction::Leave);
}

#[tokio::test]
async fn after_a_cut_socket_a_client_resumes_and_misses_nothing() {
    let relay = relay();
    let (mut ada, connected) = Client::connect(&relay, "").await;
    ada.send(Frame::for_channel(Action::Attach, "c".into())).await;
    let serial = ada.expect(Action::Attached).await.channel_serial;
    let key = connected.connection_details.and_then(|details| details.connection_key);
    drop(ada);

    let mut bob = Client::attached(&relay, "").await;
    bob.publish("missed", "x").await;
    bob.expect(Action::Message).await;
    bob.expect(Action::Ack).await;

    let query = format!("resume={}", key.as_ref().map_or("", ConnectionKey::as_str));
    let (mut again, resumed) = Client::connect(&relay, &query).await;
    assert_eq!((resumed.connection_id, resumed.error), (connected.connection_id, None));
    again.send(Frame { channel_serial: serial, ..Frame::for_channel(Action::Attach, "c".into()) }).await;
    assert!(again.expect(Action::Attached).await.has(Flags::RESUMED | Flags::HAS_BACKLOG));
    assert_eq!(again.expect(Action::Message).await.messages[0].name.as_deref(), Some("missed"));
    bob.publish("live", "x").await;
    assert_eq!(again.expect(Action::Message).await.messages[0].name.as_deref(), Some("live"));
}

#[tokio::test]
async fn a_slow_consumer_is_cut_off_and_delays_nobody() {
    const MESSAGES: usize = 600;
    let relay = relay_with(|limits| limits.queue_bytes = 256 * 1024);
    let mut slow = Client::attached(&relay, "").await;
    let (mut publisher, _) = Client::connect(&relay, "").await;
    // Far more than sockets hold, so that the slow one's queue runs full.
    let data = "x".repeat(60_000);
    for _ in 0..MESSAGES {
        publisher.publish("big", &data).await;
        publisher.expect(Action::Ack).await;
    }
    let mut received = 0;
    while slow.next().await.is_some() {
        received += 1;
    }
    assert!(received < MESSAGES, "the socket was closed before all was sent");
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_a_frame_and_the_socket_closes() {
    let relay = relay();
    let mut client = Client::open(&relay.url(), "v=6&format=json&key=rooms.dev:wrong").await;
    let error = client.expect(Action::Error).await.error.unwrap();
    assert_eq!((error.code.0, error.status_code), (40101, 401));
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_malformed_frame_is_refused_in_a_frame_and_the_socket_closes() {
    let relay = relay();
    for nonsense in [tungstenite::Message::text("{"), tungstenite::Message::binary(vec![0xff, 0x80])] {
        let (mut client, _) = Client::connect(&relay, "").await;
        client.socket.send(nonsense).await.unwrap();
        assert_eq!(client.expect(Action::Disconnected).await.error.unwrap().code.0, 80013);
        assert!(client.next().await.is_none());
    }
}

#[tokio::test]
async fn a_frame_that_is_too_large_closes_the_socket() {
    let relay = relay();
    let (mut client, _) = Client::connect(&relay, "").await;
    // The relay may close before all of it is written.
    let _ = client.socket.send(tungstenite::Message::text("x".repeat(512 * 1024 + 1))).await;
    assert!(client.next().await.is_none());
    Client::connect(&relay, "").await;
}

#[tokio::test]
async fn after_wrong_input_a_client_resumes_and_nobody_else_noticed() {
    let relay = relay();
    let mut witness = Client::attached(&relay, "").await;
    let (mut client, connected) = Client::connect(&relay, "").await;
    let mut key = connected.connection_details.and_then(|details| details.connection_key).unwrap();
    let largest = format!(r#"{{"action":0,"id":"{}"}}"#, "x".repeat(512 * 1024 - 20));
    let larger = largest.replace("x\"", "xx\"");
    assert_eq!((largest.len(), larger.len()), (512 * 1024, 512 * 1024 + 1));
    let text = tungstenite::Message::text;
    for (wrong, told) in [
        (text("{"), Some(80013)),
        (text("[15]"), Some(80013)),
        (text(r#"{"action":15,"channel":7,"msgSerial":"0"}"#), Some(80013)),
        (text(r#"{"action":12,"channel":[]}"#), Some(80013)),
        (text(r#"{"action":15,"channel":"c","messages":[{"name":"unnumbered"}]}"#), Some(80013)),
        (tungstenite::Message::binary(vec![0xc1]), Some(80013)),
        (tungstenite::Message::binary(b"\x81\xa6action\xa10".to_vec()), Some(80013)),
        (tungstenite::Message::binary(b"\xdf\xff\xff\xff\xff".to_vec()), Some(80013)),
        (text(larger.as_str()), None),
    ] {
        let what = format!("{wrong:.60?}");
        // The relay may close before all of a frame that is too large is written.
        let _ = client.socket.send(wrong).await;
        while let Some(frame) = client.next().await {
            assert_eq!((frame.action, frame.error.map(|error| error.code.0)), (Action::Disconnected, told), "{what}");
        }
        let (again, resumed) = Client::connect(&relay, &format!("resume={}", key.as_str())).await;
        assert_eq!((&resumed.connection_id, resumed.error), (&connected.connection_id, None), "{what}");
        key = resumed.connection_details.and_then(|details| details.connection_key).unwrap();
        client = again;
    }
    client.send(Frame { id: Some("ping".to_owned()), ..Frame::new(Action::Unknown(99)) }).await;
    client.socket.send(text(largest.as_str())).await.unwrap();
    client.expect(Action::Heartbeat).await;
    client.publish("still here", "x").await;
    client.expect(Action::Ack).await;
    assert_eq!(witness.expect(Action::Message).await.messages[0].name.as_deref(), Some("still here"));
}

#[tokio::test]
async fn a_bad_message_is_refused_under_its_number_and_later_ones_arrive() {
    let relay = relay();
    let mut witness = Client::attached(&relay, "").await;
    let (mut json, _) = Client::connect(&relay, "").await;
    for bad in [r#"{"name":5}"#, r#"{"data":"cut \ud83d"}"#, r#"{"extras":[1]}"#] {
        let serial = json.serial;
        let wrong = format!(r#"{{"action":15,"channel":"c","messages":[{bad}],"msgSerial":{serial}}}"#);
        json.socket.send(tungstenite::Message::text(wrong)).await.unwrap();
        json.serial += 1;
        json.publish("after", "x").await;
        let nack = json.expect(Action::Nack).await;
        assert_eq!((nack.msg_serial, nack.error.unwrap().code.0), (Some(MsgSerial(serial)), 40013), "{bad}");
        json.expect(Action::Ack).await;
        assert_eq!(witness.expect(Action::Message).await.messages[0].name.as_deref(), Some("after"));
    }
    let mut packed = Client::open(&relay.url(), &format!("v=6&format=msgpack&key={DEVELOPMENT_KEY}")).await;
    packed.expect(Action::Connected).await;
    let wrong = b"\x84\xa6action\x0f\xa7channel\xa1c\xa8messages\x91\x81\xa4name\x05\xa9msgSerial\x00".to_vec();
    packed.socket.send(tungstenite::Message::binary(wrong)).await.unwrap();
    packed.serial += 1;
    packed.publish("after", "x").await;
    assert_eq!(packed.expect(Action::Nack).await.error.unwrap().code.0, 40013);
    packed.expect(Action::Ack).await;
    assert_eq!(witness.expect(Action::Message).await.messages[0].name.as_deref(), Some("after"));
}

#[tokio::test]
async fn a_channel_of_any_script_is_found_over_http() {
    let relay = relay();
    for name in
        ["барсук", "ארנבת", "أرنب", "खरगोश", "กระต่าย", "獾与水獭", "토끼", "🦦👨‍👩‍👧", "e\u{301}", "a\u{200f}b/c?d#e%41"]
    {
        let (mut client, _) = Client::connect(&relay, "").await;
        let messages = vec![Message::new(name, name)];
        client.send_numbered(Frame { messages, ..Frame::for_channel(Action::Message, name.into()) }).await;
        client.expect(Action::Ack).await;
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let mut line = TcpStream::connect(relay.addr()).await.unwrap();
        let request = format!(
            "GET /channels/{escaped}/messages?key={DEVELOPMENT_KEY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        line.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        in_time("the answer", line.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.contains("200 OK") && answer.contains(&format!(r#""name":"{name}""#)), "{answer}");
    }
}

#[tokio::test]
async fn a_relay_that_stops_disconnects_its_clients() {
    let relay = relay();
    let (mut client, _) = Client::connect(&relay, "").await;
    let stopping = tokio::task::spawn_blocking(|| relay.stop());
    let error = client.expect(Action::Disconnected).await.error.unwrap();
    assert_eq!((error.code.0, error.status_code), (80003, 503));
    assert!(client.next().await.is_none());
    in_time("stopping", stopping).await.unwrap();
}

#[tokio::test]
async fn a_silent_socket_gets_heartbeats_or_pings() {
    let relay = relay_with(|limits| limits.max_idle_interval = Duration::from_millis(30));
    let (mut frames, _) = Client::connect(&relay, "heartbeats=true").await;
    frames.expect(Action::Heartbeat).await;
    let (mut pings, _) = Client::connect(&relay, "heartbeats=false").await;
    let message = in_time("a ping", pings.socket.next()).await.unwrap().unwrap();
    assert!(message.is_ping());
}

#[tokio::test]
async fn a_socket_that_never_becomes_a_websocket_is_closed() {
    let relay = relay_with(|limits| limits.handshake_timeout = Duration::from_secs(1));
    let (mut client, _) = Client::connect(&relay, "").await;
    let mut stuck = TcpStream::connect(relay.addr()).await.unwrap();
    stuck.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut rest = Vec::new();
    // Whether it ends in order or by a reset makes no difference.
    let _ = in_time("the end", stuck.read_to_end(&mut rest)).await;
    client.send(Frame::new(Action::Close)).await;
    client.expect(Action::Closed).await;
}

#[tokio::test]
async fn a_browser_gets_an_explanation() {
    let relay = relay();
    for (path, status, says) in [("/", "200 OK", "relay"), ("/elsewhere", "404 Not Found", "40400")] {
        let mut browser = TcpStream::connect(relay.addr()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        browser.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        in_time("the answer", browser.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.contains(status) && answer.contains(says), "{answer}");
    }
}

#[tokio::test]
async fn messages_published_over_plain_http_arrive_and_one_socket_serves_several_requests() {
    let relay = relay();
    let mut client = Client::attached(&relay, "").await;
    let mut line = TcpStream::connect(relay.addr()).await.unwrap();
    let body = r#"{"name":"a"}"#;
    let request = |end: &str| {
        format!(
            "POST /channels/c/messages?key={DEVELOPMENT_KEY} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://game.example\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{end}\r\n{body}",
            body.len()
        )
    };
    line.write_all((request("") + &request("Connection: close\r\n")).as_bytes()).await.unwrap();
    let mut answer = String::new();
    in_time("the answers", line.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 201 Created").count(), 2, "{answer}");
    assert_eq!(answer.matches("access-control-allow-origin: http://game.example").count(), 2);
    for _ in 0..2 {
        assert_eq!(client.expect(Action::Message).await.messages[0].name.as_deref(), Some("a"));
    }
}

#[tokio::test]
async fn the_sandbox_is_for_loopback_only() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut config = RelayConfig { listen, ..RelayConfig::default() };
    config.hub.keys = vec!["app.id:secret".parse().unwrap()];
    config.hub.sandbox = true;
    assert!(matches!(Relay::bind(config).await, Err(RelayError::SandboxExposed { .. })));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let relay = relay();
    let config = RelayConfig { listen: relay.addr(), ..RelayConfig::default() };
    let error = Relay::bind(config).await.unwrap_err();
    assert!(matches!(error, RelayError::PortInUse { addr } if addr == relay.addr()));
    assert!(error.to_string().contains(&relay.addr().port().to_string()), "{error}");
}

#[tokio::test]
async fn the_development_key_is_for_loopback_only() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut config = RelayConfig { listen, ..RelayConfig::default() };
    assert!(matches!(Relay::bind(config.clone()).await, Err(RelayError::DevelopmentKeyExposed { .. })));
    config.hub.keys = vec!["app.id:secret".parse().unwrap()];
    let relay = Relay::bind(config.clone()).await.unwrap();
    assert!(relay.url().starts_with("ws://127.0.0.1:"));
    config.hub.keys.clear();
    assert!(matches!(Relay::bind(config).await, Err(RelayError::NoKey)));
}

#[test]
fn the_program_refuses_to_open_the_development_key_to_others() {
    let output = Command::new(env!("CARGO_BIN_EXE_rooms-relay")).args(["--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--key"));
}

#[test]
fn the_program_does_not_repeat_a_key_that_is_wrong() {
    for wrong in ["app.id.hush", "app:hush", r#"app.id:hush={"a":["fly"]}"#] {
        let output = Command::new(env!("CARGO_BIN_EXE_rooms-relay")).args(["--key", wrong]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains("--key") && !told.contains("hush"), "{told}");
    }
}

/// Its socket stays open, as where the power went or a cable was pulled.
#[tokio::test]
async fn a_client_that_is_gone_without_a_word_is_missed() {
    let relay = relay_with(|limits| {
        // Pings come every 2 s, and who answers none for 5 is gone: a busy machine keeps bob's from being answered for no such
        // time.
        limits.max_idle_interval = Duration::from_secs(3);
        limits.remain_present_for = Duration::from_millis(100);
    });
    let mut bob = Client::attached(&relay, "").await;
    let mut ada = Client::attached(&relay, "clientId=ada").await;
    let message = PresenceMessage { action: PresenceAction::Enter, ..PresenceMessage::default() };
    ada.send_numbered(Frame { presence: vec![message], ..Frame::for_channel(Action::Presence, "c".into()) }).await;
    assert_eq!(bob.expect(Action::Presence).await.presence[0].action, PresenceAction::Enter);
    // Nothing reads her socket from here on, so nothing answers the relay's pings; his is read.
    assert_eq!(bob.expect(Action::Presence).await.presence[0].action, PresenceAction::Leave);
    bob.send(Frame { id: Some("here".to_owned()), ..Frame::new(Action::Heartbeat) }).await;
    bob.expect(Action::Heartbeat).await;
    drop(ada);
}

#[test]
fn the_program_takes_an_address_without_a_port_and_names_what_is_none() {
    for (address, wanted) in [("nonsense", "an address such as"), ("0.0.0.0", "0.0.0.0:8787 with the development key")]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_rooms-relay")).args(["--listen", address]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(wanted), "{told}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_says_where_it_listens_and_ends_cleanly_on_sigterm() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rooms-relay"))
        .args(["--listen", "127.0.0.1:0", "--key", "app.id:secret"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let mut client = Client::open(&format!("ws://{address}"), "v=6&key=app.id:secret").await;
    client.expect(Action::Connected).await;
    let killed = Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(client.expect(Action::Disconnected).await.error.unwrap().code.0, 80003);
    drop(client);
    assert_eq!(program.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "one line only");
}
