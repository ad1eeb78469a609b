//! The authorization part: it owns the applications with their keys, the nonces that were used, and how games get tokens.
//!
//! It decides whom to let in, and makes tokens. What credentials allow on a channel, [`Principal`] says.

use std::{net::IpAddr, sync::Arc};

use rand::Rng;
use serde_json::Value;

use super::{
    apps::{Apps, Fixture},
    credentials::Credentials,
    identity::Identity,
    key::{ApiKey, AppId},
    owner::Address,
    principal::Principal,
    revocations::{Revocation, Revocations},
    token::{
        self, Grant, TokenDetails,
        game::TokenEndpoint,
        mint,
        request::{MadeToken, Nonces, TokenOffer, TokenRequest},
    },
};
use crate::{
    error::{invalid_credentials, not_found, not_permitted},
    limits::RateMeter,
    moment::Moment,
    rate::{RateMeters, of_one},
};
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Timestamp};

/// What became of somebody who was let in, when keys changed.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing.
    Same,
    /// It may do something else.
    Changed(Box<Principal>),
    /// Its key, or that of its token, is not one of the relay's any more.
    KeyGone,
}

/// Whom the relay lets in.
#[derive(Debug)]
pub(crate) struct Authorizer {
    apps: Apps,
    /// Tokens that are no good any more.
    revocations: Revocations,
    /// Nonces of requests for tokens that could come again.
    nonces: Nonces,
    token_endpoint: Option<TokenEndpoint>,
    /// Tokens a second.
    token_rate: Option<u32>,
    /// Tokens for those who have a key, or a request that is signed with one.
    tokens: RateMeter,
    /// Tokens for games whose players show nothing. So they take none from the others.
    game_tokens: RateMeter,
    /// Those of each address.
    game_tokens_of: RateMeters<Address>,
}

/// Who asks for a token for a game.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// Somebody with right credentials of any kind.
    Known,
    /// Somebody who shows nothing, at this address.
    Stranger(Option<IpAddr>),
}

impl Authorizer {
    /// Lets in whoever holds one of the keys, or a token of them.
    /// It starts at `wall`.
    pub(crate) fn new(
        keys: &[ApiKey],
        token_endpoint: Option<TokenEndpoint>,
        token_rate: Option<u32>,
        wall: Timestamp,
    ) -> Self {
        Self {
            apps: Apps::new(keys),
            revocations: Revocations::default(),
            nonces: Nonces::since(wall),
            token_endpoint,
            token_rate,
            tokens: RateMeter::default(),
            game_tokens: RateMeter::default(),
            game_tokens_of: RateMeters::default(),
        }
    }

    /// Takes other keys, another endpoint and another rate. What it remembers of tokens stays.
    pub(crate) fn reconfigure(
        &mut self,
        keys: &[ApiKey],
        token_endpoint: Option<TokenEndpoint>,
        token_rate: Option<u32>,
    ) {
        self.apps.replace(keys);
        self.token_endpoint = token_endpoint;
        self.token_rate = token_rate;
    }

    /// What a principal that was let in may do with the keys that there are now.
    pub(crate) fn review(&self, principal: &Principal) -> Standing {
        let before = &principal.signer;
        let Some(key) = self.apps.with_secret(before.name(), before.secret()) else { return Standing::KeyGone };
        if key.capability() == before.capability() {
            return Standing::Same;
        }
        let allowed = match principal.expires {
            None => Some(Arc::clone(key.capability())),
            Some(_) => principal.capability.intersect(key.capability()).ok().flatten().map(Arc::new),
        };
        let changed = |capability| Principal { capability, signer: Arc::clone(key), ..principal.clone() };
        allowed.map_or(Standing::KeyGone, |capability| Standing::Changed(Box::new(changed(capability))))
    }

    /// Remembers that tokens are no good any more.
    ///
    /// # Errors
    /// 42910 where too many are remembered.
    pub(crate) fn revoke(&mut self, revocation: Revocation, wall: Timestamp) -> Result<(), ErrorInfo> {
        self.revocations.add(revocation, wall)
    }

