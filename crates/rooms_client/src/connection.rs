//! The states of the connection, and how it gets from one to the next (`RTN4`, `RTN11`, `RTN14`, `RTN15`).

use std::time::Duration;

use web_time::Instant;

use super::{
    Client, Output, Timer, TransportId,
    backoff::Backoff,
    ending::closed_error,
    event::{ConnectionChange, ConnectionState, Event},
    fallback::{Hosts, may_stand_elsewhere},
    liveness::Pings,
    options::ClientOptions,
};
use rooms_protocol::{
    Action, ClientId, ConnectionDetails, ConnectionId, ConnectionKey, DEFAULT_MAX_MESSAGE_SIZE, ErrorCode, ErrorInfo,
    Frame,
};

/// Least time between two reconnects without a wait, so that a server that drops every line at once is not flooded.
/// Ably's SDKs keep the same distance.
const RECONNECT_SPACING: Duration = Duration::from_secs(1);

/// The connection, over all its sockets.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) state: ConnectionState,
    /// The current socket, opening or open.
    pub(super) transport: Option<TransportId>,
    /// Whether the game takes the network for gone.
    pub(super) offline: bool,
    /// Whether the program is about to stand still.
    pub(super) shelved: bool,
    sockets: u64,
    pub(super) id: Option<ConnectionId>,
    /// What resumes the connection; the newest that the server gave (`RTN15e`).
    pub(super) key: Option<ConnectionKey>,
    /// What goes on with the connection of an earlier client, until there is one of this client's own (`RTN16k`).
    pub(super) recover: Option<ConnectionKey>,
    /// What went wrong, until the connection stands again (`RTN25`).
    pub(super) error: Option<ErrorInfo>,
    pub(super) hosts: Hosts,
    /// Who the server says the client is, while connected.
    pub(super) client_id: Option<ClientId>,
    /// How long the server keeps the connection without a socket.
    ttl: Duration,
    /// Longest silence of the server, if it promised one.
    pub(super) max_idle: Option<Duration>,
    pub(super) max_message_size: usize,
    backoff: Backoff,
    /// When the line was last taken up again without a wait.
    last_reconnect: Option<Instant>,
    /// When the line was last dropped for a frame that could not be read.
    pub(super) last_malformed: Option<Instant>,
    pub(super) pings: Pings,
    connects: u64,
    pub(super) reconnects: u64,
    pub(super) malformed: u64,
    pub(super) round_trip: Option<Duration>,
}

impl Connection {
    pub(super) fn new(options: &ClientOptions) -> Self {
        Self {
            state: ConnectionState::Initialized,
            transport: None,
            offline: false,
            shelved: false,
            sockets: 0,
            id: None,
            key: None,
            recover: None,
            error: None,
            hosts: Hosts::default(),
            client_id: None,
            ttl: options.timing.connection_state_ttl,
            max_idle: None,
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            backoff: Backoff::default(),
            last_reconnect: None,
            last_malformed: None,
            pings: Pings::default(),
            connects: 0,
            reconnects: 0,
            malformed: 0,
            round_trip: None,
        }
    }

    /// What the server announces stands over the options (`RTN21`).
    fn take_details(&mut self, details: ConnectionDetails) {
        if details.connection_key.is_some() {
            self.key = details.connection_key;
        }
        self.client_id = details.client_id;
        self.max_idle = details.max_idle_interval.filter(|ms| *ms > 0).map(Duration::from_millis);
        if let Some(ttl) = details.connection_state_ttl {
            self.ttl = Duration::from_millis(ttl);
        }
        if let Some(size) = details.max_message_size {
            self.max_message_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
    }
}

impl Client {
    pub(super) fn connect(&mut self, now: Instant) {
        match self.state() {
            ConnectionState::Connecting | ConnectionState::Connected => return,
            ConnectionState::Initialized | ConnectionState::Disconnected | ConnectionState::Suspended => {}
            ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Failed => self.forget_connection(),
        }
        match &self.target {
            // A client that is wrongly made fails where it is used, and says what to mend.
            Err(error) => {
                let reason = error.clone();
                self.connection.state = ConnectionState::Initialized;
                self.fail(reason);
            }
            Ok(_) => {
                if self.state() != ConnectionState::Suspended && !self.timers.runs(&Timer::Suspend) {
                    self.timers.start(Timer::Suspend, now, self.connection.ttl);
                }
                self.attempt(now);
            }
        }
    }

