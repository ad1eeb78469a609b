//! What happens on the current socket and to it: the server takes the connection, ends it, or says nothing any more (`RTN15`,
//! `RTN20`, `RTN24`).

use std::time::Duration;

use super::{
    Connection, NextAttempt, Step, Welcome,
    attempts::{Attempts, closed_at_once, unreadable},
    hosts::may_succeed_at_another_host,
};
use crate::{
    context::Context,
    error::disconnected,
    event::{ConnectionState, Event},
    timer::Timer,
};
use rooms_protocol::{Action, ConnectionDetails, ErrorCode, ErrorInfo, Frame};

/// Least time between two reconnects without a wait, so that a server that drops every socket at once is not flooded.
/// Ably's SDKs keep the same distance.
const RECONNECT_SPACING: Duration = Duration::from_secs(1);

impl Connection {
    /// Gives up the socket, and stops what depends on it.
    pub(crate) fn leave_socket(&mut self, cx: &mut Context<'_>) {
        cx.effects.shut();
        for timer in [Timer::Attempt, Timer::Idle, Timer::Doubt, Timer::Ping, Timer::Close] {
            cx.timers.stop(&timer);
        }
        cx.timers.stop_channels();
        self.hosts.begin(cx);
        self.client_id = None;
        self.liveness.lose_pings(cx);
    }

    /// The socket is gone while connected: connects again, at once unless that was done a moment ago (`RTN15a`).
    pub(crate) fn reconnect(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> NextAttempt {
        cx.start(Timer::Suspend, self.ttl);
        let since = self.last_reconnect.map(|last| cx.now.saturating_duration_since(last));
        let wait = since.map_or(Duration::ZERO, |since| RECONNECT_SPACING.saturating_sub(since));
        self.last_reconnect = Some(cx.now + wait);
        self.change(ConnectionState::Disconnected, Some(reason), Some(wait), cx);
        if wait.is_zero() {
            return NextAttempt::AtOnce;
        }
        cx.start(Timer::Retry, wait);
        NextAttempt::AfterWait
    }

    /// The server took the connection, or told new details of it.
    pub(crate) fn on_connected(&mut self, frame: Frame, cx: &mut Context<'_>) -> Step {
        match self.state {
            ConnectionState::Connecting | ConnectionState::Connected => {}
            // Closing began before the server was there.
            ConnectionState::Closing => {
                cx.effects.send(Frame::new(Action::Close));
                return Step::Stay;
            }
            _ => return Step::Stay,
        }
        let details = frame.connection_details.map(|details| *details).unwrap_or_default();
        if let (Some(own), Some(theirs)) = (&cx.options.client_id, &details.client_id)
            && theirs.as_str() != "*"
            && own != theirs
        {
            let message =
                format!("the credentials belong to {theirs}, but ClientOptions::client_id says {own} (RSA15c)");
            return Step::Fail(ErrorInfo::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, 401, message));
        }
        let is_update = self.state == ConnectionState::Connected;
        let is_first = self.id.is_none();
        let recovered = self.recover.take().is_some() && frame.error.is_none();
        let resumed = recovered || (!is_first && self.id == frame.connection_id);
        self.id = frame.connection_id;
        self.apply_details(details);
        for timer in [Timer::Attempt, Timer::Retry, Timer::Suspend] {
            cx.timers.stop(&timer);
        }
        self.liveness.watch_silence(cx);
        let reason = frame.error.map(|error| *error);
        self.error.clone_from(&reason);
        if !is_update {
            self.connects += 1;
        }
        Step::Connected(Welcome { reason, is_first, recovered, resumed, renewed: !(is_update && resumed) })
    }

    /// Tells the game that the client is connected, after [`Step::Connected`].
    pub(crate) fn announce_connected(&mut self, welcome: &Welcome, cx: &mut Context<'_>) {
        let change = self.describe(ConnectionState::Connected, welcome.reason.clone(), None, welcome.resumed);
        self.attempts = Attempts::default();
        self.state = ConnectionState::Connected;
        cx.effects.emit(Event::Connection(change));
    }

