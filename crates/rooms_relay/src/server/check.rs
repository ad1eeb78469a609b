//! Whether a configuration makes sense: what cannot work is an error, and what hardly works as it was meant a warning.

use std::fmt;

use smol_str::SmolStr;

use super::{
    config::RelayConfig,
    error::RelayError,
    limit_table::LimitInfo,
    memory,
    tls::{Tls, TlsFiles},
};
use crate::{
    ApiKey, Limits, TokenEndpoint, auth::token::MAX_TTL as LONGEST_TTL, budget::LARGEST_PART, limits::LONGEST,
};

/// Shortest secret that others on the network may try to guess, in bytes. A shorter one is found in minutes.
const SHORTEST_SECRET: usize = 6;

/// Shortest secret that nobody guesses from a token, which its holder can try at home. It is 128 bits as text.
const GOOD_SECRET: usize = 16;

/// Files that the program needs beside its sockets.
const FILES: usize = 64;

/// The smallest memory budget that carries a few rooms.
const SMALL_MEMORY: usize = 16 * 1024 * 1024;

/// Limits that must not be zero, and why.
const NEVER_ZERO: [(&str, &str); 13] = [
    ("memory", "nothing could be held for clients"),
    ("connections", "nobody could connect"),
    ("connections_per_client", "nobody could connect"),
    ("connections_per_key", "nobody could connect"),
    ("sockets_per_address", "nobody could connect"),
    ("http_sockets", "nobody could connect"),
    ("handshake_timeout_seconds", "nobody could connect in time"),
    ("channels", "nobody could attach"),
    ("channels_per_connection", "nobody could attach"),
    ("max_frame_size", "nobody could send anything"),
    ("messages_per_frame", "nobody could publish"),
    ("queue_frames", "nobody would receive anything"),
    ("queue_bytes", "nobody would receive anything"),
];

/// Limits that may be zero, and what that means.
const HARDLY_ZERO: [(&str, &str); 15] = [
    ("max_message_size", "no message may have a name or data"),
    ("channels_per_client", "only clients without an id bring channels into being"),
    ("channels_per_address", "nobody brings channels into being"),
    ("members_per_channel", "nobody enters presence"),
    ("connection_rate", "nobody publishes over a connection"),
    ("channel_rate", "nobody publishes"),
    ("channel_bandwidth", "nobody publishes"),
    ("account_rate", "nobody publishes"),
    ("new_connection_rate", "nobody connects"),
    ("new_channel_rate", "nobody brings channels into being"),
    ("connection_state_ttl_seconds", "a connection that drops for a moment cannot be resumed"),
    ("max_idle_interval_seconds", "clients that vanish are noticed by the system alone, much later"),
    ("remain_present_for_seconds", "members leave when their connection drops for a moment"),
    ("replay_window_seconds", "clients that come back miss what was sent meanwhile"),
    ("resume_window_seconds", "clients that come back miss what was sent meanwhile"),
];

