//! Requests over HTTP, beside the connection and with its credentials: history, time, and publishing without a line
//! (`RSC16`, `RSL1`, `RSL2`). The driver sends them; here is what is asked and in which order.
//!
//! [`Http`] owns the requests that are under way or wait. What an answer means is not decided here: it gives an [`Answered`],
//! which the client follows.

pub(crate) mod history;
pub(crate) mod response;
pub(crate) mod route;

use std::collections::{BTreeMap, VecDeque};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use self::{
    response::refusal,
    route::{Route, Routes, may_do_better_elsewhere},
};
use crate::{
    channel::cipher::{self, CipherParams},
    command::{HistoryOf, NextPage, OperationId},
    connection::connectivity::Connectivity,
    context::Context,
    effects::Effects,
    error::no_renewal,
    event::Event,
    output::{HttpRequest, HttpResponse, Output, RequestId},
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Format, Message};

/// Most requests under way or waiting for a token; the driver has room for their answers. More wait for their turn.
const MAX_REQUESTS: usize = 8;

/// Most requests that wait for their turn.
const MAX_QUEUED: usize = 1000;

/// Random bytes of a publish's id (`RSL1k1`).
const ID_BYTES: usize = 9;

/// The requests that are under way or wait.
#[derive(Debug, Default)]
pub(crate) struct Http {
    /// Those that wait for an answer.
    pending: BTreeMap<RequestId, Pending>,
    /// Those that wait for a token.
    waiting: Vec<Request>,
    /// Those that wait for their turn.
    queued: VecDeque<Request>,
}

/// A request, whatever host it goes to and whoever it shows the client to be.
#[derive(Debug)]
pub(crate) struct Request {
    path: String,
    query: String,
    body: Option<String>,
    purpose: Purpose,
    /// Whether its token was refused before: it is renewed once (`RSA4b`).
    renewed: bool,
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    request: Request,
    route: Route,
}

/// Why a request is made.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    History {
        operation: OperationId,
        channel: ChannelName,
        of: HistoryOf,
    },
    Time {
        operation: OperationId,
    },
    Publish {
        operation: OperationId,
    },
    /// The client's own question for the server's time.
    Clock,
}

/// What came of an answer.
#[derive(Debug)]
#[must_use]
pub(crate) enum Answered {
    /// Nothing: nobody waits for it, or the request is under way to another host.
    Nothing,
    /// The request is over.
    Done(Purpose, Result<HttpResponse, ErrorInfo>),
    /// The token was refused. The request waits for a new one.
    NeedsToken,
}

/// How requests are sent at the moment: with what they show the client to be, and from which host on.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    /// The `Authorization` header; none while there is no token.
    pub(crate) authorization: Option<String>,
    /// The fallback host that the line stands at, if it does.
    pub(crate) connected_host: Option<&'a str>,
    pub(crate) routes: &'a mut Routes,
}

impl Purpose {
    /// The request ended without an answer.
    pub(crate) fn fail(self, error: ErrorInfo, effects: &mut Effects) {
        match self {
            Self::History { operation, .. } => effects.emit(Event::History { operation, outcome: Err(error) }),
            Self::Time { operation } => effects.emit(Event::Time { operation, outcome: Err(error) }),
            // It waits for nothing, and so it cannot end here.
            Self::Clock => {}
            Self::Publish { operation } => effects.emit(Event::Published { operation, outcome: Err(error) }),
        }
    }
}

impl Request {
    /// Asks for the server's time (`RSC16`).
    pub(crate) fn time(operation: OperationId) -> Self {
        Self::get("/time".to_owned(), String::new(), Purpose::Time { operation })
    }

    /// Asks for a page of a history.
    ///
    /// # Errors
    /// For a channel that cannot be named in a URL.
    pub(crate) fn page(operation: OperationId, page: NextPage) -> Result<Self, ErrorInfo> {
        let NextPage { channel, of, query } = page;
        let path = channel_path(&channel, if of == HistoryOf::Messages { "messages" } else { "presence/history" })?;
        Ok(Self::get(path, query, Purpose::History { operation, channel, of }))
    }

    /// Publishes messages, which are [prepared](prepare_publish).
    ///
    /// # Errors
    /// For a channel that cannot be named in a URL.
    pub(crate) fn publish(operation: OperationId, channel: &ChannelName, body: String) -> Result<Self, ErrorInfo> {
        let path = channel_path(channel, "messages")?;
        let purpose = Purpose::Publish { operation };
        Ok(Self { path, query: String::new(), body: Some(body), purpose, renewed: false })
    }

    fn get(path: String, query: String, purpose: Purpose) -> Self {
        Self { path, query, body: None, purpose, renewed: false }
    }

    fn send_to(&self, route: &Route, authorization: Option<String>, cx: &mut Context<'_>) -> Option<RequestId> {
        let target = cx.target.as_ref().ok()?;
        let mut url = target.http_url(route.host(), &self.path);
        url.set_query(Some(self.query.as_str()).filter(|query| !query.is_empty()));
        let mut headers = vec![("Accept", "application/json".to_owned())];
        if !matches!(self.purpose, Purpose::Clock) {
            headers.extend(authorization.map(|authorization| ("Authorization", authorization)));
        }
        if self.body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        let http = HttpRequest { url: url.into(), headers, body: self.body.clone() };
        let request = cx.effects.next_request();
        cx.effects.request(Output::Http { request, http });
        Some(request)
    }
}

