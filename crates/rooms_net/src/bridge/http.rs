//! Requests beside the socket: tokens, requests over HTTP, and whether the internet can be reached.

use std::time::Duration;

use ehttp::{Request, Response};
use tokio::sync::{mpsc, oneshot};
use web_time::{SystemTime, UNIX_EPOCH};

use super::runtime;
use rooms_client::{
    Credentials, HttpRequest, HttpResponse, RequestId, TokenAnswer, TokenCallback, TokenParams, driver::NONCE_BYTES,
};
use rooms_protocol::{ErrorCode, ErrorInfo, Timestamp};

/// Most answers that wait for the driver. The client has fewer requests under way, and ignores answers that come too late.
const ANSWER_CAPACITY: usize = 16;

/// Longest time for one HTTP request (`TO3l4`).
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// How much longer than the request itself to wait for its answer: the error of the request says more than a missing answer.
const GRACE: Duration = Duration::from_secs(1);

/// The answer to a request.
pub(super) enum Answer {
    /// For [`Pump::handle_token`](rooms_client::driver::Pump::handle_token).
    Token(RequestId, Result<TokenAnswer, ErrorInfo>),
    /// For [`Pump::handle_http`](rooms_client::driver::Pump::handle_http).
    Http(RequestId, Result<HttpResponse, ErrorInfo>),
    /// For [`Pump::handle_connectivity`](rooms_client::driver::Pump::handle_connectivity).
    Connectivity(RequestId, bool),
}

/// What gives tokens.
enum Source {
    Callback(TokenCallback),
    Url(String),
    Nowhere,
}

/// Runs requests and collects the answers.
pub(super) struct SideRequests {
    source: Source,
    done: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
}

impl SideRequests {
    pub(super) fn new(credentials: &Credentials) -> Self {
        let source = match credentials {
            Credentials::Callback(callback) => Source::Callback(callback.clone()),
            Credentials::TokenUrl(url) => Source::Url(url.clone()),
            _ => Source::Nowhere,
        };
        let (done, answers) = mpsc::channel(ANSWER_CAPACITY);
        Self { source, done, answers }
    }

    /// The next answer.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// Gets a token from where the credentials say.
    pub(super) fn get_token(&self, request: RequestId, params: TokenParams) {
        match &self.source {
            Source::Callback(callback) => {
                let (token, done) = (callback.call(params), self.done.clone());
                runtime::run_aside(async move {
                    let answer = token.await;
                    let _ = done.send(Answer::Token(request, answer)).await;
                });
            }
            Source::Url(url) => {
                let get = Request::get(with_params(url, &params));
                self.fetch(get, move |fetched| Answer::Token(request, fetched.and_then(|response| read(&response))));
            }
            Source::Nowhere => {
                let error =
                    failed(401, "these credentials cannot get tokens; use a callback or a token URL".to_owned());
                let _ = self.done.try_send(Answer::Token(request, Err(error)));
            }
        }
    }

    /// Has the server exchange a signed request for a token.
    pub(super) fn exchange(&self, request: RequestId, http: HttpRequest) {
        self.fetch(with_headers(http), move |fetched| {
            let fetched = fetched.map_err(out_of_reach);
            Answer::Token(request, fetched.and_then(|response| read(&response)))
        });
    }

    /// Sends a request to the server.
    pub(super) fn send(&self, request: RequestId, http: HttpRequest) {
        self.fetch(with_headers(http), move |fetched| {
            let answer = fetched.map(|response| HttpResponse {
                status: response.status,
                server: response.headers.get("server").unwrap_or_default().to_owned(),
                link: response.headers.get_all("link").collect::<Vec<_>>().join(", "),
                body: response.bytes,
            });
            Answer::Http(request, answer.map_err(out_of_reach))
        });
    }

    /// Finds out whether the internet can be reached.
    pub(super) fn check_connectivity(&self, request: RequestId, url: String) {
        self.fetch(Request::get(url), move |fetched| {
            let up = fetched.is_ok_and(|response| response.ok && response.text().is_some_and(|t| t.contains("yes")));
            Answer::Connectivity(request, up)
        });
    }

    fn fetch(&self, request: Request, read: impl FnOnce(Result<Response, ErrorInfo>) -> Answer + Send + 'static) {
        let done = self.done.clone();
        let (give, fetched) = oneshot::channel();
        ehttp::fetch(request.with_timeout(Some(HTTP_TIMEOUT)), move |fetched| {
            // Where the receiver is gone, nobody needs the answer.
            let _ = give.send(fetched);
        });
        runtime::run_aside(async move {
            // The browser's fetch has no timeout.
            let fetched = tokio::select! {
                fetched = fetched => fetched.unwrap_or_else(|_| Err("the request was dropped".to_owned())),
                () = runtime::sleep_until(Some(runtime::now() + HTTP_TIMEOUT + GRACE)) => {
                    Err(format!("no answer came within {HTTP_TIMEOUT:?}"))
                }
            };
            let _ = done.send(read(fetched.map_err(|error| failed(401, error)))).await;
        });
    }
}

/// The machine's time and random bytes, to sign a token request with.
///
/// # Errors
/// If the system has no random bytes.
pub(super) fn signing_inputs() -> Result<(Timestamp, [u8; NONCE_BYTES]), ErrorInfo> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| failed(401, format!("the system has no random bytes: {error}")))?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((Timestamp::default().plus(time), nonce))
}

/// The request with the client's headers in the place of those that it would have by itself.
fn with_headers(http: HttpRequest) -> Request {
    let mut full = match http.body {
        Some(body) => Request::post(http.url, body.into_bytes()),
        None => Request::get(http.url),
    };
    for (name, value) in http.headers {
        full.headers.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        full.headers.insert(name, value);
    }
    full
}

/// No answer came: another server of the protocol may give one.
fn out_of_reach(error: ErrorInfo) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 503, error.message)
}

/// The URL with the wanted client id in its query.
fn with_params(url: &str, params: &TokenParams) -> String {
    match (url::Url::parse(url), &params.client_id) {
        (Ok(mut url), Some(id)) => {
            let others: Vec<(String, String)> =
                url.query_pairs().filter(|(name, _)| name != "clientId").map(|(n, v)| (n.into(), v.into())).collect();
            url.query_pairs_mut().clear().extend_pairs(others).append_pair("clientId", id.as_str());
            url.into()
        }
        _ => url.to_owned(),
    }
}

/// Reads an answer that should hold a token.
fn read(response: &Response) -> Result<TokenAnswer, ErrorInfo> {
    let content_type = response.content_type().unwrap_or_default();
    TokenAnswer::from_response(response.status, &response.status_text, content_type, &response.bytes)
}

fn failed(status: u16, why: String) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, status, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wished_client_id_takes_the_place_of_one_in_the_url() {
        let mut params = TokenParams::default();
        assert_eq!(with_params("https://x.example/t?a=1", &params), "https://x.example/t?a=1");
        params.client_id = Some("ada & bob".into());
        assert_eq!(
            with_params("https://x.example/t?a=1&clientId=eve", &params),
            "https://x.example/t?a=1&clientId=ada+%26+bob"
        );
    }
}
