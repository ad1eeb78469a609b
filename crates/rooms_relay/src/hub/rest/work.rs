//! What is left to do for a request when the hub has looked at its head: reading the body, checking signatures and signing. It
//! happens outside the hub, so that one client's body delays nobody.

use std::{net::IpAddr, sync::Arc};

use serde_json::Value;
use smol_str::SmolStr;

use super::{publish, revoke::Revoking, tokens::token_body};
use crate::{
    ApiKey,
    auth::{
        Principal,
        owner::Owner,
        token::{
            Grant, mint,
            request::{MadeToken, TokenOffer, TokenRequest},
        },
    },
    http::{Body, Call, Reply},
    hub::{channel::key::ChannelKey, refusals::Party},
    limits::Limits,
};
use rooms_protocol::{ErrorInfo, Message, Timestamp};

/// What comes of the head of a request.
pub(crate) enum Asked {
    /// The answer.
    Answer(Reply),
    /// There is more to do.
    Work(Box<Work>),
}

impl From<Result<Self, ErrorInfo>> for Asked {
    fn from(result: Result<Self, ErrorInfo>) -> Self {
        result.unwrap_or_else(|error| Self::Answer(error.into()))
    }
}

/// What is done outside the hub, with the body of the request if there is to be one.
pub(crate) enum Work {
    /// Reading messages.
    Publish(Box<Publishing>),
    /// Reading a request for a token, checking its signature, and making the token.
    TokenRequest(TokenOffer),
    /// Making a token for a game, which is valid from `wall` on.
    GameToken { key: Arc<ApiKey>, grant: Grant, wall: Timestamp },
    /// Reading which tokens of a key are to be revoked.
    Revoke { key: SmolStr, owner: Owner },
    /// Reading the description of a sandbox's app.
    App,
}

/// A publish whose sender may publish.
pub(crate) struct Publishing {
    /// The channel's name, as the request has it.
    pub(crate) name: String,
    pub(crate) key: ChannelKey,
    pub(crate) principal: Principal,
    pub(crate) owner: Owner,
    pub(crate) address: Option<IpAddr>,
}

/// What the work comes to.
pub(crate) enum Done {
    /// The answer.
    Answer(Reply),
    /// Something for the hub.
    Job(Box<Job>),
}

/// What the hub does with the result of the work.
pub(crate) enum Job {
    /// Publishes messages.
    Publish { to: Box<Publishing>, messages: Vec<Message> },
    /// Hands out a token, unless there are too many, or the signed request for it was used before.
    Token(Box<MadeToken>),
    /// Revokes tokens of a key.
    Revoke { key: SmolStr, request: Revoking },
    /// Makes an app, for somebody who reaches the relay as `host`.
    App { body: Value, host: String },
}

impl Job {
    /// On whose behalf it is done, for operators.
    pub(super) fn party(&self) -> Party {
        match self {
            Self::Publish { to, .. } => Party::of(&to.principal, to.address),
            Self::Revoke { key, .. } => Party::key(key),
            Self::Token(_) | Self::App { .. } => Party::default(),
        }
    }
}

impl Work {
    /// Most bytes of the body. Zero where none is read.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn most_bytes(&self, limits: &Limits) -> usize {
        match self {
            Self::Publish(_) | Self::App => limits.max_frame_size,
            Self::TokenRequest(_) => crate::limits::TOKEN_REQUEST_BYTES,
            Self::Revoke { .. } => crate::limits::REVOCATION_BYTES,
            Self::GameToken { .. } => 0,
        }
    }

    /// Whose the body is, where it is of somebody who was let in.
    #[cfg_attr(
        any(not(feature = "server"), target_arch = "wasm32"),
        expect(dead_code, reason = "without a server no body takes time to come")
    )]
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Publish(to) => Some(&to.owner),
            Self::Revoke { owner, .. } => Some(owner),
            Self::TokenRequest(_) | Self::GameToken { .. } | Self::App => None,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// 40001 for a body that cannot be read, 40009 and 40034 for too many bytes or messages, and for tokens as
    /// [`TokenOffer::make`] and [`mint`].
    pub(crate) fn run(self, call: &Call, body: &[u8], limits: &Limits) -> Result<Done, ErrorInfo> {
        let job = match self {
            Self::Publish(to) => Job::Publish { to, messages: publish::messages(call, body, limits)? },
            Self::TokenRequest(offer) => {
                let request = TokenRequest::read(call, body, offer.key_name())?;
                Job::Token(Box::new(offer.make(request)?))
            }
            Self::GameToken { key, grant, wall } => {
                let details = mint(&key, grant, wall)?;
                return Ok(Done::Answer(Reply::new(200, Body::Value(token_body(&details)))));
            }
            Self::Revoke { key, .. } => Job::Revoke { key, request: call.read(body)? },
            Self::App => {
                let host = call.request.header("host").unwrap_or_default().to_owned();
                Job::App { body: call.read(body)?, host }
            }
        };
        Ok(Done::Job(Box::new(job)))
    }
}
