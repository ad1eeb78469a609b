//! Who a client may be: what its credentials allow, what it asks for, and what its messages may claim.

use rooms_protocol::{ClientId, ErrorCode, ErrorInfo};

/// The client id that stands for "may be anybody".
const WILDCARD: &str = "*";

/// Longest client id, in bytes. Generous for names and random ids, and it keeps presence small.
const MAX_CLIENT_ID: usize = 256;

/// Who a connection may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// Anybody: each message may name its own client id.
    Any,
    /// This client and nobody else.
    Known(ClientId),
    /// Nobody: no message may name a client id.
    Anonymous,
}

impl Identity {
    /// Who the holder of a key is: whoever it asks to be.
    pub(super) fn of_key(wish: Option<&ClientId>) -> Result<Self, ErrorInfo> {
        Self::granted(WILDCARD, wish)
    }

    /// Who the holder of a token for `granted` is.
    ///
    /// # Errors
    /// 40102 where it asks to be somebody else (`RSA15c`).
    pub(super) fn of_token(granted: Option<&ClientId>, wish: Option<&ClientId>) -> Result<Self, ErrorInfo> {
        match (granted, wish) {
            (Some(granted), wish) => Self::granted(granted.as_str(), wish),
            (None, None) => Ok(Self::Anonymous),
            (None, Some(_)) => Err(incompatible("the token has no client id, so the connection cannot have one")),
        }
    }

    fn granted(granted: &str, wish: Option<&ClientId>) -> Result<Self, ErrorInfo> {
        let known = |id: &ClientId| match is_concrete(id) {
            true => Ok(Self::Known(id.clone())),
            false => Err(invalid("a client id must be 1 to 256 bytes")),
        };
        match wish {
            None if granted == WILDCARD => Ok(Self::Any),
            None => known(&granted.into()),
            Some(wish) if granted == WILDCARD && wish.as_str() == WILDCARD => Ok(Self::Any),
            Some(wish) if granted == WILDCARD || granted == wish.as_str() => known(wish),
            Some(_) => Err(incompatible("the credentials are for another client id")),
        }
    }

    /// Who a connection is with new credentials. It does not become somebody else.
    ///
    /// # Errors
    /// 40102 where they are somebody else's.
    pub(crate) fn renewed(&self, new: &Self) -> Result<Self, ErrorInfo> {
        match (self, new) {
            (Self::Known(own), Self::Any) => Ok(Self::Known(own.clone())),
            (Self::Known(own), new) if Self::Known(own.clone()) != *new => {
                Err(incompatible("the connection belongs to another client id"))
            }
            (_, new) => Ok(new.clone()),
        }
    }

    /// The client id that connection details carry; `None` for nobody.
    pub fn client_id(&self) -> Option<ClientId> {
        match self {
            Self::Any => Some(ClientId::new(WILDCARD)),
            Self::Known(id) => Some(id.clone()),
            Self::Anonymous => None,
        }
    }

    /// The client id that the server stamps on a message that claims `claimed`.
    ///
    /// # Errors
    /// 40012 when the message claims somebody else, or a client id that is not allowed.
    pub fn stamp(&self, claimed: Option<&ClientId>) -> Result<Option<ClientId>, ErrorInfo> {
        match (self, claimed) {
            (_, Some(id)) if !is_concrete(id) => Err(invalid("a client id must be 1 to 256 bytes and not \"*\"")),
            (Self::Any, claimed) => Ok(claimed.cloned()),
            (Self::Known(own), Some(id)) if own != id => {
                Err(invalid("a message may only carry the client id of its connection"))
            }
            (Self::Known(own), _) => Ok(Some(own.clone())),
            (Self::Anonymous, Some(_)) => {
                Err(invalid("the connection has no client id, so its messages cannot; connect with a token for one"))
            }
            (Self::Anonymous, None) => Ok(None),
        }
    }
}

/// Refuses a client id that no token may be for.
pub(crate) fn check_grantable(id: &ClientId) -> Result<(), ErrorInfo> {
    match is_concrete(id) || id.as_str() == WILDCARD {
        true => Ok(()),
        false => Err(invalid("a client id must be 1 to 256 bytes")),
    }
}

fn is_concrete(id: &ClientId) -> bool {
    (1..=MAX_CLIENT_ID).contains(&id.as_str().len()) && id.as_str() != WILDCARD
}

fn invalid(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, message)
}

fn incompatible(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, 401, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str) -> Identity {
        Identity::Known(id.into())
    }

    fn code<T>(result: Result<T, ErrorInfo>) -> Result<T, u32> {
        result.map_err(|error| error.code.0)
    }

    #[test]
    fn a_key_gives_the_identity_that_is_asked_for() {
        let identity = |wish: Option<&str>| code(Identity::of_key(wish.map(ClientId::from).as_ref()));
        assert_eq!(identity(None), Ok(Identity::Any));
        assert_eq!(identity(Some("*")), Ok(Identity::Any));
        assert_eq!(identity(Some("ada")), Ok(known("ada")));
        assert_eq!(identity(Some("")), Err(40012));
    }

    #[test]
    fn a_token_gives_the_identity_that_it_is_for_and_no_other() {
        let identity = |granted: Option<&str>, wish: Option<&str>| {
            let id = |text: Option<&str>| text.map(ClientId::from);
            code(Identity::of_token(id(granted).as_ref(), id(wish).as_ref()))
        };
        assert_eq!(identity(None, None), Ok(Identity::Anonymous));
        assert_eq!(identity(None, Some("ada")), Err(40102));
        assert_eq!(identity(Some("ada"), None), Ok(known("ada")));
        assert_eq!(identity(Some("ada"), Some("ada")), Ok(known("ada")));
        assert_eq!(identity(Some("ada"), Some("bob")), Err(40102));
        assert_eq!(identity(Some("ada"), Some("*")), Err(40102));
        assert_eq!(identity(Some("*"), None), Ok(Identity::Any));
        assert_eq!(identity(Some("*"), Some("ada")), Ok(known("ada")));
    }

    #[test]
    fn a_known_identity_never_speaks_as_another() {
        let ada = known("ada");
        assert_eq!(ada.stamp(None), Ok(Some("ada".into())));
        assert_eq!(ada.stamp(Some(&"ada".into())), Ok(Some("ada".into())));
        assert_eq!(code(ada.stamp(Some(&"bob".into()))), Err(40012));
        assert_eq!(Identity::Any.stamp(Some(&"bob".into())), Ok(Some("bob".into())));
        assert_eq!(Identity::Any.stamp(None), Ok(None));
        for nobody in ["", "*"] {
            assert!(Identity::Any.stamp(Some(&nobody.into())).is_err());
        }
    }

    #[test]
    fn an_anonymous_client_speaks_as_nobody() {
        assert_eq!(Identity::Anonymous.stamp(None), Ok(None));
        assert_eq!(code(Identity::Anonymous.stamp(Some(&"ada".into()))), Err(40012));
        assert_eq!(Identity::Anonymous.client_id(), None);
    }

    #[test]
    fn new_credentials_do_not_make_a_connection_somebody_else() {
        let ada = known("ada");
        assert_eq!(ada.renewed(&ada), Ok(ada.clone()));
        assert_eq!(ada.renewed(&Identity::Any), Ok(ada.clone()));
        assert_eq!(code(ada.renewed(&known("bob"))), Err(40102));
        assert_eq!(code(ada.renewed(&Identity::Anonymous)), Err(40102));
        assert_eq!(Identity::Any.renewed(&ada), Ok(ada.clone()));
        assert_eq!(Identity::Anonymous.renewed(&ada), Ok(ada));
    }
}
