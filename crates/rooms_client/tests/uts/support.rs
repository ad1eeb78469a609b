//! The mock: a client, the sockets that it opens, and a clock that moves by hand. The server is the test.

use std::time::Duration;

use rooms_client::{
    ChannelChange, ChannelOptions, ChannelState, Client, ClientOptions, Command, ConnectionChange, ConnectionState,
    Credentials, Endpoint, Event, HttpRequest, HttpResponse, Lifetime, OperationId, Output, PresenceCommand, RequestId,
    TokenAnswer, TokenCallback, TokenDetails, TokenParams, TransportId,
};
use rooms_protocol::{Action, Data, ErrorCode, ErrorInfo, Flags, Frame, Message, PresenceMessage, json as wire};
use serde_json::{Value, json};
use web_time::Instant;

pub const SECOND: Duration = Duration::from_secs(1);

/// The API key that the mock's client has by default.
pub const KEY: &str = "app.id:secret";

/// A client on a mock transport.
#[derive(Debug)]
pub struct Bench {
    pub client: Client,
    pub now: Instant,
    /// The socket that the client opened last and did not shut.
    pub socket: Option<TransportId>,
    /// All URLs that the client opened, in order.
    pub urls: Vec<String>,
    /// Tokens that the client asked for and nobody gave yet.
    pub tokens_wanted: Vec<(RequestId, TokenParams)>,
    /// How often the client asked for a token.
    pub tokens_asked: usize,
    /// Token requests that the client would have exchanged.
    pub exchanges: Vec<(RequestId, HttpRequest)>,
    /// Questions whether the internet can be reached that nobody answered yet, with what to ask.
    pub checks: Vec<(RequestId, String)>,
    /// Requests over HTTP that nobody answered yet.
    pub http: Vec<(RequestId, HttpRequest)>,
    /// Frames that the client sent and nobody looked at yet.
    pub sent: Vec<Frame>,
    /// Events that nobody looked at yet.
    pub events: Vec<Event>,
    /// Every state of the connection since the start, also those that [`forget`](Self::forget) dropped the events of.
    pub history: Vec<ConnectionState>,
}

impl Bench {
    /// A client that was not asked to connect yet.
    pub fn new() -> Self {
        Self::with(options())
    }

    /// The same with other options.
    pub fn with(options: ClientOptions) -> Self {
        let client = Client::new(options, 7);
        Self {
            client,
            now: Instant::now(),
            socket: None,
            urls: vec![],
            tokens_wanted: vec![],
            tokens_asked: 0,
            exchanges: vec![],
            checks: vec![],
            http: vec![],
            sent: vec![],
            events: vec![],
            history: vec![],
        }
    }

    /// A client that is connecting: its socket is opening.
    pub fn connecting(options: ClientOptions) -> Self {
        let mut bench = Self::with(options);
        bench.command(Command::Connect);
        bench
    }

    /// A client that is connected, as `conn-1` with the key `conn-1-key`. What led there is forgotten.
    pub fn connected() -> Self {
        Self::connected_with(options())
    }

    /// The same with other options.
    pub fn connected_with(options: ClientOptions) -> Self {
        let mut bench = Self::connecting(options);
        bench.accept("conn-1");
        bench.forget();
        bench
    }

    /// A client that is connected, as `conn-1`, and attached to the channel `c` at the serial `s0`, with all modes.
    pub fn attached() -> Self {
        let mut bench = Self::connected();
        bench.attach("c");
        bench.receive(attached("c", "s0", Flags::empty()));
        bench.forget();
        bench
    }

    /// A client that is suspended, after it was connected as `conn-1`.
    pub fn suspended() -> Self {
        let mut bench = Self::connected();
        bench.suspend();
        bench.forget();
        bench
    }

    pub fn command(&mut self, command: Command) {
        self.client.handle_command(command, self.now);
        self.drain();
    }

    pub fn attach(&mut self, channel: &str) {
        self.attach_with(channel, ChannelOptions::default());
    }

    pub fn attach_with(&mut self, channel: &str, options: ChannelOptions) {
        self.command(Command::Attach { channel: channel.into(), options });
    }

    pub fn detach(&mut self, channel: &str) {
        self.command(Command::Detach { channel: channel.into() });
    }

