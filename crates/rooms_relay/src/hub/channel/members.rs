//! The members of one channel, and the pages of a SYNC.

use std::collections::BTreeMap;

use crate::limits::{PAGE_BYTES, PAGE_MEMBERS};
use rooms_protocol::{
    Action, ChannelName, ChannelSerial, ClientId, ConnectionId, Frame, PresenceAction, PresenceMessage, Timestamp,
};

/// Who is present on a channel: one member per connection and client id, each with its latest presence message.
#[derive(Debug, Default)]
pub(crate) struct Members {
    by_key: BTreeMap<(ConnectionId, ClientId), PresenceMessage>,
}

impl Members {
    /// The latest presence message of a member.
    pub(crate) fn get(&self, connection: &ConnectionId, client: &ClientId) -> Option<&PresenceMessage> {
        self.by_key.get(&(connection.clone(), client.clone()))
    }

    /// Applies a presence message that has its connection id, client id, id and time.
    ///
    /// Returns the message to send: a leave without data gets the member's last data, and a leave of nobody is not sent.
    pub(crate) fn apply(&mut self, mut message: PresenceMessage) -> Option<PresenceMessage> {
        let key = message.member_key()?;
        if message.action != PresenceAction::Leave {
            self.by_key.insert(key, PresenceMessage { action: PresenceAction::Present, ..message.clone() });
            return Some(message);
        }
        let last = self.by_key.remove(&key)?;
        if message.data.is_none() {
            message.data = last.data;
            message.encoding = last.encoding;
        }
        Some(message)
    }

    /// Removes all members of `connection`. `id` gives the id of each leave by its index.
    ///
    /// Returns the leaves to send.
    pub(crate) fn remove_connection(
        &mut self,
        connection: &ConnectionId,
        id: impl Fn(usize) -> String,
        wall: Timestamp,
    ) -> Vec<PresenceMessage> {
        let leave = |(index, client)| PresenceMessage {
            id: Some(id(index)),
            action: PresenceAction::Leave,
            client_id: Some(client),
            connection_id: Some(connection.clone()),
            timestamp: Some(wall),
            ..PresenceMessage::default()
        };
        let clients = self.of_connection(connection).into_iter().enumerate();
        clients.map(leave).filter_map(|leave| self.apply(leave)).collect()
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

    /// Whether nobody is present.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All members as SYNC frames of `channel`, at least one. `sequence` names the sync: letters and digits only.
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

/// What a presence message counts towards limits: its size as the protocol defines it, and its encoding, which is sent on too.
pub(crate) fn wire_size(message: &PresenceMessage) -> usize {
    message.size().saturating_add(message.encoding.as_ref().map_or(0, String::len))
}

/// Presence messages in pages that each fit into a frame, whatever data they carry.
pub(crate) fn pages(messages: impl IntoIterator<Item = PresenceMessage>) -> Vec<Vec<PresenceMessage>> {
    let mut pages: Vec<Vec<PresenceMessage>> = Vec::new();
    let mut bytes = 0_usize;
    for message in messages {
        let size = wire_size(&message);
        match pages.last_mut() {
            Some(page) if page.len() < PAGE_MEMBERS && bytes < PAGE_BYTES => page.push(message),
            _ => {
                pages.push(vec![message]);
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
    use rooms_protocol::Data;

    fn message(action: PresenceAction, connection: &str, client: &str, data: Option<&str>) -> PresenceMessage {
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
    fn a_leave_carries_the_last_data_and_the_leave_of_nobody_is_not_sent() {
        let mut members = Members::default();
        members.apply(message(PresenceAction::Enter, "c", "ada", Some("hi")));
        assert_eq!(members.apply(message(PresenceAction::Leave, "c", "bob", None)), None);
        let leave = members.apply(message(PresenceAction::Leave, "c", "ada", None)).unwrap();
        assert_eq!(leave.data, Some("hi".into()));
        assert!(members.is_empty());
    }

    #[test]
    fn one_client_on_two_connections_is_two_members() {
        let mut members = Members::default();
        for (connection, client) in [("c", "ada"), ("d", "ada"), ("c", "bob"), ("ca", "eve")] {
            members.apply(message(PresenceAction::Enter, connection, client, None));
        }
        assert_eq!(members.len(), 4);
        assert_eq!(members.of_connection(&"c".into()), ["ada".into(), "bob".into()]);
    }

    #[test]
    fn a_sync_has_everybody_in_pages_with_an_empty_cursor_at_the_end() {
        let mut members = Members::default();
        for index in 0..PAGE_MEMBERS + 1 {
            members.apply(message(PresenceAction::Enter, "c", &format!("client{index}"), None));
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
            members.apply(message(PresenceAction::Enter, "c", client, Some(&large)));
        }
        assert_eq!(members.sync(&"ch".into(), "s").len(), 3);
    }
}