    /// What the server announces takes the place of the options (`RTN21`).
    fn apply_details(&mut self, details: ConnectionDetails) {
        if details.connection_key.is_some() {
            self.key = details.connection_key;
        }
        self.client_id = details.client_id;
        self.liveness.set_max_idle(details.max_idle_interval.filter(|ms| *ms > 0).map(Duration::from_millis));
        if let Some(ttl) = details.connection_state_ttl {
            self.ttl = Duration::from_millis(ttl);
        }
        self.limits.max_inbound_rate = details.max_inbound_rate;
        if let Some(size) = details.max_message_size {
            self.limits.max_message_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
    }

    /// The server ended the socket with DISCONNECTED.
    pub(crate) fn on_disconnected(&mut self, error: Option<Box<ErrorInfo>>, cx: &mut Context<'_>) -> Step {
        let reason = error.map_or_else(|| disconnected("the server closed the socket"), |error| *error);
        if reason.is_token_error() {
            Step::TokenRefused(reason)
        } else if self.state == ConnectionState::Connecting && reason.is_server_trouble() {
            self.host_failed(reason, cx)
        } else {
            self.socket_ended(reason, cx)
        }
    }

    /// The machine of the server takes the connection; its server has not answered yet.
    pub(crate) fn on_transport_reached(&mut self) {
        self.attempts.on_reached();
    }

    /// The socket is open; the server has not said anything yet.
    pub(crate) fn on_transport_opened(&mut self) {
        self.attempts.on_opened();
    }

    /// The socket closed without a request of this client, or could not be opened.
    pub(crate) fn on_transport_closed(&mut self, reason: Option<ErrorInfo>, cx: &mut Context<'_>) -> Step {
        cx.effects.forget_socket();
        let reason = reason.unwrap_or_else(|| match self.state {
            ConnectionState::Connecting => closed_at_once(&self.place(cx)),
            _ => disconnected("the socket to the server broke"),
        });
        if self.state == ConnectionState::Connecting && may_succeed_at_another_host(&reason) {
            self.host_failed(reason, cx)
        } else {
            self.socket_ended(reason, cx)
        }
    }

    /// The socket is gone. What follows depends on the state of the connection.
    pub(crate) fn socket_ended(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> Step {
        match self.state {
            ConnectionState::Connecting => self.attempt_failed(reason, cx),
            ConnectionState::Connected => Step::LoseSocket(reason),
            ConnectionState::Closing => Step::Close(None),
            _ => Step::Stay,
        }
    }

    /// The server ended the connection with an error.
    pub(crate) fn on_error(&self, error: Option<Box<ErrorInfo>>, can_renew: bool) -> Step {
        let reason = error.map_or_else(
            || ErrorInfo::new(ErrorCode::CONNECTION_FAILED, 400, "the server ended the connection without a reason"),
            |error| *error,
        );
        if self.state == ConnectionState::Closing {
            Step::Close(Some(reason))
        } else if reason.is_token_error()
            // A server that ends an open connection like this was given a wrong token by the game (`RTC8a2`).
            && (self.state == ConnectionState::Connecting || !can_renew)
        {
            Step::TokenRefused(reason)
        } else {
            Step::Fail(reason)
        }
    }

    /// Something came that cannot be read.
    pub(crate) fn on_malformed(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> Step {
        self.liveness.count_malformed();
        match self.state {
            ConnectionState::Connecting => {
                let reason = unreadable(&self.place(cx), reason);
                self.attempt_failed(reason, cx)
            }
            ConnectionState::Connected if self.liveness.may_drop_socket_for_malformed(cx.now) => {
                Step::LoseSocket(reason)
            }
            ConnectionState::Connected => Step::ContinuityLost(reason),
            _ => Step::Stay,
        }
    }

    /// Nothing came from the server for too long (`RTN23a`).
    pub(crate) fn on_silence(&self) -> Step {
        if self.state != ConnectionState::Connected {
            return Step::Stay;
        }
        let message = "nothing came from the server for longer than it promised";
        Step::LoseSocket(ErrorInfo::new(ErrorCode::DISCONNECTED, 408, message))
    }

    /// The game says whether there is a network, and that holds until the game says otherwise.
    pub(crate) fn set_network(&mut self, up: bool, cx: &mut Context<'_>) -> Step {
        self.offline = !up;
        self.on_network(up, cx)
    }

    /// The network went away or came back (`RTN20`).
    pub(crate) fn on_network(&mut self, up: bool, cx: &mut Context<'_>) -> Step {
        match self.state {
            ConnectionState::Connecting | ConnectionState::Connected if !up => {
                self.socket_ended(disconnected("the network went away"), cx)
            }
            ConnectionState::Connecting | ConnectionState::Disconnected | ConnectionState::Suspended if up => {
                self.attempt(cx)
            }
            _ => Step::Stay,
        }
    }

    /// The program is about to pause: drops the socket, and opens no new one before [`wake`](Self::wake).
    pub(crate) fn shelve(&mut self, cx: &mut Context<'_>) -> Step {
        self.shelved = true;
        self.on_network(false, cx)
    }

    /// The program goes on.
    pub(crate) fn wake(&mut self) {
        self.shelved = false;
    }

    /// Finds out soon whether the socket still works. If there is none, the next attempt begins now.
    pub(crate) fn check_socket(&mut self, cx: &mut Context<'_>) -> Step {
        match self.state {
            ConnectionState::Connected => {
                self.liveness.request_sign_of_life(cx);
                Step::Stay
            }
            ConnectionState::Disconnected | ConnectionState::Suspended => self.on_network(true, cx),
            _ => Step::Stay,
        }
    }
}
