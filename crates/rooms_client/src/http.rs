//! Requests over HTTP, beside the connection and with its credentials: history, time, and publishing without a connection
//! (`RSC16`, `RSL1`, `RSL2`). The driver sends them; here is what is asked and in which order.
//!
//! [`Http`] owns the requests that are under way or wait. `request` has what each asks and how its answer is read. Each
//! method gives a verdict, such as an [`Answered`], which the client follows.

mod history;
mod publish;
pub(crate) mod request;
mod response;
pub(crate) mod route;

use std::collections::{BTreeMap, VecDeque};

use self::{
    request::{Request, RequestPurpose},
    response::refusal,
    route::{Route, Routes, should_try_next_host},
};
use crate::{
    context::Context,
    effects::Effects,
    error::no_renewal,
    output::{HttpResponse, RequestId},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// Most requests under way or waiting for a token; the driver can hold their answers. More wait for their turn.
const MAX_REQUESTS: usize = 8;

/// Most requests that wait for their turn.
const MAX_QUEUED: usize = 1000;

/// The requests that are under way or wait.
#[derive(Debug, Default)]
pub(crate) struct Http {
    /// Those that wait for an answer.
    pending: BTreeMap<RequestId, Pending>,
    /// Those that wait for a token.
    waiting: Vec<Attempt>,
    /// Those that wait for their turn.
    queued: VecDeque<Attempt>,
}

/// A request, and whether its token was refused before.
#[derive(Debug)]
pub(crate) struct Attempt {
    request: Request,
    /// Whether its token was refused before: it is renewed once (`RSA4b`).
    renewed: bool,
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    attempt: Attempt,
    route: Route,
}

/// What the client is to do once a request has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Begun {
    /// Nothing: the request is under way, or has ended.
    Nothing,
    /// Ask for a token: the request waits for it.
    NeedsToken,
}

/// What came of an answer.
#[derive(Debug)]
#[must_use]
pub(crate) enum Answered {
    /// Nothing: nobody waits for it, or the request is under way to another host.
    Nothing,
    /// The request is over.
    Done(RequestPurpose, Result<HttpResponse, ErrorInfo>),
    /// The token was refused. The request waits for a new one.
    NeedsToken,
}

/// How requests are sent at the moment: with which credentials, and from which host on.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    /// The `Authorization` header; none while there is no token.
    pub(crate) authorization: Option<String>,
    /// The fallback host that the client is connected to, if it is.
    pub(crate) connected_host: Option<&'a str>,
    pub(crate) routes: &'a mut Routes,
}

impl Attempt {
    fn fail(self, error: ErrorInfo, effects: &mut Effects) {
        if let Some(event) = self.request.into_purpose().failed(error) {
            effects.emit(event);
        }
    }
}

impl Http {
    /// Takes a request. Gives it back where its turn is now; then [`begin`](Self::begin) it.
    pub(crate) fn submit(&mut self, request: Request, cx: &mut Context<'_>) -> Option<Attempt> {
        let attempt = Attempt { request, renewed: false };
        if let Err(error) = self.check(cx) {
            attempt.fail(error, cx.effects);
            return None;
        }
        if self.queued.is_empty() && self.has_capacity() {
            return Some(attempt);
        }
        self.queued.push_back(attempt);
        None
    }

