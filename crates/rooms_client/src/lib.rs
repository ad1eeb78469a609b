//! The realtime client: one connection, its channels and its presence, as a state machine without I/O.
//!
//! Owns what the specification asks of a client: the states of the connection with their timers, resuming, channels
//! that are attached again, members, and the outbox with its acknowledgements. Opens no socket, reads no clock, starts
//! no thread, and knows nothing of rooms. The crate `rooms_net` drives it over real sockets, `rooms_sim`
//! on simulated time.
//!
//! # How to drive it
//!
//! 1. Make a [`Client`] with its options and a seed. Nothing happens before [`Command::Connect`].
//! 2. Hand in what happened, one thing at a time, with the present time: a command, or word of a socket through
//!    [`handle_opened`](Client::handle_opened), [`handle_frame`](Client::handle_frame),
//!    [`handle_activity`](Client::handle_activity), [`handle_malformed`](Client::handle_malformed) and
//!    [`handle_closed`](Client::handle_closed).
//! 3. After each, take [`poll_output`](Client::poll_output) until it gives `None`, and do what it says, in order.
//! 4. Take [`poll_event`](Client::poll_event) until it gives `None`. Both queues are empty before the next step; that
//!    is what bounds them.
//! 5. Wait for the next thing to happen, no longer than until [`poll_timeout`](Client::poll_timeout); then call
//!    [`handle_timeout`](Client::handle_timeout). To call it early or late is harmless.
//!
//! Word of a socket that is not the current one is ignored, so a driver need not take care to stay silent about
//! sockets that it was told to shut.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod attach;
mod auth;
mod backoff;
mod channel;
mod cipher;
mod clock;
mod connection;
pub mod driver;
mod ending;
mod event;
mod fallback;
mod filter;
mod get;
mod history;
mod inspect;
mod liveness;
mod member;
mod options;
mod outbox;
mod presence;
mod publish;
mod recovery;
mod rest;
mod route;
mod signing;
mod timer;
mod token;
mod url;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

pub use self::{
    auth::RequestId,
    cipher::{CipherKey, CipherKeyError, CipherParams, KeyLength},
    event::{
        Asker, ChannelChange, ChannelOptions, ChannelState, Command, ConnectionChange, ConnectionState, Event,
        Lifetime, MemberQuery, OperationId, PresenceCommand,
    },
    filter::MessageFilter,
    history::{Direction, HistoryOf, HistoryPage, HistoryQuery, NextPage},
    options::{ClientOptions, Credentials, Endpoint, Timing},
    rest::{HttpRequest, HttpResponse},
    token::{MAX_TOKEN_SIZE, TokenAnswer, TokenCallback, TokenDetails, TokenFuture, TokenParams, TokenRequest},
};
use self::{
    auth::Tokens,
    channel::Channel,
    connection::Connection,
    outbox::Outbox,
    timer::{Timer, Timers},
    url::Target,
};
use rooms_protocol::{
    Action, ChannelName, ClientId, ConnectionId, ConnectionKey, DecodeError, ErrorCode, ErrorInfo, Format, Frame,
};

/// Names one socket of a client; no two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(u64);

