//! A server of channels and presence in a few lines, on simulated time, with the faults that a test asks for.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use serde_json::Value;
use web_time::Instant;

use crate::*;
use rooms_client::{
    ChannelChange, ChannelState, Command, ConnectionChange, ConnectionState, Event, Lifetime, OperationId,
    PresenceCommand,
};
use rooms_protocol::{
    ChannelName, ClientId, ConnectionId, Data, ErrorCode, ErrorInfo, Flags, Message, MessageSerial, PresenceAction,
    PresenceMessage, Timestamp,
};

/// One frame of a game.
pub const FRAME: Duration = Duration::from_millis(20);

/// How long a frame travels in each direction.
const LATENCY: Duration = Duration::from_millis(30);

type Filter = Box<dyn FnMut(usize, &Message) -> Fate>;
pub type Game = Box<dyn FnMut(usize, &mut Session, &[SessionEvent])>;

/// What happens to one message on its way to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    Lost,
    Doubled,
}

pub struct Node {
    pub session: Session,
    pub log: Vec<SessionEvent>,
    /// Every command that the session made, in order.
    pub said: Vec<Command>,
    pub connection: ConnectionId,
    /// Whether the connection is up.
    online: bool,
    /// Whether the game's frames run.
    pub frozen: bool,
    /// Whether nothing comes from the server, beside the messages of which the filter decides.
    pub deaf: bool,
    attached: BTreeSet<ChannelName>,
    arriving: VecDeque<(Instant, Event)>,
    /// What was published while the connection was down.
    missed: Vec<Event>,
    waiting: VecDeque<Command>,
    leaving: VecDeque<(Instant, Command)>,
    presence: Option<Option<Data>>,
}

pub struct Bus {
    pub now: Instant,
    pub nodes: Vec<Node>,
    serial: u64,
    connections: u64,
    members: BTreeMap<(ConnectionId, ClientId), Option<Data>>,
    pub filter: Filter,
    /// Every message that the server took, with the channel.
    pub taken: Vec<(ChannelName, Message)>,
    /// The server refuses the publishes and presence commands for which this holds, as one in trouble does.
    pub refuse: Box<dyn FnMut(&Command) -> bool>,
    /// The error that it refuses them with.
    pub refusal: ErrorInfo,
    /// What each game does with its events, in every frame, after they came.
    pub game: Game,
}

pub fn config(player: &str, wish: Wish) -> SessionConfig {
    SessionConfig {
        room: RoomName::new("den").unwrap(),
        player: PlayerId::new(player).unwrap(),
        generation: Generation(1),
        profile: Profile::named(player.to_uppercase()),
        wish,
        migration: Migration::Automatic,
        fingerprint: "v1".into(),
        timing: SessionTiming::default(),
        pace: PaceConfig::default(),
    }
}

