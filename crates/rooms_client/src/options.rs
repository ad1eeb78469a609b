//! What a client is made with.

use std::{collections::BTreeMap, fmt, time::Duration};

use smol_str::SmolStr;

use crate::{
    agent::AppSide,
    auth::token::{TokenCallback, TokenDetails},
};
use rooms_protocol::{ClientId, Format};

/// The URL that tells whether the internet can be reached (`REC3a`).
const CONNECTIVITY_CHECK: &str = "https://internet-up.ably-realtime.com/is-the-internet-up.txt";

/// Where to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Endpoint {
    /// Ably's cloud, over TLS.
    #[default]
    Cloud,
    /// A part of Ably's cloud by the name of its routing policy, as `REC1b` has it: `ID`, `nonprod:ID` or a host's name.
    Named(String),
    /// A relay, or another server of the protocol: `ws://HOST:PORT` or `wss://HOST[:PORT]`.
    Url(String),
}

impl Endpoint {
    /// Whether it is Ably's cloud or a part of it, not a relay.
    pub fn is_cloud(&self) -> bool {
        match self {
            Self::Cloud | Self::Named(_) => true,
            Self::Url(_) => false,
        }
    }
}

/// Who the client is, to the server (`RSA4`). What is secret in it is not shown in debug output.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// An API key, `APP.KEYID:SECRET`. In a web page, where everybody can read it, it is refused unless the server is on
    /// this machine or in a private network.
    Key(String),
    /// A token. The connection ends when the token ends, since nothing can renew it.
    Token(String),
    /// A token with what is known about it. The connection ends when the token ends.
    TokenDetails(TokenDetails),
    /// A function of the game gets tokens, whenever one is needed.
    Callback(TokenCallback),
    /// A GET of this URL gets tokens, whenever one is needed. The client id that the options ask for is added to its query as
    /// `clientId`; the answer is a token as text or JWT, or token details or a signed token request as JSON.
    TokenUrl(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The part before the colon names the key and is not secret.
            Self::Key(key) => write!(f, "Key({}:…)", key.split(':').next().unwrap_or_default()),
            Self::Token(_) => f.write_str("Token(…)"),
            Self::TokenDetails(details) => details.fmt(f),
            Self::Callback(_) => f.write_str("Callback"),
            // Its query may hold what proves the player to the game's server.
            Self::TokenUrl(url) => write!(f, "TokenUrl({}…)", url.split('?').next().unwrap_or_default()),
        }
    }
}

