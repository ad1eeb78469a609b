//! On whose behalf clients act, and what they may do.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{
    capability::{Capability, Operation},
    identity::Identity,
    key::{ApiKey, AppId},
};
use crate::error::not_permitted;
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Timestamp};

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
    /// When its token expires; `None` for a key.
    pub expires: Option<Timestamp>,
    /// When its token was made; `None` for a key, and for a token that does not say.
    pub issued: Option<Timestamp>,
    /// The name under which its token can be revoked together with others, `x-ably-revocation-key`.
    pub revocation_key: Option<SmolStr>,
    /// The key itself, or the one that signed the token. The relay compares it with the keys that it has after a reload.
    pub(crate) signer: Arc<ApiKey>,
}

impl Principal {
    /// The holder of a key.
    pub(crate) fn of_key(key: &Arc<ApiKey>, identity: Identity) -> Self {
        Self {
            app: key.app().clone(),
            key: key.name().into(),
            identity,
            capability: Arc::clone(key.capability()),
            expires: None,
            issued: None,
            revocation_key: None,
            signer: Arc::clone(key),
        }
    }

    /// Who a connection of this principal is with new credentials, and what it may do.
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