    /// Publishes one message named `m` on the channel `c`, with the operation's number as its text.
    pub fn publish(&mut self, operation: u64) {
        self.publish_on("c", operation, vec![Message::new("m", operation.to_string())]);
    }

    pub fn publish_on(&mut self, channel: &str, operation: u64, messages: Vec<Message>) {
        let (operation, lifetime) = (OperationId(operation), Lifetime::Durable);
        self.command(Command::Publish { operation, channel: channel.into(), messages, lifetime });
    }

    /// Enters, updates or leaves presence on the channel `c`.
    pub fn presence(&mut self, operation: u64, action: PresenceCommand, data: Option<Data>) {
        let operation = OperationId(operation);
        self.command(Command::Presence { operation, channel: "c".into(), action, data });
    }

    /// The socket that the client has.
    ///
    /// # Panics
    /// Where it has none: the test is about a client that does.
    pub fn transport(&self) -> TransportId {
        self.socket.expect("the client has a socket")
    }

    /// The server sends a frame on the current socket.
    pub fn receive(&mut self, frame: Value) {
        let transport = self.transport();
        self.receive_on(transport, frame);
    }

    /// A server sends a frame on any socket, perhaps one that the client gave up.
    pub fn receive_on(&mut self, transport: TransportId, frame: Value) {
        match wire::decode(&frame.to_string()) {
            Ok(frame) => self.client.handle_frame(transport, frame, self.now),
            Err(error) => self.client.handle_malformed(transport, &error, self.now),
        }
        self.drain();
    }

    /// The socket opens; the server says nothing yet.
    pub fn open(&mut self) {
        let transport = self.transport();
        self.client.handle_opened(transport, self.now);
        self.drain();
    }

    /// The socket opens, and the server takes the connection with its usual details.
    pub fn accept(&mut self, id: &str) {
        self.open();
        self.receive(connected(id));
    }

    /// The socket opens, and the server puts a new connection in the place of the old one.
    pub fn accept_anew(&mut self, id: &str) {
        self.open();
        self.receive(connected_anew(id));
    }

    /// The socket breaks, or could not be opened.
    pub fn cut(&mut self) {
        let socket = self.transport();
        self.socket = None;
        self.client.handle_closed(socket, None, self.now);
        self.drain();
    }

    /// The server sends a frame and closes the socket.
    pub fn receive_and_cut(&mut self, frame: Value) {
        let transport = self.transport();
        self.receive_on(transport, frame);
        self.client.handle_closed(transport, None, self.now);
        self.drain();
    }

    /// The game's callback answers.
    ///
    /// # Panics
    /// Where the client asked for no token.
    pub fn answer_token(&mut self, answer: Result<TokenAnswer, ErrorInfo>) {
        let (request, _) = self.tokens_wanted.pop().expect("the client asked for a token");
        self.client.handle_token(request, answer, self.now);
        self.drain();
    }

    /// The game's callback gives a token.
    pub fn give_token(&mut self, token: &str) {
        self.answer_token(Ok(TokenDetails::new(token).into()));
    }

    /// The game's callback fails.
    pub fn refuse_token(&mut self, code: u32, status: u16) {
        self.answer_token(Err(ErrorInfo::new(ErrorCode(code), status, "the issuer says no")));
    }

    /// The server answers the oldest request over HTTP. Gives the request.
    ///
    /// # Panics
    /// Where the client made none.
    pub fn answer_http(&mut self, status: u16, link: &str, body: Value) -> HttpRequest {
        let (request, http) = self.http.remove(0);
        let body = body.to_string().into_bytes();
        let response = HttpResponse { status, link: link.to_owned(), body, ..HttpResponse::default() };
        self.client.handle_http(request, Ok(response), self.now);
        self.drain();
        http
    }

