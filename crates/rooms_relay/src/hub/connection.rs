//! The connections part: it owns all connections, which outlive the links that carry them.
//!
//! It decides which connection a client resumes, watches tokens, and remembers where a connection is attached and
//! present. It names channels by their keys alone. [`Hub`](super::Hub) drives it.

pub(crate) mod ack_log;
pub(crate) mod caller;
mod early;
pub(crate) mod state;
mod tokens;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use rand::Rng;
use smol_str::SmolStr;
use web_time::Instant;

use self::{
    ack_log::Outcome,
    caller::Caller,
    state::{HubConnection, random_id, random_secret, split_key},
    tokens::forget_token,
};
use super::{
    channel::{key::ChannelKey, presence::PresenceVerdict},
    connect_request::ConnectRequest,
    output::LinkId,
    timer::{HubTimer, Timers},
};
use crate::{
    auth::{AppId, Operation, Principal},
    budget::MemoryBudget,
    limits::{Limits, MIN_REMAIN_PRESENT, OUTCOMES_KEPT, RateMeter, check_names, rate_exceeded},
};
use rooms_protocol::{
    Action, ChannelName, ConnectionDetails, ConnectionId, ConnectionKey, ErrorCode, ErrorInfo, Frame, MsgSerial,
    Timestamp,
};

/// How many outcomes, counted in serials, a connection keeps that publishes while memory is short.
const FEW_OUTCOMES: usize = 64;

/// What a new connection may need of the memory, about, in bytes.
const NEW_CONNECTION_BYTES: usize = 16 * 1024;

/// A connection that a client resumes.
pub(crate) struct Resumed {
    pub(crate) id: ConnectionId,
    /// The link that carried it until now.
    pub(crate) replaced: Option<LinkId>,
}

/// All connections of the hub.
pub(crate) struct Connections {
    by_id: HashMap<ConnectionId, HubConnection>,
    /// Connections that begin.
    begun: RateMeter,
    limits: Arc<Limits>,
    /// The relay's own id, which CONNECTED carries.
    node: SmolStr,
    budget: MemoryBudget,
}

impl Connections {
    /// No connections, on the relay with the id `node`. What they hold is charged to `budget`.
    pub(crate) fn new(node: SmolStr, limits: Arc<Limits>, budget: MemoryBudget) -> Self {
        Self { by_id: HashMap::new(), begun: RateMeter::default(), limits, node, budget }
    }

