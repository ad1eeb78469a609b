//! What one part's verdict means for the other parts.
//!
//! A part returns a [`Step`], a [`TokenStep`] or another verdict. Here the client follows it: it hands it on to the parts that
//! it concerns, in the order that the specification wants.

use web_time::Instant;

use super::Client;
use crate::{
    auth::{RefusalStep, TokenStep, token_not_obtained},
    command::OperationId,
    connection::{NextAttempt, Step, Welcome, target::Target},
    error::closed_error,
    event::{ConnectionState, Event},
    http::{
        Answered, Attempt, Begun,
        request::{Reading, Request},
    },
    options::Credentials,
};
use rooms_protocol::{Action, Auth as AuthFrame, ErrorCode, ErrorInfo, Frame};

/// The connection.
impl Client {
    pub(super) fn connect(&mut self, now: Instant) {
        if matches!(self.connection.state(), ConnectionState::Connecting | ConnectionState::Connected) {
            return;
        }
        self.forget_ended_connection(now);
        self.begin_to_connect(now);
    }

    fn begin_to_connect(&mut self, now: Instant) {
        let step = self.connection.connect(&mut self.base.at(now));
        self.follow(step, now);
    }

    /// After a connection that has ended, the client begins as if it had never connected (`RTN11b`, `RTN11d`).
    fn forget_ended_connection(&mut self, now: Instant) {
        match self.connection.state() {
            ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Failed => {}
            ConnectionState::Initialized
            | ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Disconnected
            | ConnectionState::Suspended => return,
        }
        self.base.effects.shut();
        self.base.timers.stop_all();
        self.end_operations(&closed_error(), now);
        self.outbox.reset_serial();
        let (channels, mut cx) = self.channels_at(now);
        channels.forget_all(&mut cx);
        self.connection.forget(&self.base.options);
    }

    /// Does what the connection wants done next.
    pub(super) fn follow(&mut self, step: Step, now: Instant) {
        match step {
            Step::Stay => {}
            Step::Open => self.open_or_ask(now),
            Step::Disconnected => {
                self.auth.on_attempt_failed();
                self.outbox.fail_unqueued(&self.base.options, &mut self.base.effects);
            }
            Step::Connected(welcome) => self.welcome(&welcome, now),
            Step::TokenRefused(cause) => self.on_token_refused(cause, now),
            Step::ContinuityLost(reason) => {
                let (channels, mut cx) = self.channels_at(now);
                channels.lose_continuity(&reason, &mut cx);
            }
            Step::LoseSocket(reason) => self.lose_socket(reason, now),
            Step::Suspended { reason, attempt_failed } => {
                if attempt_failed {
                    self.auth.on_attempt_failed();
                }
                self.suspend(&reason, now);
            }
            Step::Fail(reason) => self.fail(reason, now),
            Step::Closing => {
                self.end_auth(&closed_error(), now);
                self.connection.liveness_mut().fail_pings(&closed_error(), &mut self.base.at(now));
            }
            Step::Close(reason) => self.close(reason, now),
        }
    }

    /// Opens a socket, once there is a token where one is needed (`RTN27b`).
    fn open_or_ask(&mut self, now: Instant) {
        if self.auth.needs_token(&self.base.options) {
            self.ask_token(now);
        } else {
            self.connection.open(self.auth.token(), &mut self.base.at(now));
        }
    }

    /// The server took the connection.
    fn welcome(&mut self, welcome: &Welcome, now: Instant) {
        if welcome.is_first && !welcome.recovered {
            // The recovery key of an earlier client did not help, so its numbers do not count (`RTN16f`).
            self.outbox.reset_serial();
        }
        if welcome.renewed {
            // Channels go first: the game sees them attaching before it sees the client connected (`RTL3d1`).
            let (channels, mut cx) = self.channels_at(now);
            channels.attach_all(&mut cx);
        }
        self.connection.announce_connected(welcome, &mut self.base.at(now));
        if welcome.renewed {
            let reason = welcome.reason.as_ref();
            self.outbox.resend(welcome.resumed, welcome.is_first, reason, &mut self.base.effects);
        }
        self.auth.on_authenticated(&mut self.base.effects);
        self.connection.liveness_mut().send_wanted_pings(&mut self.base.at(now));
    }

