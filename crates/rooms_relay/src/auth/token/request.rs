//! Signed requests for tokens: how a client without a key gets a token with the signature of somebody who has one.

use std::{
    collections::{BTreeSet, HashSet},
    convert::Infallible,
    fmt,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use serde_json::Value;
use sha2::Sha256;
use smol_str::SmolStr;

use crate::{
    ApiKey,
    auth::{
        identity::check_grantable,
        token::{CLOCK_SKEW, DEFAULT_TTL, Grant, MAX_TTL, TokenDetails, mint},
    },
    error::invalid_credentials,
    http::{Call, unreadable},
};
use rooms_protocol::{AsMap, ClientId, ErrorCode, ErrorInfo, Format, Timestamp};

/// Longest nonce, in bytes. SDKs send 16.
const MAX_NONCE: usize = 128;

/// Most nonces that the relay remembers. No game makes so many requests in four minutes.
const MAX_NONCES: usize = 65_536;

/// A request for a token, as it was sent (`TE1`), with the exact texts that were signed.
#[derive(Default)]
pub(crate) struct TokenRequest {
    key_name: String,
    ttl: String,
    capability: String,
    client_id: Option<String>,
    timestamp: String,
    nonce: String,
    mac: String,
}

/// The same as the body has it. Nothing else of a body is built.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    key_name: Field,
    ttl: Field,
    capability: Field,
    client_id: Field,
    timestamp: Field,
    nonce: Field,
    mac: Field,
}

/// A text, or a number in the place of one.
#[derive(Default)]
struct Field(Option<String>);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl Visitor<'_> for FieldVisitor {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
                Ok(Field(Some(text.to_owned())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Field, E> {
                Ok(Field(Some(number.to_string())))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Field, E> {
                Ok(Field(Some(number.to_string())))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Field, E> {
                Ok(Field(serde_json::Number::from_f64(number).map(|number| number.to_string())))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Field, E> {
                Ok(Field(None))
            }
        }

        deserializer.deserialize_any(FieldVisitor)
    }
}

impl TokenRequest {
    /// Reads the body of a request for a token of the key `key_name`.
    ///
    /// # Errors
    /// 40001 for a body that cannot be read, and as [`parse`](Self::parse).
    pub(crate) fn read(call: &Call, body: &[u8], key_name: &str) -> Result<Self, ErrorInfo> {
        let is_cut = |error: &serde_json::Error| !error.is_data();
        match call.body_format() {
            Format::MsgPack => Self::of_fields(Ok::<_, Infallible>(call.read(body)?), key_name),
            Format::Json => match serde_json::from_slice(body) {
                Err(error) if is_cut(&error) => Err(unreadable(error)),
                read => Self::of_fields(read, key_name),
            },
        }
    }

    /// The same from a value.
    ///
    /// # Errors
    /// 40000 for a value that is not a request, or is one for another key.
    pub(crate) fn parse(body: &Value, key_name: &str) -> Result<Self, ErrorInfo> {
        Self::of_fields(AsMap::deserialize(body), key_name)
    }

    fn of_fields<E: fmt::Display>(fields: Result<AsMap<Fields>, E>, key_name: &str) -> Result<Self, ErrorInfo> {
        let wrong = |error: E| bad_request(&format!("a token request is an object of texts and numbers: {error}"));
        let AsMap(fields) = fields.map_err(wrong)?;
        let request = Self {
            key_name: fields.key_name.0.unwrap_or_else(|| key_name.to_owned()),
            ttl: fields.ttl.0.unwrap_or_default(),
            capability: fields.capability.0.unwrap_or_default(),
            client_id: fields.client_id.0,
            timestamp: fields.timestamp.0.unwrap_or_default(),
            nonce: fields.nonce.0.unwrap_or_default(),
            mac: fields.mac.0.unwrap_or_default(),
        };
        if request.key_name != key_name {
            return Err(bad_request("the token request is for another key than its address"));
        }
        // The end of a line ends a field in what is signed. With one inside a field, two requests would have one signature.
        if request.is_signed() && request.signed_fields().iter().any(|field| field.contains('\n')) {
            return Err(bad_request("the fields of a signed token request may not hold line breaks"));
        }
        Ok(request)
    }

    /// Whether it has a signature, right or wrong.
    pub(crate) fn is_signed(&self) -> bool {
        !self.mac.is_empty()
    }

    /// Whether it was signed with `key`. Takes the same time wherever signatures differ.
    pub(crate) fn is_signed_with(&self, key: &ApiKey) -> bool {
        let Ok(mac) = STANDARD.decode(&self.mac) else { return false };
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key.secret().as_bytes()) else { return false };
        hmac.update(self.signed_text().as_bytes());
        hmac.verify_slice(&mac).is_ok()
    }

    /// Six lines, each with its end (`RSA9g`).
    fn signed_text(&self) -> String {
        self.signed_fields().into_iter().fold(String::new(), |text, line| text + line + "\n")
    }

    fn signed_fields(&self) -> [&str; 6] {
        let client_id = self.client_id.as_deref().unwrap_or_default();
        [&self.key_name, &self.ttl, &self.capability, client_id, &self.timestamp, &self.nonce]
    }

    /// Refuses a signed request that is old, or was used before.
    ///
    /// # Errors
    /// 40104 for a time outside the window or before the relay's start, 40105 for a nonce that was used.
    pub(crate) fn check_fresh(&self, nonces: &mut Nonces, wall: Timestamp) -> Result<(), ErrorInfo> {
        let outside = || {
            let why = "the timestamp of the token request is not within 2 minutes of the relay's clock";
            ErrorInfo::new(ErrorCode::TIMESTAMP_OUTSIDE_WINDOW, 401, why)
        };
        let timestamp = self.timestamp.parse().map(Timestamp).map_err(|_| outside())?;
        if timestamp > wall.plus(CLOCK_SKEW) || timestamp.plus(CLOCK_SKEW) < wall {
            return Err(outside());
        }
        // A clock that was set back since then says that the relay started later than it did.
        nonces.start = nonces.start.min(wall);
        if timestamp < nonces.start {
            let why =
                "the token request was made before the relay started, and may have been used then; make a new one";
            return Err(ErrorInfo::new(ErrorCode::TIMESTAMP_OUTSIDE_WINDOW, 401, why));
        }
        if self.nonce.is_empty() || self.nonce.len() > MAX_NONCE {
            return Err(bad_request("the nonce of a token request must be 1 to 128 bytes"));
        }
        nonces.use_up(&self.key_name, &self.nonce, timestamp.plus(CLOCK_SKEW), wall)
    }

    /// What is asked for.
    ///
    /// # Errors
    /// 40003 for a wrong or too long ttl, 40000 for a wrong capability, 40012 for a wrong client id.
    pub(crate) fn grant(&self) -> Result<Grant, ErrorInfo> {
        let client_id = self.client_id.as_ref().map(ClientId::new);
        client_id.as_ref().map_or(Ok(()), check_grantable)?;
        let capability = match self.capability.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|error| bad_request(&format!("{error}")))?),
        };
        Ok(Grant { capability, client_id, ttl: self.life()? })
    }

    fn life(&self) -> Result<Duration, ErrorInfo> {
        let ttl = match self.ttl.as_str() {
            "" => Some(DEFAULT_TTL),
            text => text.parse().ok().map(Duration::from_millis).filter(|ttl| *ttl <= MAX_TTL),
        };
        let why = "the ttl of a token is a number of milliseconds, 24 hours at most";
        ttl.ok_or_else(|| ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, why))
    }
}

