//! The connection: its states, and how it gets from one to the next (`RTN4`, `RTN11`, `RTN14`, `RTN15`).
//!
//! [`Connection`] owns what is known of the connection over all its sockets. What a change of it means to channels, tokens and
//! publishes is not decided here: each method returns a [`Step`], which the client follows.

mod attempts;
pub(crate) mod backoff;
mod closing;
pub(crate) mod connectivity;
mod hosts;
mod liveness;
pub(crate) mod recovery;
mod socket;
pub(crate) mod target;

use std::time::Duration;

use web_time::Instant;

use self::{
    attempts::Attempts,
    hosts::{HostStep, Hosts},
    liveness::Liveness,
};
use crate::{
    context::Context,
    effects::Effects,
    error::disconnected,
    event::{ConnectionChange, ConnectionState, Event},
    options::ClientOptions,
    output::RequestId,
    timer::Timer,
};
use rooms_protocol::{ClientId, ConnectionId, ConnectionKey, DEFAULT_MAX_MESSAGE_SIZE, ErrorInfo};

/// What the client is to do next about the connection, and about all that depends on it.
#[derive(Debug)]
#[must_use]
pub(crate) enum Step {
    /// Nothing.
    Stay,
    /// Open a socket, once there is a token where one is needed.
    Open,
    /// The connection waits for its next attempt.
    Disconnected,
    /// The server took the connection. Channels are attached before the game learns of it.
    Connected(Welcome),
    /// The server refused the token.
    TokenRefused(ErrorInfo),
    /// Messages may have been missed on every channel.
    ContinuityLost(ErrorInfo),
    /// Give up the socket and connect again.
    LoseSocket(ErrorInfo),
    /// The connection is suspended; suspend what depends on it.
    Suspended {
        reason: ErrorInfo,
        /// Whether an attempt failed at every host just before.
        attempt_failed: bool,
    },
    /// End the connection with an error.
    Fail(ErrorInfo),
    /// The client waits for the server's goodbye.
    Closing,
    /// The connection is over.
    Close(Option<ErrorInfo>),
}

/// When the client connects again after it lost its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum NextAttempt {
    /// Now: the client begins the attempt.
    AtOnce,
    /// After a wait: a timer begins the attempt.
    AfterWait,
}

/// How the server took the connection.
#[derive(Debug)]
pub(crate) struct Welcome {
    /// Why the connection is a new one, or what else was wrong.
    pub(crate) reason: Option<ErrorInfo>,
    /// Whether the client had no connection before.
    pub(crate) is_first: bool,
    /// Whether the connection of an earlier client goes on.
    pub(crate) recovered: bool,
    /// Whether the connection that the client had before goes on.
    pub(crate) resumed: bool,
    /// Whether to attach channels and send waiting frames. Only new details of a connection that is there need neither.
    pub(crate) renewed: bool,
}

/// The connection, over all its sockets.
#[derive(Debug)]
pub(crate) struct Connection {
    state: ConnectionState,
    /// Whether the game said that the network is gone.
    offline: bool,
    /// Whether the program is about to pause.
    shelved: bool,
    id: Option<ConnectionId>,
    /// What resumes the connection; the newest that the server gave (`RTN15e`).
    key: Option<ConnectionKey>,
    /// What goes on with the connection of an earlier client, until there is one of this client's own (`RTN16k`).
    recover: Option<ConnectionKey>,
    /// What went wrong, until the client is connected again (`RTN25`).
    error: Option<ErrorInfo>,
    hosts: Hosts,
    /// Who the server says the client is, while connected.
    client_id: Option<ClientId>,
    /// How long the server keeps the connection without a socket.
    ttl: Duration,
    limits: ServerLimits,
    attempts: Attempts,
    /// When the client last connected again without a wait.
    last_reconnect: Option<Instant>,
    /// How often the client was connected.
    connects: u64,
    liveness: Liveness,
}

/// How much the server takes, as it told when it took the connection.
#[derive(Debug)]
struct ServerLimits {
    /// Largest sum of message sizes in one publish, in bytes.
    max_message_size: usize,
    /// Messages a second, where the server says so.
    max_inbound_rate: Option<u64>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { max_message_size: DEFAULT_MAX_MESSAGE_SIZE, max_inbound_rate: None }
    }
}

