//! Requests for tokens that are signed with an API key, so that the key itself stays where it is (`RSA9`).

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::auth::token::{TokenParams, TokenRequest};
use rooms_protocol::{ErrorCode, ErrorInfo, Timestamp};

impl TokenRequest {
    /// Signs a request for a token with an API key, `APP.KEYID:SECRET`. Any server of the key's application exchanges it
    /// for a token, once.
    ///
    /// `timestamp` is the present time: the server takes a request that is within 2 minutes of its own clock. `nonce` must
    /// be at least 16 characters that nobody can guess and that were never used before (`RSA9c`).
    ///
    /// # Errors
    /// 40101 for a text that is no API key.
    pub fn sign(key: &str, params: &TokenParams, timestamp: Timestamp, nonce: &str) -> Result<Self, ErrorInfo> {
        let no_key = || {
            let message = "only a whole API key signs token requests; it is of the form APP.KEYID:SECRET";
            ErrorInfo::new(ErrorCode::INVALID_CREDENTIALS, 401, message)
        };
        let (key_name, secret) = key.split_once(':').ok_or_else(no_key)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| no_key())?;
        let client_id = params.client_id.as_ref().map(|id| id.as_str());
        let time = timestamp.0.to_string();
        // Six lines (RSA9g). Without a ttl and a capability the server gives its usual ttl and all that the key may do.
        for line in [key_name, "", "", client_id.unwrap_or_default(), &time, nonce] {
            mac.update(line.as_bytes());
            mac.update(b"\n");
        }
        let mut rest: Map<String, Value> = client_id.map(|id| ("clientId".to_owned(), json!(id))).into_iter().collect();
        rest.insert("timestamp".to_owned(), json!(timestamp.0));
        rest.insert("nonce".to_owned(), json!(nonce));
        rest.insert("mac".to_owned(), json!(BASE64_STANDARD.encode(mac.finalize().into_bytes())));
        Ok(Self { key_name: key_name.to_owned(), rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_the_six_lines() {
        let params = TokenParams { client_id: Some("ada".into()), ..TokenParams::default() };
        let request =
            TokenRequest::sign("app.id:secret", &params, Timestamp(1_700_000_000_000), "a-nonce-of-16-ch").unwrap();
        // Made with OpenSSL's `dgst -sha256 -hmac`.
        let expected = json!({
            "keyName": "app.id", "clientId": "ada", "timestamp": 1_700_000_000_000_i64, "nonce": "a-nonce-of-16-ch",
            "mac": "HyzB6c1BAt1d2XQlM4fa89RUgS8MQuryTcnvemhyvf0=",
        });
        assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    }

    #[test]
    fn what_is_no_key_signs_nothing() {
        let error = TokenRequest::sign("secret", &TokenParams::default(), Timestamp(0), "n").unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_CREDENTIALS);
        assert!(!error.message.contains("secret"), "what may be a secret is not repeated");
    }
}
