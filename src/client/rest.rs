//! Requests over HTTP, beside the connection and with its credentials: history, time, and publishing without a line
//! (`RSC16`, `RSL1`, `RSL2`). The driver sends them; here is what is asked and how an answer is read.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rand::RngExt;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Client, Output, RequestId,
    channel::Channel,
    cipher,
    event::{Event, OperationId},
    history::HistoryOf,
};
use crate::protocol::{ChannelName, ErrorCode, ErrorInfo, Format, Message, MessageSerial, Timestamp};

/// Most requests under way; the driver has room for their answers.
const MAX_REQUESTS: usize = 8;

/// Random bytes of a publish's id (`RSL1k1`).
const ID_BYTES: usize = 9;

/// What the driver is to send over HTTP. The headers hold credentials; do not log them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where to.
    pub url: String,
    /// Headers, by name.
    pub headers: Vec<(&'static str, String)>,
    /// What to POST, as JSON; none: GET.
    pub body: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Link` headers, joined by commas.
    pub link: String,
    /// The body, as JSON.
    pub body: Vec<u8>,
}

/// Why a request is made.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    History { operation: OperationId, channel: ChannelName, of: HistoryOf },
    Time { operation: OperationId },
    Publish { operation: OperationId },
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
    pub fn handle_http(&mut self, request: RequestId, answer: Result<HttpResponse, ErrorInfo>) {
        let Some(purpose) = self.requests.remove(&request) else { return };
        let answer = answer.and_then(|response| response.refusal().map_or(Ok(response), Err));
        match purpose {
            Purpose::History { operation, channel, of } => {
                let outcome = answer.and_then(|response| self.read_page(channel, of, &response));
                self.emit(Event::History { operation, outcome });
            }
            Purpose::Time { operation } => {
                let times = answer.and_then(|response| response.json::<[Timestamp; 1]>());
                self.emit(Event::Time { operation, outcome: times.map(|[time]| time) });
            }
            Purpose::Publish { operation } => {
                let serials = answer.and_then(|response| response.json::<Published>());
                self.emit(Event::Published { operation, outcome: serials.map(|published| published.serials) });
            }
        }
    }

    /// Asks for the server's time (`RSC16`).
    pub(super) fn time(&mut self, operation: OperationId) {
        self.get(Ok("/time".to_owned()), "", Purpose::Time { operation });
    }

    /// Publishes over HTTP. Messages without ids are given some, so that the server takes them once however often they
    /// are sent (`RSL1k1`).
    pub(super) fn publish_by_http(&mut self, operation: OperationId, name: &ChannelName, mut messages: Vec<Message>) {
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
        let cipher = self.channels.get(name).and_then(Channel::cipher);
        for message in &mut messages {
            cipher::encrypt(cipher, &mut *message, &mut self.rng);
        }
        if let Err(error) = self.check_size(messages.iter().map(Message::size).fold(0, usize::saturating_add)) {
            return self.end_request(purpose, error);
        }
        messages.iter_mut().for_each(|message| message.encode_for(Format::Json));
        // Messages write themselves as plain JSON, with string keys only; there is nothing that could fail.
        let body = serde_json::to_string(&messages).unwrap_or_default();
        self.request(channel_path(name, "messages"), "", Some(body), purpose);
    }

    pub(super) fn get(&mut self, path: Result<String, ErrorInfo>, query: &str, purpose: Purpose) {
        self.request(path, query, None, purpose);
    }

    fn request(&mut self, path: Result<String, ErrorInfo>, query: &str, body: Option<String>, purpose: Purpose) {
        match path.and_then(|path| self.http_request(&path, query, body)) {
            Ok(http) => {
                let request = self.next_request();
                self.requests.insert(request, purpose);
                self.outputs.push_back(Output::Http { request, http });
            }
            Err(error) => self.end_request(purpose, error),
        }
    }

    fn http_request(&self, path: &str, query: &str, body: Option<String>) -> Result<HttpRequest, ErrorInfo> {
        if self.requests.len() >= MAX_REQUESTS {
            let text = format!("{MAX_REQUESTS} requests already wait for the server; ask less often");
            return Err(ErrorInfo::new(ErrorCode::CONNECTION_RATE_EXCEEDED, 429, text));
        }
        let authorization = self.http_authorization().ok_or_else(|| {
            let text = "there is no token yet; connect first, or give the client one";
            ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, text)
        })?;
        // The options name no place to connect to; connecting says what is wrong with them.
        let mut url = self.http_url(path).ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::BAD_REQUEST,
                400,
                "the endpoint is no URL; connect to learn what is wrong with it",
            )
        })?;
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut headers = vec![("Accept", "application/json".to_owned()), ("Authorization", authorization)];
        if body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        Ok(HttpRequest { url: url.into(), headers, body })
    }

    fn end_request(&mut self, purpose: Purpose, error: ErrorInfo) {
        match purpose {
            Purpose::History { operation, .. } => self.emit(Event::History { operation, outcome: Err(error) }),
            Purpose::Time { operation } => self.emit(Event::Time { operation, outcome: Err(error) }),
            Purpose::Publish { operation } => self.emit(Event::Published { operation, outcome: Err(error) }),
        }
    }
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
