//! Where a connection goes: the URL of the WebSocket with its parameters (`RTN2`), and whether that is allowed.

use core::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::{
    agent::agent,
    options::{ClientOptions, Credentials, Endpoint},
    output::HttpRequest,
};
use rooms_protocol::{ErrorCode, ErrorInfo, PROTOCOL_VERSION};

/// The routing policy of Ably's cloud that serves everybody (`REC1a`).
const DEFAULT_POLICY: &str = "main";

/// The regions of the fallback hosts (`REC2c`).
const FALLBACK_REGIONS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A checked place to connect to.
#[derive(Clone)]
pub(crate) struct Target {
    /// The first host, without the client's parameters.
    url: Url,
    /// The hosts to try when the first fails, in no order (`REC2`).
    pub(crate) fallbacks: Vec<String>,
    /// The parameters that are the same each time.
    query: Vec<(&'static str, String)>,
    /// Parameters that take the place of all others (`RTC1f1`).
    overrides: Vec<(String, String)>,
    /// What the client calls itself.
    agent: String,
}

/// The parameters hold the key, which is secret.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({:?})", self.url.host_str())
    }
}

impl Target {
    /// Reads and checks what the options say.
    ///
    /// # Errors
    /// Tells which option is wrong and what to write instead; trying again will not help.
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, ErrorInfo> {
        let (url, implied) = place(&options.endpoint)?;
        check_credentials(options, &url)?;
        if let Some(id) = &options.client_id
            && matches!(id.as_str(), "" | "*")
        {
            let message = "ClientOptions::client_id must be a name, neither empty nor *";
            return Err(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, message));
        }
        let fallbacks = options.fallback_hosts.clone().unwrap_or(implied);
        if let Some(host) = fallbacks.iter().find(|host| with_host(&url, host).is_none()) {
            let message = format!("ClientOptions::fallback_hosts: {host:?} is not the name of a host");
            return Err(ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, message));
        }
        let mut query = vec![
            ("v", PROTOCOL_VERSION.to_string()),
            ("format", options.format.name().to_owned()),
            // Browsers do not show pings to a page, so the server is asked for heartbeat frames everywhere.
            ("heartbeats", "true".to_owned()),
            ("echo", options.echo.to_string()),
        ];
        if let Credentials::Key(key) = &options.credentials
            && !options.use_token_auth
        {
            query.push(("key", key.clone()));
        }
        if let Some(id) = &options.client_id {
            query.push(("clientId", id.as_str().to_owned()));
        }
        let agent = agent(options.side);
        query.push(("agent", agent.clone()));
        let given = options.transport_params.iter();
        let overrides = given.map(|(name, value)| (name.to_string(), value.clone())).collect();
        Ok(Self { url, fallbacks, query, overrides, agent })
    }

    /// The URL to open at `host`, or else at the first, with `more` parameters.
    pub(crate) fn url(&self, host: Option<&str>, more: &[(&str, &str)]) -> String {
        let mut url = self.at(host);
        let ours = self.query.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied());
        let kept = ours.filter(|(name, _)| self.overrides.iter().all(|(over, _)| over != name));
        url.query_pairs_mut().extend_pairs(kept).extend_pairs(&self.overrides);
        url.into()
    }

    /// The name and the port of `host`, or else of the first host, for people.
    pub(crate) fn place(&self, host: Option<&str>) -> String {
        let url = self.at(host);
        let name = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
    }

    /// A request over HTTP to `host`, or else to the first host, without credentials: a POST of `body` as JSON, or a GET. It
    /// says which version of the protocol the client speaks, so that the answer has that version's form, and who asks
    /// (`CSV2c`, `RSC7e`, `RSC7d2`).
    pub(crate) fn request(&self, host: Option<&str>, path: &str, query: &str, body: Option<String>) -> HttpRequest {
        let mut url = self.http_url(host, path);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut headers = vec![
            ("Accept", "application/json".to_owned()),
            ("X-Ably-Version", PROTOCOL_VERSION.to_string()),
            ("Ably-Agent", self.agent.clone()),
        ];
        if body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        HttpRequest { url: url.into(), headers, body }
    }

    fn http_url(&self, host: Option<&str>, path: &str) -> Url {
        let mut url = self.at(host);
        let scheme = if url.scheme() == "wss" { "https" } else { "http" };
        // Among these schemes a change is always allowed.
        let changed = url.set_scheme(scheme);
        debug_assert_eq!(changed, Ok(()));
        url.set_path(path);
        url.set_query(None);
        url
    }

    fn at(&self, host: Option<&str>) -> Url {
        host.and_then(|host| with_host(&self.url, host)).unwrap_or_else(|| self.url.clone())
    }
}

