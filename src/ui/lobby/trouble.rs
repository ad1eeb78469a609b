//! What the player asks for in the lobby, and why it did not work.

use crate::{
    session::{CloseReason, Refusal},
    ui::style::sentence,
};

/// What the player asks for in the lobby.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LobbyWish {
    /// To host the form's room.
    Host,
    /// To join it.
    Join,
    /// To join it, or to host it if nobody does.
    Enter,
    /// To leave the room, or to cancel entering it.
    Leave,
}

/// Why the player is not in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LobbyTrouble {
    /// Another player hosts the room that the player wanted to host.
    HostExists {
        /// The name of the host.
        host: String,
    },
    /// Nobody hosts the room that the player wanted to join.
    NoHost,
    /// Another reason, as text.
    Other(String),
}

impl LobbyTrouble {
    /// The trouble of a room that closed; `None` if the player left it.
    pub fn of(reason: &CloseReason) -> Option<Self> {
        match reason {
            CloseReason::Left => None,
            CloseReason::NoHost => Some(Self::NoHost),
            CloseReason::Refused(Refusal::HostExists { name, .. }) => Some(Self::HostExists { host: name.clone() }),
            other => Some(Self::Other(other.to_string())),
        }
    }

    /// The trouble in a sentence.
    pub fn message(&self) -> String {
        match self {
            Self::HostExists { host } => format!("{host} hosts this room."),
            Self::NoHost => "Nobody hosts this room.".to_owned(),
            Self::Other(text) => sentence(text),
        }
    }

    /// What the player can do next, if there is something: the text of a button, and its wish.
    pub fn next_step(&self) -> Option<(&'static str, LobbyWish)> {
        match self {
            Self::HostExists { .. } => Some(("Join instead", LobbyWish::Join)),
            Self::NoHost => Some(("Host it", LobbyWish::Host)),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::PlayerId;

    #[test]
    fn who_left_by_choice_is_told_nothing_and_who_was_refused_is_told_who_hosts() {
        assert_eq!(LobbyTrouble::of(&CloseReason::Left), None);
        let host = PlayerId::new("ada").unwrap();
        let refused = CloseReason::Refused(Refusal::HostExists { host, name: "Ada".into() });
        let trouble = LobbyTrouble::of(&refused).unwrap();
        assert_eq!(trouble.message(), "Ada hosts this room.");
        assert_eq!(trouble.next_step().map(|(_, wish)| wish), Some(LobbyWish::Join));
        let nobody = LobbyTrouble::of(&CloseReason::NoHost).unwrap();
        assert_eq!(nobody.next_step().map(|(_, wish)| wish), Some(LobbyWish::Host));
    }
}
