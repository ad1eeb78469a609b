//! Requests over HTTP, beside the connection and with its credentials: history, time, and publishing without a line
//! (`RSC16`, `RSL1`, `RSL2`). The driver sends them; here is what is asked and how an answer is read.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rand::RngExt;
use serde::{Deserialize, de::DeserializeOwned};
use web_time::Instant;

use super::{
    Client, Output, RequestId, cipher,
    event::{Event, OperationId},
    history::HistoryOf,
    route::{Route, may_do_better_elsewhere},
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Format, Message, MessageSerial, Timestamp};

/// Most requests under way or waiting for a token; the driver has room for their answers. More wait for their turn.
const MAX_REQUESTS: usize = 8;

/// Most requests that wait for their turn.
const MAX_QUEUED: usize = 1000;

/// Random bytes of a publish's id (`RSL1k1`).
const ID_BYTES: usize = 9;

/// What the driver is to send over HTTP. The headers hold credentials, which are not shown in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where to.
    pub url: String,
    /// Headers, by name.
    pub headers: Vec<(&'static str, String)>,
    /// What to POST, as JSON; none: GET.
    pub body: Option<String>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Server` header; empty: there is none.
    pub server: String,
    /// The `Link` headers, joined by commas.
    pub link: String,
    /// The body, as JSON.
    pub body: Vec<u8>,
}

/// A request, whatever host it goes to and whoever it shows the client to be.
#[derive(Debug)]
pub(super) struct Request {
    path: String,
    query: String,
    body: Option<String>,
    purpose: Purpose,
    /// Whether its token was refused before: it is renewed once (`RSA4b`).
    renewed: bool,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Pending {
    request: Request,
    route: Route,
}

/// Why a request is made.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
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

#[derive(Deserialize)]
struct Refusal {
    error: ErrorInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Published {
    serials: Vec<Option<MessageSerial>>,
}

impl HttpResponse {
    /// Reads the body of an answer that says yes.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ErrorInfo> {
        serde_json::from_slice(&self.body).map_err(|error| {
            ErrorInfo::new(ErrorCode::INTERNAL, 500, format!("the server's answer is unreadable: {error}"))
        })
    }

    /// The query of the link to the next page.
    pub(super) fn next_query(&self) -> Option<String> {
        let mut links = self.link.split('<').skip(1).filter_map(|link| link.split_once('>'));
        let (target, _) = links.find(|(_, rest)| rest.contains(r#"rel="next""#))?;
        target.split_once('?').map(|(_, query)| query.to_owned())
    }

    fn refusal(&self) -> Option<ErrorInfo> {
        if (200..300).contains(&self.status) {
            return None;
        }
        let told = serde_json::from_slice::<Refusal>(&self.body).ok();
        Some(told.map_or_else(
            || {
                ErrorInfo::new(
                    ErrorCode::INTERNAL,
                    self.status,
                    format!("the server answered with status {}", self.status),
                )
            },
            |refusal| refusal.error,
        ))
    }
}

impl Client {
    /// The answer to [`Output::Http`], or why there is none.
    pub fn handle_http(&mut self, request: RequestId, answer: Result<HttpResponse, ErrorInfo>, now: Instant) {
        let Some(Pending { request, mut route }) = self.requests.remove(&request) else { return };
        if may_do_better_elsewhere(&answer) {
            if self.next_host(&mut route, now) {
                return self.send_request(request, route);
            }
        } else {
            self.host_answered(route, now);
        }
        let answer = answer.and_then(|response| response.refusal().map_or(Ok(response), Err));
        match answer {
            Err(refusal) if refusal.is_token_error() && !matches!(request.purpose, Purpose::Clock) => {
                self.token_of_request_refused(request, refusal, now);
            }
            answer => self.take_answer(request.purpose, answer, now),
        }
        self.begin_queued_requests(now);
    }

    /// Begins those requests whose turn it is.
    fn begin_queued_requests(&mut self, now: Instant) {
        while self.has_room_for_request()
            && let Some(request) = self.queued.pop_front()
        {
            self.begin_request(request, now);
        }
    }

    fn has_room_for_request(&self) -> bool {
        self.requests.len() + self.waiting.len() < MAX_REQUESTS
    }

    fn take_answer(&mut self, purpose: Purpose, answer: Result<HttpResponse, ErrorInfo>, now: Instant) {
        match purpose {
            Purpose::History { operation, channel, of } => {
                let outcome = answer.and_then(|response| self.read_page(channel, of, &response));
                self.emit(Event::History { operation, outcome });
            }
            Purpose::Time { operation } => {
                self.emit(Event::Time { operation, outcome: read_time(answer) });
            }
            Purpose::Clock => self.take_server_time(read_time(answer), now),
            Purpose::Publish { operation } => {
                let serials = answer.and_then(|response| response.json::<Published>());
                self.emit(Event::Published { operation, outcome: serials.map(|published| published.serials) });
            }
        }
    }

    /// The server refused the token. Where a new one can be had, the request is sent again with it, once (`RSA4b`).
    fn token_of_request_refused(&mut self, mut request: Request, refusal: ErrorInfo, now: Instant) {
        if !self.options.can_renew() {
            return self.take_answer(request.purpose, Err(no_renewal(refusal)), now);
        }
        if request.renewed {
            return self.take_answer(request.purpose, Err(refusal), now);
        }
        request.renewed = true;
        self.tokens.current = None;
        self.waiting.push(request);
        self.ask_token(now);
    }

    /// There is a token: sends what waited for it.
    pub(super) fn send_waiting_requests(&mut self, now: Instant) {
        for request in std::mem::take(&mut self.waiting) {
            let route = self.route(now);
            self.send_request(request, route);
        }
    }

    /// There is no token to be had: what waited for it ends.
    pub(super) fn end_waiting_requests(&mut self, reason: &ErrorInfo) {
        for request in std::mem::take(&mut self.waiting).into_iter().chain(std::mem::take(&mut self.queued)) {
            self.end_request(request.purpose, reason.clone());
        }
    }

    /// Asks for the server's time (`RSC16`).
    pub(super) fn time(&mut self, operation: OperationId, now: Instant) {
        self.get(Ok("/time".to_owned()), "", Purpose::Time { operation }, now);
    }

    /// Asks for the server's time to sign a request by. It shows no token and waits for none; the driver has room for its
    /// answer, since the client asks one such question at a time.
    pub(super) fn ask_clock(&mut self, now: Instant) {
        let (path, query) = ("/time".to_owned(), String::new());
        let route = self.route(now);
        self.send_request(Request { path, query, body: None, purpose: Purpose::Clock, renewed: false }, route);
    }

    /// Publishes over HTTP. Messages without ids are given some, so that the server takes them once however often they
    /// are sent (`RSL1k1`).
    pub(super) fn publish_by_http(
        &mut self,
        operation: OperationId,
        name: &ChannelName,
        mut messages: Vec<Message>,
        now: Instant,
    ) {
        let purpose = Purpose::Publish { operation };
        if messages.is_empty() {
            return self.emit(Event::Published { operation, outcome: Ok(Vec::new()) });
        }
        if let Err(error) = self.check_messages(&messages) {
            return self.end_request(purpose, error);
        }
        if messages.iter().all(|message| message.id.is_none()) {
            let base = BASE64.encode(self.rng.random::<[u8; ID_BYTES]>());
            for (index, message) in messages.iter_mut().enumerate() {
                message.id = Some(format!("{base}:{index}"));
            }
        }
        let cipher = self.ciphers.get(name);
        for message in &mut messages {
            cipher::encrypt(cipher, &mut *message, &mut self.rng);
        }
        if let Err(error) = self.check_size(messages.iter().map(Message::size).fold(0, usize::saturating_add)) {
            return self.end_request(purpose, error);
        }
        messages.iter_mut().for_each(|message| message.encode_for(Format::Json));
        // Messages write themselves as plain JSON, with string keys only; there is nothing that could fail.
        let body = serde_json::to_string(&messages).unwrap_or_default();
        self.request(channel_path(name, "messages"), String::new(), Some(body), purpose, now);
    }

    pub(super) fn get(&mut self, path: Result<String, ErrorInfo>, query: &str, purpose: Purpose, now: Instant) {
        self.request(path, query.to_owned(), None, purpose, now);
    }

    fn request(
        &mut self,
        path: Result<String, ErrorInfo>,
        query: String,
        body: Option<String>,
        purpose: Purpose,
        now: Instant,
    ) {
        let path = match path.and_then(|path| self.check_request().map(|()| path)) {
            Ok(path) => path,
            Err(error) => return self.end_request(purpose, error),
        };
        let request = Request { path, query, body, purpose, renewed: false };
        if self.queued.is_empty() && self.has_room_for_request() {
            self.begin_request(request, now);
        } else {
            self.queued.push_back(request);
        }
    }

    fn begin_request(&mut self, request: Request, now: Instant) {
        // The time is told to anybody.
        if matches!(request.purpose, Purpose::Time { .. }) || self.http_authorization().is_some() {
            let route = self.route(now);
            self.send_request(request, route);
        } else if self.options.can_renew() {
            self.waiting.push(request);
            self.ask_token(now);
        } else {
            let text = "the credentials hold no token; give the client one, or a way to get tokens";
            self.end_request(request.purpose, ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, text));
        }
    }

    fn check_request(&self) -> Result<(), ErrorInfo> {
        // Where the options name no place to connect to, they say what is wrong with them.
        self.target.as_ref().map_err(Clone::clone)?;
        if self.queued.len() < MAX_QUEUED {
            return Ok(());
        }
        let text = format!("{MAX_QUEUED} requests already wait for the server; ask less often");
        Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text))
    }

    fn send_request(&mut self, request: Request, route: Route) {
        let Ok(target) = &self.target else { return };
        let mut url = target.http_url(route.host(), &request.path);
        url.set_query(Some(request.query.as_str()).filter(|query| !query.is_empty()));
        let mut headers = vec![("Accept", "application/json".to_owned())];
        if !matches!(request.purpose, Purpose::Clock) {
            headers.extend(self.http_authorization().map(|authorization| ("Authorization", authorization)));
        }
        if request.body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        let http = HttpRequest { url: url.into(), headers, body: request.body.clone() };
        let id = self.next_request();
        self.requests.insert(id, Pending { request, route });
        self.outputs.push_back(Output::Http { request: id, http });
    }

    fn end_request(&mut self, purpose: Purpose, error: ErrorInfo) {
        match purpose {
            Purpose::History { operation, .. } => self.emit(Event::History { operation, outcome: Err(error) }),
            Purpose::Time { operation } => self.emit(Event::Time { operation, outcome: Err(error) }),
            // It waits for nothing, and so it cannot end here.
            Purpose::Clock => {}
            Purpose::Publish { operation } => self.emit(Event::Published { operation, outcome: Err(error) }),
        }
    }
}

fn read_time(answer: Result<HttpResponse, ErrorInfo>) -> Result<Timestamp, ErrorInfo> {
    answer.and_then(|response| response.json::<[Timestamp; 1]>()).map(|[time]| time)
}

/// A token was refused, and there is no way to another (`RSA4a2`).
pub(super) fn no_renewal(refusal: ErrorInfo) -> ErrorInfo {
    let message = format!("the credentials were refused and cannot be renewed: {}", refusal.message);
    let mut reason = ErrorInfo::new(ErrorCode::NO_RENEWAL, 401, message);
    reason.cause = Some(Box::new(refusal));
    reason
}

/// The path of something about a channel.
///
/// # Errors
/// For the two names that a URL takes for a step upwards or none.
pub(super) fn channel_path(channel: &ChannelName, what: &str) -> Result<String, ErrorInfo> {
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
