//! A presence message that its channel keeps, as text: of a member, and of its history.

use std::sync::Arc;

use super::publish::normalize;
use crate::budget::{Charge, MemoryBudget, Purpose};
use rooms_protocol::{Format, PresenceAction, PresenceMessage};

/// How every presence message begins: with its action, which is one digit.
const ACTION: &str = r#"{"action":"#;

/// How one begins that says that a member is present.
const PRESENT: &str = r#"{"action":1"#;

/// What a kept presence message takes beside its text, about, in bytes: itself, its place among the members and in the history,
/// and what an allocator adds.
const OVERHEAD: usize = 256;

/// The members of a channel at one time, in their order.
pub(crate) type KeptMembers = Arc<[Arc<KeptPresence>]>;

/// A presence message with everything that the relay stamps on it.
#[derive(Debug)]
pub(crate) struct KeptPresence {
    text: Box<str>,
    charge: Charge,
}

impl KeptPresence {
    /// Keeps a presence message.
    pub(crate) fn new(mut message: PresenceMessage, budget: &MemoryBudget) -> Self {
        message.encode_for(Format::Json);
        // Every part of it writes itself as JSON; there is nothing that could fail.
        let text = serde_json::to_string(&message).unwrap_or_default().into_boxed_str();
        let charge = budget.charge(Purpose::Presence, OVERHEAD + text.len());
        Self { text, charge }
    }

    /// Its JSON text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The JSON text that says that this member is present, in two parts.
    pub(crate) fn as_present(&self) -> [&str; 2] {
        [PRESENT, self.text.get(PRESENT.len()..).unwrap_or_default()]
    }

    /// The message as it was sent.
    pub(crate) fn message(&self) -> PresenceMessage {
        // The relay wrote the text, so that it can be read.
        let mut message: PresenceMessage = serde_json::from_str(&self.text).unwrap_or_default();
        normalize(&mut message.data, &mut message.encoding);
        message
    }

    /// The message that says that this member is present.
    pub(crate) fn present(&self) -> PresenceMessage {
        PresenceMessage { action: PresenceAction::Present, ..self.message() }
    }

    /// Whether it has this id.
    pub(crate) fn has_id(&self, id: &str) -> bool {
        let text = self.text.get(ACTION.len() + 1..).unwrap_or_default();
        let Some(rest) = text.strip_prefix(",\"id\":\"") else { return false };
        // Ids of the relay's own making have nothing that is escaped.
        rest.strip_prefix(id).is_some_and(|rest| rest.starts_with('"'))
    }

    /// The length of its text.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The bytes that it holds in memory, about.
    pub(crate) fn held_bytes(&self) -> usize {
        self.charge.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Data, Timestamp};

    #[test]
    fn a_kept_presence_message_is_what_it_was_and_says_who_is_present() {
        let budget = MemoryBudget::new(1_000_000);
        for data in [None, Some(Data::Binary(vec![0, 255])), Some("a \"text\"".into())] {
            let message = PresenceMessage {
                action: PresenceAction::Update,
                id: Some("c:1:0".to_owned()),
                client_id: Some("ada".into()),
                connection_id: Some("c".into()),
                data,
                timestamp: Some(Timestamp(7)),
                ..PresenceMessage::default()
            };
            let kept = KeptPresence::new(message.clone(), &budget);
            assert_eq!(kept.message(), message);
            let mut present: PresenceMessage = serde_json::from_str(&kept.as_present().concat()).unwrap();
            normalize(&mut present.data, &mut present.encoding);
            assert_eq!((kept.present(), present.action), (present.clone(), PresenceAction::Present));
            assert!(kept.has_id("c:1:0") && !kept.has_id("c:1:") && !kept.has_id("c:1:01") && !kept.has_id(""));
            assert_eq!(budget.used(), kept.held_bytes());
        }
        assert_eq!(budget.used(), 0);
    }
}
