//! Tokens: what is known of one, what a request for one asks, and how an answer is read (`TD`, `TK`, `TE`, `RSA4f`).

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Timestamp};

/// Largest token or answer that is taken, in bytes (`RSA4f`).
pub const MAX_TOKEN_SIZE: usize = 128 * 1024;

/// A token and what its issuer says about it (`TD1`). The token is secret and not shown in debug output.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenDetails {
    /// The token.
    pub token: String,
    /// When it ends, by the issuer's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was issued, by the issuer's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<Timestamp>,
    /// What it allows, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// Whose it is. `*` means that its holder may take any name, `None` that its holder has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
}

impl TokenDetails {
    /// A token of which nothing else is known.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into(), ..Self::default() }
    }

    /// How long it is valid, as far as its issuer told.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        let millis = self.expires?.0.checked_sub(self.issued?.0)?;
        Some(Duration::from_millis(u64::try_from(millis).ok()?))
    }
}

impl fmt::Debug for TokenDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenDetails")
            .field("expires", &self.expires)
            .field("capability", &self.capability)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// What the client asks to have in its token (`TK1`).
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenParams {
    /// The client id that the token must have, where the options name one (`RSA7d`).
    pub client_id: Option<ClientId>,
    /// When the request for it is signed, where that goes by the server's clock (`TK2d`); none: now, by the machine's.
    pub timestamp: Option<Timestamp>,
}

/// A request for a token that somebody with the key has signed, to be handed to the server (`TE1`). Its signature is
/// not shown in debug output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest {
    /// The key's name, `APP.KEYID`.
    pub key_name: String,
    /// All other fields, which go to the server as they came.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("key_name", &self.key_name).finish_non_exhaustive()
    }
}

/// What a callback or a token URL gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenAnswer {
    /// A token.
    Token(TokenDetails),
    /// A signed request, which the server exchanges for a token.
    Request(TokenRequest),
}

impl From<String> for TokenAnswer {
    fn from(token: String) -> Self {
        Self::Token(TokenDetails::new(token))
    }
}

impl From<TokenDetails> for TokenAnswer {
    fn from(token: TokenDetails) -> Self {
        Self::Token(token)
    }
}

impl From<TokenRequest> for TokenAnswer {
    fn from(request: TokenRequest) -> Self {
        Self::Request(request)
    }
}

impl TokenAnswer {
    /// Reads the JSON of an answer: token details, or a signed token request.
    ///
    /// # Errors
    /// Says what the answer should have been.
    pub fn from_json(text: &str) -> Result<Self, ErrorInfo> {
        check_size(text)?;
        let wrong = |_| invalid("the answer is JSON, but neither token details nor a token request");
        let value: Value = serde_json::from_str(text).map_err(wrong)?;
        if value.get("token").is_some() {
            serde_json::from_value(value).map(Self::Token).map_err(wrong)
        } else {
            serde_json::from_value(value).map(Self::Request).map_err(wrong)
        }
    }

    /// Reads what a token URL answered, by its content type.
    ///
    /// # Errors
    /// Says what the answer should have been.
    pub fn from_http(content_type: &str, body: &[u8]) -> Result<Self, ErrorInfo> {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let text = str::from_utf8(body).map_err(|_| invalid("the answer is not UTF-8 text"))?;
        match kind.as_str() {
            "text/plain" | "application/jwt" => Ok(text.trim().to_owned().into()),
            "application/json" => Self::from_json(text),
            _ => Err(invalid("the answer's content type is none of text/plain, application/jwt and application/json")),
        }
    }
}

impl TokenAnswer {
    /// Reads an answer over HTTP that should hold a token, from a token URL or a server of the protocol.
    ///
    /// # Errors
    /// What the server told of its refusal, or else its status; or what the answer should have been.
    pub fn from_response(status: u16, status_text: &str, content_type: &str, body: &[u8]) -> Result<Self, ErrorInfo> {
        if (200..300).contains(&status) {
            return Self::from_http(content_type, body);
        }
        let told = serde_json::from_slice::<RefusalBody>(body).ok();
        Err(told.map_or_else(
            || {
                ErrorInfo::new(
                    ErrorCode::AUTH_CALLBACK_FAILED,
                    status,
                    format!("the answer was {status} {status_text}"),
                )
            },
            |refusal| refusal.error,
        ))
    }
}

/// How a server of the protocol refuses over HTTP.
#[derive(Deserialize)]
struct RefusalBody {
    error: ErrorInfo,
}

/// Checks what can be known of a token before the server sees it.
pub(crate) fn check_token(details: &TokenDetails) -> Result<(), ErrorInfo> {
    check_size(&details.token)?;
    if details.token.is_empty() { Err(invalid("the token is empty")) } else { Ok(()) }
}

fn check_size(text: &str) -> Result<(), ErrorInfo> {
    if text.len() > MAX_TOKEN_SIZE { Err(invalid("the token is larger than 128 KiB")) } else { Ok(()) }
}

fn invalid(why: &str) -> ErrorInfo {
    let message = format!("no token was obtained: {why}");
    ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, 401, message)
}

