//! The client's credentials and fallback hosts over real sockets, against the real relay.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rooms_client::{
    AppSide, ChannelOptions, ChannelState, ClientOptions, Command, ConnectionChange, ConnectionState, Credentials,
    Endpoint, Event, HistoryOf, HistoryQuery, HttpResponse, Lifetime, OperationId, Output, PresenceCommand,
    TokenAnswer, TokenCallback, TokenRequest,
};
use rooms_net::bridge::{Bridge, Runtime};
use rooms_net::transport::native::NativeConnector;
use rooms_protocol::{DEVELOPMENT_KEY, ErrorCode, ErrorInfo, Flags, Message, Timestamp};
use rooms_relay::{ConnectRequest, RelayConfig, RelayHandle, RestRequest, TokenEndpoint};

/// No machine is so slow that something which should happen takes longer.
const LIMIT: Duration = Duration::from_secs(60);

const OPERATION: OperationId = OperationId(7);

/// A relay that gives tokens to players, good for `ttl`.
fn relay_with_tokens(ttl: Duration) -> RelayHandle {
    let mut config = RelayConfig::default();
    let mut endpoint = TokenEndpoint::new("rooms.dev");
    endpoint.ttl = ttl;
    config.hub.token_endpoint = Some(endpoint);
    rooms_relay::spawn(config).unwrap()
}

fn relay() -> RelayHandle {
    relay_with_tokens(Duration::from_secs(3600))
}

fn key() -> Credentials {
    Credentials::Key(DEVELOPMENT_KEY.to_owned())
}

fn token_url(relay: &RelayHandle) -> Credentials {
    Credentials::TokenUrl(format!("http://{}/token?room=den", relay.addr()))
}

/// What a game does that signs token requests for its players: here, in a callback. Counts how often it was asked.
fn callback(asked: &Arc<AtomicUsize>) -> Credentials {
    let asked = Arc::clone(asked);
    Credentials::Callback(TokenCallback::new(move |params| {
        let nonce = format!("nonce-of-the-test-{}", asked.fetch_add(1, SeqCst));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let request = TokenRequest::sign(DEVELOPMENT_KEY, &params, Timestamp::default().plus(now), &nonce);
        async move { request }
    }))
}

fn options(relay: &RelayHandle, credentials: Credentials) -> ClientOptions {
    ClientOptions { client_id: Some("ada".into()), ..ClientOptions::new(Endpoint::Url(relay.url()), credentials) }
}

/// A client on its background thread.
struct Client {
    bridge: Bridge,
    events: Vec<Event>,
}

impl Client {
    fn new(options: ClientOptions) -> Self {
        let connector = NativeConnector::new().unwrap();
        let bridge = Bridge::start(options, connector, &Runtime::OwnThread, 7).unwrap();
        Self { bridge, events: Vec::new() }
    }

    fn connected(options: ClientOptions) -> Self {
        let mut client = Self::new(options);
        client.command(Command::Connect);
        client.reaches(ConnectionState::Connected);
        client
    }

    fn command(&self, command: Command) {
        self.bridge.send(command).unwrap();
    }