/// The URL of an endpoint, and its fallback hosts (`REC1`, `REC2c`).
fn place(endpoint: &Endpoint) -> Result<(Url, Vec<String>), ErrorInfo> {
    let policy = match endpoint {
        Endpoint::Cloud => DEFAULT_POLICY,
        Endpoint::Url(text) => return Ok((parse(text)?, Vec::new())),
        Endpoint::Named(name) if name.contains("::") && !name.starts_with('[') => {
            return Ok((parse(&format!("wss://[{name}]/"))?, Vec::new()));
        }
        Endpoint::Named(name) if name.contains('.') || name.contains("::") || name == "localhost" => {
            return Ok((parse(&format!("wss://{name}/"))?, Vec::new()));
        }
        Endpoint::Named(name) => name,
    };
    let (id, primary, fallback) = match policy.strip_prefix("nonprod:") {
        Some(id) => (id, "realtime.ably-nonprod.net", "fallback.ably-realtime-nonprod.com"),
        None => (policy, "realtime.ably.net", "fallback.ably-realtime.com"),
    };
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let message = format!("{policy:?} names no part of the cloud; write it like main or nonprod:sandbox");
        return Err(ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, message));
    }
    let fallbacks = FALLBACK_REGIONS.map(|region| format!("{id}.{region}.{fallback}"));
    Ok((parse(&format!("wss://{id}.{primary}/"))?, fallbacks.to_vec()))
}

/// The same URL at another host; none where that is no host.
fn with_host(url: &Url, host: &str) -> Option<Url> {
    let mut url = url.clone();
    let bracketed = host.contains("::") && !host.starts_with('[');
    let host = if bracketed { format!("[{host}]") } else { host.to_owned() };
    // The parser would cut off what follows the host, silently.
    let is_host = !host.is_empty() && !host.contains(['/', '?', '#', '@', '\\', ' ']);
    (is_host && url.set_host(Some(&host)).is_ok()).then_some(url)
}

fn check_credentials(options: &ClientOptions, url: &Url) -> Result<(), ErrorInfo> {
    match &options.credentials {
        Credentials::Key(key) => {
            check_key(key)?;
            check_key_in_page(url, IN_WEB_PAGE)?;
            // A key that only signs is not sent.
            let may_be_read = url.scheme() == "ws" && !options.use_token_auth && !options.allow_plain_key;
            if may_be_read && !is_near(url) {
                let host = url.host_str().unwrap_or_default();
                let message = format!(
                    "an API key is not sent unencrypted to {host}, where others could read it; use a wss:// address, or set \
                     use_token_auth so that tokens are sent instead of the key. A program that uses rooms_client directly and \
                     trusts every network in between can also set ClientOptions::allow_plain_key"
                );
                return Err(ErrorInfo::new(ErrorCode::KEY_OVER_PLAIN_LINE, 401, message));
            }
            Ok(())
        }
        Credentials::TokenUrl(text) => match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
            _ => {
                let message = "the token URL is not a URL; write it like https://example.com/token";
                Err(ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, message))
            }
        },
        Credentials::Token(token) if token.is_empty() => Err(no_token()),
        Credentials::TokenDetails(details) if details.token.is_empty() => Err(no_token()),
        Credentials::Token(_) | Credentials::TokenDetails(_) | Credentials::Callback(_) => Ok(()),
    }
}

/// Whether this program is part of a web page.
const IN_WEB_PAGE: bool = cfg!(target_arch = "wasm32");

/// Everybody who opens a page can read all that is in it, also a key. That is harmless only if not everybody can reach the
/// server.
fn check_key_in_page(url: &Url, in_page: bool) -> Result<(), ErrorInfo> {
    if !in_page || is_near(url) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    let message = format!(
        "everybody can read an API key in a web page and use {host} with it; give the page a token URL \
         (Credentials::TokenUrl) or a callback that gets tokens. A key in a page is allowed only for a server on this machine \
         or in a private network"
    );
    Err(ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, message))
}

fn no_token() -> ErrorInfo {
    let message = "the token is empty; give a token, an API key, or a way to get tokens";
    ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, message)
}

fn parse(text: &str) -> Result<Url, ErrorInfo> {
    let wrong = |why: &str| {
        let message = format!("{text:?} is not an address to connect to: {why}; write it like ws://127.0.0.1:8787");
        ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, message)
    };
    // The address that a relay prints for browsers is its address for clients too.
    let socket = match text.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some(("https", rest)) => format!("wss://{rest}"),
        _ => text.to_owned(),
    };
    let mut url = Url::parse(&socket).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(wrong("it must begin with ws:// or wss://"));
    }
    url.set_fragment(None);
    Ok(url)
}

