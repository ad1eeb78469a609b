//! Tokens in use: when one is asked for, what an answer leads to, and what a refusal does (`RSA4`, `RTC8`, `RTN22`).
//!
//! [`Auth`] owns the token and the request for the next one. What a new token means to the connection and to waiting requests
//! is not decided here: methods return a [`TokenStep`], which the client follows.

mod server_clock;
mod signing;
pub(crate) mod token;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};

use self::{
    server_clock::ServerClock,
    token::{TokenAnswer, TokenDetails, TokenParams, TokenRequest, check_token},
};
use crate::{
    command::OperationId,
    context::Context,
    effects::Effects,
    error::no_renewal,
    event::{ConnectionState, Event},
    http::route::{Route, Routes},
    options::{ClientOptions, Credentials},
    output::{Output, RequestId},
    timer::Timer,
};
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Timestamp};

/// How long before its end a token is renewed; Ably's cloud asks for a new one as long before.
const RENEWAL_MARGIN: Duration = Duration::from_secs(30);

/// What the client is to do next about its token.
#[derive(Debug)]
#[must_use]
pub(crate) enum TokenStep {
    /// Nothing.
    Stay,
    /// Ask the server's time, and hand it to [`Auth::on_server_time`].
    AskClock,
    /// There is a new token: use it.
    Use,
    /// No token was obtained, and why.
    NotObtained(ErrorInfo),
    /// The token belongs to another client: end the connection.
    Fail(ErrorInfo),
}

/// What the client is to do after the server refused its token.
#[derive(Debug)]
#[must_use]
pub(crate) enum RefusalStep {
    /// There is no way to another token: end the connection.
    Fail(ErrorInfo),
    /// Give up the socket and connect again, with a new token.
    LoseSocket(ErrorInfo),
    /// Go on with the attempt once there is a new token.
    AskAgain,
    /// It was renewed already: end this attempt.
    EndSocket(ErrorInfo),
}

/// The client's token, and the request for the next one.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    /// The present token, until it is refused or ends.
    current: Option<TokenDetails>,
    /// The request for the next one.
    asked: Option<RequestId>,
    /// The signed request that a server is to exchange for the next one.
    exchange: Option<Exchange>,
    /// Whether this round of attempts had a token renewed: it does so once (`RTN14b`).
    renewed: bool,
    /// The operation that waits until the next token is in use.
    authorize: Option<OperationId>,
    /// The server's clock, for requests that the client signs.
    clock: ServerClock,
}

/// A signed request on its way to a server.
#[derive(Debug)]
struct Exchange {
    signed: TokenRequest,
    route: Route,
}

