//! Where a connection goes: the URL of the WebSocket with its parameters (`RTN2`), and whether it may go there.

use core::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::options::{ClientOptions, Credentials, Endpoint};
use crate::protocol::{ConnectionKey, ErrorCode, ErrorInfo, PROTOCOL_VERSION};

/// Ably's cloud (`REC1a`).
const CLOUD: &str = "wss://main.realtime.ably.net/";

/// What the client calls itself to the server (`RTN2g`).
const AGENT: &str = concat!("bevy_rooms/", env!("CARGO_PKG_VERSION"));

/// A checked place to connect to.
#[derive(Clone)]
pub(super) struct Target {
    url: Url,
}

/// The URL holds the key, which is secret.
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
    pub(super) fn new(options: &ClientOptions) -> Result<Self, ErrorInfo> {
        let mut url = match &options.endpoint {
            Endpoint::Cloud => parse(CLOUD)?,
            Endpoint::Url(text) => parse(text)?,
        };
        let Credentials::Key(key) = &options.credentials;
        check_key(key)?;
        if url.scheme() == "ws" && !options.allow_plain_key && !is_near(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(ErrorInfo::new(
                ErrorCode::KEY_OVER_PLAIN_LINE,
                401,
                format!(
                    "an API key does not go over an unencrypted line to {host}, where others could read it; use \
                     wss://, or set ClientOptions::allow_plain_key if you trust every network in between"
                ),
            ));
        }
        if let Some(id) = &options.client_id
            && matches!(id.as_str(), "" | "*")
        {
            let message = "ClientOptions::client_id must be a name of its own, neither empty nor *";
            return Err(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, message));
        }
        let mut query = url.query_pairs_mut();
        query.append_pair("v", &PROTOCOL_VERSION.to_string());
        query.append_pair("format", "json");
        // Browsers do not show pings to a page, so the server is asked for heartbeat frames everywhere.
        query.append_pair("heartbeats", "true");
        query.append_pair("echo", if options.echo { "true" } else { "false" });
        query.append_pair("key", key);
        if let Some(id) = &options.client_id {
            query.append_pair("clientId", id.as_str());
        }
        query.append_pair("agent", AGENT);
        drop(query);
        Ok(Self { url })
    }

    /// The URL to open, which asks to go on with the connection that `resume` is the key of.
    pub(super) fn url(&self, resume: Option<&ConnectionKey>) -> String {
        let mut url = self.url.clone();
        if let Some(key) = resume {
            url.query_pairs_mut().append_pair("resume", key.as_str());
        }
        url.into()
    }
}

fn parse(text: &str) -> Result<Url, ErrorInfo> {
    let wrong = |why: &str| {
        let message = format!("{text:?} is no place to connect to: {why}; write it like ws://127.0.0.1:8787");
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
        let url = Url::parse(&target.url(Some(&"k!ey".into()))).unwrap();
        assert_eq!((url.host_str(), url.port(), url.path()), (Some("[::1]"), Some(8787), "/"));
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let expected = [
            ("v", "6"),
            ("format", "json"),
            ("heartbeats", "true"),
            ("echo", "false"),
            ("key", KEY),
            ("clientId", "ada & bob"),
            ("agent", AGENT),
            ("resume", "k!ey"),
        ];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn the_cloud_is_reached_over_tls() {
        let options = ClientOptions::new(Endpoint::Cloud, Credentials::Key(KEY.to_owned()));
        let url = Target::new(&options).unwrap().url(None);
        assert!(url.starts_with("wss://main.realtime.ably.net/?v=6&"), "{url}");
    }

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
        let url = Target::new(&options("http://127.0.0.1:8787")).unwrap().url(None);
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

    #[test]
    fn the_key_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Target::new(&options("ws://127.0.0.1")).unwrap()).contains("se"));
    }
}