    /// Waits for the first event that `find` takes, and drops it with all before it.
    fn wait<T>(&mut self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let Self { bridge, events } = self;
            bridge.receive(|event| events.push(event));
            if let Some((index, found)) =
                events.iter().enumerate().find_map(|(index, event)| Some((index, find(event)?)))
            {
                events.drain(..=index);
                return found;
            }
            assert!(start.elapsed() < LIMIT, "it did not come to this: {what}; but to {events:?}");
            thread::yield_now();
        }
    }

    fn reaches(&mut self, state: ConnectionState) -> ConnectionChange {
        self.wait(&format!("{state:?}"), |event| match event {
            Event::Connection(change) if change.current == state => Some(change.clone()),
            _ => None,
        })
    }

    /// Attaches, and gives the modes that are granted, or the code of the error where the channel fails.
    fn attach(&mut self, name: &str) -> Result<Flags, u32> {
        self.command(Command::Attach { channel: name.into(), options: ChannelOptions::default() });
        self.wait("an answer to ATTACH", |event| match event {
            Event::Channel(change) if change.channel.as_str() == name => match change.current {
                ChannelState::Attached => Some(Ok(change.modes)),
                ChannelState::Failed => Some(Err(change.reason.as_ref().map_or(0, |reason| reason.code.0))),
                _ => None,
            },
            _ => None,
        })
    }

    /// Publishes, and gives the code of the error where that is refused.
    fn publish(&mut self, channel: &str, message: Message) -> Result<(), u32> {
        let (messages, lifetime) = (vec![message], Lifetime::Durable);
        self.command(Command::Publish { operation: OPERATION, channel: channel.into(), messages, lifetime });
        self.published()
    }

    fn published(&mut self) -> Result<(), u32> {
        self.wait("an answer to the publish", |event| match event {
            Event::Published { operation: OPERATION, outcome } => {
                Some(outcome.as_ref().map(|_| ()).map_err(|error| error.code.0))
            }
            _ => None,
        })
    }

    /// How many messages the history of a channel holds.
    fn history(&mut self, channel: &str) -> Result<usize, ErrorInfo> {
        let (channel, of, query) = (channel.into(), HistoryOf::Messages, HistoryQuery::default());
        self.command(Command::History { operation: OPERATION, channel, of, query });
        self.wait("a history", |event| match event {
            Event::History { outcome, .. } => Some(outcome.clone().map(|page| page.messages.len())),
            _ => None,
        })
    }

    fn time(&mut self) -> Result<Timestamp, ErrorInfo> {
        self.command(Command::Time { operation: OPERATION });
        self.wait("the time", |event| match event {
            Event::Time { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
    }
}

#[test]
fn a_callback_that_signs_requests_lets_its_player_in() {
    let (relay, asked) = (relay(), Arc::default());
    let mut ada = Client::connected(options(&relay, callback(&asked)));
    ada.attach("c").unwrap();
    ada.publish("c", Message::new("hi", "there")).unwrap();
    assert_eq!(ada.history("c"), Ok(1), "and HTTP shows the same token");
    assert_eq!(asked.load(SeqCst), 1);
}

#[test]
fn a_client_with_a_key_may_show_tokens_only() {
    let relay = relay();
    let mut ada = Client::connected(ClientOptions { use_token_auth: true, ..options(&relay, key()) });
    ada.publish("c", Message::new("hi", "there")).unwrap();
    assert_eq!(ada.history("c"), Ok(1));
}

#[test]
fn a_client_with_a_key_may_sign_by_the_relays_clock() {
    let relay = relay();
    let mut ada = Client::connected(ClientOptions { use_token_auth: true, query_time: true, ..options(&relay, key()) });
    assert_eq!(ada.publish("c", Message::new("hi", "there")), Ok(()));
}

/// What comes of a client that signs on a machine whose clock is `wrong` by so much: the code of its error, or that it has
/// a token that the relay took. Without sockets, since clocks of machines are not for tests to set.
fn signs_on_a_machine_with_a_wrong_clock(query_time: bool, wrong: Duration) -> Result<(), u32> {
    let (now, right) = (Instant::now(), Timestamp(1_700_000_000_000));
    let mut hub = rooms_relay::Hub::new(rooms_relay::HubConfig::default(), [7; 32], now, right);
    let endpoint = Endpoint::Url("ws://127.0.0.1:1".to_owned());
    let options = ClientOptions { use_token_auth: true, query_time, ..ClientOptions::new(endpoint, key()) };
    let mut client = rooms_client::Client::new(options, 7);
    client.handle_command(Command::Connect, now);
    let path = |url: &str| url.trim_start_matches("http://127.0.0.1:1").to_owned();
    while let Some(output) = client.poll_output() {
        match output {
            Output::Http { request, http } => {
                let asked = RestRequest { method: "GET".to_owned(), target: path(&http.url), ..RestRequest::default() };
                let answer = hub.rest(&asked, now);
                let answer = HttpResponse { status: answer.status, body: answer.body, ..HttpResponse::default() };
                client.handle_http(request, Ok(answer), now);
            }
            Output::NeedToken { request, params } => {
                let timestamp = params.timestamp.unwrap_or_else(|| right.plus(wrong));
                let signed = TokenRequest::sign(DEVELOPMENT_KEY, &params, timestamp, "nonce-of-the-test").unwrap();
                client.handle_token(request, Ok(signed.into()), now);
            }
            Output::ExchangeToken { request, http } => {
                let headers = http.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
                let body = http.body.unwrap_or_default().into_bytes();
                let asked = RestRequest { method: "POST".to_owned(), target: path(&http.url), headers, body };
                let answer = hub.rest(&asked, now);
                let refused = answer.header("x-ably-errorcode").map(|code| code.parse().unwrap());
                client.handle_token(
                    request,
                    match refused {
                        Some(code) => Err(ErrorInfo::new(ErrorCode(code), answer.status, "refused")),
                        None => TokenAnswer::from_http("application/json", &answer.body),
                    },
                    now,
                );
            }
            Output::Open { url, .. } => {
                hub.open(&ConnectRequest::from_query(url.split_once('?').unwrap().1), now);
                let Some(rooms_relay::Output::Send { mut batch, .. }) = hub.poll_output() else { panic!("an answer") };
                return batch.next_frame().unwrap().error.as_ref().map_or(Ok(()), |error| Err(error.code.0));
            }
            other => panic!("{other:?}"),
        }
    }
    Err(client.error_reason().unwrap().cause.as_ref().unwrap().code.0)
}

#[test]
fn on_a_machine_with_a_wrong_clock_a_client_signs_by_the_relays() {
    let (right, wrong) = (Duration::from_secs(60), Duration::from_secs(3 * 60));
    assert_eq!(signs_on_a_machine_with_a_wrong_clock(false, right), Ok(()));
    assert_eq!(signs_on_a_machine_with_a_wrong_clock(false, wrong), Err(40104));
    assert_eq!(signs_on_a_machine_with_a_wrong_clock(true, wrong), Ok(()));
}

#[test]
fn http_needs_no_connection() {
    let relay = relay();
    let mut ada = Client::new(ClientOptions { use_token_auth: true, ..options(&relay, key()) });
    let messages = vec![Message::new("hi", "there")];
    ada.command(Command::PublishByHttp { operation: OPERATION, channel: "c".into(), messages });
    assert_eq!(ada.published(), Ok(()));
    assert_eq!(ada.history("c"), Ok(1));
    assert_eq!(ada.bridge.traffic().sockets, 0);
}

#[test]
fn the_token_url_of_a_relay_gives_a_player_its_room_and_no_other() {
    let relay = relay();
    let mut ada = Client::connected(options(&relay, token_url(&relay)));
    let hears = |modes: Result<Flags, u32>| modes.map(|modes| modes.contains(Flags::SUBSCRIBE));
    assert_eq!(hears(ada.attach("room:den")), Ok(true));
    assert_eq!(hears(ada.attach("room:den:to:ada")), Ok(true));
    assert_eq!(ada.publish("room:den:to:bob", Message::new("hi", "there")), Ok(()));
    assert_eq!(hears(ada.attach("room:den:to:bob")), Ok(false), "the inbox of another");
    assert_eq!(hears(ada.attach("room:sett")), Err(40160), "another room");
    assert_eq!(ada.publish("room:holt", Message::new("hi", "there")), Err(40160));
}

#[test]
fn a_token_url_that_names_another_player_is_refused() {
    let relay = relay();
    let url = format!("http://{}/token?room=den&player=bob", relay.addr());
    let mut ada = Client::new(options(&relay, Credentials::TokenUrl(url)));
    ada.command(Command::Connect);
    let reason = ada.reaches(ConnectionState::Disconnected).reason.unwrap();
    assert_eq!((reason.code.0, reason.cause.unwrap().code.0), (80019, 40003));
}

#[test]
fn nobody_speaks_as_another() {
    let relay = relay();
    let mut ada = Client::connected(ClientOptions {
        client_id: None,
        ..options(&relay, Credentials::TokenUrl(format!("http://{}/token?room=den&player=ada", relay.addr())))
    });
    let forged = Message { client_id: Some("bob".into()), ..Message::new("hi", "I am bob") };
    assert_eq!(ada.publish("room:den", forged), Err(40012));
    ada.attach("room:den").unwrap();
    let (operation, channel, client_id) = (OPERATION, "room:den".into(), "bob".into());
    ada.command(Command::PresenceFor { operation, channel, client_id, action: PresenceCommand::Enter, data: None });
    assert_eq!(ada.published(), Err(40012));

    // A token of bob's in the hands of one who says that it is ada.
    let stolen = Credentials::Callback(TokenCallback::new(|mut params| {
        params.client_id = Some("bob".into());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let request =
            TokenRequest::sign(DEVELOPMENT_KEY, &params, Timestamp::default().plus(now), "nonce-of-the-thief");
        async move { request }
    }));
    let mut thief = Client::new(options(&relay, stolen));
    thief.command(Command::Connect);
    assert_eq!(thief.reaches(ConnectionState::Failed).reason.unwrap().code.0, 40102);
}

#[test]
fn a_forged_signature_is_refused() {
    let relay = relay();
    let forged = Credentials::Key("rooms.dev:a-guess".to_owned());
    let mut ada = Client::new(ClientOptions { use_token_auth: true, ..options(&relay, forged) });
    ada.command(Command::Connect);
    let reason = ada.reaches(ConnectionState::Disconnected).reason.unwrap();
    assert_eq!((reason.code.0, reason.cause.unwrap().code.0), (80019, 40101));
}

#[test]
fn a_token_is_renewed_before_its_end_and_the_line_stands() {
    let relay = relay_with_tokens(Duration::from_secs(2));
    let mut ada = Client::new(options(&relay, token_url(&relay)));
    ada.command(Command::Connect);
    let first = ada.reaches(ConnectionState::Connected);
    let start = Instant::now();
    ada.attach("room:den").unwrap();
    // Past the life of the first token, and of the second.
    while start.elapsed() < Duration::from_secs(4) {
        let update = ada.wait("the connection changes", |event| match event {
            Event::Connection(change) => Some(change.clone()),
            Event::Channel(change) => panic!("the channel stays as it is: {change:?}"),
            _ => None,
        });
        assert_eq!((update.previous, update.current), (ConnectionState::Connected, ConnectionState::Connected));
        assert_eq!(update.connection_id, first.connection_id);
    }
    ada.publish("room:den", Message::new("hi", "still here")).unwrap();
    assert_eq!(ada.bridge.traffic().sockets, 1);
}

#[test]
fn a_new_token_is_taken_on_the_standing_line() {
    let (relay, asked) = (relay(), Arc::default());
    let mut ada = Client::connected(options(&relay, callback(&asked)));
    ada.command(Command::Authorize { operation: OPERATION });
    let outcome = ada.wait("an answer to AUTH", |event| match event {
        Event::Authorized { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    assert_eq!((outcome, asked.load(SeqCst), ada.bridge.traffic().sockets), (Ok(()), 2, 1));
}

/// Answers every request over HTTP with `body`. Ends with the process.
#[cfg(target_os = "linux")]
fn stand_in(body: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/is-the-internet-up.txt", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let head = BufReader::new(socket.try_clone().unwrap()).lines();
            head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
            counted.fetch_add(1, SeqCst);
            let length = body.len();
            write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    });
    (url, asked)
}

/// Answers every request over HTTP with `[5]`, and gives their heads in small letters. Ends with the process.
#[cfg(target_os = "linux")]
fn listen_to_heads() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (heads, heard) = mpsc::channel();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let lines = BufReader::new(socket.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            heads.send(head.join("\n").to_lowercase()).unwrap();
            write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n[5]").unwrap();
        }
    });
    (url, heard)
}

