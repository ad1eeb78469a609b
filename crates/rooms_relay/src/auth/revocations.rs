//! Tokens that were revoked before they expire.
//!
//! The relay stores no tokens, so it remembers which are no good: those of one key, made before some time, for one client or
//! with one revocation key. It forgets that when it needs the place and no token that it made can be valid any more, and when it
//! is started again.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use smol_str::SmolStr;

use super::{capability::Capability, principal::Principal, token::MAX_TTL};
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo, Timestamp};

/// Most revocations that the relay remembers. A key with so many bad tokens is better replaced.
const MAX_REVOCATIONS: usize = 10_000;

/// Longest target, in bytes: a client id or a revocation key with its type.
const MAX_TARGET: usize = 512;

/// Whose tokens are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    /// Those with which somebody is this client.
    Client(ClientId),
    /// Those that carry this `x-ably-revocation-key`.
    RevocationKey(SmolStr),
    /// Those whose capability names this channel, or this pattern of channels.
    Channel(SmolStr),
}

impl Target {
    /// Reads `type:value`.
    ///
    /// # Errors
    /// 40000 for another type, or a value that no token has.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorInfo> {
        let wrong = |why: &str| ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, why);
        let (kind, value) = text.split_once(':').unwrap_or_default();
        if value.is_empty() || text.len() > MAX_TARGET {
            return Err(wrong("a target is clientId:…, revocationKey:… or channel:…, with 512 bytes at most"));
        }
        match kind {
            "clientId" => Ok(Self::Client(value.into())),
            "revocationKey" => Ok(Self::RevocationKey(value.into())),
            "channel" => match Capability::canonical_resource(value) {
                Some(resource) => Ok(Self::Channel(resource.into())),
                None => Err(wrong("this is no channel, and no pattern of channels")),
            },
            _ => Err(wrong("the relay knows no targets of this type; name a clientId, a revocationKey or a channel")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "clientId:{}", id.as_str()),
            Self::RevocationKey(key) => write!(f, "revocationKey:{key}"),
            Self::Channel(name) => write!(f, "channel:{name}"),
        }
    }
}

/// Which tokens are no good any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Revocation {
    /// The name of the key that made them.
    pub(crate) key: SmolStr,
    pub(crate) target: Target,
    /// Those that were made before.
    pub(crate) issued_before: Timestamp,
}

impl Revocation {
    /// Whether it revokes the token of `principal`.
    pub(crate) fn covers(&self, principal: &Principal) -> bool {
        principal.key == self.key
            && is_older(principal, self.issued_before)
            && match &self.target {
                Target::Client(id) => principal.identity.client_id().as_ref() == Some(id),
                Target::RevocationKey(key) => principal.revocation_key.as_ref() == Some(key),
                Target::Channel(name) => principal.capability.names(name),
            }
    }
}

/// Whether `principal` has a token that was made before `time`. One that does not say when it was made may be old.
fn is_older(principal: &Principal, time: Timestamp) -> bool {
    principal.expires.is_some() && principal.issued.is_none_or(|issued| issued < time)
}

/// The error for a token that was revoked.
pub(crate) fn revoked() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::TOKEN_REVOKED, 401, "the token was revoked; come with a new one")
}

/// All revocations that still count.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    /// For each key and target, before which time tokens were made that are no good.
    before: HashMap<(SmolStr, Target), Timestamp>,
    /// When each is forgotten, the earliest first.
    order: BTreeSet<(Timestamp, SmolStr, Target)>,
    /// How many are for channels. They have to be compared one by one.
    channels: usize,
}

impl Revocations {
    /// Remembers a revocation.
    ///
    /// # Errors
    /// 42910 where there are too many.
    pub(crate) fn add(&mut self, revocation: Revocation, wall: Timestamp) -> Result<(), ErrorInfo> {
        if self.before.len() >= MAX_REVOCATIONS {
            self.forget_old(wall);
        }
        let Revocation { key, target, issued_before } = revocation;
        let entry = (key, target);
        let known = self.before.get(&entry).copied();
        if known.is_none() && self.before.len() >= MAX_REVOCATIONS {
            let why = "the relay remembers no more revocations; replace the key, which revokes all its tokens";
            return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
        }
        if known.is_some_and(|known| known >= issued_before) {
            return Ok(());
        }
        let (key, target) = entry.clone();
        if let Some(known) = known {
            self.order.remove(&(known.plus(MAX_TTL), key.clone(), target.clone()));
        } else if matches!(target, Target::Channel(_)) {
            self.channels += 1;
        }
        self.before.insert(entry, issued_before);
        self.order.insert((issued_before.plus(MAX_TTL), key, target));
        Ok(())
    }

    /// Forgets those for which every token that the relay made has expired. Others may sign tokens that last longer, so this
    /// waits until the place is needed.
    fn forget_old(&mut self, wall: Timestamp) {
        while self.order.first().is_some_and(|(until, ..)| *until < wall)
            && let Some((_, key, target)) = self.order.pop_first()
        {
            self.channels -= usize::from(matches!(target, Target::Channel(_)));
            self.before.remove(&(key, target));
        }
    }

