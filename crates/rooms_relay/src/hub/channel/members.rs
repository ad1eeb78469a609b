//! The members of one channel.

use std::{collections::BTreeMap, sync::Arc};

use super::kept_presence::{KeptMembers, KeptPresence};
use crate::budget::MemoryBudget;
use rooms_protocol::{ClientId, ConnectionId, PresenceAction, PresenceMessage, Timestamp};

/// Who is present on a channel: one member per connection and client id, each with its latest presence message.
#[derive(Debug, Default)]
pub(crate) struct Members {
    by_key: BTreeMap<(ConnectionId, ClientId), Arc<KeptPresence>>,
    /// All of them, for those who join before anything changes.
    snapshot: Option<KeptMembers>,
}

impl Members {
    /// The latest presence message of a member.
    pub(crate) fn get(&self, connection: &ConnectionId, client: &ClientId) -> Option<&Arc<KeptPresence>> {
        self.by_key.get(&(connection.clone(), client.clone()))
    }

    /// Applies a presence message that has its connection id, client id, id and time. It is charged to `budget`.
    ///
    /// Returns the message to send: a leave without data gets the member's last data, and a leave of nobody is not sent.
    pub(crate) fn apply(&mut self, mut message: PresenceMessage, budget: &MemoryBudget) -> Option<Arc<KeptPresence>> {
        let key = message.member_key()?;
        if message.action != PresenceAction::Leave {
            let kept = Arc::new(KeptPresence::new(message, budget));
            self.by_key.insert(key, Arc::clone(&kept));
            self.snapshot = None;
            return Some(kept);
        }
        let last = self.by_key.remove(&key)?;
        self.snapshot = None;
        if message.data.is_none() {
            let last = last.message();
            message.data = last.data;
            message.encoding = last.encoding;
        }
        Some(Arc::new(KeptPresence::new(message, budget)))
    }

    /// Removes a member, with `id` as the id of its leave. Returns the leave to send.
    pub(crate) fn leave(
        &mut self,
        connection: &ConnectionId,
        client: ClientId,
        id: String,
        budget: &MemoryBudget,
        wall: Timestamp,
    ) -> Option<Arc<KeptPresence>> {
        let leave = PresenceMessage {
            id: Some(id),
            action: PresenceAction::Leave,
            client_id: Some(client),
            connection_id: Some(connection.clone()),
            timestamp: Some(wall),
            ..PresenceMessage::default()
        };
        self.apply(leave, budget)
    }

    /// Whether a member's latest presence message is still this one.
    pub(crate) fn is_still(&self, connection: &ConnectionId, client: &ClientId, message: &Arc<KeptPresence>) -> bool {
        self.get(connection, client).is_some_and(|latest| Arc::ptr_eq(latest, message))
    }

    /// The members that `connection` entered.
    pub(crate) fn of_connection(&self, connection: &ConnectionId) -> Vec<(ClientId, Arc<KeptPresence>)> {
        self.own(connection).map(|((_, client), message)| (client.clone(), Arc::clone(message))).collect()
    }

    /// How many members `connection` entered.
    pub(crate) fn count_of(&self, connection: &ConnectionId) -> usize {
        self.own(connection).count()
    }

    fn own(&self, connection: &ConnectionId) -> impl Iterator<Item = (&(ConnectionId, ClientId), &Arc<KeptPresence>)> {
        let from = (connection.clone(), ClientId::new(""));
        self.by_key.range(from..).take_while(move |((owner, _), _)| owner == connection)
    }

