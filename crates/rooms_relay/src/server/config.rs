//! The relay's configuration, and its form as a TOML file: keys that should not be seen in a list of processes, and limits.
//!
//! The program reads the file from disk.

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;
use toml::Spanned;

use super::{error::RelayError, files, limit_table::LimitInfo, proxy::AddressRange, tls::TlsFiles};
use crate::{ApiKey, Capability, HubConfig, Limits, TokenEndpoint};

/// The beginning of messages about types that contain the value that was found. It may be a secret.
const FOUND_VALUE: &str = "invalid type: string";

/// The one name in the table of limits that is no limit.
const PLAN: &str = "plan";

/// Where the relay listens, and what it accepts.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The address to listen on. Defaults to a free port on loopback, `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Keys and limits. With the development key the relay listens on loopback only.
    pub hub: HubConfig,
    /// A folder with a web page and its files, which browsers get from the relay's address. Defaults to none.
    ///
    /// A page needs tokens. If no token endpoint is set, whoever reaches the relay gets a token for everything that the first key
    /// allows, other players' inboxes included. An endpoint that is set has to be
    /// [`for_every_channel`](TokenEndpoint::for_every_channel), unless the page asks for tokens of one room. Beyond loopback, a
    /// key of this run alone replaces the development key.
    pub serve: Option<PathBuf>,
    /// The proxies whose headers `X-Forwarded-For` and `Forwarded` tell the address of a client. Without them, everybody behind a
    /// proxy shares the proxy's address, and its share of connections. Defaults to none.
    pub trusted_proxies: Vec<AddressRange>,
    /// The certificate and its key, with which clients connect over TLS, and only so. Defaults to none.
    pub tls: Option<TlsFiles>,
    /// An address for operators alone: `/health`, `/ready`, `/metrics` for Prometheus, and `POST /drain` from this machine. Who
    /// reaches it needs no key. Defaults to none.
    pub metrics: Option<SocketAddr>,
    /// How long clients are disconnected in portions when the program is asked to end. Defaults to zero: all at once.
    pub drain: Duration,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            hub: HubConfig::default(),
            serve: None,
            trusted_proxies: Vec::new(),
            tls: None,
            metrics: None,
            drain: Duration::ZERO,
        }
    }
}

impl RelayConfig {
    /// The same configuration with what the page in the folder needs, if there is one. `key_of_run` is the key that the relay
    /// made for its page before.
    pub(super) fn with_what_a_page_needs(mut self, key_of_run: Option<ApiKey>) -> Result<Self, RelayError> {
        let Some(folder) = &self.serve else { return Ok(self) };
        if !folder.join(files::INDEX).is_file() {
            return Err(RelayError::NoPage { folder: folder.clone() });
        }
        let hub = &mut self.hub;
        if !self.listen.ip().is_loopback() && matches!(&hub.keys[..], [key] if key.is_development()) {
            let key = match key_of_run {
                Some(key) => key,
                None => {
                    let mut secret = [0; 16];
                    getrandom::fill(&mut secret).map_err(RelayError::Random)?;
                    ApiKey::of_run(secret)
                }
            };
            hub.keys = vec![key];
        }
        if let (None, Some(key)) = (&hub.token_endpoint, hub.keys.first()) {
            hub.token_endpoint = Some(TokenEndpoint::new(key.name()).for_every_channel());
        }
        Ok(self)
    }
}

/// Why a text is not a configuration. It never contains text of the file, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong{place}: {why}", place = Place(*line))]
#[non_exhaustive]
pub struct ConfigError {
    /// The line, from 1. `None` if the error is about the whole file.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// Where in the file.
struct Place(Option<usize>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, " in line {line}"))
    }
}

impl ConfigError {
    fn whole(why: impl fmt::Display) -> Self {
        Self { line: None, why: why.to_string() }
    }

    fn in_line<T>(why: impl fmt::Display, place: &Spanned<T>, text: &str) -> Self {
        Self { line: line_of(text, place.span().start), why: why.to_string() }
    }

    fn at(error: &toml::de::Error, text: &str) -> Self {
        let line = error.span().and_then(|span| line_of(text, span.start));
        let why = match error.message() {
            message if message.contains(FOUND_VALUE) => "a text does not belong here".to_owned(),
            message => message.to_owned(),
        };
        Self { line, why }
    }
}

