//! The members of one channel, and the pages that tell them all.

use std::collections::BTreeMap;

use crate::limits::{PAGE_BYTES, PAGE_MEMBERS};
use rooms_protocol::{
    Action, ChannelName, ChannelSerial, ClientId, ConnectionId, Frame, PresenceAction, PresenceMessage,
};

/// Who is on a channel: one member per connection and client id, each with the latest word about it.
#[derive(Debug, Default)]
pub(crate) struct Members {
    by_key: BTreeMap<(ConnectionId, ClientId), PresenceMessage>,
}

impl Members {
    /// The latest word about a member.
    pub(crate) fn get(&self, connection: &ConnectionId, client: &ClientId) -> Option<&PresenceMessage> {
        self.by_key.get(&(connection.clone(), client.clone()))
    }

    /// Takes a word about a member, complete with connection id, client id, id and time.
    ///
    /// Gives the word to tell others: a leave without data gets the member's last, and the leave of nobody is not told.
    pub(crate) fn apply(&mut self, mut word: PresenceMessage) -> Option<PresenceMessage> {
        let key = word.member_key()?;
        if word.action != PresenceAction::Leave {
            self.by_key.insert(key, PresenceMessage { action: PresenceAction::Present, ..word.clone() });
            return Some(word);
        }
        let last = self.by_key.remove(&key)?;
        if word.data.is_none() {
            word.data = last.data;
            word.encoding = last.encoding;
        }
        Some(word)
    }

    /// The members that `connection` entered.
    pub(crate) fn of_connection(&self, connection: &ConnectionId) -> Vec<ClientId> {
        let from = (connection.clone(), ClientId::new(""));
        let own = self.by_key.range(from..).take_while(|((owner, _), _)| owner == connection);
        own.map(|((_, client), _)| client.clone()).collect()
    }

    /// All members, by connection and client id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(ConnectionId, ClientId), &PresenceMessage)> {
        self.by_key.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is nobody.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All members as SYNC frames of `channel`, one at least. `sequence` names the sync: letters and digits only.
    pub(crate) fn sync(&self, channel: &ChannelName, sequence: &str) -> Vec<Frame> {
        let mut pages = pages(self.by_key.values().cloned());
        if pages.is_empty() {
            pages.push(Vec::new());
        }
        let last = pages.len() - 1;
        let frame = |(index, presence): (usize, Vec<PresenceMessage>)| {
            // An empty cursor says that no page follows.
            let cursor = if index == last { String::new() } else { (index + 1).to_string() };
            Frame {
                channel_serial: Some(ChannelSerial::from(format!("{sequence}:{cursor}"))),
                presence,
                ..Frame::for_channel(Action::Sync, channel.clone())
            }
        };
        pages.into_iter().enumerate().map(frame).collect()
    }
}

/// What a word counts towards limits: by the letter of the protocol, and its encoding, which is sent on too.
pub(crate) fn wire_size(word: &PresenceMessage) -> usize {
    word.size().saturating_add(word.encoding.as_ref().map_or(0, String::len))
}

/// Words in pages that each fit into a frame, whatever data they carry.
pub(crate) fn pages(words: impl IntoIterator<Item = PresenceMessage>) -> Vec<Vec<PresenceMessage>> {
    let mut pages: Vec<Vec<PresenceMessage>> = Vec::new();
    let mut bytes = 0_usize;
    for word in words {
        let size = wire_size(&word);
        match pages.last_mut() {
            Some(page) if page.len() < PAGE_MEMBERS && bytes < PAGE_BYTES => page.push(word),
            _ => {
                pages.push(vec![word]);
                bytes = 0;
            }
        }
        bytes = bytes.saturating_add(size);
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Data, Timestamp};

    fn word(action: PresenceAction, connection: &str, client: &str, data: Option<&str>) -> PresenceMessage {
        PresenceMessage {
            id: Some(format!("{connection}:0:0")),
            action,
            client_id: Some(client.into()),
            connection_id: Some(connection.into()),
            data: data.map(Data::from),
            timestamp: Some(Timestamp(1)),
            ..PresenceMessage::default()
        }
    }

    #[test]
    fn a_leave_tells_the_last_data_and_the_leave_of_nobody_tells_nothing() {
        let mut members = Members::default();
        members.apply(word(PresenceAction::Enter, "c", "ada", Some("hi")));
        assert_eq!(members.apply(word(PresenceAction::Leave, "c", "bob", None)), None);
        let told = members.apply(word(PresenceAction::Leave, "c", "ada", None)).unwrap();
        assert_eq!(told.data, Some("hi".into()));
        assert!(members.is_empty());
    }

    #[test]
    fn one_client_on_two_connections_is_two_members() {
        let mut members = Members::default();
        for (connection, client) in [("c", "ada"), ("d", "ada"), ("c", "bob"), ("ca", "eve")] {
            members.apply(word(PresenceAction::Enter, connection, client, None));
        }
        assert_eq!(members.len(), 4);
        assert_eq!(members.of_connection(&"c".into()), ["ada".into(), "bob".into()]);
    }

    #[test]
    fn a_sync_tells_everybody_in_pages_with_an_empty_cursor_at_the_end() {
        let mut members = Members::default();
        for index in 0..PAGE_MEMBERS + 1 {
            members.apply(word(PresenceAction::Enter, "c", &format!("client{index}"), None));
        }
        let pages = members.sync(&"ch".into(), "s1");
        let cursors: Vec<_> = pages.iter().filter_map(|page| page.channel_serial.as_ref()?.as_str().into()).collect();
        assert_eq!(cursors, ["s1:1", "s1:"]);
        assert_eq!(pages.iter().map(|page| page.presence.len()).sum::<usize>(), PAGE_MEMBERS + 1);
        let first = &pages[0].presence[0];
        assert_eq!((first.action, first.id.as_deref()), (PresenceAction::Present, Some("c:0:0")));
    }

    #[test]
    fn a_page_is_closed_when_it_grows_large_and_an_empty_sync_has_one_page() {
        let mut members = Members::default();
        assert_eq!(members.sync(&"ch".into(), "s").len(), 1);
        let large = "x".repeat(PAGE_BYTES);
        for client in ["ada", "bob", "eve"] {
            members.apply(word(PresenceAction::Enter, "c", client, Some(&large)));
        }
        assert_eq!(members.sync(&"ch".into(), "s").len(), 3);
    }
}
