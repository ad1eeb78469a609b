//! The client: a server that says anything, at any time.

use std::time::Duration;

use rooms_client::{
        ChannelOptions, CipherKey, CipherParams, Client, ClientOptions, Command, Credentials, Endpoint, HistoryOf,
        HistoryQuery, HttpResponse, Lifetime, OperationId, Output, PresenceCommand, RequestId, TokenAnswer,
        TokenCallback, TransportId,
    };
use rooms_protocol::{ErrorCode, ErrorInfo, Message, json};
use serde_json::json;
use web_time::Instant;

use crate::lines;

const OPERATION: OperationId = OperationId(1);

struct Bench {
    client: Client,
    now: Instant,
    socket: Option<TransportId>,
    tokens: Vec<RequestId>,
    http: Vec<RequestId>,
    checks: Vec<RequestId>,
}

/// A payload that is said to be encrypted: the first line is its encoding, what follows the payload. A text is sent as
/// it is, so that base64 can stand there.
pub fn cipher(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(encoding), Some(payload)) = (parts.next(), parts.next()) else { return };
    let mut bench = Bench::new();
    bench.step("connect", "");
    bench.step("opened", "");
    bench.step("frame", r#"{"action":4,"connectionId":"c","connectionDetails":{"connectionKey":"k"}}"#);
    bench.step("attach", "c");
    bench.step("frame", r#"{"action":11,"channel":"c","channelSerial":"s","flags":983040}"#);
    let (encoding, text) = (String::from_utf8_lossy(encoding), String::from_utf8_lossy(payload));
    let words = json!([{ "action": 2, "clientId": "ada", "connectionId": "c", "id": "c:0:0", "data": text,
        "encoding": encoding }]);
    for (action, what) in [(15, "messages"), (14, "presence")] {
        bench.step("frame", &json!({ "action": action, "channel": "c", what: words }).to_string());
    }
    let Some(socket) = bench.socket else { return };
    let mut frame = json::decode(r#"{"action":15,"channel":"c"}"#).expect("it is one");
    let encoding = Some(encoding.into_owned());
    frame.messages = vec![Message { encoding: encoding.map(Into::into), ..Message::new("m", payload.to_vec()) }];
    bench.client.handle_frame(socket, frame, bench.now);
    bench.drain();
}

/// A course of events at a client:
///
/// * `connect`, `close`, `attach CHANNEL`, `detach CHANNEL`, `publish CHANNEL`, `enter CHANNEL`, `history CHANNEL`,
///   `authorize`, `ping`, `post CHANNEL`: what the game's side asks
/// * `opened`, `cut`, `frame JSON`: word of the socket
/// * `token JSON`, `http STATUS JSON`, `check YES`: answers to the oldest question
/// * `wait MILLISECONDS`, `network UP`
pub fn client(data: &[u8]) {
    let Some(lines) = lines(data) else { return };
    let mut bench = Bench::new();
    for (word, rest) in lines {
        bench.step(word, rest);
    }
    bench.step("close", "");
    bench.wait(Duration::from_secs(60));
}

impl Bench {
    fn new() -> Self {
        let never = TokenCallback::new(|_| std::future::pending::<Result<String, ErrorInfo>>());
        let options = ClientOptions {
            token: Some(rooms_client::TokenDetails::new("t")),
            outbox_limit: 16,
            ..ClientOptions::new(Endpoint::Cloud, Credentials::Callback(never))
        };
        Self {
            client: Client::new(options, 7),
            now: Instant::now(),
            socket: None,
            tokens: Vec::new(),
            http: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn step(&mut self, word: &str, rest: &str) {
        let (now, channel) = (self.now, || rest.into());
        match word {
            "connect" => self.command(Command::Connect),
            "close" => self.command(Command::Close),
            "authorize" => self.command(Command::Authorize { operation: OPERATION }),
            "ping" => self.command(Command::Ping),
            "doubt" => self.command(Command::CheckSocket),
            "attach" => {
                let cipher = CipherKey::from_bytes(&[7; 32]).ok().map(CipherParams::new);
                let options = ChannelOptions { cipher, ..ChannelOptions::default() };
                self.command(Command::Attach { channel: channel(), options });
            }
            "detach" => self.command(Command::Detach { channel: channel() }),
            "publish" => {
                let messages = vec![Message::new("m", "x")];
                let lifetime = Lifetime::Durable;
                self.command(Command::Publish { operation: OPERATION, channel: channel(), messages, lifetime });
            }
            "post" => {
                let messages = vec![Message::new("m", "x")];
                self.command(Command::PublishByHttp { operation: OPERATION, channel: channel(), messages });
            }
            "enter" => {
                let (action, data) = (PresenceCommand::Enter, Some("x".into()));
                self.command(Command::Presence { operation: OPERATION, channel: channel(), action, data });
            }
            "history" => {
                let (of, query) = (HistoryOf::Presence, HistoryQuery::default());
                self.command(Command::History { operation: OPERATION, channel: channel(), of, query });
            }
            "reached" => self.on_socket(|client, socket| client.handle_reached(socket)),
            "opened" => self.on_socket(|client, socket| client.handle_opened(socket, now)),
            "cut" => {
                self.on_socket(|client, socket| client.handle_closed(socket, None, now));
                self.socket = None;
            }
            "frame" => self.on_socket(|client, socket| match json::decode(rest) {
                Ok(frame) => client.handle_frame(socket, frame, now),
                Err(error) => client.handle_malformed(socket, &error, now),
            }),
            "token" => {
                if let Some(request) = take_first(&mut self.tokens) {
                    self.client.handle_token(request, TokenAnswer::from_json(rest), now);
                }
            }
            "http" => {
                let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let answer = status.parse().map_err(|_| ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "nobody"));
                let link = r#"<./messages?cursor=1>; rel="next""#.to_owned();
                let answer =
                    answer.map(|status| HttpResponse { status, link, body: body.into(), ..HttpResponse::default() });
                if let Some(request) = take_first(&mut self.http) {
                    self.client.handle_http(request, answer, now);
                }
            }
            "check" => {
                if let Some(request) = take_first(&mut self.checks) {
                    self.client.handle_connectivity(request, rest == "yes", now);
                }
            }
            "network" => self.client.handle_network(rest == "up", now),
            "wait" => self.wait(Duration::from_millis(rest.parse().unwrap_or(0)).min(Duration::from_secs(60))),
            _ => {}
        }
        self.drain();
    }

    fn command(&mut self, command: Command) {
        self.client.handle_command(command, self.now);
    }

    fn on_socket(&mut self, handle: impl FnOnce(&mut Client, TransportId)) {
        if let Some(socket) = self.socket {
            handle(&mut self.client, socket);
        }
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Open { transport, .. } => self.socket = Some(transport),
                Output::Send { transport, frame } => {
                    assert_eq!(Some(transport), self.socket, "frames go to the current socket");
                    assert!(self.client.format().encode(frame).decode().is_ok(), "the server can read what is sent");
                }
                Output::Shut { transport } => self.socket = self.socket.filter(|socket| *socket != transport),
                Output::NeedToken { request, .. } | Output::ExchangeToken { request, .. } => self.tokens.push(request),
                Output::Http { request, .. } => self.http.push(request),
                Output::CheckConnectivity { request, .. } => self.checks.push(request),
            }
        }
        while self.client.poll_event().is_some() {}
        let stats = self.client.stats();
        assert!(stats.queued <= 16 + 1 && stats.pending <= 16, "{stats:?}");
    }
}

fn take_first(requests: &mut Vec<RequestId>) -> Option<RequestId> {
    (!requests.is_empty()).then(|| requests.remove(0))
}