    /// Decides who shows `credentials` at `wall` and wants to be `client_id`.
    ///
    /// # Errors
    /// As [`Hub::authenticate`](crate::Hub::authenticate).
    pub(crate) fn authenticate(
        &self,
        credentials: Option<&Credentials>,
        client_id: Option<&ClientId>,
        wall: Timestamp,
    ) -> Result<Principal, ErrorInfo> {
        let principal = authenticate(&self.apps, credentials, client_id, wall)?;
        self.revocations.check(&principal)?;
        Ok(principal)
    }

    /// Decides who a connection of `principal` is with a new token.
    ///
    /// # Errors
    /// 40101 without a token, 40102 where it is somebody else's, 4014x where it is not valid.
    pub(crate) fn renew(
        &self,
        principal: &Principal,
        token: Option<String>,
        wall: Timestamp,
    ) -> Result<Principal, ErrorInfo> {
        let token = token.ok_or_else(|| invalid_credentials("AUTH came without a token"))?;
        principal.renewed(self.authenticate(Some(&Credentials::Token(token)), None, wall)?)
    }

    /// Makes a token for a request.
    ///
    /// # Errors
    /// As [`Hub::request_token`](crate::Hub::request_token).
    pub(crate) fn request_token(
        &mut self,
        key_name: &str,
        body: &Value,
        credentials: Option<&Credentials>,
        moment: Moment,
    ) -> Result<TokenDetails, ErrorInfo> {
        let offer = self.offer(key_name, credentials, moment)?;
        let made = offer.make(TokenRequest::parse(body, key_name)?)?;
        self.hand_out(made, moment)
    }

    /// What somebody may get who asks for a token of the key `key_name` and shows `credentials`, or signs the request.
    ///
    /// # Errors
    /// 40400 where the relay has no such key.
    pub(crate) fn offer(
        &self,
        key_name: &str,
        credentials: Option<&Credentials>,
        moment: Moment,
    ) -> Result<TokenOffer, ErrorInfo> {
        let keys = self.apps.keys_named(key_name)?.into_iter().cloned().collect();
        let shown = match credentials {
            Some(Credentials::Key(text)) => self.apps.key(text).ok().filter(|key| key.name() == key_name).cloned(),
            _ => None,
        };
        Ok(TokenOffer::new(key_name, keys, shown, moment.wall))
    }

    /// Hands out a token that was made for a request with a right signature, or for somebody who showed the key. Last, so that a
    /// request which was refused can be sent again.
    ///
    /// # Errors
    /// 42918 for one too many in a second, 40104 and 40105 for a request that is old or was used.
    pub(crate) fn hand_out(&mut self, made: MadeToken, moment: Moment) -> Result<TokenDetails, ErrorInfo> {
        count(&mut self.tokens, self.token_rate, moment)?;
        if let Some(request) = made.signed {
            request.check_fresh(&mut self.nonces, moment.wall)?;
        }
        Ok(made.details)
    }

    /// Makes a token for one player in one room.
    ///
    /// # Errors
    /// As [`Hub::game_token`](crate::Hub::game_token).
    pub(crate) fn game_token(&mut self, room: &str, player: &str, moment: Moment) -> Result<TokenDetails, ErrorInfo> {
        let (key, grant) = self.game_grant(room, player, Asker::Stranger(None), moment)?;
        mint(&key, grant, moment.wall)
    }

    /// What the token for one player in one room is to be for, and the key that signs it.
    ///
    /// # Errors
    /// As [`Hub::game_token`](crate::Hub::game_token).
    pub(crate) fn game_grant(
        &mut self,
        room: &str,
        player: &str,
        asker: Asker,
        moment: Moment,
    ) -> Result<(Arc<ApiKey>, Grant), ErrorInfo> {
        let off = || not_found("this relay gives no tokens to games; switch it on");
        match asker {
            Asker::Known => count(&mut self.tokens, self.token_rate, moment)?,
            Asker::Stranger(address) => self.count_stranger(address.map(Address::from), moment)?,
        }
        let endpoint = self.token_endpoint.as_ref().ok_or_else(off)?;
        let grant = endpoint.grant(room, player)?;
        let keys = self.apps.keys_named(&endpoint.key)?;
        let key = keys.first().ok_or_else(off)?;
        Ok((Arc::clone(key), grant))
    }

