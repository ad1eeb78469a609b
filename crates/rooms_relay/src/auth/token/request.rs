//! Signed requests for tokens: how a client without a key gets a token with the signature of somebody who has one.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use smol_str::SmolStr;

use crate::{
    ApiKey,
    auth::{
        identity::check_grantable,
        token::{CLOCK_SKEW, DEFAULT_TTL, Grant, MAX_TTL},
    },
    error::invalid_credentials,
};
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Timestamp};

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

impl TokenRequest {
    /// Reads a request for a token of the key `key_name`.
    ///
    /// # Errors
    /// 40000 for a body that is not a request, or is one for another key.
    pub(crate) fn parse(body: &Value, key_name: &str) -> Result<Self, ErrorInfo> {
        let object = body.as_object().ok_or_else(|| bad_request("a token request is a JSON object"))?;
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(bad_request(&format!("{name} of a token request must be a text or a number"))),
        };
        let request = Self {
            key_name: text("keyName")?.unwrap_or_else(|| key_name.to_owned()),
            ttl: text("ttl")?.unwrap_or_default(),
            capability: text("capability")?.unwrap_or_default(),
            client_id: text("clientId")?,
            timestamp: text("timestamp")?.unwrap_or_default(),
            nonce: text("nonce")?.unwrap_or_default(),
            mac: text("mac")?.unwrap_or_default(),
        };
        match request.key_name == key_name {
            true => Ok(request),
            false => Err(bad_request("the token request is for another key than its address")),
        }
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
        let client_id = self.client_id.as_deref().unwrap_or_default();
        let lines = [&self.key_name, &self.ttl, &self.capability, client_id, &self.timestamp, &self.nonce];
        lines.into_iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Refuses a signed request that is old, or was used before.
    ///
    /// # Errors
    /// 40104 for a time outside the window, 40105 for a nonce that was used.
    pub(crate) fn check_fresh(&self, nonces: &mut Nonces, wall: Timestamp) -> Result<(), ErrorInfo> {
        let outside = || {
            let why = "the timestamp of the token request is not within 2 minutes of the relay's clock";
            ErrorInfo::new(ErrorCode::TIMESTAMP_OUTSIDE_WINDOW, 401, why)
        };
        let timestamp = self.timestamp.parse().map(Timestamp).map_err(|_| outside())?;
        if timestamp > wall.plus(CLOCK_SKEW) || timestamp.plus(CLOCK_SKEW) < wall {
            return Err(outside());
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

/// The nonces of requests that could come again.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    used: HashSet<(SmolStr, SmolStr)>,
    /// When each is too old to come again, the earliest first.
    order: BTreeSet<(Timestamp, SmolStr, SmolStr)>,
}

impl Nonces {
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
pub(crate) fn unsigned() -> ErrorInfo {
    invalid_credentials("the token request has no right signature; sign it, or come with the API key")
}

fn bad_request(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, message)
}

#[cfg(test)]
mod tests;