/// Something in a configuration that works, but hardly as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// A limit has a value that hardly makes sense.
    Limit {
        /// The name of the limit.
        name: &'static str,
        /// What its value means.
        why: &'static str,
    },
    /// The secret of a key is so short that whoever has a token of it can guess it.
    ShortSecret {
        /// The name of the key.
        key: SmolStr,
    },
    /// A key is there twice.
    DoubleKey {
        /// The name of the key.
        key: SmolStr,
    },
    /// Tokens for games live longer than a token may.
    LongTokens,
    /// The system lets the process open fewer files than there may be sockets.
    Files {
        /// How many the relay may need.
        needed: usize,
        /// How many it may open.
        allowed: usize,
    },
    /// The memory budget is most of the machine's memory.
    Memory,
    /// Others reach the relay, and nothing encrypts what they send.
    PlainText,
    /// Others reach the address for operators.
    MetricsExposed,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit { name, why } => write!(f, "the limit {name}: {why}"),
            Self::ShortSecret { key } => write!(
                f,
                "the secret of the key {key} has fewer than {GOOD_SECRET} bytes; whoever gets a token can guess it"
            ),
            Self::DoubleKey { key } => {
                write!(f, "the key {key} is there twice with the same secret; one of them counts")
            }
            Self::LongTokens => f.write_str("tokens for games live a day at most, whatever ttl_seconds says"),
            Self::Files { needed, allowed } => write!(
                f,
                "the limits allow {needed} open files, but the system only {allowed}; raise its limit (ulimit -n, \
                 LimitNOFILE), or lower connections"
            ),
            Self::PlainText => f.write_str(
                "keys and tokens go over the network as plain text: give a certificate (tls), or let a proxy with one stand in \
                 front and listen on 127.0.0.1",
            ),
            Self::MetricsExposed => f.write_str("whoever reaches the address of metrics reads them without a key"),
            Self::Memory => f.write_str("the memory budget is more than three quarters of what the machine has"),
        }
    }
}

