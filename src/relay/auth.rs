//! Who a client is: API keys, and the identity that they give.
//!
//! Owns keys and their comparison. What an identity may do on which channel is not decided here.

use std::{fmt, str::FromStr};

use smol_str::SmolStr;
use subtle::ConstantTimeEq;

use super::ConnectRequest;
use crate::protocol::{ClientId, ErrorCode, ErrorInfo};

/// The client id that stands for "may be anybody".
const WILDCARD: &str = "*";

/// Longest client id, in bytes. Generous for names and random ids, and it keeps presence small.
const MAX_CLIENT_ID: usize = 256;

/// An application: keys of the same one share their channels, others never see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(SmolStr);

impl AppId {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An API key, `APP.KEYID:SECRET`. The secret is never printed.
#[derive(Clone)]
pub struct ApiKey {
    app: AppId,
    /// `APP.KEYID`, the public part.
    name: SmolStr,
    secret: SmolStr,
}

/// Why a text is no API key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// It does not have the three parts.
    #[error("an API key looks like APP.KEYID:SECRET, with none of the three parts empty")]
    Form,
}

impl ApiKey {
    /// The key that everybody knows, see [`DEVELOPMENT_KEY`](crate::protocol::DEVELOPMENT_KEY).
    pub fn development() -> Self {
        Self { app: AppId("rooms".into()), name: "rooms.dev".into(), secret: "insecure-development-key".into() }
    }

    /// Whether this is the key that everybody knows.
    pub fn is_development(&self) -> bool {
        *self == Self::development()
    }

    /// The public part, `APP.KEYID`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The application that the key belongs to.
    pub fn app(&self) -> &AppId {
        &self.app
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        let (name, secret) = text.split_once(':').ok_or(ApiKeyError::Form)?;
        let (app, id) = name.split_once('.').ok_or(ApiKeyError::Form)?;
        if app.is_empty() || id.is_empty() || secret.is_empty() {
            return Err(ApiKeyError::Form);
        }
        Ok(Self { app: AppId(app.into()), name: name.into(), secret: secret.into() })
    }
}

impl PartialEq for ApiKey {
    /// Takes the same time wherever the secrets differ, so that timing does not give one away.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && bool::from(self.secret.as_bytes().ct_eq(other.secret.as_bytes()))
    }
}

impl Eq for ApiKey {}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}:…)", self.name)
    }
}

/// On whose behalf a connection acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The application whose channels it sees.
    pub app: AppId,
    /// Who it may be.
    pub identity: Identity,
}

/// Who a connection may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// Anybody: each message may name its own client id.
    Any,
    /// This client and nobody else.
    Known(ClientId),
}

impl Identity {
    /// The form that connection details carry.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::Any => ClientId::new(WILDCARD),
            Self::Known(id) => id.clone(),
        }
    }

    /// The client id that the server stamps on a message that claims `claimed`.
    ///
    /// # Errors
    /// 40012 when the message claims somebody else, or nobody that could be.
    pub fn stamp(&self, claimed: Option<&ClientId>) -> Result<Option<ClientId>, ErrorInfo> {
        match (self, claimed) {
            (_, Some(id)) if !is_concrete(id) => {
                Err(invalid_client_id("a client id must be 1 to 256 bytes and not \"*\""))
            }
            (Self::Any, claimed) => Ok(claimed.cloned()),
            (Self::Known(own), Some(id)) if own != id => {
                Err(invalid_client_id("a message may only carry the client id of its connection"))
            }
            (Self::Known(own), _) => Ok(Some(own.clone())),
        }
    }
}

fn is_concrete(id: &ClientId) -> bool {
    (1..=MAX_CLIENT_ID).contains(&id.as_str().len()) && id.as_str() != WILDCARD
}

fn invalid_client_id(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, message)
}

/// The error for credentials that are wrong.
pub(super) fn invalid_credentials(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_CREDENTIALS, 401, message)
}