/// The future of a [`TokenCallback`].
#[cfg(not(target_arch = "wasm32"))]
pub type TokenFuture = Pin<Box<dyn Future<Output = Result<TokenAnswer, ErrorInfo>> + Send>>;
/// The future of a [`TokenCallback`]. A browser's promises stay on their thread, so it need not be `Send` there.
#[cfg(target_arch = "wasm32")]
pub type TokenFuture = Pin<Box<dyn Future<Output = Result<TokenAnswer, ErrorInfo>>>>;

/// A function of the game that gets tokens, for example from the game's own server. It runs on the background task
/// and must not block; a result with the status 403 ends the connection for good (`RSA4d`).
#[derive(Clone)]
pub struct TokenCallback(Arc<dyn Fn(TokenParams) -> TokenFuture + Send + Sync>);

impl TokenCallback {
    /// Wraps an asynchronous function, whose future need not be `Send` in a browser.
    #[cfg(target_arch = "wasm32")]
    pub fn new<F, A>(get: impl Fn(TokenParams) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<A, ErrorInfo>> + 'static,
        A: Into<TokenAnswer>,
    {
        Self(Arc::new(move |params| {
            let answer = get(params);
            Box::pin(async move { answer.await.map(Into::into) })
        }))
    }

    /// Wraps an asynchronous function, whose future need not be `Send` in a browser.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new<F, A>(get: impl Fn(TokenParams) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<A, ErrorInfo>> + Send + 'static,
        A: Into<TokenAnswer>,
    {
        Self(Arc::new(move |params| {
            let answer = get(params);
            Box::pin(async move { answer.await.map(Into::into) })
        }))
    }

    /// Asks for a token.
    pub fn call(&self, params: TokenParams) -> TokenFuture {
        (self.0)(params)
    }
}

impl fmt::Debug for TokenCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCallback")
    }
}

/// Equal where they are clones of one another.
impl PartialEq for TokenCallback {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TokenCallback {}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(answer: Result<TokenAnswer, ErrorInfo>) -> ErrorCode {
        answer.expect_err("the answer is wrong").code
    }

    #[test]
    fn an_answer_is_read_by_its_content_type() {
        let token = |text: &str| TokenAnswer::from(text.to_owned());
        assert_eq!(TokenAnswer::from_http("text/plain; charset=utf-8", b"abc\n"), Ok(token("abc")));
        assert_eq!(TokenAnswer::from_http("application/jwt", b"a.b.c"), Ok(token("a.b.c")));
        let details = br#"{"token":"abc","expires":9,"issued":4,"clientId":"ada"}"#;
        let Ok(TokenAnswer::Token(details)) = TokenAnswer::from_http("application/json", details) else {
            panic!("token details")
        };
        assert_eq!((details.token.as_str(), details.client_id.clone()), ("abc", Some("ada".into())));
        assert_eq!(details.lifetime(), Some(Duration::from_millis(5)));
    }

    #[test]
    fn a_token_request_goes_on_as_it_came() {
        let text = r#"{"keyName":"a.b","mac":"m","nonce":"n","timestamp":5,"ttl":7}"#;
        let Ok(TokenAnswer::Request(request)) = TokenAnswer::from_json(text) else { panic!("a token request") };
        assert_eq!(request.key_name, "a.b");
        let again: Value = serde_json::to_value(&request).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn an_answer_in_another_form_is_refused() {
        for (kind, body) in [
            ("text/html", &b"abc"[..]),
            ("", b"abc"),
            ("application/json", b"12345"),
            ("application/json", b"{}"),
            ("application/json", b"[\"abc\"]"),
            ("application/json", b"{\"token\":5}"),
            ("text/plain", b"\xff"),
        ] {
            assert_eq!(code(TokenAnswer::from_http(kind, body)), ErrorCode::AUTH_CALLBACK_FAILED, "{kind} {body:?}");
        }
    }

    #[test]
    fn an_error_that_the_server_tells_is_kept_and_a_bare_status_too() {
        let told = br#"{"error":{"code":40300,"statusCode":403,"message":"no"}}"#;
        let error = TokenAnswer::from_response(403, "Forbidden", "application/json", told).unwrap_err();
        assert_eq!((error.code, error.status_code), (ErrorCode(40300), 403));
        let error = TokenAnswer::from_response(403, "Forbidden", "text/html", b"<p>no</p>").unwrap_err();
        assert_eq!((error.code, error.status_code), (ErrorCode::AUTH_CALLBACK_FAILED, 403));
        assert_eq!(TokenAnswer::from_response(200, "OK", "text/plain", b"abc"), Ok("abc".to_owned().into()));
    }

    #[test]
    fn a_lifetime_that_makes_no_sense_is_none() {
        let times = |issued, expires| TokenDetails {
            issued: Some(Timestamp(issued)),
            expires: Some(Timestamp(expires)),
            ..TokenDetails::default()
        };
        assert_eq!(times(5, 4).lifetime(), None);
        assert_eq!(times(i64::MIN, i64::MAX).lifetime(), None);
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", TokenDetails::new("hush")).contains("hush"));
        let request = TokenAnswer::from_json(r#"{"keyName":"a.b","mac":"hush"}"#).unwrap();
        assert!(!format!("{request:?}").contains("hush"));
    }
}