    /// Nothing answers the oldest request over HTTP. Gives the host that it went to.
    ///
    /// # Panics
    /// Where the client made none.
    pub fn lose_http(&mut self) -> String {
        let (request, http) = self.http.remove(0);
        let error = ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "nobody is there");
        self.client.handle_http(request, Err(error), self.now);
        self.drain();
        host(&http.url)
    }

    /// Answers whether the internet can be reached.
    ///
    /// # Panics
    /// Where the client did not ask.
    pub fn answer_check(&mut self, up: bool) {
        let (request, _) = self.checks.pop().expect("the client asked whether the internet can be reached");
        self.client.handle_connectivity(request, up, self.now);
        self.drain();
    }

    /// Refuses every attempt until the client is suspended.
    pub fn suspend(&mut self) {
        for _ in 0..1000 {
            if self.state() == ConnectionState::Suspended {
                return;
            }
            if self.socket.is_some() {
                self.cut();
            } else {
                self.next_timer();
            }
        }
        panic!("the client was never suspended: {:?}", self.history);
    }

    /// Time passes until the next timer goes off.
    pub fn next_timer(&mut self) {
        let due = self.client.poll_timeout().expect("a timer runs");
        self.pass(due.saturating_duration_since(self.now));
    }

    /// Time passes; every timer on the way goes off when it is due.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// The connection's state.
    pub fn state(&self) -> ConnectionState {
        self.client.state()
    }

    /// The state of a channel.
    pub fn channel(&self, channel: &str) -> ChannelState {
        self.client.channel_state(&channel.into())
    }

    /// Takes what the client has to say after anything that was handed to it directly.
    pub fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Open { transport, url } => {
                    self.socket = Some(transport);
                    self.urls.push(url);
                }
                Output::Send { transport, frame } => {
                    assert_eq!(Some(transport), self.socket, "frames go to the current socket");
                    self.sent.push(frame);
                }
                Output::Shut { transport } => {
                    if self.socket == Some(transport) {
                        self.socket = None;
                    }
                }
                Output::NeedToken { request, params } => {
                    self.tokens_asked += 1;
                    self.tokens_wanted.push((request, params));
                }
                Output::ExchangeToken { request, http } => self.exchanges.push((request, http)),
                Output::Http { request, http } => self.http.push((request, http)),
                Output::CheckConnectivity { request, url } => self.checks.push((request, url)),
            }
        }
        while let Some(event) = self.client.poll_event() {
            if let Event::Connection(change) = &event {
                self.history.push(change.current);
            }
            self.events.push(event);
        }
    }

    /// Forgets the frames and events that were seen so far.
    pub fn forget(&mut self) {
        self.sent.clear();
        self.events.clear();
    }

    /// The events so far, and forgets them.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The changes of the connection, and forgets all events.
    pub fn connection_changes(&mut self) -> Vec<ConnectionChange> {
        let changes = self.take_events().into_iter();
        changes.filter_map(|event| if let Event::Connection(change) = event { Some(change) } else { None }).collect()
    }

    /// The states that the connection went through, and forgets all events.
    pub fn states(&mut self) -> Vec<ConnectionState> {
        self.connection_changes().into_iter().map(|change| change.current).collect()
    }

    /// The changes of the channels, and forgets all events.
    pub fn channel_changes(&mut self) -> Vec<ChannelChange> {
        let changes = self.take_events().into_iter();
        changes.filter_map(|event| if let Event::Channel(change) = event { Some(change) } else { None }).collect()
    }

    /// The last change of the connection.
    pub fn last_change(&self) -> &ConnectionChange {
        let change = self.events.iter().rev().find_map(|event| match event {
            Event::Connection(change) => Some(change),
            _ => None,
        });
        change.expect("the connection changed")
    }

    /// Why the connection changed last.
    pub fn last_reason(&self) -> Option<&ErrorInfo> {
        self.last_change().reason.as_ref()
    }

    /// The messages that came, frame by frame, and forgets all events.
    pub fn messages(&mut self) -> Vec<Vec<Message>> {
        let events = self.take_events().into_iter();
        events
            .filter_map(|event| if let Event::Messages { messages, .. } = event { Some(messages) } else { None })
            .collect()
    }

    /// The words about members that came, and forgets all events.
    pub fn presence_words(&mut self) -> Vec<PresenceMessage> {
        let events = self.take_events().into_iter();
        events.flat_map(|event| if let Event::Presence { members, .. } = event { members } else { vec![] }).collect()
    }

    /// The operations that ended well, and those that ended badly with their codes; and forgets all events.
    pub fn outcomes(&mut self) -> (Vec<u64>, Vec<(u64, ErrorCode)>) {
        let (mut taken, mut failed) = (vec![], vec![]);
        for event in self.take_events() {
            match event {
                Event::Published { operation, outcome: Ok(_) } => taken.push(operation.0),
                Event::Published { operation, outcome: Err(error) } => failed.push((operation.0, error.code)),
                _ => {}
            }
        }
        (taken, failed)
    }

    /// The frames that were sent, and forgets them.
    pub fn take_sent(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.sent)
    }

    /// The frames of one kind that were sent, and forgets all.
    pub fn sent_of(&mut self, action: Action) -> Vec<Frame> {
        self.take_sent().into_iter().filter(|frame| frame.action == action).collect()
    }

    /// The actions of the frames that were sent, and forgets them.
    pub fn sent_actions(&mut self) -> Vec<Action> {
        self.take_sent().into_iter().map(|frame| frame.action).collect()
    }

    /// A parameter of the URL that was opened last.
    pub fn param(&self, name: &str) -> Option<String> {
        param(self.urls.last()?, name)
    }

    /// The hosts of all URLs that were opened.
    pub fn hosts(&self) -> Vec<String> {
        self.urls.iter().map(|url| host(url)).collect()
    }
}

