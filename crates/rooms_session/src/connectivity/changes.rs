//! What the line's coming and going means to a session: interruptions, continuity, frozen frames, and the end.

use std::time::Duration;

use web_time::Instant;

use crate::{
    CloseReason, Continuity, InterruptReason, Role, Session, SessionEvent, connectivity::facts::MemberData,
    timer::Timer, wire::outbound::Content,
};
use rooms_client::{
    ChannelChange, ChannelState, Command, ConnectionChange, ConnectionState, OperationId, PresenceCommand,
};
use rooms_protocol::{Data, ErrorCode, ErrorInfo};

/// How long after a server in trouble did not take the player's presence it is shown again.
const PRESENCE_RETRY: Duration = Duration::from_secs(5);

impl Session {
    pub(crate) fn hear_connection(&mut self, change: ConnectionChange, now: Instant) {
        match change.current {
            ConnectionState::Connected => {
                if let Some(client) =
                    change.client_id.filter(|id| !["*", self.config.player.as_str()].contains(&id.as_str()))
                {
                    let what =
                        format!("connected as {client}, not as {}; connect with the player's id", self.config.player);
                    return self.close(CloseReason::Failed(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, what)));
                }
                let was_connected = self.line.connection().is_some();
                self.line.connected = true;
                if let Some(connection) = change.connection_id {
                    self.line.set_connection(connection);
                }
                if was_connected && !change.resumed && change.previous != ConnectionState::Connected {
                    self.drop_unsent();
                }
                self.consider_line_up(now);
            }
            ConnectionState::Failed | ConnectionState::Closed | ConnectionState::Closing => {
                let closed = || ErrorInfo::new(ErrorCode::CONNECTION_CLOSED, 400, "the connection was closed");
                self.close(CloseReason::Failed(change.reason.unwrap_or_else(closed)));
            }
            ConnectionState::Initialized
            | ConnectionState::Connecting
            | ConnectionState::Disconnected
            | ConnectionState::Suspended => {
                self.line.drop_line();
                self.go_down(change.reason, now);
            }
        }
    }

    pub(crate) fn hear_channel(&mut self, change: ChannelChange, now: Instant) {
        let inbox = change.channel == self.inbox_channel;
        if !inbox && change.channel != self.room_channel {
            return;
        }
        let (attached, known) = match inbox {
            true => (&mut self.line.inbox_attached, &mut self.line.inbox_known),
            false => (&mut self.line.room_attached, &mut self.line.room_known),
        };
        match change.current {
            ChannelState::Attached => {
                *attached = true;
                let missed = std::mem::replace(known, true) && !change.resumed;
                self.line.connected = true;
                if missed {
                    self.lose_continuity(now);
                }
                self.consider_line_up(now);
                if let Some(reason) = change.reason.filter(|reason| !inbox && reason.code == ErrorCode::REENTRY_FAILED)
                {
                    let why = reason.cause.as_deref().unwrap_or(&reason).clone();
                    self.hear_presence_refused(why, now);
                }
            }
            ChannelState::Failed => {
                let unknown = || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, "the channel failed");
                self.close(CloseReason::Failed(change.reason.unwrap_or_else(unknown)));
            }
            _ => {
                *attached = false;
                self.line.synced &= inbox;
                self.go_down(change.reason, now);
            }
        }
    }

    /// Goes on once connection and both channels are there.
    fn consider_line_up(&mut self, now: Instant) {
        if !self.line.is_up() {
            return;
        }
        match &mut self.role {
            Role::Arriving { silent_since } => {
                if silent_since.is_none() {
                    *silent_since = Some(now);
                    self.timers.set(Timer::Hello, now);
                }
                self.consider_founding(now);
            }
            Role::Peer(_) => {
                self.restart_lease(now);
                if self.wants_welcome {
                    self.timers.hasten(Timer::Hello, now);
                }
                self.timers.hasten(Timer::Requests, now);
            }
            Role::Host(_) => self.resume_leading(now),
            Role::Closed => {}
        }
        self.consider_resumed();
    }

    /// Nothing goes out or comes in for the moment.
    fn go_down(&mut self, reason: Option<ErrorInfo>, now: Instant) {
        self.outgoing.drop_urgent();
        // What was claimed may not have been heard, and better claims may not be.
        self.drop_claim();
        self.timers.stop(Timer::Election);
        self.timers.stop(Timer::Counter);
        match &mut self.role {
            Role::Arriving { silent_since } => {
                *silent_since = None;
                self.timers.stop(Timer::Silence);
            }
            Role::Host(_) => self.suspend(now),
            Role::Peer(_) | Role::Closed => {}
        }
        self.tell_interrupted(match self.line.connected {
            true => InterruptReason::Detached(reason),
            false => InterruptReason::Disconnected(reason),
        });
    }

    /// Messages may be missing: the state has to come anew, and the game has to know.
    pub(crate) fn lose_continuity(&mut self, now: Instant) {
        self.missed = true;
        match self.role {
            Role::Arriving { .. } => self.want_welcome_at(now),
            Role::Peer(_) => {
                self.lost_continuity = true;
                self.be_patient(now);
                self.want_welcome(now);
            }
            Role::Host(_) => {
                self.lost_continuity = true;
                self.reclaim(now);
            }
            Role::Closed => {}
        }
    }

    /// Drops what waits, since no room message outlives its connection.
    fn drop_unsent(&mut self) {
        let lost = ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "the connection was lost before this could be sent");
        for content in self.outgoing.drop_waiting() {
            self.note_failed(content, &lost);
        }
        self.heard.expect_no_echo();
        self.requests.send_all_again();
    }

    /// Takes in what became of something published.
    pub(crate) fn hear_outcome(&mut self, operation: OperationId, error: Option<ErrorInfo>, now: Instant) {
        let contents = self.outgoing.settle(operation);
        let Some(error) = error else { return };
        if contents == [Content::Presence] {
            return self.hear_presence_refused(error, now);
        }
        // Neither a hello nor a claim will ever be heard.
        if matches!(self.role, Role::Arriving { .. }) && error.code == ErrorCode::NOT_PERMITTED {
            return self.close(CloseReason::Failed(error));
        }
        contents.into_iter().for_each(|content| self.note_failed(content, &error));
    }

    /// The server does not show the player to the others: for good, or for as long as it is busy.
    fn hear_presence_refused(&mut self, error: ErrorInfo, now: Instant) {
        if is_refusal(error.code) {
            self.go(CloseReason::NotPresent(error), now);
        } else {
            log::debug!("the player's presence was not taken: {error}");
            self.timers.set(Timer::Presence, now + PRESENCE_RETRY);
        }
    }

    pub(crate) fn note_failed(&mut self, content: Content, error: &ErrorInfo) {
        match content {
            Content::Game { kind, sequence } => {
                sequence.into_iter().for_each(|sequence| self.heard.note_failed(sequence));
                self.tell(SessionEvent::SendFailed { kind, reason: error.clone() });
            }
            Content::State => self.note_state_failed(),
            Content::Presence | Content::Other => log::debug!("a message about the room was not taken: {error}"),
        }
    }

    /// Takes a long time between steps for what it is: nobody minded the lease.
    pub(crate) fn notice_stall(&mut self, now: Instant) {
        if now.duration_since(self.last_step) <= self.config.timing.stall {
            return;
        }
        self.last_step = now;
        match &mut self.role {
            Role::Arriving { silent_since } => *silent_since = silent_since.map(|_| now),
            Role::Peer(_) => {
                self.drop_claim();
                self.restart_lease(now);
            }
            Role::Host(_) => self.suspend(now),
            Role::Closed => {}
        }
    }

    pub(crate) fn tell_interrupted(&mut self, reason: InterruptReason) {
        if self.joined && !self.interrupted {
            self.interrupted = true;
            self.tell(SessionEvent::Interrupted { reason });
        }
    }

    /// Tells the game that all is well again, once it is.
    pub(crate) fn consider_resumed(&mut self) {
        let well = match &self.role {
            Role::Peer(peer) => !peer.host_silent,
            Role::Host(lead) => lead.is_active(),
            Role::Arriving { .. } | Role::Closed => false,
        };
        if well && self.joined && self.line.is_up() && !self.lost_continuity && (self.interrupted || self.missed) {
            let continuity = if self.missed { Continuity::Lost } else { Continuity::Kept };
            (self.interrupted, self.missed) = (false, false);
            self.tell(SessionEvent::Resumed { continuity });
        }
    }

    /// Says in presence which process this is, and whether it is in the room yet.
    pub(crate) fn show_presence(&mut self, action: PresenceCommand) {
        let data = MemberData { generation: Some(self.config.generation), arriving: !self.joined };
        let data = serde_json::to_value(data).ok().map(Data::Json);
        // A player that is on its way out need not be seen.
        let content = (action != PresenceCommand::Leave).then_some(Content::Presence);
        let operation = self.outgoing.operation(content.into_iter().collect());
        self.commands.push_back(Command::Presence { operation, channel: self.room_channel.clone(), action, data });
    }

    /// Ends the session.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        if matches!(self.role, Role::Closed) {
            return;
        }
        self.show_presence(PresenceCommand::Leave);
        for channel in [self.room_channel.clone(), self.inbox_channel.clone()] {
            self.commands.push_back(Command::Release { channel });
        }
        self.role = Role::Closed;
        self.joined = false;
        self.host = None;
        self.claim = None;
        self.timers.clear();
        self.outgoing.drop_waiting();
        self.replica = crate::state::replica::Replica::default();
        self.tell(SessionEvent::Closed(reason));
    }
}

/// Whether the server will not have this player as a member, however often it is asked.
fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TOO_MANY_MEMBERS
            | ErrorCode::NOT_PERMITTED
            | ErrorCode::INVALID_CLIENT_ID
            | ErrorCode::PRESENCE_WITHOUT_CLIENT_ID
    )
}