    /// The socket is gone while connected: begins to connect again at once (`RTN15a`).
    fn lose_socket(&mut self, reason: ErrorInfo, now: Instant) {
        self.leave_socket(now);
        let next_attempt = self.connection.reconnect(reason, &mut self.base.at(now));
        self.outbox.fail_unqueued(&self.base.options, &mut self.base.effects);
        match next_attempt {
            NextAttempt::AtOnce => {
                let step = self.connection.attempt(&mut self.base.at(now));
                self.follow(step, now);
            }
            NextAttempt::AfterWait => {}
        }
    }

    /// Gives up the socket, and ends what depends on it.
    fn leave_socket(&mut self, now: Instant) {
        self.connection.leave_socket(&mut self.base.at(now));
        self.outbox.fail_volatile(&mut self.base.effects);
    }

    fn suspend(&mut self, reason: &ErrorInfo, now: Instant) {
        let (channels, mut cx) = self.channels_at(now);
        channels.suspend_all(reason, &mut cx);
        self.auth.end_authorize(reason, &mut self.base.effects);
        self.connection.liveness_mut().fail_pings(reason, &mut self.base.at(now));
        self.outbox.fail_all(reason, &mut self.base.effects);
    }

    fn fail(&mut self, reason: ErrorInfo, now: Instant) {
        self.leave_socket(now);
        self.connection.fail(reason.clone(), &mut self.base.at(now));
        if self.base.options.can_renew() {
            // Perhaps the token was at fault: the next connection begins with a new one.
            self.auth.forget_token();
        }
        let (channels, mut cx) = self.channels_at(now);
        channels.fail_all(&reason, &mut cx);
        self.end_operations(&reason, now);
    }

    fn close(&mut self, reason: Option<ErrorInfo>, now: Instant) {
        self.leave_socket(now);
        self.connection.finish_close(reason.clone(), &mut self.base.at(now));
        let (channels, mut cx) = self.channels_at(now);
        channels.detach_all(reason.as_ref(), &mut cx);
        self.end_operations(&reason.unwrap_or_else(closed_error), now);
    }

    /// Everything that waits for the connection has failed.
    fn end_operations(&mut self, reason: &ErrorInfo, now: Instant) {
        self.end_auth(reason, now);
        self.connection.liveness_mut().fail_pings(reason, &mut self.base.at(now));
        self.outbox.fail_all(reason, &mut self.base.effects);
    }

    /// Ends the request for a token, and the requests over HTTP that wait for it.
    fn end_auth(&mut self, reason: &ErrorInfo, now: Instant) {
        self.auth.end(reason, &mut self.base.at(now));
        self.http.fail_waiting(reason, &mut self.base.effects);
    }
}

/// Tokens.
impl Client {
    fn ask_token(&mut self, now: Instant) {
        let step = self.auth.ask(&mut self.base.at(now));
        self.follow_token(step, now);
    }

    /// Does what the token wants done next.
    pub(super) fn follow_token(&mut self, step: TokenStep, now: Instant) {
        match step {
            TokenStep::Stay => {}
            TokenStep::AskClock => {
                let (http, access, mut cx) = self.http_at(now);
                http.ask_clock(access, &mut cx);
            }
            TokenStep::Use => self.use_token(now),
            TokenStep::NotObtained(cause) => self.on_token_not_obtained(cause, now),
            TokenStep::Fail(reason) => self.fail(reason, now),
        }
    }

    fn use_token(&mut self, now: Instant) {
        if self.connection.state() == ConnectionState::Connected {
            // The socket stays open meanwhile (`RTC8a`).
            let access_token = self.auth.token().map(str::to_owned);
            let auth = Some(Box::new(AuthFrame { access_token }));
            self.base.effects.send(Frame { auth, ..Frame::new(Action::Auth) });
        } else if self.connection.awaits_token(&self.base.effects) {
            self.connection.open(self.auth.token(), &mut self.base.at(now));
        }
        for request in self.http.take_waiting() {
            self.begin_request(request, now);
        }
    }