impl Connection {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            state: ConnectionState::Initialized,
            offline: false,
            shelved: false,
            id: None,
            key: None,
            recover: None,
            error: None,
            hosts: Hosts::default(),
            client_id: None,
            ttl: options.timing.connection_state_ttl,
            limits: ServerLimits::default(),
            attempts: Attempts::default(),
            last_reconnect: None,
            connects: 0,
            liveness: Liveness::default(),
        }
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.state
    }

    pub(crate) fn id(&self) -> Option<&ConnectionId> {
        self.id.as_ref()
    }

    pub(crate) fn key(&self) -> Option<&ConnectionKey> {
        self.key.as_ref()
    }

    pub(crate) fn error(&self) -> Option<&ErrorInfo> {
        self.error.as_ref()
    }

    /// Who the server says the client is, while connected.
    pub(crate) fn client_id(&self) -> Option<&ClientId> {
        self.client_id.as_ref()
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.limits.max_message_size
    }

    /// Whether the socket still works.
    pub(crate) fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// Whether the socket still works, to watch it and to measure its round trips.
    pub(crate) fn liveness_mut(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    /// How often the client was connected, after the first time.
    pub(crate) fn reconnects(&self) -> u64 {
        self.connects.saturating_sub(1)
    }

    /// The fallback host that the client is connected to, if it is (`RTN17e`).
    pub(crate) fn connected_host(&self) -> Option<&str> {
        self.hosts.current().filter(|_| self.state == ConnectionState::Connected)
    }

    /// Whether the present attempt waits for a token.
    pub(crate) fn awaits_token(&self, effects: &Effects) -> bool {
        self.state == ConnectionState::Connecting && !effects.has_socket() && !self.hosts.is_checking()
    }

    /// Begins to connect. What was left of an earlier connection is forgotten before (`RTN11`).
    pub(crate) fn connect(&mut self, cx: &mut Context<'_>) -> Step {
        match cx.target {
            // A client that is wrongly made fails where it is used, and says what to correct.
            Err(error) => {
                self.state = ConnectionState::Initialized;
                Step::Fail(error.clone())
            }
            Ok(_) => {
                if self.state != ConnectionState::Suspended && !cx.timers.runs(&Timer::Suspend) {
                    cx.start(Timer::Suspend, self.ttl);
                }
                self.attempt(cx)
            }
        }
    }

    /// Begins as if never connected (`RTN11b`, `RTN11d`).
    pub(crate) fn forget(&mut self, options: &ClientOptions) {
        self.id = None;
        self.key = None;
        self.error = None;
        self.ttl = options.timing.connection_state_ttl;
        self.attempts = Attempts::default();
    }

    /// Begins an attempt to connect, in place of the present one.
    pub(crate) fn attempt(&mut self, cx: &mut Context<'_>) -> Step {
        cx.effects.shut();
        cx.timers.stop(&Timer::Retry);
        cx.timers.stop(&Timer::Attempt);
        self.hosts.begin(cx);
        self.attempts.begin();
        self.change(ConnectionState::Connecting, None, None, cx);
        if self.offline {
            return self.attempt_failed(disconnected("the game said that the network is gone"), cx);
        }
        if self.shelved {
            return self.attempt_failed(disconnected("the page is shelved"), cx);
        }
        Step::Open
    }

    /// Opens a socket. Every one asks to resume what there was (`RTN14h`).
    pub(crate) fn open(&mut self, token: Option<&str>, cx: &mut Context<'_>) {
        let Ok(target) = cx.target else { return };
        let mut more = Vec::new();
        if let Some(token) = token {
            // The specification has `accessToken`; the cloud's SDKs send this, which every server takes.
            more.push(("access_token", token));
        }
        match (&self.key, &self.recover) {
            (Some(key), _) => more.push(("resume", key.as_str())),
            (None, Some(key)) => more.push(("recover", key.as_str())),
            (None, None) => {}
        }
        self.attempts.on_open();
        cx.effects.open(target.url(self.hosts.current(), &more));
        cx.start(Timer::Attempt, cx.options.timing.attempt(self.attempts.number()));
    }

    /// The present attempt stops until there is a new token.
    pub(crate) fn pause_attempt(&self, cx: &mut Context<'_>) {
        cx.effects.shut();
        cx.timers.stop(&Timer::Attempt);
    }

    /// An attempt failed at every host, in a way that another attempt may not (`RTN14d`).
    pub(crate) fn attempt_failed(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> Step {
        cx.effects.shut();
        cx.timers.stop(&Timer::Attempt);
        self.hosts.begin(cx);
        if !cx.timers.runs(&Timer::Suspend) {
            return self.suspend(reason, true, cx);
        }
        let wait = self.attempts.next_wait(cx.options.timing.disconnected_retry, cx.rng);
        cx.start(Timer::Retry, wait);
        self.change(ConnectionState::Disconnected, Some(reason), Some(wait), cx);
        Step::Disconnected
    }

    /// Tries again at longer intervals from now on (`RTN14e`).
    fn suspend(&mut self, reason: ErrorInfo, attempt_failed: bool, cx: &mut Context<'_>) -> Step {
        let wait = cx.options.timing.suspended_retry;
        cx.start(Timer::Retry, wait);
        self.change(ConnectionState::Suspended, Some(reason.clone()), Some(wait), cx);
        Step::Suspended { reason, attempt_failed }
    }

    /// The server did not answer in time (`RTN14c`).
    pub(crate) fn on_attempt_timeout(&mut self, cx: &mut Context<'_>) -> Step {
        let limit = cx.options.timing.attempt(self.attempts.number());
        let reason = self.attempts.no_answer(&self.place(cx), limit);
        self.host_failed(reason, cx)
    }

    /// The host could not be reached or is in trouble. Another one is tried within the same attempt.
    fn host_failed(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> Step {
        cx.effects.shut();
        cx.timers.stop(&Timer::Attempt);
        let step = self.hosts.on_failed(reason, cx);
        self.follow_host(step, cx)
    }

    /// Whether the internet can be reached.
    pub(crate) fn on_connectivity(&mut self, request: RequestId, up: bool, cx: &mut Context<'_>) -> Step {
        let step = self.hosts.on_connectivity(request, up, cx);
        self.follow_host(step, cx)
    }

    /// No answer came whether the internet can be reached.
    pub(crate) fn on_connectivity_timeout(&mut self, cx: &mut Context<'_>) -> Step {
        let step = self.hosts.on_connectivity_timeout(cx);
        self.follow_host(step, cx)
    }

    fn follow_host(&mut self, step: HostStep, cx: &mut Context<'_>) -> Step {
        match step {
            HostStep::Stay => Step::Stay,
            HostStep::Open => Step::Open,
            HostStep::NoneLeft(reason) => self.attempt_failed(reason, cx),
        }
    }

    fn change(
        &mut self,
        to: ConnectionState,
        reason: Option<ErrorInfo>,
        retry_in: Option<Duration>,
        cx: &mut Context<'_>,
    ) {
        if reason.is_some() {
            self.error.clone_from(&reason);
        }
        if self.state != to {
            let change = self.describe(to, reason, retry_in, false);
            self.state = to;
            cx.effects.emit(Event::Connection(change));
        }
    }

    fn describe(
        &self,
        current: ConnectionState,
        reason: Option<ErrorInfo>,
        retry_in: Option<Duration>,
        resumed: bool,
    ) -> ConnectionChange {
        ConnectionChange {
            previous: self.state,
            current,
            reason,
            retry_in,
            connection_id: self.id.clone(),
            client_id: self.client_id.clone(),
            resumed,
            max_inbound_rate: self.limits.max_inbound_rate,
            attempt: self.attempts.number(),
        }
    }

    /// Where the present attempt goes, for people: the host and its port.
    fn place(&self, cx: &Context<'_>) -> String {
        cx.target.as_ref().map_or_else(|_| "the server".to_owned(), |target| target.place(self.hosts.current()))
    }
}