impl Http {
    /// Takes a request. Gives it back where its turn is now; then [`begin`](Self::begin) it.
    pub(crate) fn submit(&mut self, request: Request, cx: &mut Context<'_>) -> Option<Request> {
        if let Err(error) = self.check(cx) {
            request.purpose.fail(error, cx.effects);
            return None;
        }
        if self.queued.is_empty() && self.has_capacity() {
            return Some(request);
        }
        self.queued.push_back(request);
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
    pub(crate) fn next_turn(&mut self) -> Option<Request> {
        if self.has_capacity() { self.queued.pop_front() } else { None }
    }

    /// Begins a request. Gives whether it waits for a token that is to be asked for.
    #[must_use]
    pub(crate) fn begin(&mut self, request: Request, access: Access<'_>, cx: &mut Context<'_>) -> bool {
        // The server tells its time to anybody.
        if matches!(request.purpose, Purpose::Time { .. }) || access.authorization.is_some() {
            self.send(request, access, cx);
            return false;
        }
        if cx.options.can_renew() {
            self.waiting.push(request);
            return true;
        }
        let text = "the credentials hold no token; give the client one, or a way to get tokens";
        request.purpose.fail(ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, text), cx.effects);
        false
    }

    fn send(&mut self, request: Request, access: Access<'_>, cx: &mut Context<'_>) {
        let route = access.routes.begin(access.connected_host, cx);
        self.send_to(request, route, access.authorization, cx);
    }

    fn send_to(&mut self, request: Request, route: Route, authorization: Option<String>, cx: &mut Context<'_>) {
        if let Some(id) = request.send_to(&route, authorization, cx) {
            self.pending.insert(id, Pending { request, route });
        }
    }

    /// Asks for the server's time to sign a request by. It shows no token and waits for none; the driver has room for its
    /// answer, since the client asks one such question at a time.
    pub(crate) fn ask_clock(&mut self, access: Access<'_>, cx: &mut Context<'_>) {
        self.send(Request::get("/time".to_owned(), String::new(), Purpose::Clock), access, cx);
    }

    /// There is a token: gives what waited for it, to be [begun](Self::begin).
    pub(crate) fn take_waiting(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.waiting)
    }

    /// There is no token to be had: what waited for it, or for its turn, ends.
    pub(crate) fn fail_waiting(&mut self, reason: &ErrorInfo, effects: &mut Effects) {
        for request in std::mem::take(&mut self.waiting).into_iter().chain(std::mem::take(&mut self.queued)) {
            request.purpose.fail(reason.clone(), effects);
        }
    }

    /// The answer to [`Output::Http`], or why there is none.
    pub(crate) fn on_answer(
        &mut self,
        id: RequestId,
        answer: Result<HttpResponse, ErrorInfo>,
        access: Access<'_>,
        cx: &mut Context<'_>,
    ) -> Answered {
        let Some(Pending { mut request, mut route }) = self.pending.remove(&id) else { return Answered::Nothing };
        if may_do_better_elsewhere(&answer) {
            if access.routes.next_host(&mut route, cx) {
                self.send_to(request, route, access.authorization, cx);
                return Answered::Nothing;
            }
        } else {
            access.routes.on_answered(route, cx);
        }
        let answer = answer.and_then(|response| refusal(&response).map_or(Ok(response), Err));
        match answer {
            Err(refusal) if refusal.is_token_error() && !matches!(request.purpose, Purpose::Clock) => {
                if !cx.options.can_renew() {
                    return Answered::Done(request.purpose, Err(no_renewal(refusal)));
                }
                if request.renewed {
                    return Answered::Done(request.purpose, Err(refusal));
                }
                // It is sent again with a new token, once (`RSA4b`).
                request.renewed = true;
                self.waiting.push(request);
                Answered::NeedsToken
            }
            answer => Answered::Done(request.purpose, answer),
        }
    }
}

/// Checks, encrypts and writes messages that are published over HTTP. Messages without ids are given some, so that the server
/// takes them once however often they are sent (`RSL1k1`).
///
/// # Errors
/// Says which message cannot be published, or that all together are too large.
pub(crate) fn prepare_publish(
    mut messages: Vec<Message>,
    connectivity: &Connectivity<'_>,
    cipher: Option<&CipherParams>,
    rng: &mut ChaCha8Rng,
) -> Result<String, ErrorInfo> {
    connectivity.check_messages(&messages)?;
    if messages.iter().all(|message| message.id.is_none()) {
        let base = BASE64.encode(rng.random::<[u8; ID_BYTES]>());
        for (index, message) in messages.iter_mut().enumerate() {
            message.id = Some(format!("{base}:{index}"));
        }
    }
    for message in &mut messages {
        cipher::encrypt(cipher, &mut *message, rng);
    }
    connectivity.check_size(messages.iter().map(Message::size).fold(0, usize::saturating_add))?;
    messages.iter_mut().for_each(|message| message.encode_for(Format::Json));
    // Messages write themselves as plain JSON, with string keys only; there is nothing that could fail.
    Ok(serde_json::to_string(&messages).unwrap_or_default())
}

/// The path of something about a channel.
///
/// # Errors
/// For the names that a URL takes for a step upwards or none.
fn channel_path(channel: &ChannelName, what: &str) -> Result<String, ErrorInfo> {
    let name = channel.as_str();
    if matches!(name, "" | "." | "..") {
        let text = format!("{name:?} cannot be the name of a channel in a URL; give the channel another name");
        return Err(ErrorInfo::new(ErrorCode::INVALID_CHANNEL_NAME, 400, text));
    }
    let mut path = String::from("/channels/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(format!("{path}/{what}"))
}