impl Bus {
    pub fn new() -> Self {
        Self {
            now: Instant::now(),
            nodes: Vec::new(),
            serial: 0,
            connections: 0,
            members: BTreeMap::new(),
            filter: Box::new(|_, _| Fate::Delivered),
            taken: Vec::new(),
            refuse: Box::new(|_| false),
            refusal: ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "no line"),
            game: Box::new(|_, _, _| {}),
        }
    }

    /// A room with a host and peers, all joined.
    pub fn with_players(names: &[&str]) -> Self {
        let mut bus = Self::new();
        for (place, name) in names.iter().enumerate() {
            let node = bus.add(config(name, if place == 0 { Wish::Host } else { Wish::Join }));
            bus.until(Duration::from_secs(5), |bus| bus.is_joined(node));
        }
        bus.run(Duration::from_millis(500));
        bus
    }

    pub fn add(&mut self, config: SessionConfig) -> usize {
        let seed = self.nodes.len() as u64 + 1;
        self.nodes.push(Node {
            session: Session::new(config, seed, self.now),
            log: Vec::new(),
            said: Vec::new(),
            connection: "".into(),
            online: false,
            frozen: false,
            deaf: false,
            attached: BTreeSet::new(),
            arriving: VecDeque::new(),
            missed: Vec::new(),
            waiting: VecDeque::new(),
            leaving: VecDeque::new(),
            presence: None,
        });
        let node = self.nodes.len() - 1;
        self.connect(node, false);
        node
    }

    pub fn is_joined(&self, node: usize) -> bool {
        self.nodes[node].session.status() == SessionStatus::Joined
    }

    pub fn session(&mut self, node: usize) -> &mut Session {
        &mut self.nodes[node].session
    }

    pub fn take_log(&mut self, node: usize) -> Vec<SessionEvent> {
        std::mem::take(&mut self.nodes[node].log)
    }

    pub fn closed(&self, node: usize) -> Option<&CloseReason> {
        self.nodes[node].log.iter().find_map(|event| match event {
            SessionEvent::Closed(reason) => Some(reason),
            _ => None,
        })
    }

    pub fn messages(&self, node: usize) -> Vec<Value> {
        let data = |event: &SessionEvent| match event {
            SessionEvent::Message { data, .. } => Some(data.clone()),
            _ => None,
        };
        self.nodes[node].log.iter().filter_map(data).collect()
    }

    /// The names of the messages that the server took since the log was cleared.
    pub fn taken_names(&self) -> Vec<&str> {
        self.taken.iter().filter_map(|(_, message)| message.name.as_deref()).collect()
    }

    pub fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.now < until {
            self.frame();
        }
    }

    pub fn until(&mut self, limit: Duration, mut holds: impl FnMut(&mut Self) -> bool) {
        let until = self.now + limit;
        while !holds(self) {
            assert!(self.now < until, "not within {limit:?}");
            self.frame();
        }
    }

    pub fn frame(&mut self) {
        self.now += FRAME;
        let now = self.now;
        for node in 0..self.nodes.len() {
            while self.nodes[node].leaving.front().is_some_and(|(at, _)| *at <= now) {
                if let Some((_, command)) = self.nodes[node].leaving.pop_front() {
                    self.serve(node, command);
                }
            }
        }
        for place in 0..self.nodes.len() {
            let node = &mut self.nodes[place];
            if node.frozen {
                continue;
            }
            while node.arriving.front().is_some_and(|(at, _)| *at <= now) {
                if let Some((_, event)) = node.arriving.pop_front() {
                    node.session.handle_event(event, now);
                }
            }
            node.session.step(now);
            let told: Vec<_> = std::iter::from_fn(|| node.session.poll_event()).collect();
            (self.game)(place, &mut node.session, &told);
            node.log.extend(told);
            node.session.flush(now);
            let commands: Vec<_> = std::iter::from_fn(|| node.session.poll_command()).collect();
            node.said.extend(commands.iter().cloned());
            for command in commands {
                if self.nodes[place].online {
                    self.nodes[place].leaving.push_back((now + LATENCY, command));
                } else {
                    self.hold(place, command);
                }
            }
            let node = &mut self.nodes[place];
            assert!(node.session.poll_timeout().is_none_or(|at| at > now), "a timer stands still");
        }
    }

    fn hold(&mut self, node: usize, command: Command) {
        match &command {
            Command::Publish { operation, lifetime: Lifetime::Volatile, .. } => {
                let operation = *operation;
                self.fail(node, operation);
            }
            _ => self.nodes[node].waiting.push_back(command),
        }
    }

    fn fail(&mut self, node: usize, operation: OperationId) {
        let outcome = Err(self.refusal.clone());
        self.tell(node, Event::Published { operation, outcome });
    }

    fn tell(&mut self, node: usize, event: Event) {
        let at = self.now + LATENCY;
        self.nodes[node].arriving.push_back((at, event));
    }

    fn change(&mut self, node: usize, current: ConnectionState, resumed: bool) {
        let connected = current == ConnectionState::Connected;
        let client = self.nodes[node].session.local().client_id();
        let connection = self.nodes[node].connection.clone();
        let change = ConnectionChange {
            previous: ConnectionState::Connecting,
            current,
            reason: None,
            retry_in: None,
            connection_id: connected.then_some(connection),
            client_id: connected.then_some(client),
            resumed,
            max_inbound_rate: None,
            attempt: 0,
        };
        self.nodes[node].arriving.push_back((self.now, Event::Connection(change)));
    }

    fn attached(&mut self, node: usize, channel: ChannelName, resumed: bool) {
        let change = ChannelChange {
            channel: channel.clone(),
            previous: ChannelState::Attaching,
            current: ChannelState::Attached,
            resumed,
            has_backlog: false,
            modes: Flags::MODES,
            reason: None,
        };
        self.tell(node, Event::Channel(change));
        if channel.as_str() == "room:den" {
            let present = |((connection, client), data): (&(ConnectionId, ClientId), &Option<Data>)| {
                word(PresenceAction::Present, connection, client, data.clone())
            };
            let members = self.members.iter().map(present).collect();
            self.tell(node, Event::Presence { channel: channel.clone(), members });
            self.tell(node, Event::PresenceSynced { channel });
        }
    }

    /// Drops a connection. What the server sends from now on waits for a resume.
    pub fn cut(&mut self, node: usize) {
        self.nodes[node].online = false;
        let sent: Vec<_> = self.nodes[node].leaving.drain(..).map(|(_, command)| command).collect();
        sent.into_iter().for_each(|command| self.hold(node, command));
        // What is on its way to the client comes after the resume.
        let late: Vec<_> = self.nodes[node].arriving.drain(..).collect();
        self.change(node, ConnectionState::Disconnected, false);
        for (at, event) in late {
            match event {
                Event::Messages { .. } => self.nodes[node].missed.push(event),
                _ => self.nodes[node].arriving.push_back((at, event)),
            }
        }
    }

    /// The server gives up a dropped connection: presence leaves.
    pub fn forget(&mut self, node: usize) {
        let key = (self.nodes[node].connection.clone(), self.nodes[node].session.local().client_id());
        if self.members.remove(&key).is_some() {
            self.spread_presence(word(PresenceAction::Leave, &key.0, &key.1, None));
        }
    }

    /// Connects again, with the same connection or a new one.
    pub fn connect(&mut self, node: usize, resumed: bool) {
        self.nodes[node].online = true;
        if !resumed {
            self.forget(node);
            self.connections += 1;
            self.nodes[node].connection = ConnectionId::new(format!("c{}", self.connections));
            self.nodes[node].missed.clear();
        }
        self.change(node, ConnectionState::Connected, resumed);
        for channel in self.nodes[node].attached.clone() {
            self.attached(node, channel, resumed);
        }
        for event in std::mem::take(&mut self.nodes[node].missed) {
            self.tell(node, event);
        }
        let key = (self.nodes[node].connection.clone(), self.nodes[node].session.local().client_id());
        if let Some(data) = self.nodes[node].presence.clone()
            && !self.members.contains_key(&key)
        {
            self.members.insert(key.clone(), data.clone());
            self.spread_presence(word(PresenceAction::Enter, &key.0, &key.1, data));
        }
        for command in std::mem::take(&mut self.nodes[node].waiting) {
            match command {
                Command::Publish { operation, lifetime: Lifetime::Connection, .. } if !resumed => {
                    self.fail(node, operation);
                }
                command => self.nodes[node].leaving.push_back((self.now + LATENCY, command)),
            }
        }
    }

    /// Publishes a message as anybody.
    pub fn say_as(&mut self, client: &str, connection: &str, channel: &str, name: &str, data: Value) {
        let message = Message::new(name, Data::Json(data));
        self.publish(&channel.into(), client.into(), connection.into(), vec![message]);
    }

    /// Publishes a message as anybody, with extras.
    pub fn say_with_extras_as(&mut self, client: &str, channel: &str, name: &str, data: Value, extras: Value) {
        let extras = Some(serde_json::from_value(extras).unwrap());
        let message = Message { extras, ..Message::new(name, Data::Json(data)) };
        self.publish(&channel.into(), client.into(), format!("c-{client}").as_str().into(), vec![message]);
    }

    /// Lets somebody enter presence who is no player.
    pub fn enter_as(&mut self, client: &str, connection: &str, data: Value) {
        let (client, connection) = (ClientId::from(client), ConnectionId::from(connection));
        let data = Some(Data::Json(data));
        self.members.insert((connection.clone(), client.clone()), data.clone());
        self.spread_presence(word(PresenceAction::Enter, &connection, &client, data));
    }

    /// Asserts that all sessions in the room show the same document.
    pub fn assert_agreed(&self) {
        let shown = |node: &Node| {
            let session = &node.session;
            let shared: Vec<_> =
                session.shared_keys().map(|key| (key.to_owned(), session.shared(key).cloned())).collect();
            (session.stamp().cloned(), session.host().cloned(), session.roster().clone(), shared)
        };
        let joined = |node: &&Node| node.session.status() == SessionStatus::Joined && !node.frozen;
        let all: Vec<_> = self.nodes.iter().filter(joined).map(shown).collect();
        for other in &all {
            assert_eq!(*other, all[0]);
        }
    }

    /// Ends a process without a goodbye: no frames any more, and its presence leaves.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].frozen = true;
        self.nodes[node].online = false;
        self.nodes[node].attached.clear();
        self.forget(node);
    }

    fn spread_presence(&mut self, word: PresenceMessage) {
        let channel = ChannelName::from("room:den");
        for node in 0..self.nodes.len() {
            if self.nodes[node].attached.contains(&channel) {
                self.tell(node, Event::Presence { channel: channel.clone(), members: vec![word.clone()] });
            }
        }
    }

    fn serve(&mut self, node: usize, command: Command) {
        if let Command::Publish { operation, .. } | Command::Presence { operation, .. } = &command
            && (self.refuse)(&command)
        {
            return self.fail(node, *operation);
        }
        match command {
            Command::Attach { channel, .. } => {
                self.nodes[node].attached.insert(channel.clone());
                self.attached(node, channel, false);
            }
            Command::CheckSocket if !self.nodes[node].deaf => self.tell(node, Event::RoundTrip(2 * LATENCY)),
            Command::Detach { channel } | Command::Release { channel } => {
                self.nodes[node].attached.remove(&channel);
            }
            Command::Publish { operation, channel, messages, .. } => {
                let (client, connection) = {
                    let node = &self.nodes[node];
                    (node.session.local().client_id(), node.connection.clone())
                };
                let serials = self.publish(&channel, client, connection, messages);
                self.tell(node, Event::Published { operation, outcome: Ok(serials) });
            }
            Command::Presence { operation, action, data, .. } => {
                let key = (self.nodes[node].connection.clone(), self.nodes[node].session.local().client_id());
                let (kind, presence) = match action {
                    PresenceCommand::Enter => (PresenceAction::Enter, Some(data.clone())),
                    PresenceCommand::Update => (PresenceAction::Update, Some(data.clone())),
                    PresenceCommand::Leave => (PresenceAction::Leave, None),
                };
                if let Some(data) = &presence {
                    self.members.insert(key.clone(), data.clone());
                } else {
                    self.members.remove(&key);
                }
                self.nodes[node].presence = presence;
                self.spread_presence(word(kind, &key.0, &key.1, data));
                self.tell(node, Event::Published { operation, outcome: Ok(Vec::new()) });
            }
            _ => {}
        }
    }

    /// Takes anybody's publish, and delivers it to all that are attached.
    pub fn publish(
        &mut self,
        channel: &ChannelName,
        client: ClientId,
        connection: ConnectionId,
        messages: Vec<Message>,
    ) -> Vec<Option<MessageSerial>> {
        let mut serials = Vec::new();
        let mut stamped = Vec::new();
        assert!(messages.iter().map(Message::size).sum::<usize>() <= 64 * 1024, "over the message limit");
        for mut message in messages {
            self.serial += 1;
            let serial = MessageSerial::new(format!("{:010}", self.serial));
            serials.push(Some(serial.clone()));
            // Through the form of a frame and back, as over a real connection.
            message.encode_for(rooms_protocol::Format::Json);
            message.decode_data().unwrap();
            message.serial = Some(serial);
            message.client_id = Some(client.clone());
            message.connection_id = Some(connection.clone());
            message.timestamp = Some(Timestamp(self.serial as i64));
            self.taken.push((channel.clone(), message.clone()));
            stamped.push(message);
        }
        for node in 0..self.nodes.len() {
            if !self.nodes[node].attached.contains(channel) {
                continue;
            }
            let mut messages = Vec::new();
            for message in &stamped {
                match (self.filter)(node, message) {
                    Fate::Lost => {}
                    Fate::Delivered => messages.push(message.clone()),
                    Fate::Doubled => messages.extend([message.clone(), message.clone()]),
                }
            }
            if messages.is_empty() {
                continue;
            }
            let event = Event::Messages { channel: channel.clone(), messages };
            if self.nodes[node].online {
                self.tell(node, event);
            } else {
                self.nodes[node].missed.push(event);
            }
        }
        serials
    }
}

fn word(action: PresenceAction, connection: &ConnectionId, client: &ClientId, data: Option<Data>) -> PresenceMessage {
    PresenceMessage {
        action,
        connection_id: Some(connection.clone()),
        client_id: Some(client.clone()),
        data,
        ..PresenceMessage::default()
    }
}