impl Auth {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        let current = match &options.credentials {
            Credentials::Token(token) => Some(TokenDetails::new(token.clone())),
            Credentials::TokenDetails(details) => Some(details.clone()),
            Credentials::Callback(_) | Credentials::TokenUrl(_) => options.token.clone(),
            Credentials::Key(_) => options.token.clone().filter(|_| options.use_token_auth),
        };
        if current.is_some() && !options.can_renew() {
            let code = ErrorCode::NO_RENEWAL;
            log::info!(
                "the options give no way to renew the token; the connection ends when the token ends (code {code})"
            );
        }
        Self { current, ..Self::default() }
    }

    /// The present token.
    pub(crate) fn token(&self) -> Option<&str> {
        self.current.as_ref().map(|details| details.token.as_str())
    }

    /// Whose the present token is.
    pub(crate) fn client_id(&self) -> Option<&ClientId> {
        self.current.as_ref().and_then(|details| details.client_id.as_ref())
    }

    /// The value of the `Authorization` header of an HTTP request; none while there is no token.
    pub(crate) fn http_authorization(&self, options: &ClientOptions) -> Option<String> {
        match &options.credentials {
            Credentials::Key(key) if !options.use_token_auth => Some(format!("Basic {}", BASE64_STANDARD.encode(key))),
            _ => Some(format!("Bearer {}", BASE64_STANDARD.encode(self.token()?))),
        }
    }

    /// Whether the client must get a token before it opens a socket (`RTN27b`).
    pub(crate) fn needs_token(&self, options: &ClientOptions) -> bool {
        self.current.is_none() && options.can_renew()
    }

    /// Asks the driver for a token, unless it was asked.
    pub(crate) fn ask(&mut self, cx: &mut Context<'_>) -> TokenStep {
        if self.asked.is_some() {
            return TokenStep::Stay;
        }
        let request = cx.effects.next_request();
        self.asked = Some(request);
        cx.start_request_timeout(Timer::Token);
        self.need_token(request, cx)
    }

    /// Has the driver get a token. Where the client is to sign by the server's clock and does not know it, that comes
    /// first; the answer leads back here.
    fn need_token(&mut self, request: RequestId, cx: &mut Context<'_>) -> TokenStep {
        let mut params = TokenParams { client_id: cx.options.client_id.clone(), ..TokenParams::default() };
        if cx.options.query_time && matches!(cx.options.credentials, Credentials::Key(_)) {
            match self.clock {
                ServerClock::Asked => return TokenStep::Stay,
                ServerClock::Unknown => {
                    self.clock = ServerClock::Asked;
                    return TokenStep::AskClock;
                }
                ServerClock::Known { .. } => params.timestamp = self.clock.time(cx.now),
            }
        }
        cx.effects.request(Output::NeedToken { request, params });
        TokenStep::Stay
    }

    /// The answer to the question what time it is.
    pub(crate) fn on_server_time(&mut self, answer: Result<Timestamp, ErrorInfo>, cx: &mut Context<'_>) -> TokenStep {
        self.clock = ServerClock::new(answer.as_ref().ok().copied(), cx.now);
        let Some(request) = self.asked else { return TokenStep::Stay };
        match answer {
            Ok(_) => self.need_token(request, cx),
            Err(error) => self.give_up(error, cx),
        }
    }

    /// The answer to [`Output::NeedToken`] or [`Output::ExchangeToken`]. `connected_host` is the fallback
    /// host that the client is connected to, if it is.
    pub(crate) fn on_answer(
        &mut self,
        request: RequestId,
        answer: Result<TokenAnswer, ErrorInfo>,
        routes: &mut Routes,
        connected_host: Option<&str>,
        cx: &mut Context<'_>,
    ) -> TokenStep {
        if self.asked != Some(request) {
            return TokenStep::Stay;
        }
        match answer {
            Ok(TokenAnswer::Token(details)) => {
                if let Some(exchange) = self.exchange.take() {
                    routes.on_answered(exchange.route, cx);
                }
                self.end_request(cx);
                match check_token(&details) {
                    Ok(()) => self.take(details, cx),
                    Err(error) => TokenStep::NotObtained(error),
                }
            }
            Ok(TokenAnswer::Request(signed)) if !is_key_name(&signed.key_name) => {
                let message = "the token request names no key; a key's name is like APP.KEYID";
                self.give_up(ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, 401, message), cx)
            }
            Ok(TokenAnswer::Request(signed)) => {
                let route = routes.begin(connected_host, cx);
                self.begin_exchange(Exchange { signed, route }, cx);
                TokenStep::Stay
            }
            Err(error) if error.is_server_trouble() && self.exchange_elsewhere(routes, cx) => TokenStep::Stay,
            Err(error) => {
                if error.code == ErrorCode::TIMESTAMP_OUTSIDE_WINDOW {
                    self.clock.on_refused();
                    if matches!(cx.options.credentials, Credentials::Key(_)) && !cx.options.query_time {
                        log::warn!(
                            "this machine's clock differs from the server's; correct it, or set ClientOptions::query_time"
                        );
                    }
                }
                self.give_up(error, cx)
            }
        }
    }

    /// Has a server exchange a signed request for a token.
    fn begin_exchange(&mut self, exchange: Exchange, cx: &mut Context<'_>) {
        let Ok(target) = cx.target else { return };
        let path = format!("/keys/{}/requestToken", exchange.signed.key_name);
        let body = serde_json::to_string(&exchange.signed).unwrap_or_default();
        let http = target.request(exchange.route.host(), &path, "", Some(body));
        let request = cx.effects.next_request();
        self.asked = Some(request);
        self.exchange = Some(exchange);
        cx.effects.request(Output::ExchangeToken { request, http });
    }

    /// A server that was to exchange a request cannot be reached or is in trouble: asks another, if there is one.
    fn exchange_elsewhere(&mut self, routes: &mut Routes, cx: &mut Context<'_>) -> bool {
        let Some(mut exchange) = self.exchange.take() else { return false };
        let found = routes.next_host(&mut exchange.route, cx);
        if found {
            self.begin_exchange(exchange, cx);
        }
        found
    }

    /// The driver gave no answer in time (`RSA4c`).
    pub(crate) fn on_timeout(&mut self, cx: &mut Context<'_>) -> TokenStep {
        let limit = cx.options.timing.request_timeout;
        let reason = ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, 401, format!("nothing came within {limit:?}"));
        self.give_up(reason, cx)
    }

    fn give_up(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> TokenStep {
        self.end_request(cx);
        TokenStep::NotObtained(reason)
    }

    fn end_request(&mut self, cx: &mut Context<'_>) {
        self.asked = None;
        self.exchange = None;
        cx.timers.stop(&Timer::Token);
    }

    fn take(&mut self, details: TokenDetails, cx: &mut Context<'_>) -> TokenStep {
        if let (Some(own), Some(theirs)) = (&cx.options.client_id, &details.client_id)
            && theirs.as_str() != "*"
            && own != theirs
        {
            let message = format!("the token belongs to {theirs}, but ClientOptions::client_id says {own} (RSA15c)");
            return TokenStep::Fail(ErrorInfo::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, 401, message));
        }
        match details.lifetime() {
            Some(lifetime) => cx.start(Timer::Renewal, lifetime - RENEWAL_MARGIN.min(lifetime / 2)),
            None => cx.timers.stop(&Timer::Renewal),
        }
        self.current = Some(details);
        TokenStep::Use
    }

    /// The server refused the token of the connection. A new one is tried once (`RTN14b`, `RTN15h`); without a way to get
    /// one there is nothing to try again with (`RSA4a2`).
    pub(crate) fn on_refused(
        &mut self,
        cause: ErrorInfo,
        state: ConnectionState,
        options: &ClientOptions,
    ) -> RefusalStep {
        if !options.can_renew() {
            return RefusalStep::Fail(no_renewal(cause));
        }
        self.current = None;
        match state {
            ConnectionState::Connected => {
                self.renewed = true;
                RefusalStep::LoseSocket(cause)
            }
            ConnectionState::Connecting if !self.renewed => {
                self.renewed = true;
                RefusalStep::AskAgain
            }
            _ => RefusalStep::EndSocket(cause),
        }
    }

    /// The present token must not be used any more.
    pub(crate) fn forget_token(&mut self) {
        self.current = None;
    }

    /// An attempt failed at every host: the next round may renew the token again.
    pub(crate) fn on_attempt_failed(&mut self) {
        self.renewed = false;
    }

    /// The game wants a new token, also where the present one is still good (`RTC8`). An earlier operation that waits for
    /// one fails, and a request that is under way is dropped. The operation is answered when the server has taken the new
    /// token, or when there will be none.
    pub(crate) fn begin_authorize(&mut self, operation: OperationId, cx: &mut Context<'_>) {
        let message = "another Command::Authorize took the place of this one";
        self.end_authorize(&ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message), cx.effects);
        self.end_request(cx);
        self.authorize = Some(operation);
    }

    /// The server took the present token.
    pub(crate) fn on_authenticated(&mut self, effects: &mut Effects) {
        self.renewed = false;
        if self.asked.is_none()
            && let Some(operation) = self.authorize.take()
        {
            effects.emit(Event::Authorized { operation, outcome: Ok(()) });
        }
    }

    /// Ends the request for a token, and the operation that waits for it.
    pub(crate) fn end(&mut self, reason: &ErrorInfo, cx: &mut Context<'_>) {
        self.end_request(cx);
        self.end_authorize(reason, cx.effects);
    }

    /// Fails the operation that waits for a new token, if there is one.
    pub(crate) fn end_authorize(&mut self, reason: &ErrorInfo, effects: &mut Effects) {
        if let Some(operation) = self.authorize.take() {
            effects.emit(Event::Authorized { operation, outcome: Err(reason.clone()) });
        }
    }
}

