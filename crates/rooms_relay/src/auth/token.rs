//! Tokens: what they look like, how the relay makes them, and whether one is valid.
//!
//! The relay's tokens are JWTs signed with an API key (HS256). A game's own server may make the same. So the relay stores
//! none, they stay valid after a restart, and there is one way to check them. Their times have milliseconds.

pub(crate) mod game;
pub(crate) mod request;

use std::{fmt, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{
    ApiKey, Capability,
    auth::apps::Apps,
    error::{invalid_credentials, not_permitted},
};
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Timestamp};

/// How long a token is valid unless the request says otherwise (`TK2a`).
pub(crate) const DEFAULT_TTL: Duration = Duration::from_secs(60 * 60);

/// Longest life of a token that the relay makes (Ably's limit).
pub(crate) const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How much the clock of another machine may differ (Ably's window for token requests).
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(2 * 60);

/// Longest token, in bytes. It holds a capability of the largest size.
const MAX_TOKEN: usize = 32 * 1024;

/// Longest header of a token, in bytes. It names an algorithm and a key.
const MAX_HEADER: usize = 2 * 1024;

/// The end of the year 9999, in seconds: the latest time that a token may name. What is later is no time but a mistake.
const LATEST: f64 = 253_402_300_799.0;

/// A token and what it is for (`TD1`).
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TokenDetails {
    /// The token itself.
    pub token: String,
    /// The key that it was made with.
    pub key_name: SmolStr,
    /// When it was made.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// What it allows, in the canonical form.
    pub capability: String,
    /// Who its holder is. Absent for nobody, and `*` for anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
}

impl fmt::Debug for TokenDetails {
    /// Leaves the token out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenDetails")
            .field("key_name", &self.key_name)
            .field("issued", &self.issued)
            .field("expires", &self.expires)
            .field("capability", &self.capability)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// What a valid token says about its holder.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The key that signed it.
    pub(crate) key: Arc<ApiKey>,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) capability: Arc<Capability>,
    pub(crate) expires: Timestamp,
    pub(crate) issued: Option<Timestamp>,
    pub(crate) revocation_key: Option<SmolStr>,
}

/// What is written in a token (`RSA4f`).
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<f64>,
    #[serde(rename = "x-ably-capability", skip_serializing_if = "Option::is_none")]
    capability: Option<String>,
    #[serde(rename = "x-ably-clientId", skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientId>,
    /// The name under which it can be revoked together with others.
    #[serde(rename = "x-ably-revocation-key", skip_serializing_if = "Option::is_none")]
    revocation_key: Option<SmolStr>,
    /// A token inside the token, which says who the holder is.
    #[serde(rename = "x-ably-token", skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What a token is to be for.
pub(crate) struct Grant {
    /// `None`: all that the key allows.
    pub(crate) capability: Option<Capability>,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) ttl: Duration,
}

/// Makes a token that is valid from `wall` on.
///
/// # Errors
/// 40160 where the key allows nothing of what is asked for.
pub(crate) fn mint(key: &ApiKey, grant: Grant, wall: Timestamp) -> Result<TokenDetails, ErrorInfo> {
    let granted = grant.capability.map(|asked| common(&asked, key)).transpose()?;
    let expires = wall.plus(grant.ttl);
    let claims = Claims {
        iat: Some(seconds(wall)),
        exp: Some(seconds(expires)),
        capability: granted.as_ref().map(ToString::to_string),
        client_id: grant.client_id.clone(),
        ..Claims::default()
    };
    let header = Header { kid: Some(key.name().to_owned()), ..Header::new(Algorithm::HS256) };
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key.secret().as_bytes()))
        .map_err(|_| ErrorInfo::new(ErrorCode::INTERNAL, 500, "the token could not be made"))?;
    let capability = granted.as_ref().map_or_else(|| key.capability().to_string(), ToString::to_string);
    Ok(TokenDetails {
        token,
        key_name: key.name().into(),
        issued: wall,
        expires,
        capability,
        client_id: grant.client_id,
    })
}

/// Decides whether a token is valid at `wall`.
///
/// # Errors
/// 40101 for a text that is not a token, 40144 for a JWT that cannot be read or has a wrong signature, 40142 for one that
/// expired, 40400 for one of an application that is not served here.
pub(crate) fn verify(apps: &Apps, token: &str, wall: Timestamp) -> Result<Claim, ErrorInfo> {
    let (key, mut claims) = verify_signature(apps, token, wall)?;
    let Some(inner) = claims.token.take() else { return claim(key, claims, wall) };
    let expires = expiry(&claims)?;
    let (inner_key, inner_claims) = verify_signature(apps, &inner, wall)?;
    if inner_key.app() != key.app() || inner_claims.token.is_some() {
        return Err(unreadable("the token inside the token is of another application, or holds one itself"));
    }
    let claim = claim(inner_key, inner_claims, wall)?;
    Ok(Claim { expires: claim.expires.min(expires), ..claim })
}

