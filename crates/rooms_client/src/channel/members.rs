//! Who is on a channel: the map of members, kept by the order of presence messages and by syncs (`RTP2`, `RTP18`, `RTP19`).

use std::collections::BTreeMap;

use rooms_protocol::{ChannelSerial, ClientId, ConnectionId, PresenceAction, PresenceMessage, Timestamp};

/// Most members that are kept for one channel: the most that any plan of Ably's cloud allows. Further ones are not
/// taken, so that a hostile server cannot fill the memory.
pub(crate) const MAX_MEMBERS: usize = 10_000;

type MemberKey = (ConnectionId, ClientId);

/// The members of one channel.
#[derive(Debug, Default)]
pub(crate) struct MemberMap {
    entries: BTreeMap<MemberKey, Member>,
    sync: Option<Sync>,
}

#[derive(Debug)]
struct Member {
    /// The last presence message, with its action as stored: `Present`, or `Absent` for one that left while a sync runs.
    message: PresenceMessage,
    /// Whether the game was told of the member.
    announced: bool,
    /// Whether the running sync has not yet shown the member.
    stale: bool,
}

#[derive(Debug)]
struct Sync {
    /// The sequence id, once a page told it.
    id: Option<String>,
}

/// What a page of a sync changed.
#[derive(Debug, PartialEq)]
pub(crate) struct SyncPage {
    /// The presence messages that the game gets.
    pub(crate) news: Vec<PresenceMessage>,
    /// Whether it was the last page.
    pub(crate) complete: bool,
}

impl MemberMap {
    /// Who is there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PresenceMessage> {
        self.entries.values().map(|member| &member.message).filter(|message| message.action == PresenceAction::Present)
    }

    /// How many entries are kept, with those that left while a sync runs.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a sync runs, so that members may be missing.
    pub(crate) fn is_syncing(&self) -> bool {
        self.sync.is_some()
    }

    /// Applies presence messages, and returns those that are news (`RTP2`).
    pub(crate) fn apply(&mut self, messages: Vec<PresenceMessage>) -> Vec<PresenceMessage> {
        messages.into_iter().filter_map(|message| self.apply_one(message)).collect()
    }

    fn apply_one(&mut self, message: PresenceMessage) -> Option<PresenceMessage> {
        let key = message.member_key()?;
        let comes = match message.action {
            PresenceAction::Enter | PresenceAction::Update | PresenceAction::Present => true,
            PresenceAction::Leave => false,
            PresenceAction::Absent | PresenceAction::Unknown(_) => return None,
        };
        let syncing = self.sync.is_some();
        let Some(member) = self.entries.get_mut(&key) else {
            let stored = if comes { PresenceAction::Present } else { PresenceAction::Absent };
            // A leave of an unknown member matters only while a sync runs, since its pages may still name the member.
            if (comes || syncing) && self.entries.len() < MAX_MEMBERS {
                let kept = PresenceMessage { action: stored, ..message.clone() };
                self.entries.insert(key, Member { message: kept, announced: comes, stale: false });
                return comes.then_some(message);
            }
            return None;
        };
        // A sync repeats members with the id that is already held; they are shown all the same.
        member.stale &= !comes;
        if !message.is_newer_than(&member.message) {
            return None;
        }
        if comes {
            member.announced = true;
            member.message = PresenceMessage { action: PresenceAction::Present, ..message.clone() };
            Some(message)
        } else if syncing {
            member.message = PresenceMessage { action: PresenceAction::Absent, ..message };
            None
        } else {
            self.entries.remove(&key);
            Some(message)
        }
    }

    /// A sync begins: a member that it does not show has left (`RTP19`).
    pub(crate) fn start_sync(&mut self) {
        self.sync = Some(Sync { id: None });
        for member in self.entries.values_mut() {
            member.stale = true;
        }
    }

    /// Applies one page of a sync; `serial` is its cursor (`RTP18`). Members that left get a leave at `time`.
    pub(crate) fn apply_page(
        &mut self,
        serial: Option<&ChannelSerial>,
        messages: Vec<PresenceMessage>,
        time: Option<Timestamp>,
    ) -> SyncPage {
        let (id, cursor) = serial.map_or((None, ""), |serial| match serial.as_str().split_once(':') {
            Some((id, cursor)) => (Some(id), cursor),
            None => (None, ""),
        });
        match &mut self.sync {
            Some(sync) if sync.id.is_none() || sync.id.as_deref() == id => sync.id = id.map(str::to_owned),
            _ => {
                self.start_sync();
                self.sync = Some(Sync { id: id.map(str::to_owned) });
            }
        }
        let mut news = self.apply(messages);
        let complete = cursor.is_empty();
        if complete {
            news.extend(self.end_sync(time));
        }
        SyncPage { news, complete }
    }

    fn end_sync(&mut self, time: Option<Timestamp>) -> Vec<PresenceMessage> {
        self.sync = None;
        let mut left = Vec::new();
        self.entries.retain(|_, member| {
            let absent = member.message.action == PresenceAction::Absent;
            if absent && member.announced {
                left.push(PresenceMessage { action: PresenceAction::Leave, ..member.message.clone() });
            } else if !absent && member.stale {
                left.push(made_up_leave(&member.message, time));
            }
            !absent && !member.stale
        });
        left
    }

    /// The channel has no members (`RTP19a`): returns a leave at `time` for each that was known.
    pub(crate) fn clear_with_leaves(&mut self, time: Option<Timestamp>) -> Vec<PresenceMessage> {
        self.sync = None;
        let announced = std::mem::take(&mut self.entries).into_values().filter(|member| member.announced);
        announced.map(|member| made_up_leave(&member.message, time)).collect()
    }
}

