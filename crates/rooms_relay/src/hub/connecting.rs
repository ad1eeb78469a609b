//! How connections begin, go on over another link, and end.

use std::{collections::BTreeMap, time::Duration};

use web_time::Instant;

use crate::{
    ConnectRequest, LinkId, Principal,
    hub::{
        Hub, Link, Liveness,
        connection::state::{Connection, random_id, random_secret, split_key},
        disconnected,
        timer::Timer,
    },
    limits::{MIN_REMAIN_PRESENT, RateMeter},
};
use rooms_protocol::{
    Action, ConnectionDetails, ConnectionId, ConnectionKey, ErrorCode, ErrorInfo, Format, Frame, PROTOCOL_VERSION,
};

/// The first protocol version whose connections resume by key alone, as they do here.
const OLDEST_VERSION: u32 = 2;

impl Hub {
    /// Lets a client in, over a connection of its own or the one that it resumes.
    pub(super) fn connect(&mut self, link: LinkId, request: &ConnectRequest, now: Instant) -> Result<(), ErrorInfo> {
        check_protocol(request)?;
        let principal = self.authenticate(request.credentials().as_ref(), request.client_id.as_ref(), now)?;
        let resumed = request.resume.as_ref().and_then(|key| self.resume(key, &principal, now)).transpose()?;
        let error = match (&request.resume, &resumed) {
            (Some(_), None) => Some(ErrorInfo::new(
                ErrorCode::INVALID_CONNECTION_KEY,
                400,
                "the connection to resume is unknown or too old; this is a new one",
            )),
            _ => None,
        };
        let id = match resumed {
            Some(id) => id,
            None => self.begin_connection(principal, now)?,
        };
        let idle = request.idle_interval(self.config.limits.max_idle_interval);
        self.put_on_link(link, &id, request, idle, now);
        self.watch_token(&id, now);
        self.tell_connected(link, &id, error, now);
        Ok(())
    }

    /// Finds the connection that `key` resumes and takes it off its old link. `None` where there is none.
    fn resume(
        &mut self,
        key: &ConnectionKey,
        principal: &Principal,
        now: Instant,
    ) -> Option<Result<ConnectionId, ErrorInfo>> {
        let (id, secret) = split_key(key)?;
        let connection = self.connections.get_mut(&id)?;
        if !connection.opens_with(secret) || connection.principal.app != principal.app {
            return None;
        }
        match connection.principal.renewed(principal.clone()) {
            Ok(renewed) => connection.principal = renewed,
            Err(error) => return Some(Err(error)),
        }
        connection.renew(random_secret(&mut self.random), secret);
        if let Some(old) = connection.link {
            let why = ErrorInfo::new(ErrorCode::SUPERSEDED, 400, "another transport took this connection over");
            self.out.send(old, disconnected(why));
            self.handle_closed(old, now);
            self.out.close(old);
        }
        self.timers.stop(&Timer::ForgetConnection(id.clone()));
        self.leave_where_forbidden(&id, now);
        Some(Ok(id))
    }

