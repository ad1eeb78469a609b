//! The members that this client entered. They are entered again each time the channel is attached again (`RTP17`).

use std::collections::BTreeMap;

use super::members::MAX_MEMBERS;
use rooms_protocol::{ClientId, ConnectionId, PresenceAction, PresenceMessage};

/// The members that this client entered. By name alone, since a new connection takes the place of the old one (`RTP17h`).
#[derive(Debug, Default)]
pub(super) struct OwnMembers(BTreeMap<ClientId, PresenceMessage>);

impl OwnMembers {
    /// Takes in a presence message about a member, if this client entered it on the connection `current` (`RTP17b`).
    pub(super) fn apply(&mut self, message: &PresenceMessage, current: Option<&ConnectionId>) {
        let Some(name) = &message.client_id else { return };
        if message.connection_id.is_none() || message.connection_id.as_ref() != current {
            return;
        }
        let known = self.0.get(name);
        let is_news = known.is_none_or(|own| own.connection_id != message.connection_id || message.is_newer_than(own));
        match message.action {
            PresenceAction::Enter | PresenceAction::Update | PresenceAction::Present
                if is_news && (known.is_some() || self.0.len() < MAX_MEMBERS) =>
            {
                self.0.insert(name.clone(), PresenceMessage { action: PresenceAction::Present, ..message.clone() });
            }
            // A leave without an id comes from the server, when the client was gone for a while. The game did not ask for it.
            PresenceAction::Leave if is_news && message.parsed_id().is_some() => {
                self.0.remove(name);
            }
            _ => {}
        }
    }

    /// The presence messages that enter all of them again on the connection `current`, but for those that are `on_the_way`
    /// (`RTP17g`).
    pub(super) fn to_enter_again(
        &self,
        current: Option<&ConnectionId>,
        on_the_way: impl Fn(&ClientId) -> bool,
    ) -> Vec<PresenceMessage> {
        let again = self.0.iter().filter(|(member, _)| !on_the_way(member));
        again
            .map(|(_, own)| PresenceMessage {
                // With its id the server knows that it has this member already (`RTP17g1`).
                id: own.id.clone().filter(|_| own.connection_id.as_ref() == current),
                action: PresenceAction::Enter,
                client_id: own.client_id.clone(),
                data: own.data.clone(),
                encoding: own.encoding.clone(),
                ..PresenceMessage::default()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(action: PresenceAction, connection: &str, id: Option<&str>) -> PresenceMessage {
        PresenceMessage {
            id: id.map(str::to_owned),
            action,
            client_id: Some("ada".into()),
            connection_id: Some(connection.into()),
            ..PresenceMessage::default()
        }
    }

    fn entered(own: &OwnMembers, current: &str) -> Vec<Option<String>> {
        own.to_enter_again(Some(&current.into()), |_| false).into_iter().map(|message| message.id).collect()
    }

    #[test]
    fn a_member_of_another_connection_is_not_our_own() {
        let mut own = OwnMembers::default();
        own.apply(&message(PresenceAction::Enter, "c2", Some("c2:0:0")), Some(&"c1".into()));
        own.apply(&message(PresenceAction::Enter, "c2", Some("c2:0:0")), None);
        assert!(entered(&own, "c1").is_empty());
    }

    #[test]
    fn a_member_keeps_its_id_on_the_same_connection_alone() {
        let mut own = OwnMembers::default();
        own.apply(&message(PresenceAction::Enter, "c1", Some("c1:0:0")), Some(&"c1".into()));
        assert_eq!(entered(&own, "c1"), [Some("c1:0:0".to_owned())]);
        assert_eq!(entered(&own, "c2"), [None]);
        assert!(own.to_enter_again(None, |member| member.as_str() == "ada").is_empty(), "what is on the way is newer");
    }

    #[test]
    fn a_leave_that_the_server_made_up_does_not_end_the_membership() {
        let mut own = OwnMembers::default();
        let current = "c1".into();
        own.apply(&message(PresenceAction::Enter, "c1", Some("c1:0:0")), Some(&current));
        own.apply(&message(PresenceAction::Leave, "c1", None), Some(&current));
        assert_eq!(entered(&own, "c1").len(), 1);
        own.apply(&message(PresenceAction::Leave, "c1", Some("c1:1:0")), Some(&current));
        assert!(entered(&own, "c1").is_empty());
    }
}
