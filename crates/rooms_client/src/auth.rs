//! Tokens in use: when one is asked for, what an answer leads to, and what a refusal does (`RSA4`, `RTC8`, `RTN22`).

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use web_time::Instant;

use super::{
    Client, Output, Timer,
    clock::ServerClock,
    event::{ConnectionState, Event, OperationId},
    options::{ClientOptions, Credentials},
    rest::no_renewal,
    route::Route,
    token::{TokenAnswer, TokenDetails, TokenRequest, check_token},
    url::Target,
};
use rooms_protocol::{Action, Auth, ErrorCode, ErrorInfo, Frame};

/// How long before its end a token is renewed; Ably's cloud asks for a new one as long before.
const RENEWAL_MARGIN: Duration = Duration::from_secs(30);

/// Names something that the driver was asked to find out; no two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// The client's tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The present one, until it is refused or ends.
    pub(super) current: Option<TokenDetails>,
    /// The request for the next one.
    pub(super) asked: Option<RequestId>,
    /// The signed request that a server is to exchange for the next one.
    exchange: Option<Exchange>,
    /// Whether this round of attempts had a token renewed: it does so once (`RTN14b`).
    pub(super) renewed: bool,
    /// Who wants to know when the next token is in use.
    authorize: Option<OperationId>,
    /// The server's clock, for requests that the client signs.
    pub(super) clock: ServerClock,
    /// All requests so far, for their names.
    requests: u64,
}

/// A signed request on its way to a server.
#[derive(Debug)]
struct Exchange {
    signed: TokenRequest,
    route: Route,
}

impl Tokens {
    pub(super) fn new(options: &ClientOptions) -> Self {
        let current = match &options.credentials {
            Credentials::Token(token) => Some(TokenDetails::new(token.clone())),
            Credentials::TokenDetails(details) => Some(details.clone()),
            Credentials::Callback(_) | Credentials::TokenUrl(_) => options.token.clone(),
            Credentials::Key(_) => options.token.clone().filter(|_| options.use_token_auth),
        };
        if current.is_some() && !options.can_renew() {
            let code = ErrorCode::NO_RENEWAL;
            log::info!("nothing is given to renew the token with; when it ends, so does the connection (code {code})");
        }
        Self { current, ..Self::default() }
    }
}

impl Client {
    /// Names the next request to the driver.
    pub(super) fn next_request(&mut self) -> RequestId {
        self.tokens.requests += 1;
        RequestId(self.tokens.requests)
    }