fn verify_signature<'a>(apps: &'a Apps, token: &str, wall: Timestamp) -> Result<(&'a Arc<ApiKey>, Claims), ErrorInfo> {
    if token.split('.').count() != 3 || token.len() > MAX_TOKEN {
        return Err(invalid_credentials("this is no token; get one for a key of this relay"));
    }
    if token.split('.').next().is_some_and(|header| header.len() > MAX_HEADER) {
        return Err(unreadable("the header of the JWT is too long; it holds the algorithm and the key's name"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| unreadable("the header of the JWT cannot be read"))?;
    // Whoever does not understand what is critical must refuse the token (RFC 7515, 4.1.11). The relay understands nothing
    // beyond.
    if header.crit.is_some() {
        return Err(unreadable(
            "the header of the JWT has critical fields, of which the relay knows none; leave crit out",
        ));
    }
    let name = header.kid.ok_or_else(|| unreadable("the JWT does not name its key; put the key's name into kid"))?;
    let mut validation = Validation::new(Algorithm::HS256);
    // Times are compared below, to the millisecond and by the hub's clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    // A new token can repair this: perhaps the key has another secret now. That of a relay with a page has one after each start.
    let mut error = unreadable("the signature of the JWT is not of the key that it names");
    for key in apps.keys_named(&name)? {
        let secret = DecodingKey::from_secret(key.secret().as_bytes());
        match jsonwebtoken::decode::<Claims>(token, &secret, &validation) {
            Ok(data) => {
                check_times(&data.claims, wall)?;
                return Ok((key, data.claims));
            }
            Err(wrong) if matches!(wrong.kind(), ErrorKind::InvalidSignature) => {}
            Err(wrong) if matches!(wrong.kind(), ErrorKind::InvalidAlgorithm) => {
                error = unreadable("the JWT must be signed with HS256");
            }
            Err(_) => error = unreadable("the claims of the JWT cannot be read"),
        }
    }
    Err(error)
}

fn check_times(claims: &Claims, wall: Timestamp) -> Result<(), ErrorInfo> {
    if expiry(claims)? <= wall {
        return Err(expired());
    }
    if claims.nbf.is_some_and(|from| milliseconds(from) > wall.plus(CLOCK_SKEW)) {
        return Err(unreadable("the JWT is not good yet"));
    }
    Ok(())
}

fn expiry(claims: &Claims) -> Result<Timestamp, ErrorInfo> {
    let exp = claims.exp.ok_or_else(|| unreadable("the JWT does not say when it runs out; give it exp"))?;
    if exp > LATEST {
        return Err(unreadable(
            "the exp of the JWT is no time; it is a number of seconds since 1970, not of milliseconds",
        ));
    }
    Ok(milliseconds(exp))
}

fn claim(key: &Arc<ApiKey>, claims: Claims, wall: Timestamp) -> Result<Claim, ErrorInfo> {
    let expires = expiry(&claims)?;
    let capability = match claims.capability {
        None => Arc::clone(key.capability()),
        Some(text) => {
            let asked = text.parse::<Capability>();
            let asked = asked.map_err(|error| unreadable(&format!("the capability of the JWT: {error}")))?;
            Arc::new(common(&asked, key)?)
        }
    };
    debug_assert!(expires > wall, "the times were checked with the signature");
    Ok(Claim {
        key: Arc::clone(key),
        client_id: claims.client_id,
        capability,
        expires,
        issued: claims.iat.map(milliseconds),
        revocation_key: claims.revocation_key,
    })
}

/// What a key allows of what is asked for.
fn common(asked: &Capability, key: &ApiKey) -> Result<Capability, ErrorInfo> {
    let common = asked.intersect(key.capability());
    common
        .map_err(|error| ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, error.to_string()))?
        .ok_or_else(|| not_permitted("the key allows nothing of what the token asks for"))
}

/// The error for a token that has expired.
pub(crate) fn expired() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::TOKEN_EXPIRED, 401, "the token has run out; come with a new one")
}

fn unreadable(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_JWT, 401, message)
}

/// A time as JWTs write it. Its milliseconds are kept: the precision is much higher.
fn seconds(time: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "times near the present have 41 bits")]
    let milliseconds = time.0 as f64;
    milliseconds / 1000.0
}

fn milliseconds(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and NaN becomes 0, which is long ago")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    Timestamp(milliseconds)
}

#[cfg(test)]
mod tests;