/// What the driver is to do. Credentials in it are not shown in debug output.
#[derive(Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every output is a frame, and a box for each would cost more")]
pub enum Output {
    /// Open a socket. The URL holds credentials; do not log it.
    Open {
        /// Names the socket.
        transport: TransportId,
        /// Where to.
        url: String,
    },
    /// Send a frame.
    Send {
        /// The socket, which was reported open or will be.
        transport: TransportId,
        /// The frame.
        frame: Frame,
    },
    /// Send what is left and close the socket. Nothing more is said about it.
    Shut {
        /// The socket.
        transport: TransportId,
    },
    /// Get a token, from the callback or the URL of the credentials, or a request for one that is signed with their key.
    /// The answer goes to [`handle_token`](Client::handle_token); one that comes too late is ignored.
    NeedToken {
        /// Names the answer.
        request: RequestId,
        /// What the token is to be.
        params: TokenParams,
    },
    /// POST a signed token request as JSON, without credentials. The token details that come back go to
    /// [`handle_token`](Client::handle_token).
    ExchangeToken {
        /// Names the answer.
        request: RequestId,
        /// Where to.
        url: String,
        /// The request, as JSON.
        body: String,
    },
    /// Send a request over HTTP. The answer goes to [`handle_http`](Client::handle_http).
    Http {
        /// Names the answer.
        request: RequestId,
        /// What to send.
        http: HttpRequest,
    },
    /// GET the URL. Whether an answer came that holds `yes` goes to
    /// [`handle_connectivity`](Client::handle_connectivity).
    CheckConnectivity {
        /// Names the answer.
        request: RequestId,
        /// What to ask.
        url: String,
    },
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The query holds the key or token.
            Self::Open { transport, url } => {
                let place = url.split('?').next().unwrap_or_default();
                f.debug_struct("Open").field("transport", transport).field("url", &place).finish_non_exhaustive()
            }
            Self::Send { transport, frame } => {
                f.debug_struct("Send").field("transport", transport).field("frame", frame).finish()
            }
            Self::Shut { transport } => f.debug_struct("Shut").field("transport", transport).finish(),
            Self::NeedToken { request, params } => {
                f.debug_struct("NeedToken").field("request", request).field("params", params).finish()
            }
            // The body holds the signature, with which anybody could get the token.
            Self::ExchangeToken { request, url, .. } => {
                f.debug_struct("ExchangeToken").field("request", request).field("url", url).finish_non_exhaustive()
            }
            Self::Http { request, http } => {
                f.debug_struct("Http").field("request", request).field("http", http).finish()
            }
            Self::CheckConnectivity { request, url } => {
                f.debug_struct("CheckConnectivity").field("request", request).field("url", url).finish()
            }
        }
    }
}

/// What a client holds and has done, for diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// How often the client was connected, after the first time.
    pub reconnects: u64,
    /// Publishes and presence operations that wait for the line or their channel.
    pub queued: usize,
    /// Publishes and presence operations that wait for an acknowledgement.
    pub pending: usize,
    /// Channels that are known.
    pub channels: usize,
    /// Members that are known, over all channels.
    pub members: usize,
    /// Frames that could not be read.
    pub malformed: u64,
    /// The round trip that was measured last.
    pub round_trip: Option<Duration>,
}

/// A realtime client. The [module](self) says how to drive it.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    /// Where to connect, or what is wrong with the options.
    target: Result<Target, ErrorInfo>,
    rng: ChaCha8Rng,
    connection: Connection,
    tokens: Tokens,
    /// The channels that are known: all that were ever attached, until they are released.
    channels: BTreeMap<ChannelName, Channel>,
    /// How channels are encrypted, from when they are first attached with a cipher until they are released: also while a
    /// channel is not known otherwise, so that nothing for it goes out in the clear. Nothing else holds a cipher.
    ciphers: BTreeMap<ChannelName, CipherParams>,
    outbox: Outbox,
    /// Requests over HTTP that wait for an answer.
    requests: BTreeMap<RequestId, rest::Pending>,
    /// Requests over HTTP that wait for a token.
    waiting: Vec<rest::Request>,
    /// Requests over HTTP that wait for their turn.
    queued: VecDeque<rest::Request>,
    /// The host that requests over HTTP begin with in place of the first.
    stand_in: Option<route::StandIn>,
    timers: Timers,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
}