    /// All members, by connection and client id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(ConnectionId, ClientId), &Arc<KeptPresence>)> {
        self.by_key.iter()
    }

    /// All members as they are now. Everybody who asks before something changes gets the same list.
    pub(crate) fn snapshot(&mut self) -> KeptMembers {
        Arc::clone(self.snapshot.get_or_insert_with(|| self.by_key.values().cloned().collect()))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether nobody is present.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

/// What a presence message counts towards limits: its size as the protocol defines it, and its encoding, which is sent on too.
pub(crate) fn wire_size(message: &PresenceMessage) -> usize {
    message.size().saturating_add(message.encoding.as_ref().map_or(0, String::len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Batch,
        limits::{PAGE_BYTES, PAGE_MEMBERS},
    };
    use rooms_protocol::{Data, Frame};

    fn budget() -> MemoryBudget {
        MemoryBudget::new(1 << 30)
    }

    fn pages(members: &mut Members, sequence: &str) -> Vec<Frame> {
        let mut batch = Batch::sync("ch".into(), sequence.to_owned(), members.snapshot(), &budget());
        std::iter::from_fn(|| batch.next_frame()).collect()
    }

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
        members.apply(message(PresenceAction::Enter, "c", "ada", Some("hi")), &budget());
        assert!(members.apply(message(PresenceAction::Leave, "c", "bob", None), &budget()).is_none());
        let leave = members.apply(message(PresenceAction::Leave, "c", "ada", None), &budget()).unwrap();
        assert_eq!(leave.message().data, Some("hi".into()));
        assert!(members.is_empty());
    }

    #[test]
    fn one_client_on_two_connections_is_two_members() {
        let mut members = Members::default();
        for (connection, client) in [("c", "ada"), ("d", "ada"), ("c", "bob"), ("ca", "eve")] {
            members.apply(message(PresenceAction::Enter, connection, client, None), &budget());
        }
        assert_eq!(members.len(), 4);
        let own = members.of_connection(&"c".into());
        assert_eq!(own.into_iter().map(|(client, _)| client).collect::<Vec<_>>(), ["ada".into(), "bob".into()]);
        assert_eq!(members.count_of(&"c".into()), 2);
    }

    #[test]
    fn a_sync_has_everybody_in_pages_with_an_empty_cursor_at_the_end() {
        let mut members = Members::default();
        for index in 0..PAGE_MEMBERS + 1 {
            members.apply(message(PresenceAction::Enter, "c", &format!("client{index}"), None), &budget());
        }
        let pages = pages(&mut members, "s1");
        let cursors: Vec<_> = pages.iter().filter_map(|page| page.channel_serial.as_ref()?.as_str().into()).collect();
        assert_eq!(cursors, ["s1:1", "s1:"]);
        assert_eq!(pages.iter().map(|page| page.presence.len()).sum::<usize>(), PAGE_MEMBERS + 1);
        let first = &pages[0].presence[0];
        assert_eq!((first.action, first.id.as_deref()), (PresenceAction::Present, Some("c:0:0")));
    }

    #[test]
    fn a_page_is_closed_when_it_grows_large_and_an_empty_sync_has_one_page() {
        let mut members = Members::default();
        assert_eq!(pages(&mut members, "s").len(), 1);
        let large = "x".repeat(PAGE_BYTES);
        for client in ["ada", "bob", "eve"] {
            members.apply(message(PresenceAction::Enter, "c", client, Some(&large)), &budget());
        }
        assert_eq!(pages(&mut members, "s").len(), 3);
    }

    #[test]
    fn all_who_join_before_something_changes_share_the_members_and_each_takes_page_by_page() {
        let (mut members, budget) = (Members::default(), budget());
        let large = "x".repeat(60_000);
        for index in 0..50 {
            members.apply(message(PresenceAction::Enter, "c", &format!("client{index}"), Some(&large)), &budget);
        }
        let held = budget.used();
        let mut batches: Vec<Batch> =
            (0..100).map(|_| Batch::sync("ch".into(), "s".to_owned(), members.snapshot(), &budget)).collect();
        assert!(budget.used() < held + 100_000, "a hundred of them cost little");
        let waiting = batches[0].waiting_bytes();
        assert!(waiting < 1_000 && batches[0].held_bytes() > 50 * 60_000);
        assert_eq!(batches[0].next_frame().unwrap().presence.len(), 1);
        members.apply(message(PresenceAction::Leave, "c", "client1", None), &budget);
        assert_eq!(std::iter::from_fn(|| batches[0].next_frame()).count(), 49, "it goes on as it began");
        drop((batches, members));
        assert_eq!(budget.used(), 0);
    }
}
