//! Why a WebSocket could not be opened: what answered, and what to look at. What others sent is shown only where it is short and
//! harmless, and nothing of the URL but the host and the port, since the rest may hold credentials.

use std::io;

use rustls::Error as TlsError;
use tokio_tungstenite::tungstenite::{
    Error, error::ProtocolError, handshake::client::Response, http::header::LOCATION,
};
use url::Url;

use crate::transport::place::place;
use rooms_protocol::{ErrorCode, ErrorInfo};

/// What a network's own page does that asks for a login, as in a hotel.
const LOGIN_PAGE: &str = "The login page of a network, as in a hotel or at an airport, answers like this too: open any page in a \
                          browser and log in";

/// The first two bytes of what a TLS server says to somebody who does not speak TLS: an alert, of any version of TLS.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// Most letters of a greeting that are shown.
const MOST_SHOWN: usize = 40;

/// How the opening of a socket failed.
#[derive(Debug)]
pub(super) enum Failure<'a> {
    /// The address is none.
    NoUrl,
    /// The name could not be looked up.
    UnknownName(io::Error),
    /// The machine did not take the connection.
    Unreached(io::Error),
    /// The machine took the connection, and then no WebSocket came about.
    Handshake {
        /// Why.
        error: Error,
        /// Whether the URL asks for TLS.
        is_secure: bool,
        /// The first bytes that came.
        heard: &'a [u8],
    },
}

/// What a player or a developer is told.
pub(super) fn describe(place: &str, failure: Failure<'_>) -> ErrorInfo {
    let (status, message) = match failure {
        Failure::NoUrl => (400, "this is not a valid server address; write it like ws://127.0.0.1:8787".to_owned()),
        Failure::UnknownName(error) => (
            400,
            format!(
                "the name of {place} cannot be found; check how it is written, and whether this machine has a network ({error})"
            ),
        ),
        Failure::Unreached(error) => (400, unreached(place, &error)),
        Failure::Handshake { error: Error::Http(response), .. } => http(place, &response),
        Failure::Handshake { error, is_secure, heard } => (400, handshake(place, &error, is_secure, heard)),
    };
    ErrorInfo::new(ErrorCode::DISCONNECTED, status, message)
}

fn unreached(place: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "nothing listens at {place} (connection refused); check the address and the port, and whether the server runs"
        ),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            format!(
                "{place} cannot be reached from this network ({error}); check this machine's network and the address"
            )
        }
        io::ErrorKind::TimedOut => {
            format!(
                "no answer came from {place}; check the address, whether the server runs, and whether a firewall is in between"
            )
        }
        _ => format!("{place} cannot be reached ({error}); check the address, and whether the server runs"),
    }
}

/// The status and the text for an answer over HTTP that opens no WebSocket.
fn http(place: &str, response: &Response) -> (u16, String) {
    let status = response.status().as_u16();
    let message = match status {
        200..300 => format!(
            "{place} answered with a web page (HTTP {status}) in place of a WebSocket; check the address. {LOGIN_PAGE}"
        ),
        300..400 => {
            let to = elsewhere(response).map(|to| format!(" to {to}")).unwrap_or_default();
            format!(
                "{place} redirects{to} (HTTP {status}) in place of opening a WebSocket; check the address. {LOGIN_PAGE}"
            )
        }
        401 | 403 | 407 => format!(
            "{place} asks for a login (HTTP {status}); check the address, and whether the network or a proxy asks for it"
        ),
        429 => {
            format!("{place} takes no more connections from here for the moment (HTTP 429); wait, or use fewer at once")
        }
        400..500 => {
            format!("{place} is a web server without a WebSocket at this address (HTTP {status}); check the address")
        }
        _ => format!(
            "the server at {place}, or a proxy in front of it, is in trouble (HTTP {status}); check whether it runs, and the address"
        ),
    };
    (if status < 400 { 400 } else { status }, message)
}

/// Where an answer sends the client: the scheme, the host and the port. The rest may repeat credentials.
fn elsewhere(response: &Response) -> Option<String> {
    let url = Url::parse(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    Some(format!("{}://{}", url.scheme(), place(&url)?))
}

fn handshake(place: &str, error: &Error, is_secure: bool, heard: &[u8]) -> String {
    let tls = match error {
        Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()),
        _ => None,
    };
    match (tls, error) {
        (Some(TlsError::InvalidCertificate(_)), _) => format!(
            "{place} has a certificate that is not valid ({}); check the address and this machine's clock. {LOGIN_PAGE}",
            tls.map(ToString::to_string).unwrap_or_default()
        ),
        (Some(TlsError::InvalidMessage(_)), _) => {
            format!(
                "{place} does not speak TLS{}; write ws:// in place of wss:// if it is a relay without TLS",
                greeting(heard)
            )
        }
        (Some(error), _) => {
            format!("no encrypted connection (TLS) could be made with {place} ({error}); check the address")
        }
        _ if !is_secure && heard.starts_with(&TLS_ALERT) => {
            format!("{place} accepts only encrypted connections (TLS); write wss:// in place of ws://")
        }
        (None, Error::Protocol(ProtocolError::HandshakeIncomplete) | Error::ConnectionClosed | Error::Io(_))
            if heard.is_empty() =>
        {
            let scheme = if is_secure { "wss:// or ws://" } else { "ws:// or wss://" };
            format!(
                "{place} took the connection and ended it without an answer; check the address and the port, and whether {scheme} \
                 is right"
            )
        }
        (None, Error::Io(error)) => format!("the connection to {place} broke while it was being opened ({error})"),
        (None, _) => {
            format!("what listens at {place} is no WebSocket server{}; check the address and the port", greeting(heard))
        }
    }
}

/// How a server introduced itself, where that can be shown.
fn greeting(heard: &[u8]) -> String {
    let line = heard.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let is_text = !line.is_empty() && line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if !is_text {
        return String::new();
    }
    let shown: String = line.iter().take(MOST_SHOWN).map(|byte| char::from(*byte)).collect();
    format!(" (it says {shown:?})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_shown_only_where_it_is_short_text() {
        assert_eq!(greeting(b"SSH-2.0-OpenSSH_9.2\r\nmore"), " (it says \"SSH-2.0-OpenSSH_9.2\")");
        assert_eq!(greeting(&[0x16, 0x03, 0x01]), "");
        assert_eq!(greeting(b""), "");
        assert!(greeting(&[b'x'; 64]).len() < 60);
    }

    #[test]
    fn an_address_elsewhere_keeps_no_credentials() {
        let response = |to: &str| {
            let mut response = Response::new(None);
            response.headers_mut().insert(LOCATION, to.parse().unwrap());
            response
        };
        let to = "https://ada:pw@login.example/?key=s3cret";
        assert_eq!(elsewhere(&response(to)).as_deref(), Some("https://login.example:443"));
        assert_eq!(elsewhere(&response("/login?key=s3cret")), None);
    }
}