impl Client {
    /// A client that does nothing yet. Equal seeds make equal decisions; a game's seed is random.
    pub fn new(options: ClientOptions, seed: u64) -> Self {
        let mut client = Self {
            target: Target::new(&options),
            rng: ChaCha8Rng::seed_from_u64(seed),
            connection: Connection::new(&options),
            tokens: Tokens::new(&options),
            channels: BTreeMap::new(),
            ciphers: BTreeMap::new(),
            outbox: Outbox::new(options.outbox_limit),
            requests: BTreeMap::new(),
            waiting: Vec::new(),
            queued: VecDeque::new(),
            stand_in: None,
            timers: Timers::default(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            options,
        };
        client.take_recovery_key();
        client
    }

    /// Does what the game's side asks. What is refused is told by an event.
    pub fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Connect => self.connect(now),
            Command::Close => self.close(now),
            Command::Attach { channel, options } => self.attach(channel, options, now),
            Command::Detach { channel } => self.detach(&channel, now),
            Command::Release { channel } => self.release(&channel, now),
            Command::Publish { operation, channel, messages, lifetime } => {
                self.publish(operation, channel, messages, lifetime);
            }
            Command::Presence { operation, channel, action, data } => {
                self.presence(operation, channel, action, data, now);
            }
            Command::PresenceFor { operation, channel, client_id, action, data } => {
                self.presence_for(operation, channel, client_id, action, data, now);
            }
            Command::Members { operation, channel, query } => self.members_wanted(operation, channel, query, now),
            Command::History { operation, channel, of, query } => {
                self.history(operation, channel, of, &query, now);
            }
            Command::NextPage { operation, page } => self.page(operation, page, now),
            Command::PublishByHttp { operation, channel, messages } => {
                self.publish_by_http(operation, &channel, messages, now);
            }
            Command::Time { operation } => self.time(operation, now),
            Command::Authorize { operation } => self.authorize(operation, now),
            Command::Network { up } => self.set_network(up, now),
            Command::Ping => self.ping(now),
        }
    }

    /// The socket is open. The server speaks first.
    pub fn handle_opened(&mut self, transport: TransportId, now: Instant) {
        self.handle_activity(transport, now);
    }

    /// A frame came.
    pub fn handle_frame(&mut self, transport: TransportId, frame: Frame, now: Instant) {
        if !self.is_current(transport) {
            return;
        }
        self.handle_activity(transport, now);
        match (self.state(), frame.action) {
            (_, Action::Connected) => self.connected(frame, now),
            (_, Action::Disconnected) => self.disconnected_by_server(frame.error, now),
            (_, Action::Closed) => self.closed_by_server(frame.error, now),
            (ConnectionState::Connected, Action::Error) if frame.channel.is_some() => self.channel_error(frame),
            (_, Action::Error) if frame.channel.is_none() => self.connection_error(frame.error, now),
            (ConnectionState::Connected, Action::Auth) => self.asked_to_authenticate(now),
            (ConnectionState::Connected | ConnectionState::Closing, Action::Ack) => self.acknowledged(frame),
            (ConnectionState::Connected | ConnectionState::Closing, Action::Nack) => self.refused(frame),
            (ConnectionState::Connected, Action::Heartbeat) => self.heartbeat(frame.id.as_deref(), now),
            (ConnectionState::Connected, Action::Attached) => self.attached(frame, now),
            (ConnectionState::Connected, Action::Detached) => self.detached(frame, now),
            (ConnectionState::Connected, Action::Message) => self.messages(frame),
            (ConnectionState::Connected, Action::Presence) => self.presence_words(frame),
            (ConnectionState::Connected, Action::Sync) => self.presence_page(frame),
            (state, action) => log::debug!("ignored {action:?} while {state:?}"),
        }
    }

    /// Something came that is no frame, such as a WebSocket ping: the line lives.
    pub fn handle_activity(&mut self, transport: TransportId, now: Instant) {
        if self.is_current(transport) && self.state() == ConnectionState::Connected {
            self.watch_silence(now);
        }
    }

    /// Something came that should have been a frame and cannot be read.
    ///
    /// What it said is lost, so the line is dropped and the connection resumed, which makes the server say it again.
    /// Where that happened a short while ago it did not help; then the client goes on and tells every channel that
    /// messages may be missing.
    pub fn handle_malformed(&mut self, transport: TransportId, error: &DecodeError, now: Instant) {
        if !self.is_current(transport) {
            return;
        }
        log::warn!("a frame of the server was dropped: {error}");
        let reason = ErrorInfo::new(ErrorCode::PROTOCOL_ERROR, 400, error.to_string());
        self.handle_activity(transport, now);
        self.malformed(reason, now);
    }

    /// The socket is gone, or could not be opened.
    pub fn handle_closed(&mut self, transport: TransportId, reason: Option<ErrorInfo>, now: Instant) {
        if self.is_current(transport) {
            self.transport_closed(reason, now);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for timer in self.timers.due(now) {
            if !self.timers.expire(&timer, now) {
                continue;
            }
            match timer {
                Timer::Attempt => self.attempt_timed_out(now),
                Timer::Retry => self.attempt(now),
                Timer::Suspend => self.suspend_if_disconnected(now),
                Timer::Idle => self.line_is_silent(now),
                Timer::Close => self.closed(None),
                Timer::Ping => self.ping_timed_out(now),
                Timer::Token => self.token_timed_out(now),
                Timer::Renewal => self.renew_token(now),
                Timer::Connectivity => self.connectivity_timed_out(now),
                Timer::ChannelAnswer(channel) => self.channel_timed_out(&channel, now),
                Timer::ChannelRetry(channel) => self.attach_again(&channel, None, now),
            }
        }
    }

    /// The operating system says that the network went away or came back (`RTN20`).
    pub fn handle_network(&mut self, up: bool, now: Instant) {
        if up { self.network_up(now) } else { self.network_down(now) }
    }

    /// The program is about to stand still for as long as somebody likes, as a page in the browser's back and forward cache:
    /// drops the line, and takes no new one before [`check_line`](Self::check_line).
    pub fn shelve(&mut self, now: Instant) {
        self.connection.shelved = true;
        self.network_down(now);
    }

    /// The program was frozen, hidden or shelved and goes on: finds out within 2 seconds whether the line still stands, and
    /// does not sit out a wait that began before.
    pub fn check_line(&mut self, now: Instant) {
        self.connection.shelved = false;
        self.handle_timeout(now);
        match self.state() {
            ConnectionState::Connected => self.want_sign_of_life(now),
            ConnectionState::Disconnected | ConnectionState::Suspended => self.network_up(now),
            _ => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next thing for the game's side to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How the driver is to write this client's frames.
    pub fn format(&self) -> Format {
        self.options.format
    }

    /// The connection's state.
    pub fn state(&self) -> ConnectionState {
        self.connection.state
    }

    /// The connection's id, while there is one.
    pub fn connection_id(&self) -> Option<&ConnectionId> {
        self.connection.id.as_ref()
    }

    /// What resumes the connection, while it may be. It is secret.
    pub fn connection_key(&self) -> Option<&ConnectionKey> {
        self.connection.key.as_ref()
    }

    /// What went wrong with the connection, until it stands again (`RTN25`).
    pub fn error_reason(&self) -> Option<&ErrorInfo> {
        self.connection.error.as_ref()
    }

    /// What the client was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Who this client is to others: as the options say, or else as its token or the server does (`RSA7b`).
    pub fn client_id(&self) -> Option<&ClientId> {
        let token = self.tokens.current.as_ref().and_then(|token| token.client_id.as_ref());
        let told = self.connection.client_id.as_ref().or(token).filter(|id| id.as_str() != "*");
        self.options.client_id.as_ref().or(told)
    }

    /// What the client holds and has done.
    pub fn stats(&self) -> ClientStats {
        ClientStats {
            reconnects: self.connection.reconnects,
            queued: self.outbox.waiting(),
            pending: self.outbox.pending(),
            channels: self.channels.len(),
            members: self.channels.values().map(|channel| channel.members.len()).sum(),
            malformed: self.connection.malformed,
            round_trip: self.connection.round_trip,
        }
    }

    fn is_current(&self, transport: TransportId) -> bool {
        self.connection.transport == Some(transport)
    }

    fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Sends `frame` on the current socket; without one it is lost, as it would be with a socket that just closed.
    fn send(&mut self, frame: Frame) {
        if let Some(transport) = self.connection.transport {
            self.outputs.push_back(Output::Send { transport, frame });
        }
    }
}
