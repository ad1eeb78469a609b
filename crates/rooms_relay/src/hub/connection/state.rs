//! What the hub knows about a connection, which outlives the links that carry it.

use std::{collections::BTreeMap, time::Duration};

use rand::Rng;
use subtle::ConstantTimeEq;

use crate::{
    LinkId, Principal,
    budget::{Charge, MemoryBudget, Purpose},
    hub::{
        channel::key::ChannelKey,
        connection::{ack_log::AckLog, early::EarlyPublishes},
    },
    limits::RateMeter,
    random::random_text,
};
use rooms_protocol::{ChannelName, ConnectionId, ConnectionKey};

/// Bytes of a connection's public id: 72 bits, so many that two ids do not match by chance.
const ID_BYTES: usize = 9;

/// Bytes of a connection's secret: 128 bits, so that it cannot be guessed.
const SECRET_BYTES: usize = 16;

/// Separates the id and the secret of a connection key. Neither contains it.
const KEY_SEPARATOR: char = '!';

/// What a connection takes in memory beside what it has, about, in bytes: itself, its link, its places in tables, and its timers.
const CONNECTION_BYTES: usize = 4 * 1024;

/// What an attachment, or members on a channel, take beside their names, about, in bytes.
const PLACE_BYTES: usize = 1024;

/// The secret part of a connection key.
pub(crate) type Secret = String;

/// A connection: what a resume brings back.
pub(crate) struct HubConnection {
    /// Who it is.
    pub(crate) principal: Principal,
    /// The link that carries it now.
    pub(crate) link: Option<LinkId>,
    /// The outcomes of its frames.
    pub(crate) acks: AckLog,
    /// The channels that its link is attached to, by the name that the client uses.
    pub(crate) attached: BTreeMap<ChannelName, ChannelKey>,
    /// Where it published on channels before it attached them.
    pub(crate) early: EarlyPublishes,
    /// The channels on which it has members, and how many.
    pub(crate) present_on: BTreeMap<ChannelKey, usize>,
    /// How long its members stay after an abrupt drop.
    pub(crate) remain_present_for: Duration,
    /// The messages that it publishes.
    pub(crate) rate: RateMeter,
    secret: Secret,
    /// The secret before, with which the client resumed. It is valid until the client shows that it knows the new one: the
    /// CONNECTED that carried the new one may be lost.
    previous: Option<Secret>,
    /// What its attachments and members take, about, in bytes.
    places: usize,
    charge: Charge,
}

impl HubConnection {
    pub(crate) fn new(principal: Principal, secret: Secret, budget: &MemoryBudget) -> Self {
        Self {
            principal,
            link: None,
            acks: AckLog::default(),
            attached: BTreeMap::new(),
            early: EarlyPublishes::default(),
            present_on: BTreeMap::new(),
            remain_present_for: Duration::ZERO,
            rate: RateMeter::default(),
            secret,
            previous: None,
            places: 0,
            charge: budget.charge(Purpose::Tables, CONNECTION_BYTES),
        }
    }

    /// Whether its client attached, entered or published anything over its link, so that something is lost with it.
    pub(crate) fn is_used(&self) -> bool {
        !self.attached.is_empty() || !self.present_on.is_empty() || self.acks.is_begun()
    }

    /// Has the account follow where it is attached and has members.
    pub(crate) fn recharge(&mut self) {
        let names = self.attached.keys().map(|name| 2 * name.as_str().len()).sum::<usize>();
        self.places = names + (self.attached.len() + self.present_on.len()) * PLACE_BYTES;
        self.recharge_acks();
    }

    /// Has the account follow which outcomes it keeps. That happens with each publish, however many channels there are.
    pub(crate) fn recharge_acks(&self) {
        self.charge.set(CONNECTION_BYTES + self.places + self.early.held_bytes() + self.acks.held_bytes());
    }

    /// Its members on all channels but one.
    pub(crate) fn members_beside(&self, key: &ChannelKey) -> usize {
        self.present_on.iter().filter(|(other, _)| *other != key).map(|(_, members)| members).sum()
    }

    /// The key that resumes it, whose id is `id`.
    pub(crate) fn key(&self, id: &ConnectionId) -> ConnectionKey {
        ConnectionKey::from(format!("{id}{KEY_SEPARATOR}{}", self.secret))
    }

    /// Whether `secret` resumes it. Takes the same time wherever secrets differ.
    pub(crate) fn opens_with(&self, secret: &str) -> bool {
        let is_current = self.secret.as_bytes().ct_eq(secret.as_bytes());
        let is_previous = self.previous.as_ref().map(|previous| previous.as_bytes().ct_eq(secret.as_bytes()));
        bool::from(is_current) || is_previous.is_some_and(bool::from)
    }

    /// Replaces the secret with `fresh`. `used`, with which the client resumed, stays valid until the client knows the new one.
    pub(crate) fn renew(&mut self, fresh: Secret, used: &str) {
        self.secret = fresh;
        self.previous = Some(used.to_owned());
    }

    /// Notes that the client knows the current secret.
    pub(crate) fn confirm(&mut self) {
        self.previous = None;
    }
}

/// The id and the secret in a connection key; `None` for a text that is not one.
pub(crate) fn split_key(key: &ConnectionKey) -> Option<(ConnectionId, &str)> {
    let (id, secret) = key.as_str().split_once(KEY_SEPARATOR)?;
    Some((id.into(), secret))
}

/// A new connection id.
pub(crate) fn random_id(random: &mut impl Rng) -> ConnectionId {
    ConnectionId::from(random_text::<ID_BYTES>(random))
}

/// A new secret.
pub(crate) fn random_secret(random: &mut impl Rng) -> Secret {
    random_text::<SECRET_BYTES>(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKey, Identity};

    fn connection(secret: &str) -> HubConnection {
        let principal = Principal::of_key(&ApiKey::development().into(), Identity::Any);
        HubConnection::new(principal, secret.to_owned(), &MemoryBudget::new(1_000_000))
    }

    #[test]
    fn a_key_is_taken_apart_into_what_it_was_made_of() {
        let key = connection("s3").key(&"id".into());
        assert_eq!(split_key(&key), Some(("id".into(), "s3")));
        assert_eq!(split_key(&"nonsense".into()), None);
    }

    #[test]
    fn the_key_that_was_used_is_valid_until_the_new_one_is_known() {
        let mut connection = connection("old");
        connection.renew("new".to_owned(), "old");
        assert!(connection.opens_with("old") && connection.opens_with("new") && !connection.opens_with(""));
        connection.confirm();
        assert!(!connection.opens_with("old") && connection.opens_with("new"));
    }
}
