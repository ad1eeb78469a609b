//! What the server says when something went wrong.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::lenient;

/// A number that names a kind of error, the same on the relay and in Ably's cloud.
///
/// An open set: a server may send codes that have no name here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ErrorCode(pub u32);

macro_rules! error_codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal;)*) => {
        impl ErrorCode {
            $($(#[$meta])* pub const $name: Self = Self($code);)*
        }
    };
}

error_codes! {
    /// The request makes no sense.
    BAD_REQUEST = 40000;
    /// The body of a request cannot be read.
    INVALID_BODY = 40001;
    /// A parameter has a value that is not allowed.
    INVALID_PARAMETER = 40003;
    /// The credentials cannot be read.
    UNREADABLE_CREDENTIALS = 40005;
    /// A message names a connection that does not exist.
    INVALID_CONNECTION = 40006;
    /// A publish is larger than the server takes.
    MESSAGE_TOO_LARGE = 40009;
    /// The channel's name is not allowed.
    INVALID_CHANNEL_NAME = 40010;
    /// The client id may not be used on this connection.
    INVALID_CLIENT_ID = 40012;
    /// Data or encoding are of a kind that cannot be sent.
    INVALID_DATA = 40013;
    /// The protocol version is not spoken here.
    UNSUPPORTED_VERSION = 40017;
    /// A publish makes no sense as a whole.
    INVALID_PUBLISH = 40030;
    /// The ids of a publish of several messages do not belong together.
    INVALID_MESSAGE_ID = 40031;
    /// One publish holds more messages than the server takes.
    TOO_MANY_MESSAGES = 40034;
    /// Refused because a test asked for it.
    TEST = 40099;
    /// No or unknown credentials.
    UNAUTHORIZED = 40100;
    /// The credentials are wrong.
    INVALID_CREDENTIALS = 40101;
    /// The credentials are of somebody else than before.
    INCOMPATIBLE_CREDENTIALS = 40102;
    /// An API key may not be sent over an unencrypted line.
    KEY_OVER_PLAIN_LINE = 40103;
    /// The time of a token request is too far from the server's.
    TIMESTAMP_OUTSIDE_WINDOW = 40104;
    /// The token request was used before.
    NONCE_REPLAYED = 40105;
    /// No way to authenticate was given.
    NO_AUTH_METHOD = 40106;
    /// The server takes no more connections.
    TOO_MANY_CONNECTIONS = 40111;
    /// The server holds as many channels as it may.
    SERVER_FULL_OF_CHANNELS = 40113;
    /// The API key was taken away.
    KEY_REVOKED = 40131;
    /// A token was refused; the first of the codes that a new token can fix.
    TOKEN_ERROR = 40140;
    /// The token was revoked.
    TOKEN_REVOKED = 40141;
    /// The token has run out.
    TOKEN_EXPIRED = 40142;
    /// The token is a JWT that cannot be read, or that the key which it names has not signed.
    INVALID_JWT = 40144;
    /// The credentials do not allow this.
    NOT_PERMITTED = 40160;
    /// This needs an API key; a token does not do.
    KEY_REQUIRED = 40162;
    /// The credentials allow this, but the channel is attached without the mode for it.
    MODE_NOT_REQUESTED = 40165;
    /// The game's own way to get a token failed.
    AUTH_CALLBACK_FAILED = 40170;
    /// A token is needed and there is no way to get one.
    NO_RENEWAL = 40171;
    /// Not found.
    NOT_FOUND = 40400;
    /// More requests than the server takes at once.
    RATE_EXCEEDED = 42910;
    /// The connection sends faster than it may.
    CONNECTION_RATE_EXCEEDED = 42911;
    /// The channel carries more than it may.
    CHANNEL_RATE_EXCEEDED = 42913;
    /// The channel carries more bytes than it may.
    CHANNEL_BANDWIDTH_EXCEEDED = 42914;
    /// All that use the server together send and get more messages than they may.
    ACCOUNT_RATE_EXCEEDED = 42917;
    /// More requests over HTTP than the server takes.
    REQUEST_RATE_EXCEEDED = 42918;
    /// The server failed.
    INTERNAL = 50000;
    /// The connection failed.
    CONNECTION_FAILED = 80000;
    /// The connection is suspended: the server was out of reach for too long.
    CONNECTION_SUSPENDED = 80002;
    /// The connection is not there for the moment.
    DISCONNECTED = 80003;
    /// The connection could not be recovered.
    RECOVERY_FAILED = 80008;
    /// The frame does not follow the protocol.
    PROTOCOL_ERROR = 80013;
    /// Nothing came in time.
    TIMED_OUT = 80014;
    /// Another transport took over this connection.
    SUPERSEDED = 80016;
    /// The connection was closed.
    CONNECTION_CLOSED = 80017;
    /// The connection key is unknown or too old; the connection is a new one.
    INVALID_CONNECTION_KEY = 80018;
    /// No token was obtained, so the client cannot authenticate.
    TOKEN_NOT_OBTAINED = 80019;
    /// Messages were left out, since the connection was to get more than it may.
    DELIVERY_RATE_EXCEEDED = 80020;
    /// The channel is in a state that does not allow this.
    INVALID_CHANNEL_STATE = 90001;
    /// Messages were missed: what was asked for is no longer kept.
    CONTINUITY_LOST = 90003;
    /// The server did not answer an attach or detach in time.
    CHANNEL_TIMEOUT = 90007;
    /// The connection is attached to as many channels as it may.
    TOO_MANY_CHANNELS = 90010;
    /// Presence needs a client id.
    PRESENCE_WITHOUT_CLIENT_ID = 91000;
    /// The channel has as many members as it may.
    TOO_MANY_MEMBERS = 91003;
    /// Presence could not be entered again after a reconnect.
    REENTRY_FAILED = 91004;
    /// The members of the channel are not known at the moment.
    PRESENCE_OUT_OF_SYNC = 91005;
    /// Messages on this channel cannot be updated, deleted or appended to.
    MESSAGE_UPDATES_DISABLED = 93002;
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(lenient::optional_u32(deserializer)?.unwrap_or_default()))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error as it goes over the wire (`TI1`).
///
/// Encoding always writes `message`, `code` and `statusCode`, since SDKs drop a frame whose error lacks one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorInfo {
    /// What went wrong, for people.
    pub message: String,
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// The HTTP status that fits best.
    #[serde(deserialize_with = "status_code")]
    pub status_code: u16,
    /// Where to read more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
    /// What led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<ErrorInfo>>,
}

impl ErrorInfo {
    /// An error with its code, HTTP status and text.
    pub fn new(code: ErrorCode, status_code: u16, message: impl Into<String>) -> Self {
        Self { message: message.into(), code, status_code, href: None, cause: None }
    }

    /// Whether a new token can fix this: 401 with a code from 40140 to 40149 (`RTN15h`).
    pub fn is_token_error(&self) -> bool {
        self.status_code == 401 && (40140..40150).contains(&self.code.0)
    }

    /// Whether the server itself is in trouble, so that another host may help (`RTN17f1`).
    pub fn is_server_trouble(&self) -> bool {
        (500..=504).contains(&self.status_code)
    }
}

impl fmt::Display for ErrorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {}, status {})", self.message, self.code, self.status_code)
    }
}

impl std::error::Error for ErrorInfo {}

fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = lenient::optional_u32(deserializer)?.unwrap_or_default();
    u16::try_from(status).map_err(|_| serde::de::Error::custom("statusCode is not an HTTP status"))
}