/// The host of a URL.
pub fn host(url: &str) -> String {
    let url = url::Url::parse(url).expect("the client asks a URL");
    url.host_str().expect("with a host").to_owned()
}

/// A parameter of a URL.
pub fn param(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).expect("the client opens a URL");
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Options of a client at a relay on this machine, with an API key.
pub fn options() -> ClientOptions {
    ClientOptions { client_id: Some("ada".into()), ..anonymous() }
}

/// The same without a client id.
pub fn anonymous() -> ClientOptions {
    ClientOptions::new(Endpoint::Url("ws://127.0.0.1:8787".to_owned()), Credentials::Key(KEY.to_owned()))
}

/// Options of a client that gets its tokens from a callback, which is the test.
pub fn with_callback() -> ClientOptions {
    let never = TokenCallback::new(|_| std::future::pending::<Result<String, ErrorInfo>>());
    ClientOptions { credentials: Credentials::Callback(never), ..anonymous() }
}

/// Options of a client with a token that it cannot renew.
pub fn with_token(token: &str) -> ClientOptions {
    ClientOptions { credentials: Credentials::Token(token.to_owned()), ..anonymous() }
}

/// CONNECTED with the details that a server usually gives; the key is made of the id.
pub fn connected(id: &str) -> Value {
    json!({
        "action": 4,
        "connectionId": id,
        "connectionDetails": {
            "clientId": "ada", "connectionKey": format!("{id}-key"), "maxMessageSize": 65536,
            "connectionStateTtl": 120_000, "maxIdleInterval": 15_000,
        },
    })
}

/// CONNECTED that puts a new connection in the place of the old one.
pub fn connected_anew(id: &str) -> Value {
    let mut frame = connected(id);
    frame["error"] = error(80018, 400, "the connection is gone");
    frame
}

/// ATTACHED with all the usual modes and the given flags.
pub fn attached(channel: &str, serial: &str, flags: Flags) -> Value {
    json!({ "action": 11, "channel": channel, "channelSerial": serial, "flags": (Flags::MODES | flags).bits() })
}

/// DETACHED, with an error where `error` is not null.
pub fn detached(channel: &str, error: Value) -> Value {
    json!({ "action": 13, "channel": channel, "error": error })
}

/// ERROR for the whole connection.
pub fn connection_error(code: u32, status: u16) -> Value {
    json!({ "action": 9, "error": error(code, status, "the server says no") })
}

/// ERROR for one channel.
pub fn channel_error(channel: &str, code: u32, status: u16) -> Value {
    json!({ "action": 9, "channel": channel, "error": error(code, status, "the server says no") })
}

/// DISCONNECTED with an error.
pub fn disconnected(code: u32, status: u16) -> Value {
    json!({ "action": 6, "error": error(code, status, "the server ends the line") })
}

/// ACK of one frame.
pub fn ack(serial: i64) -> Value {
    json!({ "action": 1, "msgSerial": serial, "count": 1, "res": [{ "serials": ["serial"] }] })
}

/// An error as it stands in a frame.
pub fn error(code: u32, status: u16, message: &str) -> Value {
    json!({ "code": code, "statusCode": status, "message": message })
}