/// Why there is no token, for the connection. An issuer that forbids it ends the connection (`RSA4d`).
pub(crate) fn token_not_obtained(cause: ErrorInfo) -> ErrorInfo {
    let status = if cause.status_code == 403 { 403 } else { 401 };
    let message = format!("no token was obtained: {}", cause.message);
    let mut reason = ErrorInfo::new(ErrorCode::TOKEN_NOT_OBTAINED, status, message);
    reason.cause = Some(Box::new(cause));
    reason
}

/// Whether `name` can be part of a URL's path without any escapes.
fn is_key_name(name: &str) -> bool {
    name.contains('.') && !name.contains("..") && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use web_time::Instant;

    use super::*;
    use crate::context::Base;

    fn base() -> Base {
        Base::for_test(|options| {
            options.use_token_auth = true;
            options.client_id = Some("ada".into());
        })
    }

    fn asked(base: &mut Base) -> RequestId {
        match base.effects.poll_output() {
            Some(Output::NeedToken { request, .. }) => request,
            other => panic!("it asks for a token, not {other:?}"),
        }
    }

    fn answer(auth: &mut Auth, base: &mut Base, answer: Result<TokenAnswer, ErrorInfo>) -> TokenStep {
        let (request, now) = (asked(base), Instant::now());
        auth.on_answer(request, answer, &mut Routes::default(), None, &mut base.at(now))
    }

    #[test]
    fn a_token_is_asked_for_once_and_used() {
        let (mut base, now) = (base(), Instant::now());
        let mut auth = Auth::new(&base.options);
        assert!(auth.needs_token(&base.options));
        assert!(matches!(auth.ask(&mut base.at(now)), TokenStep::Stay));
        assert!(matches!(auth.ask(&mut base.at(now)), TokenStep::Stay));
        let step = answer(&mut auth, &mut base, Ok("abc".to_owned().into()));
        assert!(matches!(step, TokenStep::Use) && auth.token() == Some("abc"));
        assert!(base.effects.poll_output().is_none() && !base.timers.runs(&Timer::Token));
    }

    #[test]
    fn the_token_of_another_ends_the_connection() {
        let (mut base, now) = (base(), Instant::now());
        let mut auth = Auth::new(&base.options);
        let _ = auth.ask(&mut base.at(now));
        let token = TokenDetails { client_id: Some("bob".into()), ..TokenDetails::new("abc") };
        assert!(matches!(answer(&mut auth, &mut base, Ok(token.into())), TokenStep::Fail(_)));
        assert_eq!(auth.token(), None);
    }

    #[test]
    fn a_refused_token_is_renewed_once_in_a_round_of_attempts() {
        let base = base();
        let mut auth = Auth::new(&base.options);
        let cause = || ErrorInfo::new(ErrorCode(40142), 401, "expired");
        let mut refuse = |state| auth.on_refused(cause(), state, &base.options);
        assert!(matches!(refuse(ConnectionState::Connecting), RefusalStep::AskAgain));
        assert!(matches!(refuse(ConnectionState::Connecting), RefusalStep::EndSocket(_)));
        assert!(matches!(refuse(ConnectionState::Connected), RefusalStep::LoseSocket(_)));
        auth.on_attempt_failed();
        assert!(matches!(auth.on_refused(cause(), ConnectionState::Connecting, &base.options), RefusalStep::AskAgain));
        let fixed = Base::for_test(|options| options.credentials = Credentials::Token("abc".to_owned()));
        let mut auth = Auth::new(&fixed.options);
        assert!(matches!(auth.on_refused(cause(), ConnectionState::Connected, &fixed.options), RefusalStep::Fail(_)));
    }
}
