//! What the game can ask a session. Changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use super::{Role, Session};
use crate::{
    config::Migration,
    event::{SessionError, SessionStatus},
    host::state::HostState,
    id::{PlayerId, RoomName, Stamp, Term},
    state::{document::Document, roster::Roster, rules::RoomRules},
    stats::SessionStats,
};

impl Session {
    /// Where the player stands with the room.
    pub fn status(&self) -> SessionStatus {
        match self.role {
            Role::Closed => SessionStatus::Closed,
            _ if self.base.feed.is_joined() => SessionStatus::Joined,
            _ => SessionStatus::Arriving,
        }
    }

    /// Whether this player is the room's host.
    pub fn is_host(&self) -> bool {
        self.base.feed.is_joined()
            && matches!(self.role, Role::Host(_))
            && self.base.feed.host() == Some(&self.base.config.player)
    }

    /// Who hosts the room. `None` outside a room.
    pub fn host(&self) -> Option<&PlayerId> {
        self.base.feed.host().filter(|_| self.base.feed.is_joined())
    }

    /// How long a peer has waited for a word of the host. `None` for the host itself, outside a room, and while nothing can
    /// come in.
    pub fn host_silence(&self, now: Instant) -> Option<Duration> {
        match &self.role {
            Role::Peer(peer) if self.base.facts.is_up() && self.base.feed.is_joined() => Some(peer.silence(now)),
            _ => None,
        }
    }

    /// What becomes of the room without its host. The default outside a room.
    pub fn migration(&self) -> Migration {
        self.document().migration
    }

    /// The term of the state that is followed. 0 outside a room.
    pub fn term(&self) -> Term {
        self.stamp().map_or(Term::default(), |stamp| stamp.reign.term)
    }

    /// Which state came over the wire last: its reign and its version. `None` outside a room.
    pub fn stamp(&self) -> Option<&Stamp> {
        self.replica.stamp().filter(|_| self.base.feed.is_joined())
    }

    /// Who is in the room, in order of admission. Empty outside a room.
    pub fn roster(&self) -> &Roster {
        &self.document().roster
    }

    /// The room's rules. The default outside a room.
    pub fn rules(&self) -> &RoomRules {
        &self.document().rules
    }

    /// One value of the shared state. `None` outside a room.
    pub fn shared(&self, key: &str) -> Option<&Value> {
        self.shared_values().get(key)
    }

    /// One value of the shared state as it last came back from the room: what every player has, or is about to have. On a peer it
    /// is [`shared`](Self::shared). A host is ahead of it by what it changed within a round trip, and goes on from it, not from its
    /// own value, when somebody else took over meanwhile. `None` outside a room.
    pub fn confirmed(&self, key: &str) -> Option<&Value> {
        self.replica.document().shared.get(key).filter(|_| self.base.feed.is_joined())
    }

    /// Takes the keys whose [`confirmed`](Self::confirmed) values changed since the last call, in order. Empty while nothing came.
    pub fn take_confirmed(&mut self) -> BTreeSet<SmolStr> {
        if self.base.feed.is_joined() { self.replica.take_confirmed() } else { BTreeSet::new() }
    }

    /// The keys of the shared state, in order.
    pub fn shared_keys(&self) -> impl Iterator<Item = &str> {
        self.shared_values().keys().map(SmolStr::as_str)
    }

    /// This player.
    pub fn local(&self) -> &PlayerId {
        &self.base.config.player
    }

    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.base.config.room
    }

    /// Whether the host asked to wait until the running round is over.
    pub fn is_waiting(&self) -> bool {
        self.hellos.is_waiting() && !self.base.feed.is_joined() && !self.is_closed()
    }

    /// What was dropped and what waits.
    pub fn stats(&self) -> SessionStats {
        SessionStats {
            overflowed: self.base.feed.overflowed(),
            waiting: self.base.outbound.waiting(),
            unconfirmed: self.requests.unconfirmed(),
            kept: self.replica.kept(),
            pace: self.base.outbound.pace_stats(self.base.last_step),
            ..self.base.stats
        }
    }

    /// Whether the server limits how much is sent, so that messages may wait for their turn ([`PaceConfig`](crate::PaceConfig)).
    pub fn is_paced(&self) -> bool {
        self.base.outbound.is_paced()
    }

    /// The name that this player shows.
    pub(crate) fn shown_name(&self) -> &str {
        &self.base.config.profile.name
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.role, Role::Closed)
    }

    /// The document as the game sees it.
    pub(super) fn document(&self) -> &Document {
        if self.base.feed.is_joined() { self.role.document(&self.replica) } else { &self.outside }
    }

    fn shared_values(&self) -> &BTreeMap<SmolStr, Value> {
        &self.document().shared
    }

    /// The host's own state, for a call that only a host in the room may make.
    pub(super) fn host_state(&mut self) -> Result<&mut HostState, SessionError> {
        if !self.base.feed.is_joined() {
            return Err(SessionError::NotJoined);
        }
        match &mut self.role {
            Role::Host(host) => Ok(host),
            _ => Err(SessionError::NotHost),
        }
    }

    /// The same for a call that has to wait until this host's first state came back.
    pub(super) fn confirmed_host(&mut self) -> Result<&mut HostState, SessionError> {
        if self.base.feed.is_joined() && !self.is_host() {
            return Err(SessionError::NotHost);
        }
        self.host_state()
    }
}