impl RelayConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`RelayError`] says what, and what to do.
    pub fn check(&self) -> Result<(), RelayError> {
        let hub = &self.hub;
        if hub.keys.is_empty() {
            return Err(RelayError::NoKey);
        }
        if let Some(TokenEndpoint { key: name, ttl, .. }) = &hub.token_endpoint {
            if !hub.keys.iter().any(|key| key.name() == name) {
                return Err(RelayError::UnknownTokenKey { name: name.clone() });
            }
            if ttl.is_zero() {
                return Err(RelayError::DeadTokens);
            }
        }
        let is_exposed = !self.listen.ip().is_loopback();
        if is_exposed && hub.sandbox {
            return Err(RelayError::SandboxExposed { addr: self.listen });
        }
        if is_exposed && hub.keys.iter().any(ApiKey::is_development) {
            return Err(RelayError::DevelopmentKeyExposed { addr: self.listen });
        }
        if let Some(key) = hub.keys.iter().find(|key| is_exposed && key.secret().len() < SHORTEST_SECRET) {
            return Err(RelayError::WeakKey { name: key.name().into() });
        }
        if let Some(files) = &self.tls {
            Tls::read(files)?;
        }
        for (name, why) in NEVER_ZERO {
            if is_zero(name, &hub.limits) {
                return Err(RelayError::ZeroLimit { name, why });
            }
        }
        Ok(())
    }

    /// What works, but hardly as it was meant.
    pub fn warnings(&self) -> Vec<ConfigWarning> {
        let hub = &self.hub;
        let mut warnings = limit_warnings(&hub.limits);
        for (index, key) in hub.keys.iter().enumerate() {
            if !key.is_development() && key.secret().len() < GOOD_SECRET {
                warnings.push(ConfigWarning::ShortSecret { key: key.name().into() });
            }
            if hub.keys[..index].iter().any(|other| other.is(key.name(), key.secret())) {
                warnings.push(ConfigWarning::DoubleKey { key: key.name().into() });
            }
        }
        if hub.token_endpoint.as_ref().is_some_and(|endpoint| endpoint.ttl > LONGEST_TTL) {
            warnings.push(ConfigWarning::LongTokens);
        }
        let needed = hub.limits.connections.saturating_add(hub.limits.http_sockets).saturating_add(FILES);
        warnings.extend(
            open_files().filter(|allowed| *allowed < needed).map(|allowed| ConfigWarning::Files { needed, allowed }),
        );
        if !self.listen.ip().is_loopback() && self.tls.is_none() {
            warnings.push(ConfigWarning::PlainText);
        }
        if self.metrics.is_some_and(|metrics| !metrics.ip().is_loopback()) {
            warnings.push(ConfigWarning::MetricsExposed);
        }
        let budget = hub.limits.memory.and_then(|bytes| u64::try_from(bytes).ok());
        if budget.zip(memory::of_process()).is_some_and(|(budget, most)| budget > most / 4 * 3) {
            warnings.push(ConfigWarning::Memory);
        }
        warnings
    }

    /// The configuration as it works, in the form of the configuration file, with what follows from the machine and without
    /// secrets.
    pub fn summary(&self) -> String {
        let hub = &self.hub;
        let mut text = format!("listen = \"{}\"\n", self.listen);
        if let Some(folder) = &self.serve {
            text += &format!("serve = {:?}\n", folder.display().to_string());
        }
        if let Some(metrics) = self.metrics {
            text += &format!("metrics = \"{metrics}\"\n");
        }
        let proxies = self.trusted_proxies.iter().map(|range| format!("\"{range}\"")).collect::<Vec<_>>().join(", ");
        text += &format!("trusted_proxies = [{proxies}]\n");
        text += &format!("drain_seconds = {}\n", self.drain.as_secs());
        if let Some(TlsFiles { certificate, key }) = &self.tls {
            let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
            text += &format!("\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        }
        for key in &hub.keys {
            text += &format!("\n[[keys]]\nkey = \"{}:…\"\n", key.name());
            text += &format!("# capability: {}\n", key.capability());
        }
        if let Some(endpoint) = &hub.token_endpoint {
            let (key, ttl, every) = (&endpoint.key, endpoint.ttl.min(LONGEST_TTL).as_secs(), endpoint.every_channel);
            text += &format!("\n[token_endpoint]\nkey = {key:?}\nttl_seconds = {ttl}\nevery_channel = {every}\n");
        }
        let memory = hub.limits.memory.unwrap_or_else(memory::default_budget);
        let limits = Limits { memory: Some(memory), ..hub.limits.clone() };
        text += "\n[limits]\n";
        LimitInfo::all().iter().fold(text, |text, limit| text + &format!("{} = {}\n", limit.name, limit.value(&limits)))
    }
}

fn is_zero(name: &str, limits: &Limits) -> bool {
    LimitInfo::named(name).is_ok_and(|limit| limit.is_zero(limits))
}

fn limit_warnings(limits: &Limits) -> Vec<ConfigWarning> {
    let zero = HARDLY_ZERO.into_iter().filter(|(name, _)| is_zero(name, limits));
    let memory = limits.memory.unwrap_or(usize::MAX);
    let others = [
        (memory < SMALL_MEMORY, "memory", "so little memory carries a few small rooms at most"),
        (
            limits.max_frame_size > memory / LARGEST_PART,
            "max_frame_size",
            "a frame of that size is refused even by an idle relay, since it is more than an eighth of its memory",
        ),
        (limits.max_message_size > limits.max_frame_size, "max_message_size", "such a message fits into no frame"),
        (limits.queue_bytes < limits.max_frame_size, "queue_bytes", "a reader of one large frame is cut off"),
        (limits.queue_bytes > memory, "queue_bytes", "one socket may hold more than all may together"),
        (
            limits.resume_window > limits.replay_window,
            "resume_window_seconds",
            "no channel keeps messages for so long; raise replay_window_seconds too",
        ),
        (limits.connection_state_ttl > LONGEST, "connection_state_ttl_seconds", "a year is the longest"),
    ];
    let others = others.into_iter().filter(|(is_odd, ..)| *is_odd).map(|(_, name, why)| (name, why));
    zero.chain(others).map(|(name, why)| ConfigWarning::Limit { name, why }).collect()
}

/// How many files the process may open. `None` where that has no limit, or is not known.
#[cfg(unix)]
fn open_files() -> Option<usize> {
    let soft = rlimit::Resource::NOFILE.get_soft().ok().filter(|soft| *soft != rlimit::INFINITY)?;
    usize::try_from(soft).ok()
}

/// How many files the process may open. `None` where that has no limit, or is not known.
#[cfg(not(unix))]
fn open_files() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(change: impl FnOnce(&mut RelayConfig)) -> RelayConfig {
        let mut config = RelayConfig::default();
        config.hub.limits.connections = 10;
        config.hub.limits.http_sockets = 10;
        change(&mut config);
        config
    }

    #[test]
    fn the_limits_that_are_checked_exist() {
        for (name, _) in NEVER_ZERO.into_iter().chain(HARDLY_ZERO) {
            assert!(LimitInfo::named(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_defaults_are_without_fault() {
        let config = config(|_| {});
        assert!(config.check().is_ok());
        assert_eq!(config.warnings(), []);
    }

    #[test]
    fn what_cannot_work_is_an_error() {
        let error = |change: fn(&mut RelayConfig)| config(change).check().unwrap_err().to_string();
        assert!(error(|config| config.hub.limits.connections = 0).contains("connections"));
        assert!(error(|config| config.hub.limits.handshake_timeout = Duration::ZERO).contains("handshake_timeout"));
        assert!(error(|config| config.hub.limits.memory = Some(0)).contains("memory"));
        assert!(
            error(|config| {
                config.hub.token_endpoint =
                    Some(TokenEndpoint { ttl: Duration::ZERO, ..TokenEndpoint::new("rooms.dev") });
            })
            .contains("ttl")
        );
        let weak = config(|config| {
            config.listen = ([0, 0, 0, 0], 0).into();
            config.hub.keys = vec!["a.b:s".parse().unwrap()];
        });
        assert!(matches!(weak.check(), Err(RelayError::WeakKey { name }) if name == "a.b"));
        let alone = RelayConfig { listen: ([127, 0, 0, 1], 0).into(), ..weak };
        assert!(alone.check().is_ok(), "nobody else reaches it");
    }

    #[test]
    fn what_hardly_works_is_a_warning() {
        let warnings = |change: fn(&mut RelayConfig)| {
            let warnings = config(change).warnings();
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert!(warnings(|config| config.listen = ([0, 0, 0, 0], 0).into()).contains("plain text"));
        assert!(warnings(|config| config.metrics = Some(([0, 0, 0, 0], 1).into())).contains("metrics"));
        assert!(warnings(|config| config.hub.limits.replay_window = Duration::ZERO).contains("replay_window_seconds"));
        assert!(warnings(|config| config.hub.limits.memory = Some(1 << 20)).contains("max_frame_size"));
        assert!(warnings(|config| config.hub.limits.memory = Some(usize::MAX)).contains("machine"));
        assert!(warnings(|config| config.hub.keys = vec!["a.b:hush".parse().unwrap()]).contains("a.b"));
        let twice = warnings(|config| config.hub.keys = vec![ApiKey::development(), ApiKey::development()]);
        assert!(twice.contains("twice"), "{twice}");
        let endpoint = |config: &mut RelayConfig| {
            config.hub.token_endpoint = Some(TokenEndpoint { ttl: Duration::MAX, ..TokenEndpoint::new("rooms.dev") });
        };
        assert!(warnings(endpoint).contains("a day"));
        #[cfg(unix)]
        assert!(warnings(|config| config.hub.limits.connections = usize::MAX).contains("ulimit"));
    }

    #[test]
    fn a_summary_is_a_configuration_and_shows_no_secret() {
        let config = config(|config| {
            config.hub.keys = vec![r#"a.b:s3cret={"x":["publish"]}"#.parse().unwrap()];
            config.hub.token_endpoint = Some(TokenEndpoint::new("a.b"));
            config.hub.limits.queue_bytes = 12_345_678;
        });
        let summary = config.summary();
        assert!(!summary.contains("s3cret") && summary.contains(r#"{"x":["publish"]}"#), "{summary}");
        let read = RelayConfig::default().with_toml(&summary).unwrap();
        assert_eq!((read.listen, read.hub.token_endpoint), (config.listen, config.hub.token_endpoint));
        let memory = Some(memory::default_budget());
        assert_eq!(read.hub.limits, Limits { memory, ..config.hub.limits });
    }
}