    fn begin_connection(&mut self, principal: Principal, now: Instant) -> Result<ConnectionId, ErrorInfo> {
        self.config.limits.check_connections(self.connections.len())?;
        if !self.beginnings.has_room(1, self.config.limits.new_connection_rate, now) {
            let why = "more connections begin here than may in a second; come back in a moment";
            return Err(ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, why));
        }
        self.beginnings.count(1, now);
        let id = random_id(&mut self.random);
        let secret = random_secret(&mut self.random);
        self.connections.insert(id.clone(), Connection::new(principal, secret));
        Ok(id)
    }

    fn put_on_link(&mut self, link: LinkId, id: &ConnectionId, request: &ConnectRequest, idle: Duration, now: Instant) {
        let limits = &self.config.limits;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.link = Some(link);
            connection.remain_present_for = request
                .remain_present_for
                .map_or(limits.remain_present_for, |asked| asked.max(MIN_REMAIN_PRESENT))
                .min(limits.connection_state_ttl);
        }
        // Two thirds leave the last one for the way to the client.
        let liveness = Liveness { in_frames: request.heartbeats, interval: idle * 2 / 3 };
        self.links.insert(
            link,
            Link {
                connection: id.clone(),
                no_echo: request.no_echo,
                idle,
                liveness,
                deliveries: RateMeter::default(),
                gaps: BTreeMap::new(),
            },
        );
        if !liveness.interval.is_zero() {
            self.timers.set(Timer::Heartbeat(link), now + liveness.interval);
        }
    }

    pub(super) fn tell_connected(&mut self, link: LinkId, id: &ConnectionId, error: Option<ErrorInfo>, now: Instant) {
        let Some(connection) = self.connections.get(id) else { return };
        let idle = self.links.get(&link).map_or(Duration::ZERO, |link| link.idle);
        let limits = &self.config.limits;
        let details = ConnectionDetails {
            client_id: connection.principal.identity.client_id(),
            connection_key: Some(connection.key(id)),
            max_message_size: Some(limits.max_message_size as u64),
            max_frame_size: Some(limits.max_frame_size as u64),
            max_inbound_rate: limits.connection_rate.map(u64::from),
            connection_state_ttl: Some(milliseconds(limits.connection_state_ttl)),
            max_idle_interval: Some(milliseconds(idle)),
            server_id: Some(self.node.to_string()),
        };
        let frame = Frame {
            connection_id: Some(id.clone()),
            connection_details: Some(Box::new(details)),
            error: error.map(Box::new),
            timestamp: Some(self.clock.at(now)),
            ..Frame::new(Action::Connected)
        };
        self.out.send(link, frame);
    }

    /// Sends something over a link that may have been silent.
    ///
    /// Also over one that was not: to know that, each message to a thousand subscribers would have to note it.
    pub(super) fn show_liveness(&mut self, link: LinkId, now: Instant) {
        let Some(Liveness { in_frames, interval }) = self.links.get(&link).map(|link| link.liveness) else { return };
        if in_frames {
            self.out.send(link, Frame::new(Action::Heartbeat));
        }
        // Every client's library answers it, so that the relay knows in turn that the client is there.
        self.out.ping(link);
        self.timers.set(Timer::Heartbeat(link), now + interval);
    }

    /// Takes a link away from its connection and from all channels.
    pub(super) fn remove_link(&mut self, link: LinkId, now: Instant) -> Option<Link> {
        let gone = self.links.remove(&link)?;
        self.timers.stop(&Timer::Heartbeat(link));
        self.timers.stop(&Timer::TellGaps(link));
        self.forget_token(&gone.connection);
        if let Some(connection) = self.connections.get_mut(&gone.connection) {
            connection.link = None;
            for (name, key) in std::mem::take(&mut connection.attached) {
                self.detach_link(link, &name, &key, now);
            }
        }
        Some(gone)
    }

    /// Ends a connection for good: its members leave, nothing can be resumed.
    pub(super) fn end_connection(&mut self, id: &ConnectionId, now: Instant) {
        let link = self.connections.get(id).and_then(|connection| connection.link);
        self.leave_all(id, now);
        if let Some(link) = link {
            self.remove_link(link, now);
        }
        self.connections.remove(id);
        self.timers.stop(&Timer::ForgetConnection(id.clone()));
        self.timers.stop(&Timer::LeaveMembers(id.clone()));
    }
}

/// Refuses what the relay does not speak.
fn check_protocol(request: &ConnectRequest) -> Result<(), ErrorInfo> {
    let version = request.version.as_ref().map_or(Some(u32::from(PROTOCOL_VERSION)), |text| text.parse().ok());
    if version.is_none_or(|version| version < OLDEST_VERSION) {
        return Err(ErrorInfo::new(
            ErrorCode::UNSUPPORTED_VERSION,
            400,
            "this relay speaks version 6 of the protocol; the parameter v must be 2 or more",
        ));
    }
    match request.format.as_deref().map(Format::from_name) {
        Some(None) => Err(ErrorInfo::new(
            ErrorCode::INVALID_PARAMETER,
            400,
            "this relay speaks JSON and MessagePack; connect with format=json or format=msgpack",
        )),
        None | Some(Some(_)) => Ok(()),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
