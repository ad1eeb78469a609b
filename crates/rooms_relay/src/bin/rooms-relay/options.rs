//! The command line, and the configuration that it leads to.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZero,
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use rooms_protocol::DEFAULT_RELAY_PORT;
use rooms_relay::{
    AddressRange, ApiKey, CloudPlan, LimitError, LimitInfo, Limits, RelayConfig, TlsFiles, TokenEndpoint,
};

use super::{Failure, logging::LogFormat};

/// A relay for bevy_rooms: games on this machine or network meet here, without an account.
// One field for each flag, since whoever runs the program sets each of them alone.
#[derive(Clone, Debug, Parser)]
#[command(version, after_long_help = help_about_limits())]
pub(super) struct Options {
    /// A TOML file with the configuration; flags override it. Other users of the machine can see flags, but not the file. It may
    /// have listen, serve, metrics, drain_seconds, trusted_proxies, and the tables tls (certificate, key), keys (key,
    /// capability), token_endpoint (key, ttl_seconds, every_channel) and limits (plan, and the limits that --help lists). SIGHUP
    /// has the program read it again: keys, limits and the certificate count from then on, and only clients whose key is gone are
    /// disconnected.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The address to listen on: 0.0.0.0 for the whole network, port 0 for a free port [default: 127.0.0.1:8787].
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse_listen)]
    listen: Option<SocketAddr>,

    /// An API key that clients may connect with; repeat the flag for more keys. What the key allows may follow:
    /// '={"room:*":["publish","subscribe"]}'. Without a key, a development key works on loopback.
    #[arg(long = "key", value_name = "APP.KEYID:SECRET")]
    keys: Vec<KeyText>,

    /// Give tokens at /token?room=…&player=… to whoever asks, made with the key of this name. With --serve, a request without
    /// a room, as the page makes it, gets a token for everything that the key allows.
    #[arg(long, value_name = "APP.KEYID")]
    token_endpoint: Option<String>,

    /// Serve the web page in this folder too, so that players only need the link. Whoever reaches the relay gets tokens for the
    /// page; beyond loopback these are made with a key of this run alone, unless --key names one.
    #[arg(long, value_name = "FOLDER")]
    serve: Option<PathBuf>,

    /// Take connections over TLS alone, with the certificate in this file (PEM, with those between it and one that clients
    /// trust).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// A proxy in front of the relay, which tells the addresses of clients in X-Forwarded-For or Forwarded; repeat the flag for
    /// more. Without it, all clients behind a proxy share its address, and the share of one.
    #[arg(long = "trusted-proxy", value_name = "ADDR[/BITS]")]
    trusted_proxies: Vec<AddressRange>,

    /// An address for operators alone, without a key: /health, /ready, /metrics for Prometheus, and from this machine POST
    /// /drain.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<SocketAddr>,

    /// Disconnect clients in portions within this time when the program is asked to end [default: 0].
    #[arg(long, value_name = "SECONDS")]
    drain_seconds: Option<u32>,

    /// Enforce the limits of a plan of Ably's cloud, so that a game that runs here runs there: none, free, standard or pro.
    #[arg(long, value_name = "PLAN", value_parser = parse_limits)]
    limits: Option<PlanLimits>,

    /// Set one limit; repeat the flag for more. --help lists all limits.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = parse_limit)]
    single_limits: Vec<SingleLimit>,

    /// Bytes that the relay holds for all its clients, such as "512 MiB" [default: a quarter of the machine's memory or of its
    /// cgroup's, 2 GiB at most]. The same as --limit memory=SIZE.
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<SingleLimit>,

    /// Threads that serve clients [default: as many as there are cores]. With one, a message costs the least; with several,
    /// clients wait for each other the least.
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZero<u16>>,

    /// Check the configuration, print it as it works without its secrets, and end. Warnings are comments in it.
    #[arg(long)]
    pub(super) check: bool,

    /// How lines of the log are written to standard error: text for people, or json. RUST_LOG chooses which lines.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) log_format: LogFormat,

    /// Let anybody make apps with keys of their own, as the test suites of SDKs do. On loopback only.
    #[arg(long)]
    sandbox: bool,
}

/// A key that is read later: the parser of flags would print a wrong one with its secret.
#[derive(Clone)]
struct KeyText(String);

