//! The server without a socket: connections by id, channels by name, and what goes where.
//!
//! This file owns the hub's state and which part of it takes care of which frame; the parts are in files of their own.
//! Sans-IO: it knows no socket, thread or clock.

mod apps;
mod attaching;
mod authorizing;
mod channel;
mod connect_request;
mod connecting;
mod connection;
mod delivering;
mod output;
mod presence;
mod publishing;
mod rest;
mod shared_frame;
mod timer;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use smol_str::SmolStr;
use web_time::Instant;

pub use self::{
    connect_request::ConnectRequest,
    output::{LinkId, Output},
    shared_frame::SharedFrame,
};
use crate::{
    ApiKey, Limits, Principal, TokenEndpoint,
    auth::{apps::Apps, token::request::Nonces},
    hub::{
        channel::{key::ChannelKey, state::Channel},
        connection::{ack_log::Answer, state::Connection},
        output::Outbox,
        timer::{Timer, Timers},
    },
    limits::RateMeter,
    random::random_text,
};
use rooms_protocol::{
    Action, ChannelName, ConnectionId, DecodeError, ErrorCode, ErrorInfo, Frame, MsgSerial, Timestamp,
};

/// Bytes of the relay's own id, which stands in all its serials: after a restart, old ones do not fit by chance.
const NODE_BYTES: usize = 6;

/// The namespace whose channels keep what is said on them for longer, in apps of the sandbox.
const PERSISTED: &str = "persisted:";

/// How long they keep it: longer than a test suite takes, and on Ably's free plan.
const PERSISTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Actions of features that this relay does not have, but whose frames wait for an answer: OBJECT and ANNOTATION.
const UNSUPPORTED_PUBLISHES: [Action; 2] = [Action::Unknown(19), Action::Unknown(21)];

/// Whom the hub lets in and what it takes.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The API keys that may connect. Defaults to the development key alone.
    pub keys: Vec<ApiKey>,
    /// What is too much.
    pub limits: Limits,
    /// How players of games get tokens. Defaults to not at all.
    pub token_endpoint: Option<TokenEndpoint>,
    /// Whether anybody may make apps with keys of their own, as the test suites of SDKs do. Defaults to no.
    pub sandbox: bool,
}

impl HubConfig {
    /// How long a channel keeps what is said on it.
    fn keeps(&self, channel: &ChannelName) -> Duration {
        let is_persisted = self.sandbox && channel.as_str().starts_with(PERSISTED);
        if is_persisted { PERSISTED_FOR } else { self.limits.replay_window }
    }
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { keys: vec![ApiKey::development()], limits: Limits::default(), token_endpoint: None, sandbox: false }
    }
}

/// How much the hub holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Transports.
    pub links: usize,
    /// Connections, with those that may still be resumed.
    pub connections: usize,
    /// Channels in memory.
    pub channels: usize,
    /// Members of all channels.
    pub members: usize,
    /// Messages kept for those who come back.
    pub messages: usize,
    /// What those messages take, about.
    pub message_bytes: usize,
}

/// The server without a socket, to be driven by a listener or a simulation.
///
/// The driver gives it links, frames and the time, and after each of these
///
/// 1. takes all of [`poll_output`](Self::poll_output) and does it, in order;
/// 2. calls [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is reached.
///
/// A link carries one connection. A connection outlives its links: it can be resumed over another for a while. All that
/// a client is sent about one channel over one link comes in the channel's order, ATTACHED first.
pub struct Hub {
    config: HubConfig,
    random: ChaCha20Rng,
    clock: Clock,
    node: SmolStr,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    connections: HashMap<ConnectionId, Connection>,
    channels: HashMap<ChannelKey, Channel>,
    apps: Apps,
    /// Of requests for tokens that could come again.
    nonces: Nonces,
    /// Bytes that all channels keep.
    kept_bytes: usize,
    /// Messages that all connections send and get.
    account: RateMeter,
    /// Requests over HTTP.
    requests: RateMeter,
    /// Connections that begin.
    beginnings: RateMeter,
    /// Channels that come into being.
    new_channels: RateMeter,
    /// Tokens that are asked for.
    tokens: RateMeter,
    /// Counts what needs a name of its own: syncs and leaves that the relay makes up.
    sequence: u64,
    timers: Timers,
    out: Outbox,
    is_shut_down: bool,
}

