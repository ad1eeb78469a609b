//! Answers: their bodies in both formats, errors, links, and what browsers need.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    call::{JSON, MSGPACK, answer_format},
    message::{RestRequest, RestResponse},
    room::RoomTaken,
};
use crate::hub::{KeptMessage, KeptPresence};
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
use rooms_protocol::ErrorCode;
use rooms_protocol::{ErrorInfo, Format, Message, PresenceMessage, msgpack};

/// The headers that a page in a browser may send beside those that it always may.
const ALLOWED_HEADERS: &str =
    "authorization, content-type, accept, last-event-id, x-ably-version, x-ably-clientid, ably-agent, x-requested-with";

/// The methods that a page in a browser may use.
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The headers of an answer that a page in a browser may read beside those that it always may.
const EXPOSED_HEADERS: &str = "link, x-ably-errorcode, x-ably-errormessage";

/// Where the code of an error is explained.
const HELP: &str = "https://help.ably.io/error/";

/// How long a browser may remember these, in seconds: an hour.
const PREFLIGHT_AGE: &str = "3600";

/// The body of an answer. It may contain a token, so it has no debug output.
pub(crate) enum Body {
    /// None.
    Nothing,
    /// Messages of a channel, which are read when the answer is written.
    Kept(Vec<KeptMessage>),
    /// Presence messages of a channel, which are read then.
    KeptPresence(Vec<Arc<KeptPresence>>),
    /// Members of a channel, which are read then.
    Members(Vec<Arc<KeptPresence>>),
    /// Messages as they were delivered.
    Messages(Vec<Message>),
    /// Presence messages.
    Presence(Vec<PresenceMessage>),
    /// Any value without bytes.
    Value(Value),
}

/// An answer before it is written.
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Body,
    /// The values of `Link` headers.
    pub(crate) links: Vec<String>,
    error: Option<ErrorInfo>,
    /// The bytes of the body, where they are many.
    #[cfg_attr(
        any(not(feature = "server"), target_arch = "wasm32"),
        expect(dead_code, reason = "without a server nobody asks how many they are")
    )]
    bytes: Option<Box<RoomTaken>>,
}

impl Reply {
    /// An answer to a request that succeeded.
    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self { status, body, links: Vec::new(), error: None, bytes: None }
    }

    /// The same, with its body charged until the answer is written out.
    pub(crate) fn with_bytes(self, bytes: RoomTaken) -> Self {
        Self { bytes: Some(Box::new(bytes)), ..self }
    }

    /// Why the request was refused.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        self.error.as_ref().map(|error| error.code)
    }

    /// The bytes that its body takes before it is written out, as far as they are many.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.bytes())
    }

    /// Takes the room of its body from it.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn take_bytes(&mut self) -> Option<RoomTaken> {
        self.bytes.take().map(|bytes| *bytes)
    }

    /// One page of a list.
    pub(crate) fn page(body: Body, links: Vec<String>) -> Self {
        Self { links, ..Self::new(200, body) }
    }
}

impl From<ErrorInfo> for Reply {
    fn from(error: ErrorInfo) -> Self {
        let error = with_help(error);
        let body = Body::Value(json!({ "error": error }));
        Self { error: Some(error.clone()), ..Self::new(error.status_code, body) }
    }
}

impl Body {
    /// Reads what is kept as text, and puts payloads into the form that `format` carries.
    fn prepare(&mut self, format: Format) {
        match self {
            Self::Kept(kept) => *self = Self::Messages(KeptMessage::read(kept)),
            Self::KeptPresence(kept) => *self = Self::Presence(kept.iter().map(|message| message.message()).collect()),
            Self::Members(kept) => *self = Self::Presence(kept.iter().map(|member| member.present()).collect()),
            Self::Nothing | Self::Value(_) | Self::Messages(_) | Self::Presence(_) => {}
        }
        match self {
            Self::Messages(messages) => messages.iter_mut().for_each(|message| message.encode_for(format)),
            Self::Presence(messages) => messages.iter_mut().for_each(|message| message.encode_for(format)),
            _ => {}
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            // They were read before.
            Self::Kept(_) | Self::KeptPresence(_) | Self::Members(_) => serializer.serialize_none(),
            Self::Messages(messages) => messages.serialize(serializer),
            Self::Presence(messages) => messages.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

/// The error with the address where people read more about its code.
pub(crate) fn with_help(error: ErrorInfo) -> ErrorInfo {
    let href = error.href.unwrap_or_else(|| format!("{HELP}{}", error.code.0));
    ErrorInfo { href: Some(href), ..error }
}

/// An answer for clients that cannot read the status and the headers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    status_code: u16,
    response: &'a Body,
    headers: BTreeMap<&'static str, String>,
}

/// Writes an answer in the format that the request asks for.
pub(crate) fn respond(request: &RestRequest, mut reply: Reply) -> RestResponse {
    let param = |name: &str| {
        let (_, query) = request.target.split_once('?')?;
        form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value)
    };
    let envelope = match param("envelope").as_deref() {
        Some("json") => Some(Format::Json),
        Some("msgpack") => Some(Format::MsgPack),
        _ => None,
    };
    let format = envelope.unwrap_or_else(|| answer_format(param("format").as_deref(), request));
    reply.body.prepare(format);
    let mut headers = reply.headers();
    let mut response = RestResponse { status: reply.status, ..RestResponse::default() };
    if envelope.is_some() {
        let mut inner = BTreeMap::<&str, String>::new();
        for (name, value) in headers.drain(..) {
            // Several headers of one name are one whose values have commas between them.
            inner.entry(name).and_modify(|known| *known = format!("{known}, {value}")).or_insert(value);
        }
        response.status = 200;
        response.body = write(format, &Envelope { status_code: reply.status, response: &reply.body, headers: inner });
    } else if !matches!(reply.body, Body::Nothing) {
        response.body = write(format, &reply.body);
    }
    if !response.body.is_empty() {
        let kind = match format {
            Format::Json => JSON,
            Format::MsgPack => MSGPACK,
        };
        headers.push(("content-type", kind.to_owned()));
    }
    headers.extend(cors(request));
    response.headers = headers;
    response
}

impl Reply {
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        // Each link has a header of its own, since the SDK for Go reads the first of each alone.
        headers.extend(self.links.iter().map(|link| ("link", link.clone())));
        if let Some(error) = &self.error {
            headers.push(("x-ably-errorcode", error.code.0.to_string()));
            headers.push(("x-ably-errormessage", header_text(&error.message)));
        }
        headers
    }
}