/// What a client is made with (`TO3`). Debug output does not show what is secret in it.
///
/// Fill in what you need and end with `..ClientOptions::new(…)`: then a new field breaks nothing.
// More than 15 fields: one for each option of the specification that the client has.
#[derive(Clone, PartialEq)]
pub struct ClientOptions {
    /// Where to connect. Defaults to Ably's cloud.
    pub endpoint: Endpoint,
    /// Who the client is, to the server.
    pub credentials: Credentials,
    /// A token to begin with, for credentials that get further ones by themselves. Defaults to none.
    pub token: Option<TokenDetails>,
    /// Whether a client with an API key signs requests for tokens with it and shows the server those (`RSA4`), so that
    /// the key itself is never sent. The machine's clock must be right to two minutes, unless
    /// [`query_time`](Self::query_time) is set. Defaults to false; all other credentials are tokens anyway.
    pub use_token_auth: bool,
    /// Whether a client that signs requests for tokens goes by the server's clock: it asks the server's time before the
    /// first one and adds the time that passed from then on (`TO3j10`, `RSA10k`). Defaults to false: the machine's clock.
    pub query_time: bool,
    /// Who the client is, to others. Defaults to nobody in particular. An account of Ably's cloud that is priced by monthly
    /// active users refuses a [device](AppSide::Device) without it.
    pub client_id: Option<ClientId>,
    /// On which side of the application the client runs (`RSC7d`). Defaults to a user's device.
    pub side: AppSide,
    /// How frames are written. Defaults to JSON (`TO3f`).
    pub format: Format,
    /// Whether the client's own messages come back to it. Defaults to true (`TO3h`).
    pub echo: bool,
    /// Whether publishes wait while there is no connection. Defaults to true (`TO3g`).
    pub queue_messages: bool,
    /// Whether an API key may be sent unencrypted to a host that is neither loopback nor private. Defaults to false (`RSA1`).
    pub allow_plain_key: bool,
    /// Most publishes and presence operations that wait for a connection or an acknowledgement. Defaults to 1,000; more
    /// are refused.
    pub outbox_limit: usize,
    /// Other hosts to try when the first cannot be reached, by name (`REC2a`). Defaults to those of Ably's cloud for its
    /// endpoints, and to none for a URL.
    pub fallback_hosts: Option<Vec<String>>,
    /// To how many of those one request over HTTP goes at most, when hosts cannot be reached. Defaults to 3 (`TO3l5`).
    pub http_max_retries: usize,
    /// What to ask whether the internet can be reached at all, before another host is tried: a GET whose answer holds
    /// `yes` (`REC3`). Defaults to Ably's.
    pub connectivity_check_url: String,
    /// What [`Client::recovery_key`](crate::Client::recovery_key) of an earlier client gave, to go on with its connection
    /// (`RTN16`). Defaults to none.
    pub recover: Option<String>,
    /// Further parameters of the WebSocket's URL, which take the place of the client's own (`RTC1f`). Defaults to none.
    pub transport_params: BTreeMap<SmolStr, String>,
    /// How long things take.
    pub timing: Timing,
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The recovery key is enough to take the connection over, and parameters may be credentials.
        let transport_params: Vec<&SmolStr> = self.transport_params.keys().collect();
        f.debug_struct("ClientOptions")
            .field("endpoint", &self.endpoint)
            .field("credentials", &self.credentials)
            .field("token", &self.token)
            .field("use_token_auth", &self.use_token_auth)
            .field("query_time", &self.query_time)
            .field("client_id", &self.client_id)
            .field("side", &self.side)
            .field("format", &self.format)
            .field("echo", &self.echo)
            .field("queue_messages", &self.queue_messages)
            .field("allow_plain_key", &self.allow_plain_key)
            .field("outbox_limit", &self.outbox_limit)
            .field("fallback_hosts", &self.fallback_hosts)
            .field("http_max_retries", &self.http_max_retries)
            .field("connectivity_check_url", &self.connectivity_check_url)
            .field("recover", &self.recover.as_ref().map(|_| "…"))
            .field("transport_params", &transport_params)
            .field("timing", &self.timing)
            .finish()
    }
}

impl ClientOptions {
    /// Options with their defaults.
    pub fn new(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self {
            endpoint,
            credentials,
            token: None,
            use_token_auth: false,
            query_time: false,
            client_id: None,
            side: AppSide::default(),
            format: Format::default(),
            echo: true,
            queue_messages: true,
            allow_plain_key: false,
            outbox_limit: 1000,
            fallback_hosts: None,
            http_max_retries: 3,
            connectivity_check_url: CONNECTIVITY_CHECK.to_owned(),
            recover: None,
            transport_params: BTreeMap::new(),
            timing: Timing::default(),
        }
    }

    /// Whether the credentials give a new token when one is refused or ends.
    pub(crate) fn can_renew(&self) -> bool {
        match self.credentials {
            Credentials::Callback(_) | Credentials::TokenUrl(_) => true,
            Credentials::Key(_) => self.use_token_auth,
            Credentials::Token(_) | Credentials::TokenDetails(_) => false,
        }
    }
}

/// How long things take. The defaults are the specification's (`TO3l`).
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Longest wait for an answer of the server. Defaults to 10 s (`TO3l11`).
    pub request_timeout: Duration,
    /// Longest wait for the server at the first attempt to connect. Each attempt after it waits half as long again, up to
    /// [`request_timeout`](Self::request_timeout): a connection that is opened anew comes sooner, on a line that loses packets, than
    /// one that waits for its lost packets at intervals that double. Defaults to 10 s, as the specification has one wait for
    /// all (`RTN14c`).
    pub first_attempt: Duration,
    /// How long the answer to an attach or a detach may take, while nothing else comes from the server, before the client asks
    /// it for a sign of life, and drops the socket if there is none within 2 s. Defaults to `None`: it waits for
    /// [`request_timeout`](Self::request_timeout).
    pub doubt: Option<Duration>,
    /// Wait before the next attempt while disconnected, before back-off and jitter. Defaults to 15 s (`TO3l1`).
    pub disconnected_retry: Duration,
    /// Wait before the next attempt while suspended. Defaults to 30 s (`TO3l2`).
    pub suspended_retry: Duration,
    /// Wait before a suspended channel is attached again, before back-off and jitter. Defaults to 15 s (`TO3l7`).
    pub channel_retry: Duration,
    /// How long the server keeps a connection that has no socket. What the server says takes its place. Defaults to 120 s.
    pub connection_state_ttl: Duration,
    /// How long after its beginning a request over HTTP may still go to another host. Defaults to 15 s (`TO3l6`).
    pub http_retry_duration: Duration,
    /// How long requests over HTTP begin with a fallback host that served one. Defaults to 10 min (`TO3l10`).
    pub fallback_retry: Duration,
}

