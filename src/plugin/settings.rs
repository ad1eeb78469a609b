//! The settings that a game gives to the plugin: where to connect, the transport and the clock.

use std::{fmt, sync::Arc, time::Duration};

use url::Url;
use web_time::Instant;

use super::{identity::Hold, web_page::page_address};
use crate::{
    bridge::{self, Bridge, Runtime},
    client::{AppSide, ClientOptions, Credentials, Endpoint, Timing},
    protocol::{DEFAULT_RELAY_PORT, DEVELOPMENT_KEY, Format},
    session::{Generation, InviteError, Migration, PaceConfig, PlayerId, SessionTiming},
    transport::Connector,
};

/// The wait before the next attempt to reach a relay, before back-off and jitter. It is shorter than the
/// specification's 15 s, which protect a cloud: a relay serves a few rooms, and players watch the screen while it is
/// gone.
const RELAY_RETRY: Duration = Duration::from_secs(1);

/// How long the first attempt to reach a relay may take. On a line that loses packets the next one is faster than waiting on.
const RELAY_FIRST_ATTEMPT: Duration = Duration::from_secs(6);

/// How long a relay may take to attach a channel, while nothing else comes from it, before the socket is doubted.
const RELAY_DOUBT: Duration = Duration::from_secs(3);

/// Messages a second that Ably's cloud takes from one connection, and carries on one channel, on every plan.
const CLOUD_RATE: u32 = 50;

/// Where an app connects, and with which credentials. Debug output does not show the secrets.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connect {
    /// The relay on this machine, at its default port and with the development key. With the feature `relay`, the first
    /// game runs it. When that game ends, the next one that notices runs it again.
    ///
    /// In a web page: the relay that serves the page (`rooms-relay --serve`), as with [`page`](Self::page).
    #[default]
    Local,
    /// A relay, or another server of the protocol.
    Relay {
        /// `ws://HOST:PORT` or `wss://HOST[:PORT]`.
        url: String,
        /// An API key of that relay, `APP.KEYID:SECRET`.
        key: String,
    },
    /// Ably's cloud.
    Cloud {
        /// An API key, `APP.KEYID:SECRET`.
        key: String,
    },
    /// Any endpoint with any credentials: a token, or a callback or a URL that gives tokens, so that the game has no
    /// key.
    ///
    /// Tokens must be for the player's own client id. The callback and the URL receive it.
    With {
        /// Where.
        endpoint: Endpoint,
        /// As whom.
        credentials: Credentials,
    },
}

impl Connect {
    /// A relay with the development key.
    pub fn relay(url: impl Into<String>) -> Self {
        Self::Relay { url: url.into(), key: DEVELOPMENT_KEY.to_owned() }
    }

    /// The relay that serves the web page at this address, such as `http://192.168.1.20:8787/`, with the tokens that it
    /// gives to players of the page. The address may be an invite link to the page.
    ///
    /// # Errors
    /// [`InviteError::NotALink`] if it is not an address `http://…` or `https://…`.
    pub fn page(page: &str) -> Result<Self, InviteError> {
        let not_a_page = |why: &str| InviteError::NotALink { text: page.to_owned(), why: why.to_owned() };
        let mut url = Url::parse(page).map_err(|error| not_a_page(&error.to_string()))?;
        let socket = match url.scheme() {
            "http" => "ws",
            "https" => "wss",
            _ => return Err(not_a_page("it does not begin with http:// or https://")),
        };
        url.set_path("/token");
        url.set_query(None);
        url.set_fragment(None);
        let tokens = url.to_string();
        // Only the scheme changes; the rest of the address stays.
        let relay = format!("{socket}{}", tokens.trim_start_matches(url.scheme()));
        let relay = relay.trim_end_matches("/token").to_owned();
        Ok(Self::With { endpoint: Endpoint::Url(relay), credentials: Credentials::TokenUrl(tokens) })
    }

    /// Whether it is Ably's cloud, not a relay.
    pub(super) fn is_cloud(&self) -> bool {
        match self {
            Self::Cloud { .. } => true,
            Self::With { endpoint, .. } => endpoint.is_cloud(),
            Self::Local | Self::Relay { .. } => false,
        }
    }

    pub(super) fn client_options(&self, player: &PlayerId) -> ClientOptions {
        let (endpoint, credentials) = match self {
            Self::Local => local(),
            Self::Relay { url, key } => (Endpoint::Url(url.clone()), Credentials::Key(key.clone())),
            Self::Cloud { key } => (Endpoint::Cloud, Credentials::Key(key.clone())),
            Self::With { endpoint, credentials } => (endpoint.clone(), credentials.clone()),
        };
        let timing = if endpoint.is_cloud() {
            Timing::default()
        } else {
            Timing {
                disconnected_retry: RELAY_RETRY,
                suspended_retry: 2 * RELAY_RETRY,
                channel_retry: RELAY_RETRY,
                first_attempt: RELAY_FIRST_ATTEMPT,
                doubt: Some(RELAY_DOUBT),
                ..Timing::default()
            }
        };
        let options = ClientOptions::new(endpoint, credentials);
        ClientOptions { client_id: Some(player.client_id()), timing, ..options }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |key: &String| Credentials::Key(key.clone());
        match self {
            Self::Local => f.write_str("Local"),
            Self::Relay { url, key: text } => {
                f.debug_struct("Relay").field("url", url).field("key", &key(text)).finish()
            }
            Self::Cloud { key: text } => f.debug_struct("Cloud").field("key", &key(text)).finish(),
            Self::With { endpoint, credentials } => {
                f.debug_struct("With").field("endpoint", endpoint).field("credentials", credentials).finish()
            }
        }
    }
}

