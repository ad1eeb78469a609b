//! Revoking tokens over HTTP.

use serde::Deserialize;
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::{
    auth::{
        Credentials, Principal,
        revocations::{Revocation, Target},
    },
    error::invalid_credentials,
    http::{Body, Call, Reply, invalid, with_help},
    hub::Hub,
    moment::Moment,
};
use rooms_protocol::{ErrorCode, ErrorInfo, Timestamp};

/// Most targets of one request (Ably's limit).
const MAX_TARGETS: usize = 100;

/// How long ago the time may be before which tokens are revoked, in milliseconds: an hour (Ably's limit).
const OLDEST: i64 = 60 * 60 * 1_000;

/// The body of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revoking {
    targets: Vec<String>,
    issued_before: Option<i64>,
    #[serde(default)]
    allow_reauth_margin: bool,
}

/// The key whose tokens the client may revoke: the one in the path `POST /keys/{keyName}/revokeTokens`, if it came with it.
///
/// # Errors
/// 40101 for another key, 40162 for a token.
pub(super) fn key_of(call: &Call, key: &str, principal: &Principal) -> Result<SmolStr, ErrorInfo> {
    if matches!(call.credentials, Ok(Some(Credentials::Token(_)))) {
        let why = "tokens are revoked with the API key that made them, not with a token";
        return Err(ErrorInfo::new(ErrorCode::KEY_REQUIRED, 401, why));
    }
    if principal.key != key {
        return Err(invalid_credentials("tokens are revoked with the API key that made them"));
    }
    Ok(principal.key.clone())
}

impl Hub {
    /// Revokes tokens of a key. Each target has a result of its own.
    pub(super) fn revoke_over_http(
        &mut self,
        key: &SmolStr,
        request: &Revoking,
        moment: Moment,
    ) -> Result<Reply, ErrorInfo> {
        if !(1..=MAX_TARGETS).contains(&request.targets.len()) {
            return Err(invalid("name 1 to 100 targets"));
        }
        let issued_before = request.issued_before.map_or(moment.wall, Timestamp);
        if !(moment.wall.0.saturating_sub(OLDEST)..=moment.wall.0).contains(&issued_before.0) {
            return Err(invalid("issuedBefore must not be in the future, or more than an hour ago"));
        }
        let results: Vec<Value> = request
            .targets
            .iter()
            .map(|text| {
                let revoked = Target::parse(text).and_then(|target| {
                    let revocation = Revocation { key: key.clone(), target, issued_before };
                    self.revoke(revocation, request.allow_reauth_margin, moment)
                });
                match revoked {
                    Ok(at) => json!({ "target": text, "issuedBefore": issued_before, "appliesAt": at }),
                    Err(error) => json!({ "target": text, "error": with_help(error) }),
                }
            })
            .collect();
        let failures = results.iter().filter(|result| result.get("error").is_some()).count();
        let successes = results.len() - failures;
        let result = json!({ "successCount": successes, "failureCount": failures, "results": results });
        Ok(Reply::new(201, Body::Value(result)))
    }
}
