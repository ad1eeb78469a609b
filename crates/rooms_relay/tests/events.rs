//! Streams of events over real sockets on loopback: what a program without an SDK sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{future::Future, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use rooms_protocol::DEVELOPMENT_KEY;
use rooms_relay::{Limits, RelayConfig, RelayHandle};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// No answer in this time is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

fn relay(change: impl FnOnce(&mut Limits)) -> RelayHandle {
    let mut config = RelayConfig::default();
    change(&mut config.hub.limits);
    rooms_relay::spawn(config).unwrap()
}

fn basic() -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(DEVELOPMENT_KEY))
}

/// Makes a request of HTTP 1.0, whose answer ends with its socket, and reads the head of the answer.
async fn send(
    relay: &RelayHandle,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> (String, BufReader<TcpStream>) {
    let mut socket = in_time("connecting", TcpStream::connect(relay.addr())).await.unwrap();
    let length = body.len();
    let request =
        format!("{method} {target} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut socket = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(in_time("a head", socket.read_line(&mut head)).await.unwrap() > 0, "{head}");
    }
    (head.to_lowercase(), socket)
}

/// Makes a request with the development key, and reads the whole answer.
async fn ask(relay: &RelayHandle, method: &str, target: &str, body: &str) -> String {
    let (head, mut socket) = send(relay, method, target, &basic(), body).await;
    let mut text = String::new();
    in_time("an answer", socket.read_to_string(&mut text)).await.unwrap();
    assert!(head.starts_with("http/1.0 20"), "{head}{text}");
    text
}

async fn publish(relay: &RelayHandle, channel: &str, data: &str) {
    ask(relay, "POST", &format!("/channels/{channel}/messages"), &json!({ "name": "n", "data": data }).to_string())
        .await;
}

/// A stream of events.
struct Events {
    socket: BufReader<TcpStream>,
    head: String,
}

/// What comes until the next empty line.
#[derive(Debug, Default, PartialEq)]
struct Event {
    id: Option<String>,
    event: String,
    data: String,
    comment: String,
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

impl Events {
    async fn open(relay: &RelayHandle, target: &str, headers: &str) -> Self {
        let (head, socket) = send(relay, "GET", target, headers, "").await;
        assert!(head.starts_with("http/1.0 200"), "{head}");
        Self { socket, head }
    }

    /// Channels, with the development key.
    async fn of(relay: &RelayHandle, query: &str) -> Self {
        Self::open(relay, &format!("/sse?v=1.2&{query}"), &basic()).await
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            if in_time("an event", self.socket.read_line(&mut line)).await.ok()? == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(':') {
                None => return Some(event),
                Some(("", comment)) => event.comment = comment.to_owned(),
                Some(("id", id)) => event.id = Some(id.trim_start().to_owned()),
                Some(("event", name)) => event.event = name.trim_start().to_owned(),
                Some(("data", data)) => event.data += data.trim_start(),
                Some(field) => panic!("{field:?}"),
            }
        }
    }

    async fn data(&mut self, count: usize) -> Vec<String> {
        let mut data = Vec::new();
        while data.len() < count {
            let event = self.next().await.unwrap();
            assert!(event.event.is_empty() || event.event == "message", "{event:?}");
            data.extend((!event.event.is_empty()).then(|| event.json()["data"].as_str().unwrap().to_owned()));
        }
        data
    }
}

/// A metric that stands alone on its line.
async fn metric(relay: &RelayHandle, name: &str) -> f64 {
    let metrics = ask(relay, "GET", "/metrics", "").await;
    let line = metrics.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_is_published_comes_as_events_and_any_page_may_read_them() {
    let relay = relay(|_| {});
    let target = format!("/sse?v=1.2&channels=a,b&key={DEVELOPMENT_KEY}");
    let mut events = Events::open(&relay, &target, "Origin: https://game.example\r\n").await;
    for field in [
        "content-type: text/event-stream",
        "access-control-allow-origin: https://game.example",
        "cache-control: no-store",
        "x-accel-buffering: no",
    ] {
        assert!(events.head.contains(field), "{field}: {}", events.head);
    }
    publish(&relay, "b", "one").await;
    publish(&relay, "a", "two").await;
    publish(&relay, "c", "elsewhere").await;
    publish(&relay, "b", "three").await;
    let (one, two) = (events.next().await.unwrap(), events.next().await.unwrap());
    assert_eq!(
        (one.event.as_str(), &one.json()["channel"], &one.json()["data"]),
        ("message", &json!("b"), &json!("one"))
    );
    assert_eq!((&two.json()["name"], &two.json()["channel"]), (&json!("n"), &json!("a")));
    assert!(one.id.is_some() && one.id != two.id);
    assert_eq!(events.data(1).await, ["three"]);
}

#[tokio::test]
async fn a_stream_goes_on_where_the_last_one_ended() {
    let relay = relay(|_| {});
    publish(&relay, "a", "old").await;
    let mut events = Events::of(&relay, "channels=a,b&rewind=1").await;
    ask(&relay, "POST", "/channels/b/messages", r#"[{"data":"1"},{"data":"2"},{"data":"3"}]"#).await;
    assert_eq!(events.data(2).await, ["old", "1"]);
    let last = events.next().await.unwrap();
    drop(events);
    publish(&relay, "a", "missed").await;
    let id = last.id.unwrap();
    let target = "/sse?v=1.2&channels=a,b&rewind=1";
    let header = format!("{}Last-Event-ID: {id}\r\n", basic());
    for (target, header) in [(target, &header), (&format!("{target}&lastEvent={id}"), &basic())] {
        let mut again = Events::open(&relay, target, header).await;
        assert_eq!(again.data(2).await, ["missed", "3"]);
        publish(&relay, "c", "elsewhere").await;
    }
}

#[tokio::test]
async fn the_first_event_of_several_channels_is_one_to_go_on_from() {
    let relay = relay(|_| {});
    for channel in ["a", "b"] {
        publish(&relay, channel, "old").await;
    }
    let first = Events::of(&relay, "channels=a,b&rewind=1").await.next().await.unwrap();
    let header = format!("{}Last-Event-ID: {}\r\n", basic(), first.id.unwrap());
    publish(&relay, "b", "new").await;
    let mut again = Events::open(&relay, "/sse?v=1.2&channels=a,b", &header).await;
    assert_eq!(again.data(2).await, ["old", "new"], "the old one of b had not come");
}

#[tokio::test]
async fn whoever_was_away_too_long_is_told_and_goes_on() {
    let relay = relay(|_| {});
    let header = format!("{}Last-Event-ID: 00000000000001-000@elsewhere\r\n", basic());
    let mut events = Events::open(&relay, "/sse?v=1.2&channels=a", &header).await;
    let told = events.next().await.unwrap();
    assert_eq!((told.event.as_str(), &told.json()["code"], &told.id), ("error", &json!(90003), &None));
    publish(&relay, "a", "new").await;
    assert_eq!(events.data(1).await, ["new"]);
}

#[tokio::test]
async fn how_many_use_a_channel_is_told_to_who_asks() {
    let relay = relay(|_| {});
    let mut events = Events::of(&relay, "channels=a&occupancy=metrics.subscribers").await;
    let told = events.next().await.unwrap().json();
    assert_eq!((&told["name"], &told["channel"]), (&json!("[meta]occupancy"), &json!("a")));
    let numbers: Value = serde_json::from_str(told["data"].as_str().unwrap()).unwrap();
    assert_eq!(numbers, json!({ "metrics": { "subscribers": 1 } }));
}

#[tokio::test]
async fn lines_of_json_come_where_nobody_asks_for_server_sent_events() {
    let relay = relay(|_| {});
    let (head, mut lines) = send(&relay, "GET", "/event-stream?v=1.2&channel=a&enveloped=false", &basic(), "").await;
    assert!(head.contains("content-type: application/x-ndjson"), "{head}");
    publish(&relay, "a", "x\ny").await;
    let mut line = String::new();
    in_time("a line", lines.read_line(&mut line)).await.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["event"], &line["data"]), (&json!("message"), &json!("x\ny")));
    let headers = format!("{}Accept: text/event-stream\r\n", basic());
    let events = Events::open(&relay, "/event-stream?v=1.2&channel=a", &headers).await;
    assert!(events.head.contains("content-type: text/event-stream"));
}

#[tokio::test]
async fn what_cannot_begin_is_refused_as_any_request() {
    let relay = relay(|limits| limits.channels_per_connection = 2);
    let capability = json!({ "mine": ["subscribe"] }).to_string();
    let body = json!({ "keyName": "rooms.dev", "capability": capability }).to_string();
    let token: Value = serde_json::from_str(&ask(&relay, "POST", "/keys/rooms.dev/requestToken", &body).await).unwrap();
    let token = token["token"].as_str().unwrap();
    let key = basic();
    for (query, headers, status, code) in [
        ("v=1.2&channels=a", "", 401, 40106),
        ("v=1.2&channels=a&key=rooms.dev:wrong", "", 401, 40101),
        ("v=1.2&channels=a&accessToken=x", "", 401, 40101),
        (&format!("v=1.2&channels=mine,other&accessToken={token}"), "", 401, 40160),
        ("v=1.2&channels=:a", &key, 400, 40010),
        ("v=1.2&channels=a&rewind=x", &key, 400, 40003),
        ("v=1.2&channels=a,b,c", &key, 400, 90010),
        ("v=1.2", &key, 400, 40000),
        ("channels=a", &key, 400, 40000),
        ("v=x&channels=a", &key, 400, 40017),
    ] {
        let (head, mut socket) = send(&relay, "GET", &format!("/sse?{query}"), headers, "").await;
        let mut body = String::new();
        in_time("an answer", socket.read_to_string(&mut body)).await.unwrap();
        let error = &serde_json::from_str::<Value>(&body).unwrap()["error"];
        assert!(head.starts_with(&format!("http/1.0 {status} ")) && error["code"] == code, "{query}: {head}{body}");
        assert_eq!(error["href"], json!(format!("https://help.ably.io/error/{code}")));
    }
    assert_eq!(metric(&relay, "rooms_relay_connections").await, 0.0, "nothing is left of them");
    Events::open(&relay, &format!("/sse?v=1.2&channels=mine&accessToken={token}"), "").await;
}

#[tokio::test]
async fn a_stream_stays_open_however_long_and_its_silence_is_short() {
    let relay = relay(|limits| {
        limits.handshake_timeout = Duration::from_millis(300);
        limits.max_idle_interval = Duration::from_millis(1_500);
        limits.http_sockets = 1;
    });
    let mut comments = Events::of(&relay, "channels=a").await;
    let mut heartbeats = Events::of(&relay, "channels=a&heartbeats=true").await;
    for _ in 0..2 {
        assert_eq!(comments.next().await.unwrap(), Event { comment: "keepalive".to_owned(), ..Event::default() });
        assert_eq!(heartbeats.next().await.unwrap(), Event { event: "heartbeat".to_owned(), ..Event::default() });
        publish(&relay, "elsewhere", "x").await;
    }
    publish(&relay, "a", "x").await;
    assert_eq!(comments.data(1).await, ["x"]);
}

#[tokio::test]
async fn when_its_token_runs_out_a_stream_ends_with_an_error() {
    let relay = relay(|_| {});
    let body = json!({ "keyName": "rooms.dev", "ttl": 1_000 }).to_string();
    let token: Value = serde_json::from_str(&ask(&relay, "POST", "/keys/rooms.dev/requestToken", &body).await).unwrap();
    let target = format!("/sse?v=1.2&channels=a&accessToken={}", token["token"].as_str().unwrap());
    let mut events = Events::open(&relay, &target, "").await;
    publish(&relay, "a", "x").await;
    let last = events.next().await.unwrap().id.unwrap();
    let error = events.next().await.unwrap();
    assert_eq!(
        (error.event.as_str(), &error.json()["code"], &error.json()["statusCode"]),
        ("error", &json!(40142), &json!(401))
    );
    assert_eq!(events.next().await, None);
    publish(&relay, "a", "y").await;
    let mut renewed = Events::of(&relay, &format!("channels=a&lastEvent={last}")).await;
    assert_eq!(renewed.data(1).await, ["y"]);
}

#[tokio::test]
async fn a_stream_that_is_gone_leaves_nothing_behind() {
    let relay = relay(|_| {});
    let streams = [Events::of(&relay, "channels=a").await, Events::of(&relay, "channels=a,b").await];
    assert_eq!(metric(&relay, "rooms_relay_connections").await, 2.0);
    let details: Value = serde_json::from_str(&ask(&relay, "GET", "/channels/a", "").await).unwrap();
    let metrics = &details["status"]["occupancy"]["metrics"];
    assert_eq!((&metrics["subscribers"], &metrics["publishers"]), (&json!(2), &json!(0)));
    drop(streams);
    let gone = async { while metric(&relay, "rooms_relay_connections").await > 0.0 {} };
    in_time("forgetting the streams", gone).await;
}

#[tokio::test]
async fn whoever_does_not_read_is_cut_off_and_delays_nobody() {
    let relay = relay(|limits| limits.queue_bytes = 256 * 1024);
    let mut unread = Events::of(&relay, "channels=a").await;
    let mut read = Events::of(&relay, "channels=a").await;
    let data = "x".repeat(60_000);
    let cut_off = async {
        while metric(&relay, "rooms_relay_cut_offs_total").await < 1.0 {
            publish(&relay, "a", &data).await;
            assert_eq!(read.data(1).await, [data.as_str()]);
        }
    };
    in_time("cutting off", cut_off).await;
    let ends = async { while unread.next().await.is_some() {} };
    in_time("the end", ends).await;
    publish(&relay, "a", "last").await;
    assert_eq!(read.data(1).await, ["last"]);
}

#[tokio::test]
async fn a_relay_that_stops_tells_its_streams() {
    let relay = relay(|_| {});
    let mut events = Events::of(&relay, "channels=a").await;
    relay.stop();
    let told = events.next().await.unwrap();
    assert_eq!((told.event.as_str(), &told.json()["code"]), ("error", &json!(80003)));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn head_tells_what_get_would_and_no_more() {
    let relay = relay(|_| {});
    publish(&relay, "a", "x").await;
    for (target, kind) in [
        ("/sse?v=1.2&channels=a", "text/event-stream"),
        ("/channels/a/history", "application/json"),
        ("/time", "application/json"),
    ] {
        let (head, mut socket) = send(&relay, "HEAD", target, &basic(), "").await;
        assert!(head.starts_with("http/1.0 200") && head.contains(&format!("content-type: {kind}")), "{head}");
        let mut body = String::new();
        in_time("the end", socket.read_to_string(&mut body)).await.unwrap();
        assert_eq!(body, "");
    }
}