    /// Counts a token for a game whose player shows nothing, for its address first.
    fn count_stranger(&mut self, address: Option<Address>, moment: Moment) -> Result<(), ErrorInfo> {
        let (rate, now) = (of_one(self.token_rate), moment.now);
        if address.is_some_and(|address| !self.game_tokens_of.has_capacity(&address, rate, now)) {
            return Err(too_many_tokens());
        }
        count(&mut self.game_tokens, self.token_rate, moment)?;
        if let Some(address) = address {
            self.game_tokens_of.count(address, now);
        }
        Ok(())
    }

    /// Whether a player who asks for a token may leave the room out.
    pub(crate) fn gives_every_channel(&self) -> bool {
        self.token_endpoint.as_ref().is_some_and(|endpoint| endpoint.every_channel)
    }

    /// How many members a channel of `app` may have, where the app has a limit of its own.
    pub(crate) fn max_members(&self, app: &AppId) -> Option<usize> {
        self.apps.max_members(app)
    }

    /// Makes an application from what a test suite posts. Returns the answer and the members to begin with.
    ///
    /// # Errors
    /// 40000 for a description that makes no sense, 40113 where there are too many.
    pub(crate) fn create_app(
        &mut self,
        body: &Value,
        random: &mut impl Rng,
    ) -> Result<(AppId, Value, Vec<Fixture>), ErrorInfo> {
        self.apps.create(body, random)
    }

    /// Takes an application away whose making failed.
    pub(crate) fn discard_app(&mut self, app: &AppId) {
        self.apps.delete(app);
    }

    /// Deletes an application that a test suite made.
    ///
    /// # Errors
    /// 40400 where there is no such application, 40101 and 40160 without a key of it.
    pub(crate) fn delete_app(
        &mut self,
        app: &str,
        credentials: Option<&Credentials>,
        wall: Timestamp,
    ) -> Result<AppId, ErrorInfo> {
        let principal = self.authenticate(credentials, None, wall)?;
        if principal.app.as_str() != app || principal.expires.is_some() {
            return Err(not_permitted("an application is deleted with a key of its own"));
        }
        match self.apps.delete(&principal.app) {
            true => Ok(principal.app),
            false => Err(not_found("this application was not made by a test suite, so it stays")),
        }
    }
}

fn count(meter: &mut RateMeter, rate: Option<u32>, moment: Moment) -> Result<(), ErrorInfo> {
    if !meter.has_capacity(1, rate, moment.now) {
        return Err(too_many_tokens());
    }
    meter.count(1, moment.now);
    Ok(())
}

fn too_many_tokens() -> ErrorInfo {
    let why = "too many tokens are asked for in one second; try again in a moment";
    ErrorInfo::new(ErrorCode::REQUEST_RATE_EXCEEDED, 429, why)
}

/// Decides who shows `credentials` at `wall` and wants to be `client_id`.
fn authenticate(
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
        Some(Credentials::Key(text)) => Ok(Principal::of_key(apps.key(text)?, Identity::of_key(client_id)?)),
        Some(Credentials::Token(text)) => {
            let claim = token::verify(apps, text, wall)?;
            let identity = Identity::of_token(claim.client_id.as_ref(), client_id)?;
            Ok(Principal {
                capability: claim.capability,
                expires: Some(claim.expires),
                issued: claim.issued,
                revocation_key: claim.revocation_key,
                ..Principal::of_key(&claim.key, identity)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnectRequest, Operation};
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
        for (key, status) in [("rooms.none:insecure-development-key", 401), ("aB3-_x.dev:secret", 404)] {
            let credentials = Credentials::Key(key.to_owned());
            let refused = authenticate(&Apps::new(&[ApiKey::development()]), Some(&credentials), None, Timestamp(0));
            assert_eq!(
                refused.map_err(|error| (error.code.0, error.status_code)).err(),
                Some((40400, status)),
                "{key}"
            );
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
}
