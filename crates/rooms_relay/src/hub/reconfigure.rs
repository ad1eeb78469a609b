//! Another configuration for a hub that runs, and tokens that are revoked: whom that concerns is told, and nobody else.

use std::{sync::Arc, time::Duration};

use web_time::Instant;

use super::{Hub, config::HubConfig, connection::caller::Caller, shares::has_several_keys, timer::HubTimer};
use crate::{
    auth::{
        authorizer::Standing,
        revocations::{Revocation, revoked},
    },
    moment::Moment,
};
use rooms_protocol::{ConnectionId, ErrorCode, ErrorInfo, Frame, Timestamp};

/// How long clients keep their connection that may get a new token first (Ably's time).
const REAUTHORIZATION: Duration = Duration::from_secs(30);

impl Hub {
    /// Takes another configuration. It counts for whatever comes from now on: connections, channels and members that are beyond
    /// a lower limit stay. Clients whose key is gone are told and disconnected; if they came with a token, they may come back
    /// with one of another key. A key that allows something else than before does so at once. Nobody else notices.
    ///
    /// The limit of the memory stays as it was at the start.
    pub fn reconfigure(&mut self, mut config: HubConfig, now: Instant) {
        config.limits.bound_durations();
        config.limits.memory = self.limits.memory;
        let limits = Arc::new(config.limits);
        self.links.set_limits(Arc::clone(&limits));
        self.connections.set_limits(Arc::clone(&limits));
        self.channels.set_limits(&limits);
        self.rates.set_limits(Arc::clone(&limits));
        self.shares.set_limits(Arc::clone(&limits), has_several_keys(&config.keys));
        self.authorizer.reconfigure(&config.keys, config.token_endpoint, limits.token_rate);
        self.is_sandbox = config.sandbox;
        self.limits = limits;
        let moment = self.clock.at(now);
        for id in self.connections.ids() {
            self.review(&id, moment);
        }
    }

    /// Applies the keys that there are now to a connection.
    fn review(&mut self, id: &ConnectionId, moment: Moment) {
        let Some(connection) = self.connections.get(id) else { return };
        let link = connection.link;
        match self.authorizer.review(&connection.principal) {
            Standing::Same => {}
            Standing::Changed(principal) => {
                self.connections.set_principal(id, (*principal).clone());
                if let Some(link) = link {
                    let caller = Caller { link, id: id.clone(), principal: (*principal).clone() };
                    self.apply_capability(&caller, &principal, moment);
                }
            }
            // It may come back with a token of another key.
            Standing::KeyGone if connection.principal.expires.is_some() => {
                if let Some(link) = link {
                    self.disconnect(link, revoked(), moment);
                }
            }
            Standing::KeyGone => {
                self.end_connection(id, moment);
                if let Some(link) = link {
                    let why = "the relay took this API key away; come with another";
                    let error = ErrorInfo::new(ErrorCode::KEY_REVOKED, 401, why);
                    self.effects.out.send(link, Frame::error(None, error));
                    self.effects.out.close(link);
                }
            }
        }
    }

    /// Revokes tokens. Those that are not used yet are refused from now on, and their sessions end at the time that it returns:
    /// at once, or a little later where clients may get new tokens first.
    ///
    /// # Errors
    /// 42910 where too many are remembered.
    pub(super) fn revoke(
        &mut self,
        revocation: Revocation,
        may_reauthorize: bool,
        moment: Moment,
    ) -> Result<Timestamp, ErrorInfo> {
        self.authorizer.revoke(revocation.clone(), moment.wall)?;
        if !may_reauthorize {
            self.end_revoked(&revocation, moment);
            return Ok(moment.wall);
        }
        for id in self.connections.held_by(|principal| revocation.covers(principal)) {
            self.connections.request_token(&id, &mut self.effects);
        }
        self.effects.timers.set(HubTimer::EndRevoked(Box::new(revocation)), moment.now + REAUTHORIZATION);
        Ok(moment.wall.plus(REAUTHORIZATION))
    }

    /// Disconnects those whose token was revoked and who got no other meanwhile.
    pub(super) fn end_revoked(&mut self, revocation: &Revocation, moment: Moment) {
        for id in self.connections.held_by(|principal| revocation.covers(principal)) {
            if let Some(link) = self.connections.get(&id).and_then(|connection| connection.link) {
                self.disconnect(link, revoked(), moment);
            }
        }
    }
}