/// Allows pages of every origin. Credentials decide who may do what, not the page.
pub(crate) fn cors(request: &RestRequest) -> Vec<(&'static str, String)> {
    let Some(origin) = request.header("origin") else { return Vec::new() };
    let mut headers = vec![
        ("access-control-allow-origin", header_text(origin)),
        ("access-control-allow-credentials", "true".to_owned()),
        ("access-control-expose-headers", EXPOSED_HEADERS.to_owned()),
        ("vary", "origin".to_owned()),
    ];
    if request.method == "OPTIONS" {
        headers.push(("access-control-allow-headers", ALLOWED_HEADERS.to_owned()));
        headers.push(("access-control-allow-methods", ALLOWED_METHODS.to_owned()));
        headers.push(("access-control-max-age", PREFLIGHT_AGE.to_owned()));
    }
    headers
}

fn write(format: Format, body: &impl Serialize) -> Vec<u8> {
    match format {
        // This cannot fail: the keys of all maps are strings, and writing to a vector succeeds.
        Format::Json => serde_json::to_vec(body).unwrap_or_default(),
        Format::MsgPack => msgpack::to_vec(body),
    }
}

/// A text in the form that a header may have.
fn header_text(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Data, ErrorCode};

    fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> RestRequest {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RestRequest { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    fn json(response: &RestResponse) -> Value {
        serde_json::from_slice(&response.body).unwrap()
    }

    #[test]
    fn an_error_is_told_in_the_body_and_in_headers() {
        let error = ErrorInfo::new(ErrorCode::NOT_FOUND, 404, "nothing\n here: é");
        let response = respond(&request("GET", "/x", &[]), error.into());
        assert_eq!(response.status, 404);
        assert_eq!(response.header("content-type"), Some(JSON));
        assert_eq!(response.header("x-ably-errorcode"), Some("40400"));
        assert_eq!(response.header("x-ably-errormessage"), Some("nothing? here: ?"));
        assert_eq!(json(&response)["error"]["code"], 40400);
        assert_eq!(json(&response)["error"]["statusCode"], 404);
        assert_eq!(json(&response)["error"]["href"], "https://help.ably.io/error/40400");
    }

    #[test]
    fn bytes_are_base64_in_json_and_bytes_in_messagepack() {
        let body = || Body::Messages(vec![Message::new("a", Data::Binary(vec![1, 2]))]);
        let response = respond(&request("GET", "/x", &[]), Reply::new(200, body()));
        assert_eq!((&json(&response)[0]["data"], &json(&response)[0]["encoding"]), (&"AQI=".into(), &"base64".into()));
        let response = respond(&request("GET", "/x?format=msgpack", &[]), Reply::new(200, body()));
        assert_eq!(response.header("content-type"), Some(MSGPACK));
        // fixarray 1, fixmap 2, "name", "a", "data", bin8 of length 2
        assert_eq!(response.body, [&b"\x91\x82\xa4name\xa1a\xa4data"[..], &[0xc4, 2, 1, 2]].concat());
    }

    #[test]
    fn an_envelope_holds_status_and_headers_for_clients_that_cannot_see_them() {
        let reply = Reply::page(
            Body::Messages(Vec::new()),
            vec!["<./x?limit=1>; rel=\"first\"".to_owned(), "<./x?limit=1&cursor=a>; rel=\"next\"".to_owned()],
        );
        let response = respond(&request("GET", "/x?envelope=json", &[]), reply);
        assert_eq!((response.status, response.header("link")), (200, None));
        let links = "<./x?limit=1>; rel=\"first\", <./x?limit=1&cursor=a>; rel=\"next\"";
        let expected = json!({ "statusCode": 200, "response": [], "headers": { "link": links } });
        assert_eq!(json(&response), expected);
        let refused =
            respond(&request("GET", "/x?envelope=json", &[]), ErrorInfo::new(ErrorCode::NOT_FOUND, 404, "no").into());
        assert_eq!((refused.status, &json(&refused)["statusCode"]), (200, &404.into()));
        assert_eq!(json(&refused)["headers"]["x-ably-errorcode"], "40400");
    }

    #[test]
    fn a_page_of_another_origin_may_read_the_answer() {
        let headers = [("origin", "https://game.example")];
        let response = respond(&request("OPTIONS", "/x", &headers), Reply::new(204, Body::Nothing));
        assert_eq!(response.header("access-control-allow-origin"), Some("https://game.example"));
        assert!(response.header("access-control-allow-headers").unwrap().contains("authorization"));
        assert!(response.body.is_empty() && response.header("content-type").is_none());
        assert_eq!(respond(&request("GET", "/x", &[]), Reply::new(204, Body::Nothing)).headers, []);
    }
}
