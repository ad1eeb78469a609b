//! The relay's configuration, and its form as a TOML file: keys that should not be seen in a list of processes, and limits.
//!
//! The program reads the file from disk.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::{error::RelayError, files};
use crate::{ApiKey, Capability, CloudPlan, HubConfig, Limits, TokenEndpoint};

/// The beginning of messages about types that contain the value that was found. It may be a secret.
const FOUND_VALUE: &str = "invalid type: string";

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
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), hub: HubConfig::default(), serve: None }
    }
}

impl RelayConfig {
    /// The same configuration with what the page in the folder needs, if there is one.
    pub(super) fn with_what_a_page_needs(mut self) -> Result<Self, RelayError> {
        let Some(folder) = &self.serve else { return Ok(self) };
        if !folder.join(files::INDEX).is_file() {
            return Err(RelayError::NoPage { folder: folder.clone() });
        }
        let hub = &mut self.hub;
        if !self.listen.ip().is_loopback() && matches!(&hub.keys[..], [key] if key.is_development()) {
            let mut secret = [0; 16];
            getrandom::fill(&mut secret).map_err(RelayError::Random)?;
            hub.keys = vec![ApiKey::of_run(secret)];
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

    fn at(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let why = match error.message() {
            message if message.contains(FOUND_VALUE) => "a text does not belong here".to_owned(),
            message => message.to_owned(),
        };
        Self { line, why }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    #[serde(default)]
    keys: Vec<Key>,
    #[serde(default)]
    limits: FileLimits,
    token_endpoint: Option<Endpoint>,
    serve: Option<PathBuf>,
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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLimits {
    plan: Option<String>,
    max_message_size: Option<usize>,
    connection_rate: Option<u32>,
    channel_rate: Option<u32>,
    delivery_rate: Option<u32>,
    account_rate: Option<u32>,
    channels_per_connection: Option<usize>,
    members_per_channel: Option<usize>,
    connections: Option<usize>,
    channels: Option<usize>,
    resume_window_seconds: Option<u64>,
}

impl FileLimits {
    /// The limits before with those of the file over them. A plan replaces all of them.
    fn over(&self, before: Limits) -> Result<Limits, ConfigError> {
        let mut limits = match self.plan.as_deref() {
            None => before,
            Some("none") => Limits::default(),
            Some(plan) => {
                let plan = plan.parse::<CloudPlan>();
                Limits::of_plan(plan.map_err(|_| ConfigError::whole("plan is none, free, standard or pro"))?)
            }
        };
        limits.connection_rate = self.connection_rate.or(limits.connection_rate);
        limits.channel_rate = self.channel_rate.or(limits.channel_rate);
        limits.delivery_rate = self.delivery_rate.or(limits.delivery_rate);
        limits.account_rate = self.account_rate.or(limits.account_rate);
        limits.resume_window = self.resume_window_seconds.map_or(limits.resume_window, Duration::from_secs);
        for (limit, asked) in [
            (&mut limits.max_message_size, self.max_message_size),
            (&mut limits.channels_per_connection, self.channels_per_connection),
            (&mut limits.members_per_channel, self.members_per_channel),
            (&mut limits.connections, self.connections),
            (&mut limits.channels, self.channels),
        ] {
            *limit = asked.unwrap_or(*limit);
        }
        Ok(limits)
    }
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
    ///
    ///     ## A key without a capability allows everything.
    ///     [[keys]]
    ///     key = "game.server:a-long-secret"
    ///
    ///     [[keys]]
    ///     key = "game.players:another-secret"
    ///     capability = { "room:*" = ["presence", "publish", "subscribe"] }
    ///
    ///     ## Gives tokens at /token?room=…&player=… to whoever reaches the relay. Off unless it is here.
    ///     [token_endpoint]
    ///     key = "game.players"
    ///     ttl_seconds = 3600
    ///     ## Whether a request without a room gets a token for everything that the key allows, as a page of the relay needs.
    ///     every_channel = false
    ///
    ///     ## A plan of Ably's cloud (none, free, standard, pro), and numbers that differ from it.
    ///     [limits]
    ///     plan = "free"
    ///     members_per_channel = 50
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
        self.hub.limits = file.limits.over(self.hub.limits)?;
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