fn check_key(key: &str) -> Result<(), ErrorInfo> {
    let parts = key.split_once(':').and_then(|(name, secret)| Some((name.split_once('.')?, secret)));
    match parts {
        Some(((app, id), secret)) if !app.is_empty() && !id.is_empty() && !secret.is_empty() => Ok(()),
        _ => {
            let message = "the API key is not of the form APP.KEYID:SECRET; copy it whole from where it was issued";
            Err(ErrorInfo::new(ErrorCode::INVALID_CREDENTIALS, 401, message))
        }
    }
}

/// Whether the host is this machine or in a private network.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_near_v4(address),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => is_near_v4(mapped),
            None => is_near_v6(address),
        },
        // `.local` is resolved by multicast on the link and never leaves it.
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local")
        }
        None => false,
    }
}

fn is_near_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private() || address.is_link_local()
}

fn is_near_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::agent::AppSide;
    use rooms_protocol::Format;

    const KEY: &str = "app.id:se/cr+et";

    fn options(url: &str) -> ClientOptions {
        ClientOptions::new(Endpoint::Url(url.to_owned()), Credentials::Key(KEY.to_owned()))
    }

    fn code(options: &ClientOptions) -> Option<ErrorCode> {
        Target::new(options).err().map(|error| error.code)
    }

    #[test]
    fn the_url_carries_every_parameter() {
        let options = ClientOptions { client_id: Some("ada & bob".into()), echo: false, ..options("ws://[::1]:8787") };
        let target = Target::new(&options).unwrap();
        let url = Url::parse(&target.url(None, &[("resume", "k!ey")])).unwrap();
        assert_eq!((url.host_str(), url.port(), url.path()), (Some("[::1]"), Some(8787), "/"));
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let expected = [
            ("v", "6"),
            ("format", "json"),
            ("heartbeats", "true"),
            ("echo", "false"),
            ("key", KEY),
            ("clientId", "ada & bob"),
            ("agent", &agent(AppSide::Device)),
            ("resume", "k!ey"),
        ];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn the_url_asks_for_the_format_of_the_frames() {
        let options = ClientOptions { format: Format::MsgPack, ..options("ws://127.0.0.1") };
        assert!(Target::new(&options).unwrap().url(None, &[]).contains("&format=msgpack&"));
    }

    #[test]
    fn the_cloud_is_reached_over_tls() {
        // A key would do, but not in a page, where these tests run too.
        let options = ClientOptions::new(Endpoint::Cloud, Credentials::Token("token".to_owned()));
        let url = Target::new(&options).unwrap().url(None, &[]);
        assert!(url.starts_with("wss://main.realtime.ably.net/?v=6&"), "{url}");
    }

    #[test]
    fn a_key_in_a_web_page_goes_only_to_this_machine_or_a_private_network() {
        let refused = |text: &str, in_page| check_key_in_page(&Url::parse(text).unwrap(), in_page).err();
        for near in ["ws://127.0.0.1:8787", "ws://[::1]", "ws://localhost", "ws://192.168.1.20", "ws://den.local"] {
            assert_eq!(refused(near, true), None, "{near}");
        }
        for far in ["wss://main.realtime.ably.net", "wss://game.example", "wss://203.0.113.7"] {
            assert_eq!(refused(far, true).map(|error| error.code), Some(ErrorCode::NO_AUTH_METHOD), "{far}");
            assert_eq!(refused(far, false), None, "{far}");
        }
    }

    /// In a page a key goes nowhere else at all.
    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn a_key_goes_over_a_plain_line_only_to_this_machine_or_a_private_network() {
        let near = ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.7:99", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]"];
        for host in near {
            assert_eq!(code(&options(&format!("ws://{host}"))), None, "{host}");
        }
        for host in ["example.com", "8.8.8.8", "[2001:db8::1]", "[::ffff:8.8.8.8]", "localhost.example.com"] {
            assert_eq!(code(&options(&format!("ws://{host}"))), Some(ErrorCode::KEY_OVER_PLAIN_LINE), "{host}");
            assert_eq!(code(&options(&format!("wss://{host}"))), None, "{host}");
            let trusted = ClientOptions { allow_plain_key: true, ..options(&format!("ws://{host}")) };
            assert_eq!(code(&trusted), None, "{host}");
        }
    }

    #[test]
    fn the_address_that_a_relay_prints_will_do() {
        let url = Target::new(&options("http://127.0.0.1:8787")).unwrap().url(None, &[]);
        assert!(url.starts_with("ws://127.0.0.1:8787/?"), "{url}");
    }

    #[test]
    fn a_wrong_place_key_or_name_is_told_apart() {
        for url in ["", "127.0.0.1:8787", "ftp://x", "ws://", "ws://a b"] {
            assert_eq!(code(&options(url)), Some(ErrorCode::INVALID_PARAMETER), "{url:?}");
        }
        for key in ["", "app.id", "appid:secret", ".id:secret", "app.:secret", "app.id:"] {
            let options = ClientOptions { credentials: Credentials::Key(key.to_owned()), ..options("ws://127.0.0.1") };
            let error = Target::new(&options).unwrap_err();
            assert_eq!(error.code, ErrorCode::INVALID_CREDENTIALS, "{key:?}");
            assert!(key.is_empty() || !error.message.contains(key), "the key is not repeated");
        }
        for id in ["", "*"] {
            let options = ClientOptions { client_id: Some(id.into()), ..options("ws://127.0.0.1") };
            assert_eq!(code(&options), Some(ErrorCode::INVALID_CLIENT_ID), "{id:?}");
        }
    }

    fn hosts(endpoint: Endpoint) -> (String, Vec<String>) {
        let target = Target::new(&ClientOptions::new(endpoint, Credentials::Token("token".to_owned()))).unwrap();
        (target.url.host_str().unwrap().to_owned(), target.fallbacks)
    }

    #[test]
    fn an_endpoint_by_name_follows_the_table() {
        let named = |name: &str| hosts(Endpoint::Named(name.to_owned()));
        let regions =
            |id: &str, domain: &str| FALLBACK_REGIONS.map(|region| format!("{id}.{region}.{domain}")).to_vec();
        assert_eq!(hosts(Endpoint::Cloud).1, regions("main", "fallback.ably-realtime.com"));
        assert_eq!(named("acme"), ("acme.realtime.ably.net".into(), regions("acme", "fallback.ably-realtime.com")));
        let nonprod = regions("sandbox", "fallback.ably-realtime-nonprod.com");
        assert_eq!(named("nonprod:sandbox"), ("sandbox.realtime.ably-nonprod.net".into(), nonprod));
        for (name, host) in [("example.com", "example.com"), ("localhost", "localhost"), ("::1", "[::1]")] {
            assert_eq!(named(name), (host.to_owned(), vec![]));
        }
    }

    #[test]
    fn parameters_of_the_game_stand_over_the_clients() {
        let transport_params = [("v".into(), "9".to_owned()), ("x".into(), "1".to_owned())].into();
        let target = Target::new(&ClientOptions { transport_params, ..options("ws://127.0.0.1") }).unwrap();
        let url = Url::parse(&target.url(None, &[])).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let ours = pairs.iter().filter(|(name, _)| matches!(name.as_str(), "v" | "x"));
        let ours: Vec<_> = ours.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(ours, [("v", "9"), ("x", "1")]);
    }

    #[test]
    fn a_fallback_host_takes_the_place_of_the_first_one_only() {
        let fallback_hosts = Some(vec!["b.example".to_owned(), "::1".to_owned()]);
        let target = Target::new(&ClientOptions { fallback_hosts, ..options("ws://127.0.0.1:99") }).unwrap();
        assert!(target.url(Some("b.example"), &[]).starts_with("ws://b.example:99/?v=6&"));
        assert_eq!(target.http_url(Some("::1"), "/time").as_str(), "http://[::1]:99/time");
        for host in ["", "a/b", "a b", "u@h"] {
            let fallback_hosts = Some(vec![host.to_owned()]);
            let wrong = ClientOptions { fallback_hosts, ..options("ws://127.0.0.1") };
            assert_eq!(code(&wrong), Some(ErrorCode::INVALID_PARAMETER), "{host:?}");
        }
    }

    #[test]
    fn a_token_goes_over_any_line() {
        let credentials = Credentials::Token("abc".to_owned());
        assert_eq!(code(&ClientOptions { credentials, ..options("ws://example.com") }), None);
        let credentials = Credentials::Token(String::new());
        assert_eq!(code(&ClientOptions { credentials, ..options("ws://127.0.0.1") }), Some(ErrorCode::NO_AUTH_METHOD));
    }

    #[test]
    fn the_key_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Target::new(&options("ws://127.0.0.1")).unwrap()).contains("se"));
    }
}
