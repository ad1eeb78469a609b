//! The hub on simulated time.

mod apps;
mod attach;
mod authorization;
mod connect;
mod early;
mod encodings;
mod ephemeral;
mod hostile;
mod malformed;
mod memory;
mod occupancy;
mod operators;
mod presence;
mod publish;
mod rest;
mod resume;
mod scripts;
mod shares;
mod wrong_types;

use std::{collections::BTreeMap, time::Duration};

use super::*;
use rooms_protocol::{
    ChannelSerial, ConnectionId, ConnectionKey, DEVELOPMENT_KEY, Data, ErrorCode, Flags, Format, Message, MsgSerial,
    PresenceAction, PresenceMessage, WireFrame,
};

/// The wall clock at the start of each test.
const WALL: Timestamp = Timestamp(1_700_000_000_000);

/// A hub with its clock, and what it sent to whom.
struct World {
    hub: Hub,
    now: Instant,
    frames: BTreeMap<LinkId, Vec<Frame>>,
    pings: Vec<LinkId>,
    closed: Vec<LinkId>,
}

impl World {
    fn new() -> Self {
        Self::with_config(HubConfig::default())
    }

    fn with_limits(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = HubConfig::default();
        change(&mut config.limits);
        Self::with_config(config)
    }

    fn with_config(config: HubConfig) -> Self {
        let now = Instant::now();
        let hub = Hub::new(config, [7; 32], now, WALL);
        Self { hub, now, frames: BTreeMap::new(), pings: Vec::new(), closed: Vec::new() }
    }

    /// Opens a link with the development key and `query` besides.
    fn open(&mut self, query: &str) -> LinkId {
        self.open_raw(&format!("v=6&key={DEVELOPMENT_KEY}&{query}"))
    }

    fn open_raw(&mut self, query: &str) -> LinkId {
        let link = self.hub.open(&ConnectRequest::from_query(query), self.now);
        self.drain();
        link
    }

    /// Opens a link and reads its CONNECTED.
    fn connect(&mut self, query: &str) -> Client {
        let link = self.open(query);
        let connected = self.take_one(link, Action::Connected);
        let details = connected.connection_details.unwrap();
        Client { link, id: connected.connection_id.unwrap(), key: details.connection_key.unwrap(), serial: 0 }
    }

    fn send(&mut self, link: LinkId, frame: Frame) {
        self.hub.handle_frame(link, frame, self.now);
        self.drain();
    }

    /// Takes in what came over a socket.
    fn receive(&mut self, link: LinkId, wire: WireFrame) {
        match wire.decode_checked(Limits::default().messages_per_frame) {
            Ok(frame) => self.hub.handle_frame(link, frame, self.now),
            Err(unreadable) => self.hub.handle_malformed(link, &unreadable, self.now),
        }
        self.drain();
    }

    fn close(&mut self, link: LinkId) {
        self.hub.handle_closed(link, self.now);
        self.drain();
    }

    /// Lets time pass, stopping at every timer.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.hub.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.hub.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Send { link, mut batch } => {
                    assert!(!self.closed.contains(&link), "nothing is sent to a closed link");
                    let frames = std::iter::from_fn(|| batch.next_frame());
                    self.frames.entry(link).or_default().extend(frames);
                }
                Output::Ping { link } => self.pings.push(link),
                Output::Close { link } => self.closed.push(link),
            }
        }
    }

    /// Takes all frames that a link got.
    fn take(&mut self, link: LinkId) -> Vec<Frame> {
        self.frames.remove(&link).unwrap_or_default()
    }

    /// Takes the one frame that a link got.
    #[track_caller]
    fn take_one(&mut self, link: LinkId, action: Action) -> Frame {
        let mut frames = self.take(link);
        assert_eq!(actions(&frames), [action], "{frames:?}");
        frames.remove(0)
    }

    /// Attaches and takes all that comes of it, ATTACHED first.
    #[track_caller]
    fn attach(&mut self, client: &Client, channel: &str) -> Vec<Frame> {
        self.attach_with(client, channel, |_| {})
    }

    #[track_caller]
    fn attach_with(&mut self, client: &Client, channel: &str, change: impl FnOnce(&mut Frame)) -> Vec<Frame> {
        let mut frame = Frame::for_channel(Action::Attach, channel.into());
        change(&mut frame);
        self.send(client.link, frame);
        let frames = self.take(client.link);
        assert_eq!(frames.first().map(|frame| frame.action), Some(Action::Attached), "{frames:?}");
        frames
    }

    /// Publishes messages with these names and returns the answer.
    #[track_caller]
    fn publish(&mut self, client: &mut Client, channel: &str, names: &[&str]) -> Frame {
        let messages = names.iter().map(|name| Message::new(*name, "x")).collect();
        self.publish_messages(client, channel, messages)
    }

    #[track_caller]
    fn publish_messages(&mut self, client: &mut Client, channel: &str, messages: Vec<Message>) -> Frame {
        let frame = Frame { messages, ..Frame::for_channel(Action::Message, channel.into()) };
        self.send_numbered(client, frame)
    }

    /// Sends one presence message and returns the answer.
    #[track_caller]
    fn presence(&mut self, client: &mut Client, channel: &str, message: PresenceMessage) -> Frame {
        let frame = Frame { presence: vec![message], ..Frame::for_channel(Action::Presence, channel.into()) };
        self.send_numbered(client, frame)
    }

    #[track_caller]
    fn send_numbered(&mut self, client: &mut Client, mut frame: Frame) -> Frame {
        frame.msg_serial = Some(MsgSerial(client.serial));
        client.serial += 1;
        self.send(client.link, frame);
        let frames = self.frames.get_mut(&client.link).unwrap();
        let index = frames.iter().position(|frame| matches!(frame.action, Action::Ack | Action::Nack)).unwrap();
        let answer = frames.remove(index);
        assert_eq!((answer.msg_serial, answer.count), (Some(MsgSerial(client.serial - 1)), Some(1)));
        answer
    }
}

/// A client's side of a connection.
#[derive(Clone)]
struct Client {
    link: LinkId,
    id: ConnectionId,
    key: ConnectionKey,
    serial: i64,
}

impl Client {
    fn resume_query(&self) -> String {
        format!("resume={}", self.key.as_str())
    }
}

fn actions(frames: &[Frame]) -> Vec<Action> {
    frames.iter().map(|frame| frame.action).collect()
}

fn names(frames: &[Frame]) -> Vec<&str> {
    frames.iter().flat_map(|frame| &frame.messages).filter_map(|message| message.name.as_deref()).collect()
}

fn error_code(frame: &Frame) -> Option<u32> {
    frame.error.as_ref().map(|error| error.code.0)
}

fn presence_message(action: PresenceAction, client: &str, data: &str) -> PresenceMessage {
    let data = (!data.is_empty()).then(|| Data::from(data));
    let client_id = (!client.is_empty()).then(|| client.into());
    PresenceMessage { action, client_id, data, ..PresenceMessage::default() }
}

/// The presence messages of frames: who, what, and with which data.
fn presence_in(frames: &[Frame]) -> Vec<(String, PresenceAction, String)> {
    let messages = frames.iter().filter(|frame| frame.action == Action::Presence).flat_map(|frame| &frame.presence);
    messages
        .map(|message| {
            let data = message.data.as_ref().and_then(Data::as_text).unwrap_or_default();
            (message.client_id.as_ref().unwrap().as_str().to_owned(), message.action, data.to_owned())
        })
        .collect()
}

const SECOND: Duration = Duration::from_secs(1);