/// The relay that serves the page we are in. Without a page, the relay on this machine.
fn local() -> (Endpoint, Credentials) {
    if let Some(Ok(Connect::With { endpoint, credentials })) = page_address().map(|page| Connect::page(&page)) {
        return (endpoint, credentials);
    }
    let url = format!("ws://127.0.0.1:{DEFAULT_RELAY_PORT}");
    (Endpoint::Url(url), Credentials::Key(DEVELOPMENT_KEY.to_owned()))
}

/// The transport of frames.
#[derive(Clone, Default)]
pub enum Transport {
    /// The platform's WebSocket.
    #[default]
    Platform,
    /// A transport from the game; see [`Transport::custom`].
    Custom(Arc<dyn Fn() -> Box<dyn Connector> + Send + Sync>),
    /// A bridge whose other end the game drives; see [`Transport::driven`].
    Driven(Arc<dyn Fn(ClientOptions) -> Bridge + Send + Sync>),
}

impl Transport {
    /// A transport from the game. `make` runs for each connection.
    pub fn custom<C: Connector>(make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(move || Box::new(make())))
    }

    /// No background task and no runtime: the game makes the client with these options and drives it by hand, as a
    /// simulation does. `make` returns one end of [`Bridge::pair`] and keeps the other.
    pub fn driven(make: impl Fn(ClientOptions) -> Bridge + Send + Sync + 'static) -> Self {
        Self::Driven(Arc::new(make))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "Platform",
            Self::Custom(_) => "Custom",
            Self::Driven(_) => "Driven",
        })
    }
}

/// The clock of the room's timers.
#[derive(Clone, Default)]
pub enum Clock {
    /// The machine's monotonic clock.
    #[default]
    Real,
    /// A clock from the game, such as a simulated one in tests.
    Custom(Arc<dyn Fn() -> Instant + Send + Sync>),
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Instant {
        match self {
            Self::Real => bridge::now(),
            Self::Custom(clock) => clock(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "Real",
            Self::Custom(_) => "Custom",
        })
    }
}

/// The settings of an app, with its player id.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) connect: Connect,
    pub(super) player: PlayerId,
    pub(super) generation: Generation,
    /// Reserves our player id while the app lives.
    pub(super) _hold: Option<Hold>,
    pub(super) version: String,
    pub(super) format: Format,
    pub(super) side: AppSide,
    pub(super) use_token_auth: bool,
    pub(super) query_time: bool,
    pub(super) timing: SessionTiming,
    pub(super) pace: PaceConfig,
    pub(super) migration: Migration,
    pub(super) runtime: Runtime,
    pub(super) transport: Transport,
    pub(super) clock: Clock,
    pub(super) seed: Option<u64>,
}

impl Settings {
    /// How much the server takes: the cloud has limits that it need not tell.
    pub(super) fn pace(&self) -> PaceConfig {
        let cloud = self.connect.is_cloud().then_some(CLOUD_RATE);
        PaceConfig { connection_rate: self.pace.connection_rate.or(cloud), ..self.pace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_behind_a_page_is_on_the_pages_address_and_gives_tokens() {
        let behind = |page: &str| match Connect::page(page) {
            Ok(Connect::With { endpoint: Endpoint::Url(relay), credentials: Credentials::TokenUrl(tokens) }) => {
                Ok((relay, tokens))
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        };
        let on_the_lan = ("ws://192.168.1.20:8787".to_owned(), "http://192.168.1.20:8787/token".to_owned());
        assert_eq!(behind("http://192.168.1.20:8787/?room=otter-badger-fox"), Ok(on_the_lan));
        let on_the_net = ("wss://bingo.example".to_owned(), "https://bingo.example/token".to_owned());
        assert_eq!(behind("https://bingo.example/play/index.html#top"), Ok(on_the_net));
        assert!(behind("ws://x:1").unwrap_err().contains("http://"));
        assert!(behind("x").is_err());
    }

    #[test]
    fn no_key_shows_in_debug_output() {
        let (key, url) = ("app.id:hush".to_owned(), "ws://127.0.0.1".to_owned());
        let with = Connect::With { endpoint: Endpoint::Cloud, credentials: Credentials::Key(key.clone()) };
        for connect in [Connect::Relay { url, key: key.clone() }, Connect::Cloud { key }, with] {
            let shown = format!("{connect:?}");
            assert!(shown.contains("app.id") && !shown.contains("hush"), "{shown}");
        }
    }
}
