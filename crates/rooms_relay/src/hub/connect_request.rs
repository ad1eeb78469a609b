//! What a client asks for in the address of its WebSocket.

use std::{fmt, net::IpAddr, time::Duration};

use url::form_urlencoded;

use crate::{auth::Credentials, limits::HEARTBEAT_INTERVALS};
use rooms_protocol::{ClientId, ConnectionKey, ErrorCode, ErrorInfo, Format, PROTOCOL_VERSION};

/// The first protocol version whose connections resume by key alone, as they do here.
const OLDEST_VERSION: u32 = 2;

/// The query of a client that connects. Unknown parameters are skipped. Values that make no sense count as not given, except
/// where the hub refuses them with an error.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectRequest {
    /// `v`: the protocol version, as sent.
    pub version: Option<String>,
    /// `format`: `json` or `msgpack`, as sent.
    pub format: Option<String>,
    /// `key`: an API key.
    pub key: Option<String>,
    /// `access_token`, or `accessToken` as the specification calls it: a token.
    pub access_token: Option<String>,
    /// `clientId`: who the client asks to be.
    pub client_id: Option<ClientId>,
    /// `echo=false`: the client does not want its own messages back.
    pub no_echo: bool,
    /// `heartbeats=true`: the relay sends HEARTBEAT frames, since the client does not see pings.
    pub heartbeats: bool,
    /// `resume`, or else `recover`: the key of the connection to resume.
    pub resume: Option<ConnectionKey>,
    /// `heartbeatInterval`: the longest silence that the client wants from the server.
    pub heartbeat_interval: Option<Duration>,
    /// `remainPresentFor`: how long its members stay after an abrupt drop.
    pub remain_present_for: Option<Duration>,
    /// The address that the client comes from, as far as the driver knows it. It is not part of the query.
    pub address: Option<IpAddr>,
}

impl ConnectRequest {
    /// Reads the query of an address, with or without its `?`. If a name comes twice, the last one counts.
    pub fn from_query(query: &str) -> Self {
        let mut request = Self::default();
        let mut recover = None;
        for (name, value) in form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            let text = || Some(value.to_string());
            match &*name {
                "v" => request.version = text(),
                "format" => request.format = text(),
                "key" => request.key = text(),
                "access_token" | "accessToken" => request.access_token = text(),
                "clientId" => request.client_id = Some(ClientId::new(&value)),
                "echo" => request.no_echo = value == "false",
                "heartbeats" => request.heartbeats = value == "true",
                "resume" => request.resume = Some(ConnectionKey::new(&value)),
                "recover" => recover = Some(ConnectionKey::new(&value)),
                "heartbeatInterval" => request.heartbeat_interval = milliseconds(&value),
                "remainPresentFor" => request.remain_present_for = milliseconds(&value),
                _ => {}
            }
        }
        request.resume = request.resume.or(recover);
        request
    }

    /// The longest silence that the relay promises the client. `default` applies if the client asks for none.
    pub(crate) fn idle_interval(&self, default: Duration) -> Duration {
        let (shortest, longest) = HEARTBEAT_INTERVALS;
        self.heartbeat_interval.map_or(default, |asked| asked.clamp(shortest, longest))
    }

    /// Refuses a version or a format that the relay does not support.
    ///
    /// # Errors
    /// 40002 for an unknown version, 40003 for an unknown format.
    pub(crate) fn check_protocol(&self) -> Result<(), ErrorInfo> {
        let version = self.version.as_ref().map_or(Some(u32::from(PROTOCOL_VERSION)), |text| text.parse().ok());
        if version.is_none_or(|version| version < OLDEST_VERSION) {
            return Err(ErrorInfo::new(
                ErrorCode::UNSUPPORTED_VERSION,
                400,
                "this relay speaks version 6 of the protocol; the parameter v must be 2 or more",
            ));
        }
        match self.format.as_deref().map(Format::from_name) {
            Some(None) => Err(ErrorInfo::new(
                ErrorCode::INVALID_PARAMETER,
                400,
                "this relay speaks JSON and MessagePack; connect with format=json or format=msgpack",
            )),
            None | Some(Some(_)) => Ok(()),
        }
    }

    /// The format of frames to the client: the one that it asked for, or else JSON.
    pub fn wire_format(&self) -> Format {
        self.format.as_deref().and_then(Format::from_name).unwrap_or_default()
    }

    /// The credentials of the client. If there are a key and a token, the key.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let key = self.key.clone().map(Credentials::Key);
        key.or_else(|| self.access_token.clone().map(Credentials::Token))
    }
}

fn milliseconds(value: &str) -> Option<Duration> {
    value.parse().ok().map(Duration::from_millis)
}

impl fmt::Debug for ConnectRequest {
    /// Leaves out all secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("version", &self.version)
            .field("format", &self.format)
            .field("client_id", &self.client_id)
            .field("address", &self.address)
            .field("no_echo", &self.no_echo)
            .field("heartbeats", &self.heartbeats)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_with_its_escapes() {
        let query = "?v=6&format=json&key=a.b%3Ac&clientId=Ada%20L&echo=false&heartbeats=true&resume=x%21y&agent=q";
        let request = ConnectRequest::from_query(query);
        assert_eq!(request.key.as_deref(), Some("a.b:c"));
        assert_eq!(request.client_id, Some("Ada L".into()));
        assert_eq!(request.resume, Some("x!y".into()));
        assert!(request.no_echo && request.heartbeats);
    }

    #[test]
    fn without_parameters_there_is_echo_and_no_heartbeat_frames() {
        let request = ConnectRequest::from_query("");
        assert!(!request.no_echo && !request.heartbeats);
        assert_eq!(request, ConnectRequest::default());
    }

    #[test]
    fn the_last_of_two_values_counts_and_both_names_of_the_token_are_taken() {
        assert_eq!(ConnectRequest::from_query("echo=false&echo=true&accessToken=t").access_token.as_deref(), Some("t"));
        assert!(!ConnectRequest::from_query("echo=false&echo=true").no_echo);
        assert_eq!(ConnectRequest::from_query("recover=k").resume, Some("k".into()));
    }

    #[test]
    fn durations_that_are_no_numbers_count_as_not_given() {
        let request = ConnectRequest::from_query("heartbeatInterval=5000&remainPresentFor=soon");
        assert_eq!(request.heartbeat_interval, Some(Duration::from_secs(5)));
        assert_eq!(request.remain_present_for, None);
    }

    #[test]
    fn a_request_does_not_show_its_credentials_in_debug_output() {
        let debug = format!("{:?}", ConnectRequest::from_query("key=app.id:insecure&access_token=insecure"));
        assert!(!debug.contains("insecure"), "{debug}");
    }
}