/// What somebody may get who asks for a token of one key.
pub(crate) struct TokenOffer {
    key_name: String,
    /// The keys with that name.
    keys: Vec<Arc<ApiKey>>,
    /// The key that the client came with, if it has that name.
    shown: Option<Arc<ApiKey>>,
    /// When the token begins to be valid.
    wall: Timestamp,
}

impl TokenOffer {
    pub(crate) fn new(key_name: &str, keys: Vec<Arc<ApiKey>>, shown: Option<Arc<ApiKey>>, wall: Timestamp) -> Self {
        Self { key_name: key_name.to_owned(), keys, shown, wall }
    }

    /// The name of the key.
    pub(crate) fn key_name(&self) -> &str {
        &self.key_name
    }

    /// Makes the token that is asked for.
    ///
    /// # Errors
    /// 40101 for a request without a right signature or key, as [`TokenRequest::grant`], and 40160 where the key allows nothing
    /// of what is asked for.
    pub(crate) fn make(self, request: TokenRequest) -> Result<MadeToken, ErrorInfo> {
        let key = match request.is_signed() {
            true => self.keys.iter().find(|key| request.is_signed_with(key)),
            false => self.shown.as_ref(),
        };
        let details = mint(key.ok_or_else(unsigned)?, request.grant()?, self.wall)?;
        Ok(MadeToken { details, signed: request.is_signed().then_some(request) })
    }
}

/// A token that is not handed out yet.
pub(crate) struct MadeToken {
    pub(crate) details: TokenDetails,
    /// The request for it, if it is signed: it may be used once.
    pub(crate) signed: Option<TokenRequest>,
}

/// The nonces of requests that could come again.
#[derive(Debug)]
pub(crate) struct Nonces {
    /// When the relay started. It does not know what was used before.
    start: Timestamp,
    used: HashSet<(SmolStr, SmolStr)>,
    /// When each is too old to come again, the earliest first.
    order: BTreeSet<(Timestamp, SmolStr, SmolStr)>,
}

impl Nonces {
    /// No nonces, on a relay that starts at `start`.
    pub(crate) fn since(start: Timestamp) -> Self {
        Self { start, used: HashSet::new(), order: BTreeSet::new() }
    }

    /// Remembers a nonce until `until`.
    fn use_up(&mut self, key: &str, nonce: &str, until: Timestamp, wall: Timestamp) -> Result<(), ErrorInfo> {
        while self.order.first().is_some_and(|(until, ..)| *until < wall)
            && let Some((_, key, nonce)) = self.order.pop_first()
        {
            self.used.remove(&(key, nonce));
        }
        let (key, nonce) = (SmolStr::new(key), SmolStr::new(nonce));
        if self.used.contains(&(key.clone(), nonce.clone())) {
            let why = "the token request was used before; make a new one";
            return Err(ErrorInfo::new(ErrorCode::NONCE_REPLAYED, 401, why));
        }
        if self.used.len() >= MAX_NONCES {
            let why = "too many token requests; come back in a few minutes";
            return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
        }
        self.used.insert((key.clone(), nonce.clone()));
        self.order.insert((until, key, nonce));
        Ok(())
    }
}

/// The error for an unsigned request that comes without the key.
fn unsigned() -> ErrorInfo {
    invalid_credentials("the token request has no right signature; sign it, or come with the API key")
}

fn bad_request(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message)
}

#[cfg(test)]
mod tests;
