//! The client against a scripted server, on simulated time.

mod attempts;
mod channels;
mod ciphers;
mod connection;
mod handshake;
mod hostile;
mod members;
mod publishing;

use std::time::Duration;

use serde_json::{Value, json};
use web_time::Instant;

use crate::{
    ChannelChange, ChannelOptions, ChannelState, Client, ClientOptions, Command, ConnectionChange, ConnectionState,
    Credentials, Endpoint, Event, Lifetime, OperationId, Output, PresenceCommand, TransportId,
};
use rooms_protocol::{Action, ErrorCode, Flags, Frame, Message, json as wire};

const SECOND: Duration = Duration::from_secs(1);

/// A client, the sockets that it has, and a clock that moves by hand. The server is the test.
struct Bench {
    client: Client,
    now: Instant,
    /// The socket that the client opened last and did not shut.
    socket: Option<TransportId>,
    /// All URLs that the client opened.
    urls: Vec<String>,
    sent: Vec<Frame>,
    events: Vec<Event>,
}

impl Bench {
    fn new() -> Self {
        Self::with(options())
    }

    fn with(options: ClientOptions) -> Self {
        let client = Client::new(options, 7);
        Self { client, now: Instant::now(), socket: None, urls: vec![], sent: vec![], events: vec![] }
    }

    /// A client that is connected, as `conn-1`.
    fn connected() -> Self {
        let mut bench = Self::new();
        bench.command(Command::Connect);
        bench.accept("conn-1");
        bench.forget();
        bench
    }

    /// A client that is connected, as `conn-1`, and attached to the channel `c` at the serial `s0`.
    fn attached() -> Self {
        let mut bench = Self::connected();
        bench.attach("c");
        bench.receive(json!({ "action": 11, "channel": "c", "channelSerial": "s0", "flags": Flags::MODES.bits() }));
        bench.forget();
        bench
    }

    fn command(&mut self, command: Command) {
        self.client.handle_command(command, self.now);
        self.drain();
    }

    fn attach(&mut self, channel: &str) {
        self.command(Command::Attach { channel: channel.into(), options: ChannelOptions::default() });
    }

    fn detach(&mut self, channel: &str) {
        self.command(Command::Detach { channel: channel.into() });
    }

    fn release(&mut self, channel: &str) {
        self.command(Command::Release { channel: channel.into() });
    }

    fn publish(&mut self, operation: u64, lifetime: Lifetime) {
        let messages = vec![Message::new("m", operation.to_string())];
        self.command(Command::Publish { operation: OperationId(operation), channel: "c".into(), messages, lifetime });
    }

    fn presence(&mut self, operation: u64, action: PresenceCommand, data: &str) {
        let (operation, channel) = (OperationId(operation), "c".into());
        self.command(Command::Presence { operation, channel, action, data: Some(data.into()) });
    }

    /// The server sends a frame on the current socket.
    fn receive(&mut self, frame: Value) {
        let frame = wire::decode(&frame.to_string()).unwrap();
        self.client.handle_frame(self.socket.expect("there is a socket"), frame, self.now);
        self.drain();
    }

    /// The socket opens, and the server takes the connection with its usual details.
    fn accept(&mut self, id: &str) {
        self.client.handle_opened(self.socket.expect("there is a socket"), self.now);
        self.receive(welcome(id));
    }

    /// The socket breaks.
    fn cut(&mut self) {
        let socket = self.socket.take().expect("there is a socket");
        self.client.handle_closed(socket, None, self.now);
        self.drain();
    }

    /// Time passes; every timer on the way goes off when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
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
                other => panic!("nothing here asks for {other:?}"),
            }
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    /// Forgets what was seen so far.
    fn forget(&mut self) {
        self.sent.clear();
        self.events.clear();
    }

    /// The states that the connection went through, and forgets them.
    fn states(&mut self) -> Vec<ConnectionState> {
        let changes = self.take_events().into_iter();
        changes
            .filter_map(|event| if let Event::Connection(change) = event { Some(change.current) } else { None })
            .collect()
    }

    /// The changes of the channel, and forgets them.
    fn channel_changes(&mut self) -> Vec<ChannelChange> {
        let changes = self.take_events().into_iter();
        changes.filter_map(|event| if let Event::Channel(change) = event { Some(change) } else { None }).collect()
    }

    /// The last change of the connection.
    fn last_change(&self) -> &ConnectionChange {
        let change = self.events.iter().rev().find_map(|event| match event {
            Event::Connection(change) => Some(change),
            _ => None,
        });
        change.expect("the connection changed")
    }

    /// The operations that ended well, and those that ended badly with their codes; and forgets them.
    fn outcomes(&mut self) -> (Vec<u64>, Vec<(u64, ErrorCode)>) {
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

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The actions of the frames that were sent, and forgets them.
    fn sent_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.sent).into_iter().map(|frame| frame.action).collect()
    }

    /// The payloads and numbers of the messages that were sent, and forgets them.
    fn sent_messages(&mut self) -> Vec<(String, i64)> {
        let frames = std::mem::take(&mut self.sent).into_iter().filter(|frame| frame.action == Action::Message);
        let text = |frame: &Frame| frame.messages[0].data.as_ref().unwrap().as_text().unwrap().to_owned();
        frames.map(|frame| (text(&frame), frame.msg_serial.unwrap().0)).collect()
    }

    fn resume_key(&self) -> Option<String> {
        let url = ::url::Url::parse(self.urls.last()?).unwrap();
        url.query_pairs().find(|(name, _)| name == "resume").map(|(_, key)| key.into_owned())
    }
}

fn options() -> ClientOptions {
    let endpoint = Endpoint::Url("ws://127.0.0.1:8787".to_owned());
    let credentials = Credentials::Key("rooms.dev:secret".to_owned());
    ClientOptions { client_id: Some("ada".into()), ..ClientOptions::new(endpoint, credentials) }
}

/// CONNECTED with the details that a server usually gives; the key is made of the id.
fn welcome(id: &str) -> Value {
    json!({
        "action": 4,
        "connectionId": id,
        "connectionDetails": {
            "clientId": "ada", "connectionKey": format!("{id}-key"), "maxMessageSize": 65536,
            "connectionStateTtl": 120_000, "maxIdleInterval": 15_000,
        },
    })
}