/// The leave of a member for whom the server sent none: without an id, at the time of the frame that showed it.
fn made_up_leave(message: &PresenceMessage, time: Option<Timestamp>) -> PresenceMessage {
    PresenceMessage {
        id: None,
        action: PresenceAction::Leave,
        timestamp: time.or(message.timestamp),
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(action: PresenceAction, connection: &str, client: &str, serial: u32) -> PresenceMessage {
        PresenceMessage {
            id: Some(format!("{connection}:{serial}:0")),
            action,
            client_id: Some(client.into()),
            connection_id: Some(connection.into()),
            timestamp: Some(Timestamp(i64::from(serial))),
            ..PresenceMessage::default()
        }
    }

    fn ada(action: PresenceAction, serial: u32) -> PresenceMessage {
        word(action, "c1", "ada", serial)
    }

    fn bob(action: PresenceAction, serial: u32) -> PresenceMessage {
        word(action, "c2", "bob", serial)
    }

    fn names(members: &MemberMap) -> Vec<&str> {
        members.iter().filter_map(|message| message.client_id.as_ref()).map(ClientId::as_str).collect()
    }

    fn page(members: &mut MemberMap, serial: &str, words: Vec<PresenceMessage>) -> SyncPage {
        members.apply_page(Some(&serial.into()), words, Some(Timestamp(99)))
    }

    use PresenceAction::{Enter, Leave, Present, Update};

    #[test]
    fn a_word_is_told_as_it_came_and_kept_as_present() {
        let mut members = MemberMap::default();
        assert_eq!(members.apply(vec![ada(Enter, 0)]), [ada(Enter, 0)]);
        assert_eq!(members.apply(vec![ada(Update, 1)]), [ada(Update, 1)]);
        assert_eq!(members.iter().collect::<Vec<_>>(), [&ada(Present, 1)]);
    }

    #[test]
    fn an_older_or_equal_word_is_dropped() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 5)]);
        assert_eq!(members.apply(vec![ada(Update, 5), ada(Leave, 4)]), []);
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn a_leave_removes_the_member_and_a_leave_of_nobody_is_nothing() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 0)]);
        assert_eq!(members.apply(vec![ada(Leave, 1), bob(Leave, 0)]), [ada(Leave, 1)]);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn a_leave_made_up_by_the_server_is_judged_by_its_time() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 7)]);
        let late = PresenceMessage { id: Some("server:0:0".to_owned()), ..ada(Leave, 7) };
        assert_eq!(members.apply(vec![PresenceMessage { timestamp: Some(Timestamp(6)), ..late.clone() }]), []);
        assert_eq!(members.apply(vec![late.clone()]), [late]);
    }

    #[test]
    fn whoever_a_sync_does_not_show_has_left() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 0), bob(Enter, 0)]);
        members.start_sync();
        assert_eq!(page(&mut members, "s1:next", vec![ada(Present, 0)]), SyncPage { news: vec![], complete: false });
        let gone = PresenceMessage { id: None, timestamp: Some(Timestamp(99)), ..bob(Leave, 0) };
        assert_eq!(page(&mut members, "s1:", vec![]), SyncPage { news: vec![gone], complete: true });
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn a_word_that_is_not_news_still_shows_the_member_to_the_sync() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 3)]);
        members.start_sync();
        assert_eq!(page(&mut members, "s1:", vec![ada(Present, 3)]).news, []);
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn a_leave_during_a_sync_is_told_once_at_its_end() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 0)]);
        members.start_sync();
        assert_eq!(members.apply(vec![ada(Leave, 1)]), []);
        assert_eq!(names(&members), Vec::<&str>::new(), "and the member no longer shows");
        assert_eq!(page(&mut members, "s1:", vec![ada(Present, 0)]).news, [ada(Leave, 1)]);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn a_member_that_came_and_left_within_a_sync_is_told_to_have_left() {
        let mut members = MemberMap::default();
        members.start_sync();
        assert_eq!(members.apply(vec![ada(Enter, 0)]), [ada(Enter, 0)]);
        members.apply(vec![ada(Leave, 1)]);
        assert_eq!(page(&mut members, "s1:", vec![]).news, [ada(Leave, 1)]);
    }

    #[test]
    fn a_page_does_not_bring_back_a_member_that_left_before_it_was_ever_seen() {
        let mut members = MemberMap::default();
        members.start_sync();
        members.apply(vec![ada(Leave, 1)]);
        assert_eq!(page(&mut members, "s1:", vec![ada(Present, 0)]).news, []);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn a_new_sequence_starts_the_sync_over() {
        let mut members = MemberMap::default();
        members.apply(vec![ada(Enter, 0)]);
        members.start_sync();
        page(&mut members, "s1:next", vec![ada(Present, 0)]);
        page(&mut members, "s2:next", vec![bob(Present, 0)]);
        assert_eq!(page(&mut members, "s2:", vec![]).news.len(), 1);
        assert_eq!(names(&members), ["bob"]);
    }

    #[test]
    fn a_page_without_a_cursor_is_a_whole_sync() {
        let mut members = MemberMap::default();
        members.apply(vec![bob(Enter, 0)]);
        let whole = members.apply_page(None, vec![ada(Present, 0)], None);
        assert!(whole.complete);
        assert_eq!(whole.news.iter().map(|message| message.action).collect::<Vec<_>>(), [Present, Leave]);
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn words_that_name_no_member_are_skipped() {
        let mut members = MemberMap::default();
        let nobody = PresenceMessage { client_id: None, ..ada(Enter, 0) };
        assert_eq!(members.apply(vec![nobody, ada(PresenceAction::Unknown(9), 1)]), []);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn the_number_of_members_is_bounded() {
        let mut members = MemberMap::default();
        for index in 0..MAX_MEMBERS + 10 {
            members.apply(vec![word(Enter, "c", &index.to_string(), 0)]);
        }
        assert_eq!(members.len(), MAX_MEMBERS);
    }
}