/// The line in which a byte of the text is, from 1.
fn line_of(text: &str, byte: usize) -> Option<usize> {
    Some(text.get(..byte)?.matches('\n').count() + 1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    #[serde(default)]
    keys: Vec<Key>,
    #[serde(default)]
    limits: BTreeMap<String, Spanned<toml::Value>>,
    token_endpoint: Option<Endpoint>,
    serve: Option<PathBuf>,
    #[serde(default)]
    trusted_proxies: Vec<String>,
    tls: Option<Tls>,
    metrics: Option<SocketAddr>,
    drain_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: String,
    capability: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    key: SmolStr,
    ttl_seconds: Option<u64>,
    #[serde(default)]
    every_channel: bool,
}

/// The limits before with those of the file over them. A plan replaces all of them.
fn read_limits(
    file: &BTreeMap<String, Spanned<toml::Value>>,
    before: Limits,
    text: &str,
) -> Result<Limits, ConfigError> {
    let mut limits = before;
    if let Some(plan) = file.get(PLAN) {
        limits = match plan.get_ref().as_str() {
            Some("none") => Limits::default(),
            Some(plan) if let Ok(plan) = plan.parse() => Limits::of_plan(plan),
            _ => return Err(ConfigError::in_line("plan is none, free, standard or pro", plan, text)),
        };
    }
    for (name, value) in file.iter().filter(|(name, _)| *name != PLAN) {
        let text_of_value = match value.get_ref() {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::String(text) => text.clone(),
            _ => return Err(ConfigError::in_line("a limit is a number or a text", value, text)),
        };
        let set = LimitInfo::named(name).and_then(|limit| limit.set(&mut limits, &text_of_value));
        set.map_err(|error| ConfigError::in_line(error, value, text))?;
    }
    Ok(limits)
}

impl RelayConfig {
    /// The same configuration with the values of a TOML text over it.
    ///
    /// ```
    /// use rooms_relay::RelayConfig;
    ///
    /// let config = RelayConfig::default().with_toml(
    ///     r#"
    ///     listen = "0.0.0.0:8787"
    ///     ## The proxy in front of the relay, which tells the addresses of clients.
    ///     trusted_proxies = ["10.0.0.7", "192.168.0.0/16"]
    ///     ## Health, readiness and metrics, for operators alone.
    ///     metrics = "127.0.0.1:9787"
    ///     ## How long clients are disconnected in portions when the relay is asked to end.
    ///     drain_seconds = 20
    ///
    ///     ## Without it, keys and tokens go over the network as plain text.
    ///     [tls]
    ///     certificate = "/etc/rooms-relay/fullchain.pem"
    ///     key = "/etc/rooms-relay/privkey.pem"
    ///
    ///     ## A key without a capability allows everything.
    ///     [[keys]]
    ///     key = "game.server:a-long-secret"
    ///
    ///     [[keys]]
    ///     key = "game.players:another-secret"
    ///     capability = { "room:*" = ["presence", "publish", "subscribe"], rooms = ["presence", "subscribe"] }
    ///
    ///     ## Gives tokens at /token?room=…&player=… to whoever reaches the relay. Off unless it is here.
    ///     [token_endpoint]
    ///     key = "game.players"
    ///     ttl_seconds = 3600
    ///     ## Whether a request without a room gets a token for everything that the key allows, as a page of the relay needs.
    ///     every_channel = false
    ///
    ///     ## A plan of Ably's cloud (none, free, standard, pro), and limits that differ from it. The program's --help lists all.
    ///     [limits]
    ///     plan = "free"
    ///     members_per_channel = 50
    ///     memory = "512 MiB"
    ///     resume_window_seconds = 60
    ///     "#,
    /// )?;
    /// assert_eq!(config.hub.keys.len(), 2);
    /// # Ok::<(), rooms_relay::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] tells the line and what is wrong.
    pub fn with_toml(mut self, text: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError::at(&error, text))?;
        self.listen = file.listen.unwrap_or(self.listen);
        self.serve = file.serve.or(self.serve);
        self.metrics = file.metrics.or(self.metrics);
        self.drain = file.drain_seconds.map_or(self.drain, |seconds| Duration::from_secs(seconds.into()));
        if let Some(Tls { certificate, key }) = file.tls {
            self.tls = Some(TlsFiles { certificate, key });
        }
        self.hub.limits = read_limits(&file.limits, self.hub.limits, text)?;
        if !file.trusted_proxies.is_empty() {
            let ranges = file.trusted_proxies.iter().map(|text| text.parse());
            let ranges = ranges.collect::<Result<_, _>>();
            self.trusted_proxies = ranges.map_err(|error| ConfigError::whole(format!("trusted_proxies: {error}")))?;
        }
        if !file.keys.is_empty() {
            self.hub.keys = file.keys.into_iter().enumerate().map(read_key).collect::<Result<_, _>>()?;
        }
        if let Some(Endpoint { key, ttl_seconds, every_channel }) = file.token_endpoint {
            let mut endpoint = TokenEndpoint { every_channel, ..TokenEndpoint::new(key) };
            endpoint.ttl = ttl_seconds.map_or(endpoint.ttl, Duration::from_secs);
            self.hub.token_endpoint = Some(endpoint);
        }
        Ok(self)
    }
}