    /// Begins as if never connected (`RTN11b`, `RTN11d`).
    fn forget_connection(&mut self) {
        self.shut();
        self.timers.stop_all();
        self.end_auth(&closed_error());
        self.end_pings(&closed_error());
        self.end_all_operations(&closed_error());
        self.outbox.reset_serial();
        self.forget_channels();
        self.connection.id = None;
        self.connection.key = None;
        self.connection.error = None;
        self.connection.ttl = self.options.timing.connection_state_ttl;
        self.connection.backoff.reset();
    }

    /// Begins an attempt to connect, in place of the present one.
    pub(super) fn attempt(&mut self, now: Instant) {
        self.shut();
        self.timers.stop(&Timer::Retry);
        self.timers.stop(&Timer::Attempt);
        self.begin_at_first_host();
        self.change_connection(ConnectionState::Connecting, None, None);
        if self.connection.offline {
            return self.attempt_failed(disconnected("the game took the network for gone"), now);
        }
        if self.connection.shelved {
            return self.attempt_failed(disconnected("the page is shelved"), now);
        }
        self.open_or_ask(now);
    }

    /// Opens a socket. Every one asks to resume what there was (`RTN14h`).
    pub(super) fn open(&mut self, now: Instant) {
        let Ok(target) = &self.target else { return };
        let mut more = Vec::new();
        if let Some(token) = &self.tokens.current {
            // The specification has `accessToken`; the cloud's SDKs send this, which every server takes.
            more.push(("access_token", token.token.as_str()));
        }
        match (&self.connection.key, &self.connection.recover) {
            (Some(key), _) => more.push(("resume", key.as_str())),
            (None, Some(key)) => more.push(("recover", key.as_str())),
            (None, None) => {}
        }
        let url = target.url(self.connection.hosts.current.as_deref(), &more);
        self.connection.sockets += 1;
        let transport = TransportId(self.connection.sockets);
        self.connection.transport = Some(transport);
        self.outputs.push_back(Output::Open { transport, url });
        self.timers.start(Timer::Attempt, now, self.options.timing.request_timeout);
    }

    /// An attempt failed at every host, in a way that another may mend (`RTN14d`).
    pub(super) fn attempt_failed(&mut self, reason: ErrorInfo, now: Instant) {
        self.shut();
        self.timers.stop(&Timer::Attempt);
        self.begin_at_first_host();
        self.tokens.renewed = false;
        if self.timers.runs(&Timer::Suspend) {
            let wait = self.connection.backoff.next(self.options.timing.disconnected_retry, &mut self.rng);
            self.timers.start(Timer::Retry, now, wait);
            self.change_connection(ConnectionState::Disconnected, Some(reason), Some(wait));
            self.fail_unqueued();
        } else {
            self.suspend(reason, now);
        }
    }

    pub(super) fn attempt_timed_out(&mut self, now: Instant) {
        let limit = self.options.timing.request_timeout;
        self.host_failed(timed_out(&format!("the server did not answer within {limit:?}")), now);
    }

    /// The line is gone while connected: takes it up again at once (`RTN15a`).
    pub(super) fn lose_line(&mut self, reason: ErrorInfo, now: Instant) {
        self.leave_line();
        self.timers.start(Timer::Suspend, now, self.connection.ttl);
        let since = self.connection.last_reconnect.map(|last| now.saturating_duration_since(last));
        let wait = since.map_or(Duration::ZERO, |since| RECONNECT_SPACING.saturating_sub(since));
        self.connection.last_reconnect = Some(now + wait);
        self.change_connection(ConnectionState::Disconnected, Some(reason), Some(wait));
        self.fail_unqueued();
        if wait.is_zero() {
            self.attempt(now);
        } else {
            self.timers.start(Timer::Retry, now, wait);
        }
    }

    /// What ends with a socket, whatever comes next.
    pub(super) fn leave_line(&mut self) {
        self.shut();
        for timer in [Timer::Attempt, Timer::Idle, Timer::Ping, Timer::Close] {
            self.timers.stop(&timer);
        }
        self.timers.stop_channels();
        self.begin_at_first_host();
        self.connection.client_id = None;
        self.lose_pings();
        self.fail_volatile();
    }