impl Timing {
    /// Longest wait for the server at an attempt to connect. The first attempt has the number 1.
    pub(crate) fn attempt(&self, number: u32) -> Duration {
        let longer = 1.5_f64.powi(i32::try_from(number.clamp(1, MAX_LONGER)).unwrap_or_default() - 1);
        let wait = Duration::try_from_secs_f64(self.first_attempt.as_secs_f64() * longer);
        wait.unwrap_or(self.request_timeout).min(self.request_timeout)
    }
}

/// After how many attempts the wait no longer grows, whatever the first one is.
const MAX_LONGER: u32 = 32;

impl Default for Timing {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            first_attempt: Duration::from_secs(10),
            doubt: None,
            disconnected_retry: Duration::from_secs(15),
            suspended_retry: Duration::from_secs(30),
            channel_retry: Duration::from_secs(15),
            connection_state_ttl: Duration::from_secs(120),
            http_retry_duration: Duration::from_secs(15),
            fallback_retry: Duration::from_secs(10 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Command, Output};

    #[test]
    fn the_cloud_and_its_parts_are_told_from_a_relay() {
        assert!(Endpoint::Cloud.is_cloud() && Endpoint::Named("nonprod:sandbox".to_owned()).is_cloud());
        assert!(!Endpoint::Url("wss://relay.example".to_owned()).is_cloud());
    }

    #[test]
    fn each_attempt_waits_half_as_long_again_up_to_the_longest_wait() {
        let timing = Timing { first_attempt: Duration::from_secs(4), ..Timing::default() };
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(|number| timing.attempt(number).as_secs()), [4, 4, 6, 9, 10, 10]);
        assert_eq!([1, 9].map(|number| Timing::default().attempt(number).as_secs()), [10, 10], "RTN14c");
        let short = Timing { request_timeout: Duration::from_secs(1), ..timing };
        assert_eq!(short.attempt(1).as_secs(), 1);
        let endless = Timing { request_timeout: Duration::MAX, first_attempt: Duration::MAX, ..timing };
        assert_eq!(endless.attempt(3), Duration::MAX);
    }

    #[test]
    fn no_secret_shows_in_debug_output() {
        let credentials = [
            Credentials::Key("app.id:hush".to_owned()),
            Credentials::Token("hush".to_owned()),
            Credentials::TokenDetails(TokenDetails::new("hush")),
            Credentials::TokenUrl("https://game.example/token?proof=hush".to_owned()),
        ];
        let recover = r#"{"connectionKey":"hush","msgSerial":0,"channelSerials":{}}"#;
        for credentials in credentials {
            let options = ClientOptions {
                token: Some(TokenDetails::new("hush")),
                recover: Some(recover.to_owned()),
                transport_params: [("access_token".into(), "hush".to_owned())].into(),
                ..ClientOptions::new(Endpoint::Url("ws://127.0.0.1".to_owned()), credentials)
            };
            let mut client = Client::new(options.clone(), 7);
            client.handle_command(Command::Connect, web_time::Instant::now());
            let shown = format!("{options:?} {client:?}");
            assert!(!shown.contains("hush"), "{shown}");
            let outputs: Vec<Output> = std::iter::from_fn(|| client.poll_output()).collect();
            let shown = format!("{outputs:?} {client:?}");
            assert!(!outputs.is_empty() && !shown.contains("hush"), "{shown}");
        }
    }
}