fn read_key((index, Key { key, capability }): (usize, Key)) -> Result<ApiKey, ConfigError> {
    let wrong = |why: &dyn fmt::Display| ConfigError::whole(format!("key {}: {why}", index + 1));
    let key: ApiKey = key.parse().map_err(|error| wrong(&error))?;
    match capability {
        None => Ok(key),
        Some(value) => {
            let capability = Capability::from_json(&value).map_err(|error| wrong(&error))?;
            Ok(key.with_capability(capability))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    fn error(text: &str) -> ConfigError {
        RelayConfig::default().with_toml(text).unwrap_err()
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let (read, default) = (RelayConfig::default().with_toml("").unwrap(), RelayConfig::default());
        assert_eq!((read.listen, read.hub.keys), (default.listen, default.hub.keys));
        assert_eq!((read.hub.limits, read.hub.token_endpoint), (default.hub.limits, None));
    }

    #[test]
    fn keys_have_the_capabilities_that_the_file_gives_them() {
        let text = "[[keys]]\nkey = 'a.b:c'\n[[keys]]\nkey = 'a.d:e'\ncapability = { x = ['subscribe'] }\n";
        let keys = RelayConfig::default().with_toml(text).unwrap().hub.keys;
        let allowed = |index: usize| keys[index].capability().allows(&"x".into(), Operation::Publish);
        assert_eq!((keys.len(), allowed(0), allowed(1)), (2, true, false));
    }

    #[test]
    fn numbers_stand_over_those_of_the_plan() {
        let text = "[limits]\nplan = 'free'\nchannel_rate = 7\nconnections = 3\nresume_window_seconds = 5";
        let limits = RelayConfig::default().with_toml(text).unwrap().hub.limits;
        assert_eq!((limits.channel_rate, limits.connection_rate), (Some(7), Some(50)));
        assert_eq!((limits.connections, limits.channels, limits.resume_window), (3, 200, Duration::from_secs(5)));
        assert!(error("[limits]\nplan = 'large'").why.contains("free"));
        let wrong = error("[limits]\nchannels = 5\nspeed = 7");
        assert!(wrong.line == Some(3) && wrong.why.contains("--help"), "{wrong}");
        assert_eq!(error("[limits]\n\nchannels = true").line, Some(3));
    }

    #[test]
    fn the_token_endpoint_is_on_where_the_file_names_its_key() {
        let endpoint = |text: &str| RelayConfig::default().with_toml(text).unwrap().hub.token_endpoint.unwrap();
        assert_eq!(endpoint("[token_endpoint]\nkey = 'a.b'"), TokenEndpoint::new("a.b"));
        let short = endpoint("[token_endpoint]\nkey = 'a.b'\nttl_seconds = 5");
        assert_eq!(short.ttl, Duration::from_secs(5));
    }

    #[test]
    fn an_error_names_the_line_or_the_key() {
        assert_eq!(error("\n\nlisten = 5").line, Some(3));
        assert!(error("\nkeyz = 5").to_string().starts_with("the configuration is wrong in line 2: unknown field"));
        assert!(error("[[keys]]\nkey = 'a.b:c'\n[[keys]]\nkey = 'x'").why.starts_with("key 2: an API key looks like"));
        assert!(error("[[keys]]\nkey = 'a.b:c'\ncapability = { x = ['fly'] }").why.contains("fly"));
    }

    #[test]
    fn an_error_does_not_show_a_secret() {
        for text in [
            "keys = 'a.b:s3cret'",
            "keys = ['a.b:s3cret']",
            "[[keys]]\nkey = 'a.b:s3cret",
            "[[keys]]\nkey = 'a.b:s3cret'\ncapability = 'a.b:s3cret'",
            "[[keys]]\nkey = 'a.b.s3cret'",
            "[limits]\nconnections = 's3cret'",
            "listen = 's3cret'",
        ] {
            let error = error(text);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