impl From<String> for KeyText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// The plan whose limits are enforced, if any. It is a type of its own, since clap reads an `Option` as an absent flag.
#[derive(Clone, Copy, Debug)]
struct PlanLimits(Option<CloudPlan>);

/// One limit and its value, which is right for it.
#[derive(Clone, Debug)]
struct SingleLimit(&'static LimitInfo, String);

impl SingleLimit {
    fn new(name: &str, value: &str) -> Result<Self, LimitError> {
        let limit = LimitInfo::named(name)?;
        limit.set(&mut Limits::default(), value)?;
        Ok(Self(limit, value.to_owned()))
    }
}

fn parse_limit(text: &str) -> Result<SingleLimit, String> {
    let (name, value) = text.split_once('=').ok_or("a limit and its value, such as connections=500")?;
    SingleLimit::new(name, value).map_err(|error| error.to_string())
}

fn parse_memory(text: &str) -> Result<SingleLimit, LimitError> {
    SingleLimit::new("memory", text)
}

/// All limits, for the end of `--help`.
fn help_about_limits() -> String {
    let head = "Limits, for the table [limits] of the configuration file and for --limit. Bytes may have a unit (KiB, MiB, GiB), \
                and none turns a rate off.\n";
    LimitInfo::all().iter().fold(head.to_owned(), |text, limit| {
        let (name, unit, default) = (limit.name, limit.unit(), limit.default_value());
        let default = default.trim_matches('"');
        let refusal = if limit.code == "-" { String::new() } else { format!("; beyond it: {}", limit.code) };
        text + &format!("\n  {name} ({unit}) [default: {default}]\n          {}{refusal}\n", limit.what)
    })
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let alone = || text.trim_matches(['[', ']']).parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, DEFAULT_RELAY_PORT));
    text.parse().ok().or_else(alone).ok_or_else(|| "an address such as 127.0.0.1:8787, 0.0.0.0 or [::]:8787".to_owned())
}

fn parse_limits(text: &str) -> Result<PlanLimits, String> {
    if text == "none" {
        return Ok(PlanLimits(None));
    }
    text.parse().map(|plan| PlanLimits(Some(plan))).map_err(|_| "one of none, free, standard and pro".to_owned())
}

/// The configuration of the file, with the flags over it.
pub(super) fn configure(options: &Options) -> Result<RelayConfig, Failure> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_RELAY_PORT));
    let mut config = RelayConfig { listen, ..RelayConfig::default() };
    if let Some(path) = &options.config {
        let text = fs::read_to_string(path).map_err(|error| Failure::Config { path: path.clone(), error })?;
        config = config.with_toml(&text).map_err(|error| Failure::ConfigForm { path: path.clone(), error })?;
    }
    config.listen = options.listen.unwrap_or(config.listen);
    if !options.keys.is_empty() {
        let keys = options.keys.iter().map(|text| text.0.parse::<ApiKey>());
        config.hub.keys = keys.collect::<Result<_, _>>()?;
    }
    if let Some(PlanLimits(plan)) = options.limits {
        let memory = config.hub.limits.memory;
        config.hub.limits = Limits { memory, ..plan.map_or_else(Limits::default, Limits::of_plan) };
    }
    for SingleLimit(limit, value) in options.single_limits.iter().chain(&options.memory) {
        limit.set(&mut config.hub.limits, value)?;
    }
    config.hub.sandbox |= options.sandbox;
    config.serve = options.serve.clone().or(config.serve);
    if !options.trusted_proxies.is_empty() {
        config.trusted_proxies.clone_from(&options.trusted_proxies);
    }
    config.metrics = options.metrics.or(config.metrics);
    config.drain = options.drain_seconds.map_or(config.drain, |seconds| Duration::from_secs(seconds.into()));
    if let (Some(certificate), Some(key)) = (options.tls_cert.clone(), options.tls_key.clone()) {
        config.tls = Some(TlsFiles { certificate, key });
    }
    if let Some(name) = &options.token_endpoint {
        let endpoint = TokenEndpoint::new(name);
        config.hub.token_endpoint = Some(if config.serve.is_some() { endpoint.for_every_channel() } else { endpoint });
    }
    Ok(config)
}
