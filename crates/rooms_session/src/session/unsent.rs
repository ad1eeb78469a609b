//! What follows when messages of this player do not go out, or do not count.

use std::time::Duration;

use rooms_protocol::{ErrorCode, ErrorInfo};

use super::{Role, Session};
use crate::{
    event::SessionEvent,
    timer::Timer,
    wire::{
        outbound::Content,
        payload::{GameMessage, numbering},
    },
};

/// How long after a server refused a lease the next one follows.
const URGENT_AGAIN: Duration = Duration::from_millis(300);

/// Why a message of a host that was replaced does not count.
fn replaced() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "another player took over as host before this went out")
}

impl Session {
    /// Does what follows from a message that could not be sent.
    pub(super) fn on_send_failed(&mut self, content: Content, error: &ErrorInfo) {
        match content {
            Content::Game { kind, sequence } => {
                sequence.into_iter().for_each(|sequence| self.inbound.note_failed(sequence));
                self.base.feed.emit(SessionEvent::SendFailed { kind, reason: error.clone() });
            }
            Content::State => {
                if let Role::Host(host) = &mut self.role {
                    host.on_state_failed(&self.base.lend());
                }
            }
            // The next lease is due only after the interval, and others wait for it.
            Content::Urgent if matches!(self.role, Role::Host(_)) => {
                self.base.timers.hasten(Timer::Lease, self.base.last_step + URGENT_AGAIN);
            }
            Content::Presence | Content::Welcome | Content::Urgent | Content::Other => {
                log::debug!("a message about the room was not sent: {error}")
            }
        }
    }

    /// Drops what waits, because no room message outlives its connection.
    pub(super) fn drop_unsent(&mut self) {
        let lost = ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "the connection was lost before this could be sent");
        self.drop_waiting(&lost);
        self.inbound.expect_no_echo();
        self.requests.send_all_again();
    }

    /// Drops what waits of a host that was replaced. What was sent with a state that nobody gets does not go out either.
    pub(super) fn drop_replaced(&mut self) {
        self.drop_waiting(&replaced());
    }

    fn drop_waiting(&mut self, error: &ErrorInfo) {
        for content in self.base.outbound.drop_waiting() {
            self.on_send_failed(content, error);
        }
    }

    /// Drops what a host sent with a state that does not count. If that host was this player, the game is told.
    pub(super) fn drop_void(&mut self, message: GameMessage) {
        self.base.stats.stale += 1;
        if message.from.own {
            if let Some((_, sequence)) = numbering(message.extras.as_ref()) {
                self.inbound.note_failed(sequence);
            }
            self.base.feed.emit(SessionEvent::SendFailed { kind: message.kind, reason: replaced() });
        }
    }
}