    /// The value of the `Authorization` header of an HTTP request; none while there is no token.
    pub fn http_authorization(&self) -> Option<String> {
        match &self.options.credentials {
            Credentials::Key(key) if !self.options.use_token_auth => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(key)))
            }
            _ => {
                let token = &self.tokens.current.as_ref()?.token;
                Some(format!("Bearer {}", BASE64_STANDARD.encode(token)))
            }
        }
    }

    /// Opens a socket, once there is a token where one is needed (`RTN27b`).
    pub(super) fn open_or_ask(&mut self, now: Instant) {
        if self.tokens.current.is_none() && self.options.can_renew() {
            self.ask_token(now);
        } else {
            self.open(now);
        }
    }

    /// Asks the driver for a token, unless it was asked.
    pub(super) fn ask_token(&mut self, now: Instant) {
        if self.tokens.asked.is_none() {
            let request = self.next_request();
            self.tokens.asked = Some(request);
            self.timers.start(Timer::Token, now, self.options.timing.request_timeout);
            self.need_token(request, now);
        }
    }

    /// The answer to [`Output::NeedToken`] or [`Output::ExchangeToken`].
    pub fn handle_token(&mut self, request: RequestId, answer: Result<TokenAnswer, ErrorInfo>, now: Instant) {
        if self.tokens.asked != Some(request) {
            return;
        }
        match answer {
            Ok(TokenAnswer::Token(details)) => {
                if let Some(exchange) = self.tokens.exchange.take() {
                    self.host_answered(exchange.route, now);
                }
                self.end_token_request();
                match check_token(&details) {
                    Ok(()) => self.take_token(details, now),
                    Err(error) => self.token_not_obtained(error, now),
                }
            }
            Ok(TokenAnswer::Request(signed)) if !is_key_name(&signed.key_name) => {
                self.end_token_request();
                let message = "the token request names no key; a key's name is like APP.KEYID";
                let error = ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, 401, message);
                self.token_not_obtained(error, now);
            }
            Ok(TokenAnswer::Request(signed)) => {
                let route = self.route(now);
                self.exchange(Exchange { signed, route });
            }
            Err(error) if error.is_server_trouble() && self.exchange_elsewhere(now) => {}
            Err(error) => {
                if error.code == ErrorCode::TIMESTAMP_OUTSIDE_WINDOW {
                    self.clock_refused();
                }
                self.end_token_request();
                self.token_not_obtained(error, now);
            }
        }
    }

    /// Has a server exchange a signed request for a token.
    fn exchange(&mut self, exchange: Exchange) {
        let Ok(target) = &self.target else { return };
        let path = format!("/keys/{}/requestToken", exchange.signed.key_name);
        let url = target.http_url(exchange.route.host(), &path).into();
        let body = serde_json::to_string(&exchange.signed).unwrap_or_default();
        let request = self.next_request();
        self.tokens.asked = Some(request);
        self.tokens.exchange = Some(exchange);
        self.outputs.push_back(Output::ExchangeToken { request, url, body });
    }

    /// A server that was to exchange a request cannot be reached or is in trouble: asks another, if there is one.
    fn exchange_elsewhere(&mut self, now: Instant) -> bool {
        let Some(mut exchange) = self.tokens.exchange.take() else { return false };
        let found = self.next_host(&mut exchange.route, now);
        if found {
            self.exchange(exchange);
        }
        found
    }

    pub(super) fn end_token_request(&mut self) {
        self.tokens.asked = None;
        self.tokens.exchange = None;
        self.timers.stop(&Timer::Token);
    }

    fn take_token(&mut self, details: TokenDetails, now: Instant) {
        if let (Some(own), Some(theirs)) = (&self.options.client_id, &details.client_id)
            && theirs.as_str() != "*"
            && own != theirs
        {
            let message = format!("the token is of {theirs}, but the client is to be {own} (RSA15c)");
            return self.fail(ErrorInfo::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, 401, message));
        }
        match details.lifetime() {
            Some(lifetime) => {
                let renewal = lifetime - RENEWAL_MARGIN.min(lifetime / 2);
                self.timers.start(Timer::Renewal, now, renewal);
            }
            None => self.timers.stop(&Timer::Renewal),
        }
        let access_token = Some(details.token.clone());
        self.tokens.current = Some(details);
        match self.state() {
            // The line stands meanwhile (`RTC8a`).
            ConnectionState::Connected => {
                let auth = Some(Box::new(Auth { access_token }));
                self.send(Frame { auth, ..Frame::new(Action::Auth) });
            }
            ConnectionState::Connecting if self.awaits_token() => self.open(now),
            _ => {}
        }
        self.send_waiting_requests(now);
    }

    /// Whether the attempt goes on with the next token.
    fn awaits_token(&self) -> bool {
        self.connection.transport.is_none() && !self.connection.hosts.is_checking()
    }

    /// No token could be had. An issuer that forbids it ends the connection (`RSA4d`); otherwise an attempt fails and a
    /// standing line goes on with the token that it has (`RSA4c`).
    pub(super) fn token_not_obtained(&mut self, cause: ErrorInfo, now: Instant) {
        self.end_waiting_requests(&cause);
        let status = if cause.status_code == 403 { 403 } else { 401 };
        let message = format!("no token could be had: {}", cause.message);
        let mut reason = ErrorInfo::new(ErrorCode::TOKEN_NOT_OBTAINED, status, message);
        reason.cause = Some(Box::new(cause));
        self.end_authorize(&reason);
        // Where nobody wants a connection, the request that wanted the token has failed, and no more than that.
        let wanted = matches!(self.state(), ConnectionState::Connecting | ConnectionState::Connected);
        if status == 403 && wanted {
            self.fail(reason);
        } else if self.state() == ConnectionState::Connecting && self.awaits_token() {
            self.attempt_failed(reason, now);
        } else {
            log::warn!("{reason}");
        }
    }

    pub(super) fn token_timed_out(&mut self, now: Instant) {
        let limit = self.options.timing.request_timeout;
        let reason = ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, 401, format!("nothing came within {limit:?}"));
        self.end_token_request();
        self.token_not_obtained(reason, now);
    }

    /// The token ends soon: renews it while the line stands, or before the next line.
    pub(super) fn renew_token(&mut self, now: Instant) {
        if self.state() == ConnectionState::Connected {
            self.ask_token(now);
        } else {
            self.tokens.current = None;
        }
    }

    /// The server asks for a new token (`RTN22`).
    pub(super) fn asked_to_authenticate(&mut self, now: Instant) {
        if self.options.can_renew() {
            self.ask_token(now);
        } else {
            log::warn!("the server asks for a new token, and nothing is given to get one with");
        }
    }

    /// The server refused the token. A new one is tried once (`RTN14b`, `RTN15h`); without a way to get one there is
    /// nothing to try again with (`RSA4a2`).
    pub(super) fn token_refused(&mut self, cause: ErrorInfo, now: Instant) {
        if !self.options.can_renew() {
            return self.fail(no_renewal(cause));
        }
        self.tokens.current = None;
        match self.state() {
            ConnectionState::Connected => {
                self.tokens.renewed = true;
                self.lose_line(cause, now);
            }
            ConnectionState::Connecting if !self.tokens.renewed => {
                self.tokens.renewed = true;
                self.shut();
                self.timers.stop(&Timer::Attempt);
                self.ask_token(now);
            }
            _ => self.line_ended(cause, now),
        }
    }

    /// Gets a new token now, whatever the present one is worth (`RTC8`). A client with a key uses tokens from here on
    /// (`RSA10a`).
    pub(super) fn authorize(&mut self, operation: OperationId, now: Instant) {
        if matches!(self.options.credentials, Credentials::Key(_)) && !self.options.use_token_auth {
            self.options.use_token_auth = true;
            self.target = Target::new(&self.options);
        }
        if !self.options.can_renew() {
            let message = "the credentials are one token and give no other; use a key, a callback or a token URL";
            let outcome = Err(ErrorInfo::new(ErrorCode::NO_RENEWAL, 401, message));
            return self.emit(Event::Authorized { operation, outcome });
        }
        let message = "another Command::Authorize took the place of this one";
        self.end_authorize(&ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message));
        self.end_token_request();
        match self.state() {
            ConnectionState::Connected => self.ask_token(now),
            ConnectionState::Connecting => {
                self.tokens.current = None;
                self.attempt(now);
            }
            _ => {
                self.tokens.current = None;
                self.connect(now);
            }
        }
        self.tokens.authorize = Some(operation);
    }

    /// The server took the present token.
    pub(super) fn authenticated(&mut self) {
        self.tokens.renewed = false;
        if self.tokens.asked.is_none()
            && let Some(operation) = self.tokens.authorize.take()
        {
            self.emit(Event::Authorized { operation, outcome: Ok(()) });
        }
    }

    /// The connection has failed, perhaps for the token's sake: the next one begins with a new token, where one can be had.
    pub(super) fn forget_token(&mut self) {
        if self.options.can_renew() {
            self.tokens.current = None;
        }
    }

    /// Nobody waits for a token any more.
    pub(super) fn end_auth(&mut self, reason: &ErrorInfo) {
        self.end_token_request();
        self.end_authorize(reason);
        self.end_waiting_requests(reason);
    }

    pub(super) fn end_authorize(&mut self, reason: &ErrorInfo) {
        if let Some(operation) = self.tokens.authorize.take() {
            self.emit(Event::Authorized { operation, outcome: Err(reason.clone()) });
        }
    }
}

/// Whether `name` can be part of a path as it is.
fn is_key_name(name: &str) -> bool {
    name.contains('.') && !name.contains("..") && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
