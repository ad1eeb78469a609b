//! What a client is made with.

use std::{fmt, time::Duration};

use crate::protocol::ClientId;

/// Where to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Endpoint {
    /// Ably's cloud, over TLS.
    #[default]
    Cloud,
    /// A relay, or another server of the protocol: `ws://HOST:PORT` or `wss://HOST[:PORT]`.
    Url(String),
}

/// Who the client is, to the server.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// An API key, `APP.KEYID:SECRET`.
    Key(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The part before the colon names the key and is not secret.
            Self::Key(key) => write!(f, "Key({}:…)", key.split(':').next().unwrap_or_default()),
        }
    }
}

/// What a client is made with (`TO3`).
#[derive(Clone, Debug, PartialEq)]
pub struct ClientOptions {
    /// Where to connect. Defaults to Ably's cloud.
    pub endpoint: Endpoint,
    /// Who the client is, to the server.
    pub credentials: Credentials,
    /// Who the client is, to others. Defaults to nobody in particular.
    pub client_id: Option<ClientId>,
    /// Whether the client's own messages come back to it. Defaults to true (`TO3h`).
    pub echo: bool,
    /// Whether publishes wait while there is no connection. Defaults to true (`TO3g`).
    pub queue_messages: bool,
    /// Whether an API key may go over an unencrypted line to a host that is neither loopback nor private. Defaults to
    /// false (`RSA1`).
    pub allow_plain_key: bool,
    /// Most publishes and presence operations that wait for the line or an acknowledgement. Defaults to 1,000; more
    /// are refused.
    pub outbox_limit: usize,
    /// How long things take.
    pub timing: Timing,
}

impl ClientOptions {
    /// Options with their defaults.
    pub fn new(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self {
            endpoint,
            credentials,
            client_id: None,
            echo: true,
            queue_messages: true,
            allow_plain_key: false,
            outbox_limit: 1000,
            timing: Timing::default(),
        }
    }
}

/// How long things take. The defaults are the specification's (`TO3l`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Longest wait for an answer of the server. Defaults to 10 s (`TO3l11`).
    pub request_timeout: Duration,
    /// Wait before the next attempt while disconnected, before back-off and jitter. Defaults to 15 s (`TO3l1`).
    pub disconnected_retry: Duration,
    /// Wait before the next attempt while suspended. Defaults to 30 s (`TO3l2`).
    pub suspended_retry: Duration,
    /// Wait before a suspended channel is attached again, before back-off and jitter. Defaults to 15 s (`TO3l7`).
    pub channel_retry: Duration,
    /// How long the server keeps a connection that has no transport, until it says otherwise. Defaults to 120 s.
    pub connection_state_ttl: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            disconnected_retry: Duration::from_secs(15),
            suspended_retry: Duration::from_secs(30),
            channel_retry: Duration::from_secs(15),
            connection_state_ttl: Duration::from_secs(120),
        }
    }
}