    pub(super) fn connected(&mut self, frame: Frame, now: Instant) {
        match self.state() {
            ConnectionState::Connecting | ConnectionState::Connected => {}
            // Closing began before the server was there.
            ConnectionState::Closing => return self.send(Frame::new(Action::Close)),
            _ => return,
        }
        let details = frame.connection_details.map(|details| *details).unwrap_or_default();
        if let (Some(own), Some(theirs)) = (&self.options.client_id, &details.client_id)
            && theirs.as_str() != "*"
            && own != theirs
        {
            let message = format!("the credentials are of {theirs}, but the client is to be {own} (RSA15c)");
            return self.fail(ErrorInfo::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, 401, message));
        }
        let is_update = self.state() == ConnectionState::Connected;
        let is_first = self.connection.id.is_none();
        let recovered = self.connection.recover.take().is_some() && frame.error.is_none();
        let resumed = recovered || (!is_first && self.connection.id == frame.connection_id);
        self.connection.id = frame.connection_id;
        self.connection.take_details(details);
        self.connection.backoff.reset();
        for timer in [Timer::Attempt, Timer::Retry, Timer::Suspend] {
            self.timers.stop(&timer);
        }
        self.watch_silence(now);
        let reason = frame.error.map(|error| *error);
        self.connection.error.clone_from(&reason);
        if is_first && !recovered {
            // A key of an earlier client that did not help leaves its numbers behind (`RTN16f`).
            self.outbox.reset_serial();
        }
        if !is_update {
            self.connection.reconnects += u64::from(self.connection.connects > 0);
            self.connection.connects += 1;
        }
        let renewed = !(is_update && resumed);
        if renewed {
            // Channels go first: they are seen attaching before the connection is seen to stand (`RTL3d1`).
            self.attach_all(now);
        }
        let change = self.connection_change(ConnectionState::Connected, reason.clone(), None, resumed);
        self.connection.state = ConnectionState::Connected;
        self.emit(Event::Connection(change));
        if renewed {
            self.send_waiting(resumed, is_first, reason.as_ref());
        }
        self.authenticated();
        self.send_wanted_pings(now);
    }

    pub(super) fn disconnected_by_server(&mut self, error: Option<Box<ErrorInfo>>, now: Instant) {
        let reason = error.map_or_else(|| disconnected("the server ended the line"), |error| *error);
        if reason.is_token_error() {
            self.token_refused(reason, now);
        } else if self.state() == ConnectionState::Connecting && reason.is_server_trouble() {
            self.host_failed(reason, now);
        } else {
            self.line_ended(reason, now);
        }
    }

    pub(super) fn transport_closed(&mut self, reason: Option<ErrorInfo>, now: Instant) {
        self.connection.transport = None;
        let reason = reason.unwrap_or_else(|| disconnected("the line to the server broke"));
        if self.state() == ConnectionState::Connecting && may_stand_elsewhere(&reason) {
            self.host_failed(reason, now);
        } else {
            self.line_ended(reason, now);
        }
    }

    pub(super) fn line_ended(&mut self, reason: ErrorInfo, now: Instant) {
        match self.state() {
            ConnectionState::Connecting => self.attempt_failed(reason, now),
            ConnectionState::Connected => self.lose_line(reason, now),
            ConnectionState::Closing => self.closed(None),
            _ => {}
        }
    }

    pub(super) fn connection_error(&mut self, error: Option<Box<ErrorInfo>>, now: Instant) {
        let reason = error.map_or_else(
            || ErrorInfo::new(ErrorCode::CONNECTION_FAILED, 400, "the server ended the connection without a reason"),
            |error| *error,
        );
        if self.state() == ConnectionState::Closing {
            self.closed(Some(reason));
        } else if reason.is_token_error()
            // A standing connection that is ended so was given a wrong token on purpose (`RTC8a2`).
            && (self.state() == ConnectionState::Connecting || !self.options.can_renew())
        {
            self.token_refused(reason, now);
        } else {
            self.fail(reason);
        }
    }

    /// Gives up the current socket. Whatever is still said about it is ignored.
    pub(super) fn shut(&mut self) {
        if let Some(transport) = self.connection.transport.take() {
            self.outputs.push_back(Output::Shut { transport });
        }
    }

    pub(super) fn change_connection(
        &mut self,
        to: ConnectionState,
        reason: Option<ErrorInfo>,
        retry_in: Option<Duration>,
    ) {
        if reason.is_some() {
            self.connection.error.clone_from(&reason);
        }
        if self.connection.state != to {
            let change = self.connection_change(to, reason, retry_in, false);
            self.connection.state = to;
            self.emit(Event::Connection(change));
        }
    }

    fn connection_change(
        &self,
        current: ConnectionState,
        reason: Option<ErrorInfo>,
        retry_in: Option<Duration>,
        resumed: bool,
    ) -> ConnectionChange {
        ConnectionChange {
            previous: self.connection.state,
            current,
            reason,
            retry_in,
            connection_id: self.connection.id.clone(),
            client_id: self.connection.client_id.clone(),
            resumed,
        }
    }
}

pub(super) fn disconnected(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, format!("{message}; connecting again"))
}

fn timed_out(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::TIMED_OUT, 408, message)
}