#[test]
#[cfg(target_os = "linux")]
fn a_request_over_http_says_who_asks_and_by_which_version() {
    let (url, heard) = listen_to_heads();
    let options = ClientOptions::new(Endpoint::Url(url), key());
    let mut ada = Client::new(ClientOptions { use_token_auth: true, side: AppSide::Server, ..options });
    assert_eq!(ada.time(), Ok(Timestamp(5)));
    // It needs a token, so a signed request is exchanged for one first.
    ada.command(Command::History {
        operation: OPERATION,
        channel: "c".into(),
        of: HistoryOf::Messages,
        query: HistoryQuery::default(),
    });
    for begin in ["get /time ", "post /keys/rooms.dev/requesttoken "] {
        let head = heard.recv_timeout(LIMIT).unwrap();
        assert!(head.starts_with(begin), "{head}");
        for said in ["\nx-ably-version: 6", "\nably-agent: bevy_rooms/", " linux ably-pubsub-server"] {
            assert!(head.contains(said), "{said:?} in {head}");
        }
    }
}

/// Options whose first host is nobody: the relay listens on 127.0.0.1 alone, which stands in for it.
#[cfg(target_os = "linux")]
fn with_fallback(relay: &RelayHandle, connectivity_check_url: String) -> ClientOptions {
    ClientOptions {
        endpoint: Endpoint::Url(format!("ws://127.0.0.2:{}", relay.addr().port())),
        fallback_hosts: Some(vec!["127.0.0.1".to_owned()]),
        connectivity_check_url,
        ..options(relay, key())
    }
}