/// The transport of one connection.
struct Link {
    connection: ConnectionId,
    no_echo: bool,
    /// The longest silence that its client was promised.
    idle: Duration,
    liveness: Liveness,
    /// Messages that its client was sent.
    deliveries: RateMeter,
    /// Where messages were left out for it, by the name that the client uses; it was not told yet.
    gaps: BTreeMap<ChannelName, ChannelKey>,
}

/// Who sent the frame that is being handled.
struct Caller {
    link: LinkId,
    id: ConnectionId,
    principal: Principal,
}

impl Caller {
    /// Which channel `name` is to the caller.
    fn key(&self, name: ChannelName) -> ChannelKey {
        ChannelKey { app: self.principal.app.clone(), name }
    }
}

/// What takes care of one kind of frames that have numbers.
type HandleNumbered = fn(&mut Hub, &Caller, MsgSerial, Frame, Instant) -> Result<Answer, ErrorInfo>;

/// How the relay shows a client that it is there.
#[derive(Clone, Copy)]
struct Liveness {
    in_frames: bool,
    interval: Duration,
}

/// The wall clock, read off the driver's.
struct Clock {
    start: Instant,
    wall: Timestamp,
}

impl Clock {
    fn at(&self, now: Instant) -> Timestamp {
        self.wall.plus(now.saturating_duration_since(self.start))
    }
}

impl Hub {
    /// A hub with nobody on it. `wall` is the wall clock at `now`; all secrets come from `seed`, which must be random
    /// wherever somebody could gain from guessing them.
    pub fn new(mut config: HubConfig, seed: [u8; 32], now: Instant, wall: Timestamp) -> Self {
        config.limits.bound_durations();
        let mut random = ChaCha20Rng::from_seed(seed);
        let node = random_text::<NODE_BYTES>(&mut random).into();
        let apps = Apps::new(&config.keys);
        Self {
            config,
            random,
            clock: Clock { start: now, wall },
            node,
            links: BTreeMap::new(),
            next_link: 0,
            connections: HashMap::new(),
            channels: HashMap::new(),
            apps,
            nonces: Nonces::default(),
            kept_bytes: 0,
            account: RateMeter::default(),
            requests: RateMeter::default(),
            beginnings: RateMeter::default(),
            new_channels: RateMeter::default(),
            tokens: RateMeter::default(),
            sequence: 0,
            timers: Timers::default(),
            out: Outbox::default(),
            is_shut_down: false,
        }
    }

