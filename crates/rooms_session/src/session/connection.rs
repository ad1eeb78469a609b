//! What the connection's changes lead to: interruptions, lost continuity, frozen frames, doubts about the socket, and the end.

use std::time::Duration;

use rooms_client::{ChannelChange, ConnectionChange, OperationId};
use rooms_protocol::{ErrorCode, ErrorInfo, Message};
use web_time::Instant;

use super::{Role, Session};
use crate::{
    connectivity::changes::{ChannelVerdict, ConnectionVerdict},
    event::{CloseReason, InterruptReason},
    host::lease::Resumption,
    timer::Timer,
    wire::outbound::Content,
};

/// How long after a server in trouble refused the player's presence it is shown again.
const PRESENCE_RETRY: Duration = Duration::from_secs(5);

/// How many signs of life may be missing before the socket is doubted. A room is never silent for longer than the host's lease
/// interval.
const MISSED_SIGNS: u32 = 2;

impl Session {
    pub(super) fn on_connection(&mut self, change: ConnectionChange, now: Instant) {
        let rate = change.max_inbound_rate;
        match self.base.facts.on_connection(change, &self.base.config.player) {
            ConnectionVerdict::Connected { unsent_lost } => {
                self.base.outbound.pace_mut().set_rate(rate);
                if unsent_lost {
                    self.drop_unsent();
                }
                self.consider_up(now);
            }
            ConnectionVerdict::Down(reason) => self.go_down(reason, now),
            ConnectionVerdict::Failed(error) => self.close(CloseReason::Failed(error)),
        }
    }

    pub(super) fn on_channel(&mut self, change: ChannelChange, now: Instant) {
        match self.base.facts.on_channel(change) {
            Some(ChannelVerdict::Attached { missed, presence_refused }) => {
                if missed {
                    self.lose_continuity(now);
                }
                self.consider_up(now);
                if let Some(error) = presence_refused {
                    self.on_presence_refused(error, now);
                }
            }
            Some(ChannelVerdict::Down(reason)) => self.go_down(reason, now),
            Some(ChannelVerdict::Failed(error)) => self.close(CloseReason::Failed(error)),
            None => {}
        }
    }

    /// Goes on once the connection and both channels are there.
    fn consider_up(&mut self, now: Instant) {
        if !self.base.facts.is_up() {
            return;
        }
        self.trust_socket(now);
        match &mut self.role {
            Role::Arriving { silent_since } => {
                if silent_since.is_none() {
                    *silent_since = Some(now);
                    self.hellos.begin(now, &mut self.base.lend());
                }
                self.consider_founding(now);
            }
            Role::Peer(peer) => {
                peer.restart_lease(now, &self.base.config.timing, &mut self.base.timers);
                if self.hellos.wants_welcome() {
                    self.base.timers.hasten(Timer::Hello, now);
                }
                self.base.timers.hasten(Timer::Requests, now);
            }
            Role::Host(host) => {
                if host.resume(now, &mut self.base.timers) == Resumption::Reclaim {
                    let listening = self.election.time_to_hear_others(now, &self.base.config.timing);
                    self.election.hasten_reclaim(now + listening, &mut self.base.timers);
                }
            }
            Role::Closed => {}
        }
        self.consider_resumed();
    }

    /// Notes that nothing goes out or comes in for the moment.
    fn go_down(&mut self, reason: Option<ErrorInfo>, now: Instant) {
        self.base.outbound.drop_urgent();
        // The own claim may not have arrived, and better claims may be missed.
        self.election.drop_own(&mut self.base.timers);
        self.base.timers.stop(Timer::Election);
        self.base.timers.stop(Timer::Counter);
        self.base.timers.stop(Timer::Doubt);
        match &mut self.role {
            Role::Arriving { silent_since } => {
                *silent_since = None;
                self.base.timers.stop(Timer::Silence);
            }
            Role::Host(host) => host.suspend(now, &mut self.base.timers),
            Role::Peer(_) | Role::Closed => {}
        }
        self.base.feed.interrupt(match self.base.facts.is_connected() {
            true => InterruptReason::Detached(reason),
            false => InterruptReason::Disconnected(reason),
        });
    }

    /// Takes in what came from the room: it shows that the socket works. To a host only its own messages do, since it may hear
    /// others for a while over a socket on which nothing goes out any more.
    pub(super) fn note_sign_of_life(&mut self, messages: &[Message], now: Instant) {
        let is_host = matches!(self.role, Role::Host(_));
        let is_own =
            |message: &Message| message.connection_id.as_ref().is_some_and(|from| self.base.facts.is_own(from));
        if messages.iter().any(|message| !is_host || is_own(message)) {
            self.trust_socket(now);
        }
    }

    /// Expects the next sign of life in time.
    fn trust_socket(&mut self, now: Instant) {
        if self.base.facts.is_up() {
            self.base.timers.set(Timer::Doubt, now + MISSED_SIGNS * self.base.config.timing.lease_interval);
        }
    }

    /// The room is silent though the connection seems to be up, as after a change of the machine's address: the client finds
    /// out soon whether its socket is dead. To ask about one that works costs two short frames.
    pub(super) fn doubt_socket(&mut self, now: Instant) {
        if self.base.facts.is_up() {
            self.base.outbound.check_socket();
            self.trust_socket(now);
        }
    }

    /// Takes in the outcome of a publish or a presence command.
    pub(super) fn on_outcome(&mut self, operation: OperationId, error: Option<ErrorInfo>, now: Instant) {
        let contents = self.base.outbound.settle(operation, error.as_ref(), now);
        let Some(error) = error else { return };
        if contents == [Content::Presence] {
            return self.on_presence_refused(error, now);
        }
        // Neither a hello nor a claim will ever arrive.
        if matches!(self.role, Role::Arriving { .. }) && error.code == ErrorCode::NOT_PERMITTED {
            return self.close(CloseReason::Failed(error));
        }
        contents.into_iter().for_each(|content| self.on_send_failed(content, &error));
    }

    /// The server does not show the player to the others: for good, or for as long as it is busy.
    fn on_presence_refused(&mut self, error: ErrorInfo, now: Instant) {
        if is_final(error.code) {
            self.depart(CloseReason::NotPresent(error), now);
        } else {
            log::debug!("the server did not take the player's presence: {error}");
            self.base.timers.set(Timer::Presence, now + PRESENCE_RETRY);
        }
    }

    /// Looks for a long time between two steps. Nobody checked the lease meanwhile.
    pub(super) fn notice_stall(&mut self, now: Instant) {
        if now.duration_since(self.base.last_step) <= self.base.config.timing.stall {
            return;
        }
        self.base.last_step = now;
        self.trust_socket(now);
        match &mut self.role {
            Role::Arriving { silent_since } => *silent_since = silent_since.map(|_| now),
            Role::Peer(peer) => {
                self.election.drop_own(&mut self.base.timers);
                peer.restart_lease(now, &self.base.config.timing, &mut self.base.timers);
            }
            Role::Host(host) => host.suspend(now, &mut self.base.timers),
            Role::Closed => {}
        }
    }
}

/// Whether the server will not have this player as a member, however often it is asked.
fn is_final(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TOO_MANY_MEMBERS
            | ErrorCode::NOT_PERMITTED
            | ErrorCode::INVALID_CLIENT_ID
            | ErrorCode::PRESENCE_WITHOUT_CLIENT_ID
    )
}