/// Decides who asks to connect.
pub(super) fn authenticate(keys: &[ApiKey], request: &ConnectRequest) -> Result<Principal, ErrorInfo> {
    let Some(text) = &request.key else {
        return Err(match request.access_token {
            Some(_) => invalid_credentials("the token is not known here; connect with an API key of this relay"),
            None => ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, "no credentials; connect with an API key"),
        });
    };
    let unknown = || invalid_credentials("the API key is not one of this relay's");
    let claimed: ApiKey = text.parse().map_err(|_| unknown())?;
    let key = keys.iter().find(|key| **key == claimed).ok_or_else(unknown)?;
    let identity = match &request.client_id {
        None => Identity::Any,
        Some(id) if id.as_str() == WILDCARD => Identity::Any,
        Some(id) if is_concrete(id) => Identity::Known(id.clone()),
        Some(_) => return Err(invalid_client_id("a client id must be 1 to 256 bytes")),
    };
    Ok(Principal { app: key.app.clone(), identity })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::DEVELOPMENT_KEY;

    fn request(query: &str) -> ConnectRequest {
        ConnectRequest::from_query(query)
    }

    #[test]
    fn the_development_key_is_the_documented_one() {
        assert_eq!(DEVELOPMENT_KEY.parse(), Ok(ApiKey::development()));
    }

    #[test]
    fn a_key_needs_all_three_parts_and_its_secret_may_hold_colons() {
        for text in ["", "app", "app.id", "app.id:", "app:secret", ".id:secret", "app.:secret"] {
            assert_eq!(ApiKey::from_str(text), Err(ApiKeyError::Form), "{text}");
        }
        let key: ApiKey = "app.id:se:cret".parse().unwrap();
        assert_eq!((key.name(), key.app().as_str()), ("app.id", "app"));
        assert_ne!(Ok(key), "app.id:se".parse());
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let debug = format!("{:?} {:?}", ApiKey::development(), request("key=app.id:insecure&access_token=insecure"));
        assert!(!debug.contains("insecure"), "{debug}");
    }

    #[test]
    fn wrong_and_missing_credentials_have_different_codes() {
        let keys = [ApiKey::development()];
        let code = |query: &str| authenticate(&keys, &request(query)).map_err(|error| error.code.0);
        assert_eq!(code(""), Err(40106));
        assert_eq!(code("access_token=abc"), Err(40101));
        for key in ["rooms.dev:wrong", "other.dev:insecure-development-key", "this.is:wrong", "nonsense", ""] {
            assert_eq!(code(&format!("key={key}")), Err(40101), "{key}");
        }
        assert_eq!(code(&format!("key={DEVELOPMENT_KEY}&clientId=")), Err(40012));
    }

    #[test]
    fn a_key_gives_the_identity_that_is_asked_for() {
        let identity = |query: &str| {
            authenticate(&[ApiKey::development()], &request(&format!("key={DEVELOPMENT_KEY}{query}"))).unwrap().identity
        };
        assert_eq!(identity(""), Identity::Any);
        assert_eq!(identity("&clientId=*"), Identity::Any);
        assert_eq!(identity("&clientId=ada"), Identity::Known("ada".into()));
    }

    #[test]
    fn a_known_identity_never_speaks_as_another() {
        let ada = Identity::Known("ada".into());
        assert_eq!(ada.stamp(None), Ok(Some("ada".into())));
        assert_eq!(ada.stamp(Some(&"ada".into())), Ok(Some("ada".into())));
        assert_eq!(ada.stamp(Some(&"bob".into())).map_err(|error| error.code.0), Err(40012));
        assert_eq!(Identity::Any.stamp(Some(&"bob".into())), Ok(Some("bob".into())));
        assert_eq!(Identity::Any.stamp(None), Ok(None));
        for nobody in ["", "*"] {
            assert!(Identity::Any.stamp(Some(&nobody.into())).is_err());
        }
    }
}