    /// No token was obtained. If the issuer forbids it, the connection ends (`RSA4d`). Otherwise an attempt fails, and an open
    /// connection goes on with the token that it has (`RSA4c`).
    fn on_token_not_obtained(&mut self, cause: ErrorInfo, now: Instant) {
        self.http.fail_waiting(&cause, &mut self.base.effects);
        let reason = token_not_obtained(cause);
        self.auth.end_authorize(&reason, &mut self.base.effects);
        // If nobody wants a connection, only the request that wanted the token has failed.
        let state = self.connection.state();
        let wanted = matches!(state, ConnectionState::Connecting | ConnectionState::Connected);
        if reason.status_code == 403 && wanted {
            self.fail(reason, now);
        } else if self.connection.awaits_token(&self.base.effects) {
            let step = self.connection.attempt_failed(reason, &mut self.base.at(now));
            self.follow(step, now);
        } else {
            log::warn!("{reason}");
        }
    }

    fn on_token_refused(&mut self, cause: ErrorInfo, now: Instant) {
        match self.auth.on_refused(cause, self.connection.state(), &self.base.options) {
            RefusalStep::Fail(reason) => self.fail(reason, now),
            RefusalStep::LoseSocket(cause) => self.lose_socket(cause, now),
            RefusalStep::AskAgain => {
                self.connection.pause_attempt(&mut self.base.at(now));
                self.ask_token(now);
            }
            RefusalStep::EndSocket(cause) => {
                let step = self.connection.socket_ended(cause, &mut self.base.at(now));
                self.follow(step, now);
            }
        }
    }

    /// The token ends soon: renews it now if the client is connected, or else before the next socket.
    pub(super) fn renew_token(&mut self, now: Instant) {
        if self.connection.state() == ConnectionState::Connected {
            self.ask_token(now);
        } else {
            self.auth.forget_token();
        }
    }

    /// The server asks for a new token (`RTN22`).
    pub(super) fn on_auth_requested(&mut self, now: Instant) {
        if self.base.options.can_renew() {
            self.ask_token(now);
        } else {
            log::warn!("the server asks for a new token, and the credentials give no way to get one");
        }
    }

    /// Gets a new token now, even if the present one is still good (`RTC8`). A client with a key uses tokens from here on
    /// (`RSA10a`).
    pub(super) fn authorize(&mut self, operation: OperationId, now: Instant) {
        let options = &mut self.base.options;
        if matches!(options.credentials, Credentials::Key(_)) && !options.use_token_auth {
            options.use_token_auth = true;
            self.base.target = Target::new(options);
        }
        if !self.base.options.can_renew() {
            let message = "the credentials are one token and give no other; use a key, a callback or a token URL";
            let outcome = Err(ErrorInfo::new(ErrorCode::NO_RENEWAL, 401, message));
            return self.base.effects.emit(Event::Authorized { operation, outcome });
        }
        // This ends all operations of a connection that is over, so it comes before the new operation is known.
        self.forget_ended_connection(now);
        self.auth.begin_authorize(operation, &mut self.base.at(now));
        match self.connection.state() {
            ConnectionState::Connected => self.ask_token(now),
            ConnectionState::Connecting => {
                self.auth.forget_token();
                let step = self.connection.attempt(&mut self.base.at(now));
                self.follow(step, now);
            }
            _ => {
                self.auth.forget_token();
                self.begin_to_connect(now);
            }
        }
    }
}

/// Requests over HTTP.
impl Client {
    /// Hands a request in, and begins it where its turn is now.
    pub(super) fn submit(&mut self, request: Request, now: Instant) {
        if let Some(attempt) = self.http.submit(request, &mut self.base.at(now)) {
            self.begin_request(attempt, now);
        }
    }

    fn begin_request(&mut self, attempt: Attempt, now: Instant) {
        let (http, access, mut cx) = self.http_at(now);
        match http.begin(attempt, access, &mut cx) {
            Begun::Nothing => {}
            Begun::NeedsToken => self.ask_token(now),
        }
    }

    /// Does what an answer wants done next, and begins the requests whose turn it is then.
    pub(super) fn follow_answer(&mut self, answered: Answered, now: Instant) {
        match answered {
            Answered::Nothing => return,
            Answered::Done(purpose, answer) => match purpose.read(answer, &self.channels) {
                Reading::Event(event) => self.base.effects.emit(*event),
                Reading::Clock(time) => {
                    let step = self.auth.on_server_time(time, &mut self.base.at(now));
                    self.follow_token(step, now);
                }
            },
            Answered::NeedsToken => {
                self.auth.forget_token();
                self.ask_token(now);
            }
        }
        while let Some(attempt) = self.http.next_turn() {
            self.begin_request(attempt, now);
        }
    }
}
