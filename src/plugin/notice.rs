//! What a player should know while something is wrong with the connection or the room: what it is, and what happens next.

use std::time::Duration;

use super::{connection::Connection, room::Room};
use crate::{
    client::ConnectionState,
    session::{InterruptReason, Migration},
};

impl Connection {
    /// What a player should know while there is no connection, in sentences: what is wrong, when the next attempt is made and
    /// which one it is, and why the last one failed. `None` while the app is connected, and before it wants to be.
    ///
    /// ```text
    /// The connection to the server is gone. Trying again in 3 s (4th try). Nothing listens at 10.0.0.5:8787 (connection
    /// refused); check the address and the port, and whether the server runs.
    /// ```
    ///
    /// [`ConnectionChanged`](crate::plugin::ConnectionChanged) tells when it changed for another reason than the countdown.
    pub fn notice(&self) -> Option<String> {
        let was_connected = self.id.is_some();
        let what = match self.state {
            ConnectionState::Initialized
            | ConnectionState::Connected
            | ConnectionState::Closing
            | ConnectionState::Closed => return None,
            ConnectionState::Failed => "The connection failed. The game does not try again by itself.",
            ConnectionState::Connecting if !was_connected && self.trouble.is_none() => {
                return Some("Connecting to the server …".to_owned());
            }
            _ if was_connected => "The connection to the server is gone.",
            _ => "The server cannot be reached.",
        };
        let cause = self.trouble.as_ref().map(|trouble| sentence(&trouble.message));
        let parts = [Some(what.to_owned()), self.next_try(), cause];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    /// When the next attempt is made, and which one it is.
    fn next_try(&self) -> Option<String> {
        if self.state == ConnectionState::Connecting {
            return Some(format!("Trying again now ({} try).", ordinal(self.attempt)));
        }
        let seconds = whole_seconds(self.retry_in?);
        let next = ordinal(self.attempt.saturating_add(1));
        Some(if seconds == 0 {
            format!("Trying again now ({next} try).")
        } else {
            format!("Trying again in {seconds} s ({next} try).")
        })
    }
}

impl Room {
    /// What a player in the room should know while the app is connected and the room is not well, in sentences: what is wrong,
    /// and what happens next. `None` while all is well. Without a connection, [`Connection::notice`] tells more.
    ///
    /// ```text
    /// The host has not been heard for 4 s. If it stays silent, another player takes over.
    /// ```
    pub fn notice(&self) -> Option<String> {
        let may_move = self.migration == Migration::Automatic;
        let silent = |what_next: &str| {
            let time = self.host_silence.map(|silence| format!(" for {} s", silence.as_secs())).unwrap_or_default();
            Some(format!("The host has not been heard{time}. {what_next}"))
        };
        match &self.interruption {
            Some(InterruptReason::NoEcho) => {
                let next =
                    if may_move { "another player becomes the host" } else { "the others see nothing of what you do" };
                Some(format!(
                    "You are the host, but the server does not return your messages. If this goes on, {next}."
                ))
            }
            Some(InterruptReason::Detached(reason)) => {
                let why = reason.as_ref().map(|reason| format!(" {}", sentence(&reason.message))).unwrap_or_default();
                Some(format!("The server has put you out of the room. Trying to get back in …{why}"))
            }
            Some(InterruptReason::Disconnected(_)) => {
                Some("The connection is back. Catching up with the room …".to_owned())
            }
            Some(InterruptReason::HostSilent) if may_move => silent("Another player is about to take over."),
            Some(_) => silent("If it stays silent, the room closes."),
            None if self.host_silence.is_none() => None,
            None if may_move => silent("If it stays silent, another player takes over."),
            None => silent("If it stays silent, the room closes."),
        }
    }
}

/// A wait in seconds that count down to 0 only when it is over.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Text as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// A number as people count: 1st, 2nd, 3rd, 4th.
fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ErrorCode, ErrorInfo};

    fn refused() -> ErrorInfo {
        ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "nothing listens at 10.0.0.5:8787")
    }

    #[test]
    fn reasons_read_as_sentences() {
        assert_eq!(sentence("the host is gone"), "The host is gone.");
        assert_eq!(sentence("é."), "É.");
    }

    #[test]
    fn numbers_are_counted_as_people_do() {
        let counted = [1, 2, 3, 4, 11, 12, 13, 21, 102, 113].map(ordinal);
        assert_eq!(counted, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "113th"]);
    }

    #[test]
    fn a_connection_that_is_gone_is_told_with_the_cause_and_the_next_try() {
        let mut connection = Connection::default();
        assert_eq!(connection.notice(), None);
        (connection.state, connection.attempt) = (ConnectionState::Connecting, 1);
        assert_eq!(connection.notice().as_deref(), Some("Connecting to the server …"));
        connection.state = ConnectionState::Disconnected;
        (connection.retry_in, connection.trouble) = (Some(Duration::from_millis(2_100)), Some(refused()));
        let text = "The server cannot be reached. Trying again in 3 s (2nd try). Nothing listens at 10.0.0.5:8787.";
        assert_eq!(connection.notice().as_deref(), Some(text));
        (connection.state, connection.attempt) = (ConnectionState::Connecting, 4);
        connection.id = Some("c".into());
        let text =
            "The connection to the server is gone. Trying again now (4th try). Nothing listens at 10.0.0.5:8787.";
        assert_eq!(connection.notice().as_deref(), Some(text));
        connection.state = ConnectionState::Connected;
        assert_eq!(connection.notice(), None);
    }

    #[test]
    fn a_host_that_is_silent_is_told_with_what_follows() {
        let mut room = Room::default();
        assert_eq!(room.notice(), None);
        room.host_silence = Some(Duration::from_secs(4));
        let text = "The host has not been heard for 4 s. If it stays silent, another player takes over.";
        assert_eq!(room.notice().as_deref(), Some(text));
        room.interruption = Some(InterruptReason::HostSilent);
        let text = "The host has not been heard for 4 s. Another player is about to take over.";
        assert_eq!(room.notice().as_deref(), Some(text));
        room.migration = Migration::Never;
        let text = "The host has not been heard for 4 s. If it stays silent, the room closes.";
        assert_eq!(room.notice().as_deref(), Some(text));
        room.interruption = Some(InterruptReason::NoEcho);
        assert!(room.notice().is_some_and(|text| text.contains("the server does not return your messages")));
    }
}
