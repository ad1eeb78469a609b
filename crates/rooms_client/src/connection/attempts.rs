//! The attempts to connect since the client was last connected: how many there were, how far the present one came, and how long
//! to wait before the next.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::backoff::Backoff;
use crate::error::timed_out;
use rooms_protocol::{ErrorCode, ErrorInfo};

/// The attempts to connect since the client was last connected, or was asked to connect.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    made: u32,
    reach: Reach,
    backoff: Backoff,
}

/// How far the present attempt came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reach {
    /// Nothing came from the server.
    #[default]
    Nowhere,
    /// The machine takes the connection. Whether it has a server of this protocol is open.
    Machine,
    /// The WebSocket is open.
    Socket,
}

impl Attempts {
    /// The number of the present attempt, or of the last one. The first is 1; 0: there was none.
    pub(super) fn number(&self) -> u32 {
        self.made
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self) {
        self.made = self.made.saturating_add(1);
    }

    /// A socket is being opened, perhaps another one within the same attempt.
    pub(super) fn on_open(&mut self) {
        self.reach = Reach::Nowhere;
    }

    /// The machine of the server takes the connection.
    pub(super) fn on_reached(&mut self) {
        // Another socket beside one that came further may get this far as well.
        if self.reach == Reach::Nowhere {
            self.reach = Reach::Machine;
        }
    }

    /// The WebSocket is open.
    pub(super) fn on_opened(&mut self) {
        self.reach = Reach::Socket;
    }

    /// How long to wait after one more attempt that failed, where `initial` is the first wait before jitter.
    pub(super) fn next_wait(&mut self, initial: Duration, rng: &mut ChaCha8Rng) -> Duration {
        self.backoff.next(initial, rng)
    }

    /// Why an attempt failed that had no answer from `place` within `limit`.
    pub(super) fn no_answer(&self, place: &str, limit: Duration) -> ErrorInfo {
        timed_out(&match self.reach {
            Reach::Nowhere => format!(
                "no answer came from {place} within {limit:?}; check the address, whether the server runs, and whether a firewall \
                 is in between"
            ),
            Reach::Machine => format!(
                "{place} takes the connection and says nothing for {limit:?}; another kind of server may listen there, or the \
                 server hangs: check the address and the port"
            ),
            Reach::Socket => format!(
                "{place} opened a WebSocket and says nothing for {limit:?}; another kind of server may listen there, or the \
                 server hangs: check the address"
            ),
        })
    }
}

/// Why an attempt failed whose socket the server closed without a word.
pub(super) fn closed_at_once(place: &str) -> ErrorInfo {
    let message =
        format!("{place} closed the WebSocket before it said anything; check the address, and whether it is a relay");
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, message)
}

/// Why an attempt failed whose first frame cannot be read.
pub(super) fn unreadable(place: &str, reason: ErrorInfo) -> ErrorInfo {
    let message =
        format!("{place} has a WebSocket, but does not speak this protocol; check the address ({})", reason.message);
    ErrorInfo { message, ..reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_without_an_answer_says_how_far_it_came() {
        let mut attempts = Attempts::default();
        let mut said = |step: fn(&mut Attempts)| {
            step(&mut attempts);
            attempts.no_answer("den.example:9", Duration::from_secs(10)).message
        };
        let texts = [said(Attempts::on_reached), said(Attempts::on_opened), said(Attempts::on_open)];
        for (text, word) in texts.iter().zip(["takes the connection", "opened a WebSocket", "no answer came"]) {
            assert!(text.contains(word) && text.contains("den.example:9") && text.contains("10s"), "{text}");
        }
    }

    #[test]
    fn attempts_are_counted_until_one_succeeds() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.number(), 0);
        attempts.begin();
        attempts.begin();
        attempts.on_open();
        assert_eq!(attempts.number(), 2, "another host belongs to the same attempt");
        attempts = Attempts::default();
        assert_eq!(attempts.number(), 0);
    }
}
