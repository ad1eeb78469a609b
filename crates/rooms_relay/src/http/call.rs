//! The head of a request taken apart: path, query, formats and credentials. And its body, read with a bound.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;
use url::form_urlencoded;

use super::message::RestRequest;
use crate::auth::Credentials;
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Format, msgpack};

/// The media type of MessagePack.
pub(super) const MSGPACK: &str = "application/x-msgpack";

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// The media type of the fields of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The head of a request, taken apart. Its query may contain a key, so it has no debug output.
#[derive(Clone)]
pub(crate) struct Call {
    /// The request itself. Its body is not read here.
    pub(crate) request: RestRequest,
    /// The segments of the path, without their escapes.
    pub(crate) path: Vec<String>,
    /// The client's credentials, or why they cannot be read.
    pub(crate) credentials: Result<Option<Credentials>, ErrorInfo>,
    /// The address that the client comes from, as far as it is known.
    pub(crate) address: Option<IpAddr>,
    query: Vec<(SmolStr, String)>,
}

impl Call {
    /// Takes a request apart.
    ///
    /// # Errors
    /// 40000 for a path whose escapes are not text.
    pub(crate) fn parse(request: RestRequest, address: Option<IpAddr>) -> Result<Self, ErrorInfo> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        // Split first, so that an escaped slash stays inside its segment.
        let segments = path.strip_prefix('/').unwrap_or(path).split('/').map(unescape);
        let path = segments.collect::<Option<_>>().ok_or_else(|| {
            ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "the escapes in the path are no UTF-8; escape its bytes")
        })?;
        let credentials = Credentials::from_http(request.header("authorization"), query);
        let query = form_urlencoded::parse(query.as_bytes());
        let query = query.map(|(name, value)| (SmolStr::new(name), value.into_owned())).collect();
        Ok(Self { request, path, credentials, address, query })
    }

    /// The API key that the client shows, right or wrong.
    pub(crate) fn key_text(&self) -> Option<&str> {
        self.credentials.as_ref().ok()?.as_ref()?.key_text()
    }

    /// A parameter of the query.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Who the client says it is, in base64 (`RSA7e2`).
    pub(crate) fn client_id(&self) -> Option<ClientId> {
        let id = self.request.header("x-ably-clientid")?;
        // An id that is not base64 is used as it is. If it does not match the credentials, it is refused later.
        let decoded = BASE64.decode(id).ok().and_then(|id| String::from_utf8(id).ok());
        Some(decoded.unwrap_or_else(|| id.to_owned()).into())
    }

    /// The format of the body, as its `Content-Type` says.
    pub(crate) fn body_format(&self) -> Format {
        match self.request.header("content-type") {
            Some(kind) if kind.starts_with(MSGPACK) => Format::MsgPack,
            _ => Format::Json,
        }
    }

    /// Whether a body is the fields of a form. Programs such as curl call every body so that they are not told about, and no
    /// form begins as JSON does.
    pub(crate) fn is_form(&self, body: &[u8]) -> bool {
        let is_called_so = self.request.header("content-type").is_some_and(|kind| kind.starts_with(FORM));
        is_called_so && !matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
    }

    /// A body, read as its `Content-Type` says.
    ///
    /// # Errors
    /// 40001 for a body that cannot be read.
    pub(crate) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ErrorInfo> {
        match self.body_format() {
            Format::MsgPack => msgpack::from_slice(body).map_err(unreadable),
            Format::Json => serde_json::from_slice(body).map_err(unreadable),
        }
    }
}

/// The error for a body that cannot be read.
pub(crate) fn unreadable(why: impl std::fmt::Display) -> ErrorInfo {
    let message = format!("the body cannot be read: {why}; check it and its Content-Type");
    ErrorInfo::new(ErrorCode::INVALID_BODY, 400, message)
}

impl RestRequest {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The format of the answer to `request`: the parameter `format`, then `Accept`, then JSON.
pub(super) fn answer_format(param: Option<&str>, request: &RestRequest) -> Format {
    let asked = match param {
        Some(format) => format == "msgpack",
        None => request.header("accept").is_some_and(|accept| accept.trim_start().starts_with(MSGPACK)),
    };
    if asked { Format::MsgPack } else { Format::Json }
}

/// Replaces `%XX`, once. `None` where the result is not UTF-8.
pub(crate) fn unescape(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> RestRequest {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RestRequest { method: "GET".to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    fn parse(request: RestRequest) -> Result<Call, ErrorInfo> {
        Call::parse(request, None)
    }

    fn path(target: &str) -> Option<Vec<String>> {
        parse(request(target, &[])).ok().map(|call| call.path)
    }

    #[test]
    fn escapes_are_undone_once_and_after_the_path_is_split() {
        assert_eq!(path("/channels/a%2Fb%3Ac%2520/messages?x=1").unwrap(), ["channels", "a/b:c%20", "messages"]);
        assert_eq!(path("/channels/%E2%82%AC%").unwrap(), ["channels", "€%"]);
        assert_eq!(path("/channels/%FF"), None);
    }

    #[test]
    fn a_form_is_one_unless_it_is_json_in_truth() {
        let is_form =
            |kind: &str, body: &str| parse(request("/x", &[("content-type", kind)])).unwrap().is_form(body.as_bytes());
        assert!(is_form(FORM, "name=a") && is_form("application/x-www-form-urlencoded; charset=utf-8", ""));
        assert!(!is_form(FORM, " {\"name\":\"a\"}") && !is_form(FORM, "[]") && !is_form(JSON, "name=a"));
    }

    #[test]
    fn the_client_id_comes_in_base64_or_as_it_is() {
        let id = |text: &str| parse(request("/x", &[("x-ably-clientid", text)])).unwrap().client_id();
        assert_eq!(id(&BASE64.encode("ada")), Some("ada".into()));
        assert_eq!(id("ada!"), Some("ada!".into()));
        assert_eq!(parse(request("/x", &[])).unwrap().client_id(), None);
    }

    #[test]
    fn the_answer_has_the_format_that_is_asked_for() {
        let format = |target: &str, accept: &str| {
            let request = request(target, &[("accept", accept)]);
            answer_format(parse(request.clone()).unwrap().param("format"), &request)
        };
        assert_eq!(format("/x", "application/x-msgpack,application/json"), Format::MsgPack);
        assert_eq!(format("/x", "application/json,application/x-msgpack"), Format::Json);
        assert_eq!(format("/x?format=msgpack", "application/json"), Format::MsgPack);
        assert_eq!(format("/x?format=json", MSGPACK), Format::Json);
    }
}