    /// A client opened a transport. It is answered with CONNECTED, or with an error and [`Output::Close`].
    pub fn open(&mut self, request: &ConnectRequest, now: Instant) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        if self.is_shut_down {
            self.out.send(link, disconnected(going_away()));
            self.out.close(link);
        } else if let Err(error) = self.connect(link, request, now) {
            self.out.send(link, Frame::error(None, error));
            self.out.close(link);
        }
        link
    }

    /// A frame came in. Links that the hub has closed are ignored.
    pub fn handle_frame(&mut self, link: LinkId, frame: Frame, now: Instant) {
        let Some(id) = self.links.get(&link).map(|link| link.connection.clone()) else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.confirm();
        let caller = Caller { link, id, principal: connection.principal.clone() };
        match frame.action {
            Action::Heartbeat => self.out.send(link, Frame { id: frame.id, ..Frame::new(Action::Heartbeat) }),
            Action::Attach => self.attach(&caller, &frame, now),
            Action::Detach => self.detach(&caller, &frame, now),
            Action::Sync => self.resync(&caller, &frame),
            Action::Message => self.numbered(&caller, frame, now, Self::publish),
            Action::Presence => self.numbered(&caller, frame, now, Self::enter_or_leave),
            Action::Close => {
                self.end_connection(&caller.id, now);
                self.out.send(link, Frame::new(Action::Closed));
                self.out.close(link);
            }
            Action::Disconnect => {
                self.handle_closed(link, now);
                self.out.close(link);
            }
            Action::Auth => self.reauthenticate(&caller, &frame, now),
            action if UNSUPPORTED_PUBLISHES.contains(&action) => {
                self.numbered(&caller, frame, now, Self::refuse_unsupported);
            }
            // Unknown actions, and those that only a server sends, are ignored (RTF1).
            _ => {}
        }
    }

    /// Something came in that is no frame. The client is disconnected: its line may be at fault, so it may resume.
    pub fn handle_malformed(&mut self, link: LinkId, error: &DecodeError, now: Instant) {
        self.protocol_violation(link, error.to_string(), now);
    }

    /// The transport is gone: the socket closed, or the driver cut off a slow consumer.
    pub fn handle_closed(&mut self, link: LinkId, now: Instant) {
        let Some(gone) = self.remove_link(link, now) else { return };
        let Some(connection) = self.connections.get(&gone.connection) else { return };
        let ttl = self.config.limits.connection_state_ttl;
        self.timers.set(Timer::ForgetConnection(gone.connection.clone()), now + ttl);
        if !connection.present_on.is_empty() {
            self.timers.set(Timer::LeaveMembers(gone.connection), now + connection.remain_present_for);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Heartbeat(link) => self.show_liveness(link, now),
                Timer::TellGaps(link) => self.tell_gaps(link, now),
                Timer::LeaveMembers(connection) => self.leave_abandoned(&connection, now),
                Timer::ForgetConnection(connection) => self.end_connection(&connection, now),
                Timer::AskForToken(connection) => self.ask_for_token(&connection),
                Timer::ExpireToken(connection) => self.expire_token(&connection, now),
                Timer::TrimChannel(channel) => self.trim(channel, now),
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What to do next; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// Tells all clients that the relay goes away and closes their links. Who comes later is told the same.
    pub fn shut_down(&mut self, now: Instant) {
        self.is_shut_down = true;
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.out.send(link, disconnected(going_away()));
            self.out.close(link);
            self.handle_closed(link, now);
        }
    }

    /// How much the hub holds. Looks at every channel.
    pub fn stats(&self) -> HubStats {
        HubStats {
            links: self.links.len(),
            connections: self.connections.len(),
            channels: self.channels.len(),
            members: self.channels.values().map(|channel| channel.members.len()).sum(),
            messages: self.channels.values().map(|channel| channel.log.messages()).sum(),
            message_bytes: self.kept_bytes,
        }
    }

    /// Answers a frame that has a number: once, in order, and with the same answer when it comes again.
    fn numbered(&mut self, caller: &Caller, frame: Frame, now: Instant, handle: HandleNumbered) {
        let link = caller.link;
        let Some(serial) = frame.msg_serial.filter(|serial| serial.0 >= 0) else {
            return self.protocol_violation(link, "a publish came without its msgSerial".to_owned(), now);
        };
        let earlier = self.connections.get(&caller.id).and_then(|connection| connection.answers.earlier(serial));
        if let Some(answer) = earlier {
            return self.out.send(link, answer.to_frame(serial));
        }
        let answer = handle(self, caller, serial, frame, now).unwrap_or_else(Answer::Refused);
        self.out.send(link, answer.to_frame(serial));
        if let Some(connection) = self.connections.get_mut(&caller.id) {
            connection.answers.record(serial, answer);
        }
    }

    fn refuse_unsupported(&mut self, _: &Caller, _: MsgSerial, _: Frame, _: Instant) -> Result<Answer, ErrorInfo> {
        Err(ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "this relay knows neither objects nor annotations"))
    }

    fn protocol_violation(&mut self, link: LinkId, why: String, now: Instant) {
        if self.links.contains_key(&link) {
            self.out.send(link, disconnected(ErrorInfo::new(ErrorCode::PROTOCOL_ERROR, 400, why)));
            self.handle_closed(link, now);
            self.out.close(link);
        }
    }

    /// A name that no other sync or made-up leave has.
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("node", &self.node).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

fn disconnected(error: ErrorInfo) -> Frame {
    Frame { error: Some(Box::new(error)), ..Frame::new(Action::Disconnected) }
}

fn going_away() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "the relay is shutting down; connect again")
}

#[cfg(test)]
mod tests;