    /// Takes other limits.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
    }

    /// The ids of all connections.
    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        self.held_by(|_| true)
    }

    /// The connections of whoever is meant.
    pub(crate) fn held_by(&self, is_meant: impl Fn(&Principal) -> bool) -> Vec<ConnectionId> {
        let meant = self.by_id.iter().filter(|(_, connection)| is_meant(&connection.principal));
        meant.map(|(id, _)| id.clone()).collect()
    }

    /// How many connections there are, with those that can still be resumed.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// A connection.
    pub(crate) fn get(&self, id: &ConnectionId) -> Option<&HubConnection> {
        self.by_id.get(id)
    }

    /// The connection that `key` opens, in this app.
    pub(crate) fn opened_with(&self, key: &ConnectionKey, app: &AppId) -> Option<(ConnectionId, &HubConnection)> {
        let (id, secret) = split_key(key)?;
        let connection = self.by_id.get(&id)?;
        (connection.opens_with(secret) && connection.principal.app == *app).then_some((id, connection))
    }

    /// The connections of an app, with their links.
    pub(crate) fn of_app(&self, app: &AppId) -> Vec<(ConnectionId, Option<LinkId>)> {
        let of_app = self.by_id.iter().filter(|(_, connection)| connection.principal.app == *app);
        of_app.map(|(id, connection)| (id.clone(), connection.link)).collect()
    }

    /// Who sends over a link. A frame proves that the client knows the newest secret of its connection.
    pub(crate) fn caller(&mut self, link: LinkId, id: &ConnectionId) -> Option<Caller> {
        let connection = self.by_id.get_mut(id)?;
        connection.confirm();
        Some(Caller { link, id: id.clone(), principal: connection.principal.clone() })
    }

    /// Finds the connection that `key` resumes and gives it a new secret. `None` where there is none.
    ///
    /// # Errors
    /// 40102 where the credentials are of somebody else.
    pub(crate) fn resume(
        &mut self,
        key: &ConnectionKey,
        principal: &Principal,
        random: &mut impl Rng,
    ) -> Result<Option<Resumed>, ErrorInfo> {
        let Some((id, _)) = self.opened_with(key, &principal.app) else { return Ok(None) };
        let (Some((_, secret)), Some(connection)) = (split_key(key), self.by_id.get_mut(&id)) else { return Ok(None) };
        connection.principal = connection.principal.renewed(principal.clone())?;
        connection.renew(random_secret(random), secret);
        let replaced = connection.link;
        Ok(Some(Resumed { id, replaced }))
    }

    /// Begins a new connection.
    ///
    /// # Errors
    /// 40111 where there are too many, 42910 where too many begin in this second or memory is short.
    pub(crate) fn begin(
        &mut self,
        principal: Principal,
        now: Instant,
        random: &mut impl Rng,
    ) -> Result<ConnectionId, ErrorInfo> {
        self.limits.check_connections(self.by_id.len())?;
        if !self.begun.has_capacity(1, self.limits.new_connection_rate, now) {
            let why = "too many new connections in one second; try again in a moment";
            return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
        }
        self.budget.check(NEW_CONNECTION_BYTES)?;
        self.begun.count(1, now);
        let id = random_id(random);
        let secret = random_secret(random);
        self.by_id.insert(id.clone(), HubConnection::new(principal, secret, &self.budget));
        Ok(id)
    }

    /// Has `link` carry a connection, as its client asks.
    pub(crate) fn put_on_link(
        &mut self,
        link: LinkId,
        id: &ConnectionId,
        request: &ConnectRequest,
        timers: &mut Timers,
    ) {
        let limits = &self.limits;
        timers.stop(&HubTimer::ForgetConnection(id.clone()));
        if let Some(connection) = self.by_id.get_mut(id) {
            connection.link = Some(link);
            connection.remain_present_for = request
                .remain_present_for
                .map_or(limits.remain_present_for, |asked| asked.max(MIN_REMAIN_PRESENT))
                .min(limits.connection_state_ttl);
        }
    }

    /// CONNECTED, with an error where the connection could not be resumed. `idle` is the longest silence that the client may
    /// expect.
    pub(crate) fn connected(
        &self,
        id: &ConnectionId,
        error: Option<ErrorInfo>,
        idle: Duration,
        wall: Timestamp,
    ) -> Option<Frame> {
        let connection = self.by_id.get(id)?;
        let limits = &self.limits;
        let details = ConnectionDetails {
            client_id: connection.principal.identity.client_id(),
            connection_key: Some(connection.key(id)),
            max_message_size: Some(limits.max_message_size as u64),
            max_frame_size: Some(limits.max_frame_size as u64),
            // A client paces itself by it, and a room has one channel.
            max_inbound_rate: [limits.connection_rate, limits.channel_rate].into_iter().flatten().min().map(u64::from),
            connection_state_ttl: Some(milliseconds(limits.connection_state_ttl)),
            max_idle_interval: Some(milliseconds(idle)),
            server_id: Some(self.node.to_string()),
        };
        Some(Frame {
            connection_id: Some(id.clone()),
            connection_details: Some(Box::new(details)),
            error: error.map(Box::new),
            timestamp: Some(wall),
            ..Frame::new(Action::Connected)
        })
    }

    /// Notes that the link of a connection is gone. The connection can be resumed for a while. Returns the channels that the
    /// link was attached to, by the name that the client used.
    pub(crate) fn lose_link(
        &mut self,
        id: &ConnectionId,
        now: Instant,
        timers: &mut Timers,
    ) -> BTreeMap<ChannelName, ChannelKey> {
        forget_token(id, timers);
        let Some(connection) = self.by_id.get_mut(id) else { return BTreeMap::new() };
        connection.link = None;
        timers.set(HubTimer::ForgetConnection(id.clone()), now + self.limits.connection_state_ttl);
        if !connection.present_on.is_empty() {
            timers.set(HubTimer::LeaveMembers(id.clone()), now + connection.remain_present_for);
        }
        let attached = std::mem::take(&mut connection.attached);
        connection.recharge();
        attached
    }

    /// Ends a connection for good. Returns it as it was.
    pub(crate) fn end(&mut self, id: &ConnectionId, timers: &mut Timers) -> Option<HubConnection> {
        timers.stop(&HubTimer::ForgetConnection(id.clone()));
        timers.stop(&HubTimer::LeaveMembers(id.clone()));
        forget_token(id, timers);
        self.by_id.remove(id)
    }

    /// Gives a connection new credentials.
    pub(crate) fn set_principal(&mut self, id: &ConnectionId, principal: Principal) {
        if let Some(connection) = self.by_id.get_mut(id) {
            connection.principal = principal;
        }
    }

    /// Refuses one attachment more where a connection has as many as it may.
    ///
    /// # Errors
    /// 90010.
    pub(crate) fn check_attached(&self, id: &ConnectionId) -> Result<(), ErrorInfo> {
        self.limits.check_attached(self.by_id.get(id).map_or(0, |connection| connection.attached.len()))
    }

    /// Refuses one more name for a channel to which a connection is attached under as many as it may.
    ///
    /// # Errors
    /// 90010.
    pub(crate) fn check_names(&self, id: &ConnectionId, key: &ChannelKey) -> Result<(), ErrorInfo> {
        let attached = self.by_id.get(id).map(|connection| &connection.attached);
        let names = attached.map_or(0, |attached| attached.values().filter(|of| *of == key).count());
        check_names(names)
    }

    /// Refuses to have members on one more channel where a connection has them on as many as it may be attached to.
    ///
    /// # Errors
    /// 90010.
    pub(crate) fn check_present(&self, id: &ConnectionId, key: &ChannelKey) -> Result<(), ErrorInfo> {
        let Some(connection) = self.by_id.get(id) else { return Ok(()) };
        match connection.present_on.contains_key(key) {
            true => Ok(()),
            false => self.limits.check_present(connection.present_on.len()),
        }
    }

    /// How many members a connection may have on a channel, with those that it has there.
    pub(crate) fn max_members(&self, id: &ConnectionId, key: &ChannelKey) -> usize {
        let elsewhere = self.by_id.get(id).map_or(0, |connection| connection.members_beside(key));
        self.limits.members_per_connection.saturating_sub(elsewhere)
    }

    /// Notes that a connection is attached to a channel under this name.
    pub(crate) fn note_attached(&mut self, id: &ConnectionId, name: ChannelName, key: ChannelKey, now: Instant) {
        if let Some(connection) = self.by_id.get_mut(id) {
            connection.early.note_attached(&key, now);
            connection.attached.insert(name, key);
            connection.recharge();
        }
    }

    /// Notes that a connection is no longer attached under this name.
    pub(crate) fn note_detached(&mut self, id: &ConnectionId, name: &ChannelName) {
        if let Some(connection) = self.by_id.get_mut(id) {
            if let Some(key) = connection.attached.remove(name) {
                connection.early.forget(&key);
            }
            connection.recharge();
        }
    }

    /// Notes that a connection has no members on a channel any more.
    pub(crate) fn note_left(&mut self, id: &ConnectionId, key: &ChannelKey) {
        if let Some(connection) = self.by_id.get_mut(id) {
            connection.present_on.remove(key);
            connection.recharge();
        }
    }

    /// The channels on which a connection has members that its credentials, perhaps new ones, do not allow.
    pub(crate) fn forbidden_presence(&self, id: &ConnectionId) -> Vec<ChannelKey> {
        let Some(connection) = self.by_id.get(id) else { return Vec::new() };
        let capability = &connection.principal.capability;
        let forbidden = |key: &&ChannelKey| !capability.allows(&key.name, Operation::Presence);
        connection.present_on.keys().filter(forbidden).cloned().collect()
    }

    /// Notes whether a connection has members on a channel. Members on a channel that it is not attached to leave after a
    /// while.
    pub(crate) fn note_presence(
        &mut self,
        id: &ConnectionId,
        key: &ChannelKey,
        verdict: PresenceVerdict,
        now: Instant,
        timers: &mut Timers,
    ) {
        let Some(connection) = self.by_id.get_mut(id) else { return };
        if verdict.members == 0 {
            connection.present_on.remove(key);
            return connection.recharge();
        }
        connection.present_on.insert(key.clone(), verdict.members);
        connection.recharge();
        if !verdict.is_attached {
            timers.set_if_stopped(HubTimer::LeaveMembers(id.clone()), now + connection.remain_present_for);
        }
    }

    /// What became of a frame that came before.
    pub(crate) fn earlier_outcome(&self, id: &ConnectionId, serial: MsgSerial) -> Option<&Outcome> {
        self.by_id.get(id)?.acks.earlier(serial)
    }

    /// Remembers what became of a new frame.
    pub(crate) fn record_outcome(&mut self, id: &ConnectionId, serial: MsgSerial, outcome: Outcome) {
        if let Some(connection) = self.by_id.get_mut(id) {
            let most = if self.budget.is_nearly_full() { FEW_OUTCOMES } else { OUTCOMES_KEPT };
            connection.acks.record(serial, outcome, most);
            connection.recharge_acks();
        }
    }

    /// Refuses a publish of so many messages if it is too many for this second.
    ///
    /// # Errors
    /// 42911.
    pub(crate) fn check_publish(
        &self,
        publisher: Option<&ConnectionId>,
        messages: usize,
        now: Instant,
    ) -> Result<(), ErrorInfo> {
        let rate = publisher.and_then(|id| self.by_id.get(id)).map(|connection| connection.rate).unwrap_or_default();
        match rate.has_capacity(messages, self.limits.connection_rate, now) {
            true => Ok(()),
            false => Err(rate_exceeded(ErrorCode::CONNECTION_RATE_EXCEEDED, "connection")),
        }
    }

    /// Counts messages that a connection published.
    pub(crate) fn count_published(&mut self, publisher: Option<&ConnectionId>, messages: usize, now: Instant) {
        if let Some(connection) = publisher.and_then(|id| self.by_id.get_mut(id)) {
            connection.rate.count(messages, now);
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