    /// Refuses a principal whose token was revoked.
    ///
    /// # Errors
    /// 40141.
    pub(crate) fn check(&self, principal: &Principal) -> Result<(), ErrorInfo> {
        if self.before.is_empty() || principal.expires.is_none() {
            return Ok(());
        }
        let is_revoked = |target: Target| {
            let before = self.before.get(&(principal.key.clone(), target));
            before.is_some_and(|before| is_older(principal, *before))
        };
        let client = principal.identity.client_id().map(Target::Client);
        let revocation_key = principal.revocation_key.clone().map(Target::RevocationKey);
        if client.into_iter().chain(revocation_key).any(is_revoked) || self.is_revoked_by_channel(principal) {
            return Err(revoked());
        }
        Ok(())
    }

    fn is_revoked_by_channel(&self, principal: &Principal) -> bool {
        self.channels > 0
            && principal.capability.names_of_resources().any(|name| {
                let before = self.before.get(&(principal.key.clone(), Target::Channel(name.into())));
                before.is_some_and(|before| is_older(principal, *before))
            })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ApiKey, Capability, Identity};

    /// Somebody with a token of the development key that was made at this time.
    fn holder(client: &str, issued: Option<i64>) -> Principal {
        let key = Arc::new(ApiKey::development());
        Principal {
            issued: issued.map(Timestamp),
            expires: Some(Timestamp(i64::MAX)),
            revocation_key: Some("group".into()),
            capability: Arc::new(r#"{"room:*":["publish"]}"#.parse::<Capability>().unwrap()),
            ..Principal::of_key(&key, Identity::Known(client.into()))
        }
    }

    fn revocation(target: &str, before: i64) -> Revocation {
        let key = ApiKey::development().name().into();
        Revocation { key, target: Target::parse(target).unwrap(), issued_before: Timestamp(before) }
    }

    #[test]
    fn tokens_of_the_target_that_are_older_are_revoked_and_no_others() {
        for target in ["clientId:ada", "revocationKey:group", "channel:room:*"] {
            let mut revocations = Revocations::default();
            revocations.add(revocation(target, 1_000), Timestamp(1_000)).unwrap();
            let refused = |principal: &Principal| {
                let refused = revocations.check(principal).map_err(|error| error.code.0) == Err(40141);
                assert_eq!(refused, revocation(target, 1_000).covers(principal));
                refused
            };
            assert!(refused(&holder("ada", Some(999))) && refused(&holder("ada", None)), "{target}");
            assert!(!refused(&holder("ada", Some(1_000))), "{target}");
            let key = Principal { expires: None, issued: None, ..holder("ada", None) };
            assert!(!refused(&key), "a key is no token");
            let other_key = Principal { key: "rooms.other".into(), ..holder("ada", Some(0)) };
            assert!(!refused(&other_key), "{target}");
        }
        let mut revocations = Revocations::default();
        revocations.add(revocation("clientId:ada", 1_000), Timestamp(1_000)).unwrap();
        assert!(revocations.check(&holder("bob", Some(0))).is_ok());
    }

    #[test]
    fn a_revocation_is_forgotten_when_its_tokens_have_expired_and_another_needs_its_place() {
        let mut revocations = Revocations::default();
        revocations.add(revocation("clientId:ada", 1_000), Timestamp(1_000)).unwrap();
        revocations.add(revocation("clientId:ada", 500), Timestamp(1_000)).unwrap();
        revocations.add(revocation("channel:c", 1_000), Timestamp(1_000)).unwrap();
        assert!(revocations.check(&holder("ada", Some(999))).is_err(), "an earlier time takes nothing back");
        let later = Timestamp(1_001).plus(MAX_TTL);
        for number in 2..MAX_REVOCATIONS {
            revocations.add(revocation(&format!("clientId:{number}"), later.0), later).unwrap();
        }
        assert!(revocations.check(&holder("ada", Some(999))).is_err(), "others may sign tokens that last longer");
        revocations.add(revocation("clientId:bob", later.0), later).unwrap();
        assert!(revocations.check(&holder("ada", Some(999))).is_ok());
        let kept = MAX_REVOCATIONS - 1;
        assert_eq!((revocations.before.len(), revocations.order.len(), revocations.channels), (kept, kept, 0));
    }

    #[test]
    fn there_is_a_limit_to_what_is_remembered() {
        let mut revocations = Revocations::default();
        for number in 0..MAX_REVOCATIONS {
            revocations.add(revocation(&format!("clientId:{number}"), 0), Timestamp(0)).unwrap();
        }
        assert!(revocations.add(revocation("clientId:1", 5), Timestamp(0)).is_ok(), "it is known already");
        let refused = revocations.add(revocation("clientId:more", 0), Timestamp(0));
        assert_eq!(refused.map_err(|error| error.code.0), Err(42910));
    }

    #[test]
    fn a_target_has_a_type_and_a_value() {
        for wrong in ["", "ada", "clientId:", "user:ada", "channel:[odd]x", &format!("clientId:{}", "x".repeat(600))] {
            assert_eq!(Target::parse(wrong).map_err(|error| error.code.0), Err(40000), "{wrong}");
        }
        let target = Target::parse("clientId:a:b").unwrap();
        assert_eq!((target.to_string().as_str(), target), ("clientId:a:b", Target::Client("a:b".into())));
    }
}