#[test]
#[cfg(target_os = "linux")]
fn where_the_internet_is_up_another_host_is_tried_within_the_attempt() {
    let relay = relay();
    let (url, asked) = stand_in("yes\n");
    let mut ada = Client::new(with_fallback(&relay, url));
    ada.command(Command::Connect);
    let states: Vec<ConnectionState> = (0..2)
        .map(|_| {
            ada.wait("the connection changes", |event| match event {
                Event::Connection(change) => Some(change.current),
                _ => None,
            })
        })
        .collect();
    assert_eq!(states, [ConnectionState::Connecting, ConnectionState::Connected]);
    assert_eq!((asked.load(SeqCst), ada.bridge.traffic().sockets), (1, 2));
    assert!(ada.time().is_ok(), "HTTP goes where the connection is");
}

#[test]
#[cfg(target_os = "linux")]
fn where_the_internet_is_down_no_other_host_is_tried() {
    let relay = relay();
    let (url, asked) = stand_in("no\n");
    let mut ada = Client::new(with_fallback(&relay, url));
    ada.command(Command::Connect);
    ada.reaches(ConnectionState::Disconnected);
    assert_eq!((asked.load(SeqCst), ada.bridge.traffic().sockets), (1, 1));
}

#[test]
#[cfg(target_os = "linux")]
fn a_request_over_http_goes_to_another_host_by_itself() {
    let relay = relay();
    let (url, asked) = stand_in("yes\n");
    let mut ada = Client::new(with_fallback(&relay, url));
    assert!(ada.time().is_ok());
    assert_eq!(ada.history("c"), Ok(0));
    assert_eq!(asked.load(SeqCst), 0, "a request needs no word about the internet");
}