    fn check(&self, cx: &Context<'_>) -> Result<(), ErrorInfo> {
        // Where the options name no place to connect to, they say what is wrong with them.
        cx.target.as_ref().map_err(Clone::clone)?;
        if self.queued.len() < MAX_QUEUED {
            return Ok(());
        }
        let text = format!("{MAX_QUEUED} requests already wait for the server; ask less often");
        Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text))
    }

    fn has_capacity(&self) -> bool {
        self.pending.len() + self.waiting.len() < MAX_REQUESTS
    }

    /// The next request whose turn it is.
    pub(crate) fn next_turn(&mut self) -> Option<Attempt> {
        if self.has_capacity() { self.queued.pop_front() } else { None }
    }

    /// Begins a request.
    pub(crate) fn begin(&mut self, attempt: Attempt, access: Access<'_>, cx: &mut Context<'_>) -> Begun {
        if attempt.request.purpose().needs_no_credentials() || access.authorization.is_some() {
            self.send(attempt, access, cx);
            return Begun::Nothing;
        }
        if cx.options.can_renew() {
            self.waiting.push(attempt);
            return Begun::NeedsToken;
        }
        let text = "the credentials hold no token; give the client one, or a way to get tokens";
        attempt.fail(ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, text), cx.effects);
        Begun::Nothing
    }

    fn send(&mut self, attempt: Attempt, access: Access<'_>, cx: &mut Context<'_>) {
        let route = access.routes.begin(access.connected_host, cx);
        self.send_to(attempt, route, access.authorization, cx);
    }

    fn send_to(&mut self, attempt: Attempt, route: Route, authorization: Option<String>, cx: &mut Context<'_>) {
        if let Some(id) = attempt.request.send_to(route.host(), authorization, cx) {
            self.pending.insert(id, Pending { attempt, route });
        }
    }

    /// Asks for the server's time to sign a request by. It needs no token. The driver can hold its answer, since the client
    /// asks one such question at a time.
    pub(crate) fn ask_clock(&mut self, access: Access<'_>, cx: &mut Context<'_>) {
        self.send(Attempt { request: Request::clock(), renewed: false }, access, cx);
    }

    /// There is a token: gives the requests that waited for it, to be [begun](Self::begin).
    pub(crate) fn take_waiting(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.waiting)
    }

    /// There will be no token: what waited for it, or for its turn, ends.
    pub(crate) fn fail_waiting(&mut self, reason: &ErrorInfo, effects: &mut Effects) {
        for attempt in std::mem::take(&mut self.waiting).into_iter().chain(std::mem::take(&mut self.queued)) {
            attempt.fail(reason.clone(), effects);
        }
    }

    /// The answer to [`Output::Http`](crate::Output::Http), or why there is none.
    pub(crate) fn on_answer(
        &mut self,
        id: RequestId,
        answer: Result<HttpResponse, ErrorInfo>,
        access: Access<'_>,
        cx: &mut Context<'_>,
    ) -> Answered {
        let Some(Pending { mut attempt, mut route }) = self.pending.remove(&id) else { return Answered::Nothing };
        if should_try_next_host(&answer) {
            if access.routes.next_host(&mut route, cx) {
                self.send_to(attempt, route, access.authorization, cx);
                return Answered::Nothing;
            }
        } else {
            access.routes.on_answered(route, cx);
        }
        let answer = answer.and_then(|response| refusal(&response).map_or(Ok(response), Err));
        let purpose = attempt.request.purpose();
        match answer {
            Err(refusal) if refusal.is_token_error() && !purpose.needs_no_credentials() => {
                if !cx.options.can_renew() {
                    return Answered::Done(attempt.request.into_purpose(), Err(no_renewal(refusal)));
                }
                if attempt.renewed {
                    return Answered::Done(attempt.request.into_purpose(), Err(refusal));
                }
                // It is sent again with a new token, once (`RSA4b`).
                attempt.renewed = true;
                self.waiting.push(attempt);
                Answered::NeedsToken
            }
            answer => Answered::Done(attempt.request.into_purpose(), answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use web_time::Instant;

    use super::*;
    use crate::{
        command::{HistoryOf, NextPage, OperationId},
        context::Base,
        output::Output,
    };

    fn access(routes: &mut Routes, token: bool) -> Access<'_> {
        Access { authorization: token.then(|| "Bearer x".to_owned()), connected_host: None, routes }
    }

    fn sent(base: &mut Base) -> Vec<RequestId> {
        let request = |output| if let Output::Http { request, .. } = output { Some(request) } else { None };
        std::iter::from_fn(|| base.effects.poll_output()).filter_map(request).collect()
    }

    fn page(operation: u64, base: &mut Base) -> Request {
        let (channel, of) = ("c".into(), HistoryOf::Messages);
        let page = NextPage { channel, of, query: String::new() };
        Request::page(OperationId(operation), page, &mut base.at(Instant::now())).unwrap()
    }

    fn submit(http: &mut Http, operation: u64, base: &mut Base) -> Option<Attempt> {
        let request = page(operation, base);
        http.submit(request, &mut base.at(Instant::now()))
    }

    #[test]
    fn more_requests_than_the_driver_holds_wait_for_their_turn() {
        let (mut base, now) = (Base::for_test(|_| {}), Instant::now());
        let (mut http, mut routes) = (Http::default(), Routes::default());
        for operation in 0..=MAX_REQUESTS as u64 {
            if let Some(attempt) = submit(&mut http, operation, &mut base) {
                assert_eq!(http.begin(attempt, access(&mut routes, true), &mut base.at(now)), Begun::Nothing);
            }
        }
        let under_way = sent(&mut base);
        assert_eq!(under_way.len(), MAX_REQUESTS);
        assert!(http.next_turn().is_none());
        let response = Ok(HttpResponse { status: 200, ..HttpResponse::default() });
        let answered = http.on_answer(under_way[0], response, access(&mut routes, true), &mut base.at(now));
        assert!(matches!(answered, Answered::Done(RequestPurpose::History { .. }, Ok(_))));
        assert!(http.next_turn().is_some());
    }

    #[test]
    fn a_request_whose_token_is_refused_waits_for_a_new_one_once() {
        let (mut base, now) = (Base::for_test(|options| options.use_token_auth = true), Instant::now());
        let (mut http, mut routes) = (Http::default(), Routes::default());
        let refusal = || Err(ErrorInfo::new(ErrorCode(40142), 401, "expired"));
        let response = || {
            let body = br#"{"error":{"code":40142,"statusCode":401,"message":"expired"}}"#.to_vec();
            Ok(HttpResponse { status: 401, body, ..HttpResponse::default() })
        };
        let attempt = submit(&mut http, 1, &mut base).unwrap();
        assert_eq!(http.begin(attempt, access(&mut routes, false), &mut base.at(now)), Begun::NeedsToken);
        for is_last in [false, true] {
            let waiting = http.take_waiting().pop().unwrap();
            assert_eq!(http.begin(waiting, access(&mut routes, true), &mut base.at(now)), Begun::Nothing);
            let request = sent(&mut base)[0];
            match http.on_answer(request, response(), access(&mut routes, true), &mut base.at(now)) {
                Answered::NeedsToken => assert!(!is_last),
                Answered::Done(_, answer) => assert_eq!((is_last, answer), (true, refusal())),
                Answered::Nothing => panic!("the request is known"),
            }
        }
    }
}
