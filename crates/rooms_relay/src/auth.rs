//! Who a client is and what it may do: keys and tokens in, a [`Principal`] out.
//!
//! Owns the decision whom to let in. What is signed how is the business of [`token`], what is allowed of
//! [`capability`], and where it is asked for of the hub.

pub(crate) mod apps;
pub(crate) mod capability;
mod credentials;
mod identity;
mod key;
pub(crate) mod token;

use std::sync::Arc;

use smol_str::SmolStr;

use self::apps::Apps;
pub(crate) use self::identity::check_grantable;
pub use self::{
    capability::{Capability, CapabilityError, Operation},
    credentials::Credentials,
    identity::Identity,
    key::{ApiKey, ApiKeyError, AppId},
    token::{TokenDetails, game::TokenEndpoint},
};
use crate::error::{invalid_credentials, not_permitted};
use rooms_protocol::{ChannelName, ClientId, ErrorCode, ErrorInfo, Timestamp};

/// On whose behalf a connection or a request acts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// The application whose channels it sees.
    pub app: AppId,
    /// The name of the key, or of the one that signed the token.
    pub key: SmolStr,
    /// Who it may be.
    pub identity: Identity,
    /// What it may do.
    pub capability: Arc<Capability>,
    /// When its token runs out; `None` for a key.
    pub expires: Option<Timestamp>,
}

impl Principal {
    /// Somebody who holds a key.
    pub(crate) fn of_key(key: &ApiKey, identity: Identity) -> Self {
        let capability = Arc::clone(key.capability());
        Self { app: key.app().clone(), key: key.name().into(), identity, capability, expires: None }
    }

    /// What a connection of this principal may be and do with new credentials.
    ///
    /// # Errors
    /// 40102 where they are somebody else's.
    pub(crate) fn renewed(&self, new: Self) -> Result<Self, ErrorInfo> {
        if self.app != new.app {
            let why = "the new credentials are of another application";
            return Err(ErrorInfo::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, 401, why));
        }
        Ok(Self { identity: self.identity.renewed(&new.identity)?, ..new })
    }

    /// Refuses what is not allowed on `channel`, whose name has no qualifier.
    ///
    /// # Errors
    /// 40160 where it is not allowed.
    pub fn check(&self, channel: &ChannelName, operation: Operation) -> Result<(), ErrorInfo> {
        match self.capability.allows(channel, operation) {
            true => Ok(()),
            false => Err(not_permitted(&format!(
                "the credentials do not allow {} on this channel; get some that do",
                operation.word()
            ))),
        }
    }

    /// Refuses what is not allowed on any channel.
    ///
    /// # Errors
    /// 40160 where it is not allowed.
    pub fn check_anywhere(&self, operation: Operation) -> Result<(), ErrorInfo> {
        match self.capability.allows_somewhere(operation) {
            true => Ok(()),
            false => {
                Err(not_permitted(&format!("the credentials do not allow {}; get some that do", operation.word())))
            }
        }
    }
}

/// Decides who shows `credentials` at `wall` and wants to be `client_id`.
pub(crate) fn authenticate(
    apps: &Apps,
    credentials: Option<&Credentials>,
    client_id: Option<&ClientId>,
    wall: Timestamp,
) -> Result<Principal, ErrorInfo> {
    match credentials {
        None => {
            let why = "no credentials; come with an API key or a token";
            Err(ErrorInfo::new(ErrorCode::NO_AUTH_METHOD, 401, why))
        }
        Some(Credentials::Key(text)) => {
            let key = apps.key(text).ok_or_else(|| invalid_credentials("the API key is not one of this relay's"))?;
            Ok(Principal::of_key(key, Identity::of_key(client_id)?))
        }
        Some(Credentials::Token(text)) => {
            let claim = token::verify(apps, text, wall)?;
            let identity = Identity::of_token(claim.client_id.as_ref(), client_id)?;
            Ok(Principal {
                app: claim.app,
                key: claim.key,
                identity,
                capability: claim.capability,
                expires: Some(claim.expires),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnectRequest;
    use rooms_protocol::DEVELOPMENT_KEY;

    fn authenticated(query: &str) -> Result<Principal, u32> {
        let request = ConnectRequest::from_query(query);
        let apps = Apps::new(&[ApiKey::development()]);
        let credentials = request.credentials();
        authenticate(&apps, credentials.as_ref(), request.client_id.as_ref(), Timestamp(0))
            .map_err(|error| error.code.0)
    }

    #[test]
    fn wrong_and_missing_credentials_have_different_codes() {
        assert_eq!(authenticated(""), Err(40106));
        assert_eq!(authenticated("access_token=abc"), Err(40101));
        for key in ["rooms.dev:wrong", "other.dev:insecure-development-key", "this.is:wrong", "nonsense", ""] {
            assert_eq!(authenticated(&format!("key={key}")), Err(40101), "{key}");
        }
        assert_eq!(authenticated(&format!("key={DEVELOPMENT_KEY}&clientId=")), Err(40012));
    }

    #[test]
    fn a_client_cannot_give_its_key_more_than_the_key_allows() {
        let apps = Apps::new(&[r#"app.id:secret={"a":["subscribe"]}"#.parse().unwrap()]);
        let authenticate = |key: &str| {
            let credentials = Credentials::Key(key.to_owned());
            authenticate(&apps, Some(&credentials), None, Timestamp(0))
        };
        let principal = authenticate("app.id:secret").unwrap();
        assert_eq!(principal.check(&"a".into(), Operation::Subscribe), Ok(()));
        for operation in [Operation::Publish, Operation::History] {
            assert_eq!(principal.check(&"a".into(), operation).map_err(|error| error.code.0), Err(40160));
            assert!(principal.check_anywhere(operation).is_err());
        }
        assert!(authenticate(r#"app.id:secret={"*":["*"]}"#).is_err());
    }

    #[test]
    fn a_request_does_not_show_its_credentials_in_debug_output() {
        let debug = format!("{:?}", ConnectRequest::from_query("key=app.id:insecure&access_token=insecure"));
        assert!(!debug.contains("insecure"), "{debug}");
    }
}
