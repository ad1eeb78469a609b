//! Who is on a channel: the map of members, kept by order of words and by syncs (`RTP2`, `RTP18`, `RTP19`).

use std::collections::BTreeMap;

use rooms_protocol::{ChannelSerial, ClientId, ConnectionId, PresenceAction, PresenceMessage, Timestamp};

/// Most members that are kept for one channel: the most that any plan of Ably's cloud allows. Further ones are not
/// taken, so that a hostile server cannot fill the memory.
pub(crate) const MAX_MEMBERS: usize = 10_000;

type MemberKey = (ConnectionId, ClientId);

/// The members of one channel.
#[derive(Debug, Default)]
pub(crate) struct Members {
    entries: BTreeMap<MemberKey, Member>,
    sync: Option<Sync>,
}

#[derive(Debug)]
struct Member {
    /// The last word, with its action as stored: `Present`, or `Absent` for one that left while a sync runs.
    word: PresenceMessage,
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

/// What came of a page of a sync.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    /// What to tell the game.
    pub(crate) news: Vec<PresenceMessage>,
    /// Whether it was the last page.
    pub(crate) complete: bool,
}

impl Members {
    /// Who is there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PresenceMessage> {
        self.entries.values().map(|member| &member.word).filter(|word| word.action == PresenceAction::Present)
    }

    /// How many entries are kept, with those that left while a sync runs.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a sync runs, so that members may be missing.
    pub(crate) fn is_syncing(&self) -> bool {
        self.sync.is_some()
    }

    /// Takes words in, and gives those that are news (`RTP2`).
    pub(crate) fn apply(&mut self, words: Vec<PresenceMessage>) -> Vec<PresenceMessage> {
        words.into_iter().filter_map(|word| self.apply_one(word)).collect()
    }

    fn apply_one(&mut self, word: PresenceMessage) -> Option<PresenceMessage> {
        let key = word.member_key()?;
        let comes = match word.action {
            PresenceAction::Enter | PresenceAction::Update | PresenceAction::Present => true,
            PresenceAction::Leave => false,
            PresenceAction::Absent | PresenceAction::Unknown(_) => return None,
        };
        let syncing = self.sync.is_some();
        let Some(member) = self.entries.get_mut(&key) else {
            let stored = if comes { PresenceAction::Present } else { PresenceAction::Absent };
            // A leave of somebody unknown matters only while a sync runs, whose pages may still name the member.
            if (comes || syncing) && self.entries.len() < MAX_MEMBERS {
                let kept = PresenceMessage { action: stored, ..word.clone() };
                self.entries.insert(key, Member { word: kept, announced: comes, stale: false });
                return comes.then_some(word);
            }
            return None;
        };
        // A sync repeats members with the id that is already held; they are shown all the same.
        member.stale &= !comes;
        if !word.is_newer_than(&member.word) {
            return None;
        }
        if comes {
            member.announced = true;
            member.word = PresenceMessage { action: PresenceAction::Present, ..word.clone() };
            Some(word)
        } else if syncing {
            member.word = PresenceMessage { action: PresenceAction::Absent, ..word };
            None
        } else {
            self.entries.remove(&key);
            Some(word)
        }
    }

    /// A sync begins: whoever it does not show has left (`RTP19`).
    pub(crate) fn start_sync(&mut self) {
        self.sync = Some(Sync { id: None });
        for member in self.entries.values_mut() {
            member.stale = true;
        }
    }

    /// Takes in one page of a sync; `serial` is its cursor (`RTP18`). Members that left go at `time`.
    pub(crate) fn apply_page(
        &mut self,
        serial: Option<&ChannelSerial>,
        words: Vec<PresenceMessage>,
        time: Option<Timestamp>,
    ) -> Page {
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
        let mut news = self.apply(words);
        let complete = cursor.is_empty();
        if complete {
            news.extend(self.end_sync(time));
        }
        Page { news, complete }
    }

    fn end_sync(&mut self, time: Option<Timestamp>) -> Vec<PresenceMessage> {
        self.sync = None;
        let mut left = Vec::new();
        self.entries.retain(|_, member| {
            let absent = member.word.action == PresenceAction::Absent;
            if absent && member.announced {
                left.push(PresenceMessage { action: PresenceAction::Leave, ..member.word.clone() });
            } else if !absent && member.stale {
                left.push(made_up_leave(&member.word, time));
            }
            !absent && !member.stale
        });
        left
    }

    /// The channel has no members (`RTP19a`); those that are held left at `time`.
    pub(crate) fn clear_with_leaves(&mut self, time: Option<Timestamp>) -> Vec<PresenceMessage> {
        self.sync = None;
        let announced = std::mem::take(&mut self.entries).into_values().filter(|member| member.announced);
        announced.map(|member| made_up_leave(&member.word, time)).collect()
    }
}

/// The leave of a member that nobody said goodbye for: without an id, at the time of the frame that showed it.
fn made_up_leave(word: &PresenceMessage, time: Option<Timestamp>) -> PresenceMessage {
    PresenceMessage { id: None, action: PresenceAction::Leave, timestamp: time.or(word.timestamp), ..word.clone() }
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

    fn names(members: &Members) -> Vec<&str> {
        members.iter().filter_map(|word| word.client_id.as_ref()).map(ClientId::as_str).collect()
    }

    fn page(members: &mut Members, serial: &str, words: Vec<PresenceMessage>) -> Page {
        members.apply_page(Some(&serial.into()), words, Some(Timestamp(99)))
    }

    use PresenceAction::{Enter, Leave, Present, Update};

    #[test]
    fn a_word_is_told_as_it_came_and_kept_as_present() {
        let mut members = Members::default();
        assert_eq!(members.apply(vec![ada(Enter, 0)]), [ada(Enter, 0)]);
        assert_eq!(members.apply(vec![ada(Update, 1)]), [ada(Update, 1)]);
        assert_eq!(members.iter().collect::<Vec<_>>(), [&ada(Present, 1)]);
    }

    #[test]
    fn an_older_or_equal_word_is_dropped() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 5)]);
        assert_eq!(members.apply(vec![ada(Update, 5), ada(Leave, 4)]), []);
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn a_leave_removes_the_member_and_a_leave_of_nobody_is_nothing() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 0)]);
        assert_eq!(members.apply(vec![ada(Leave, 1), bob(Leave, 0)]), [ada(Leave, 1)]);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn a_leave_made_up_by_the_server_is_judged_by_its_time() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 7)]);
        let late = PresenceMessage { id: Some("server:0:0".to_owned()), ..ada(Leave, 7) };
        assert_eq!(members.apply(vec![PresenceMessage { timestamp: Some(Timestamp(6)), ..late.clone() }]), []);
        assert_eq!(members.apply(vec![late.clone()]), [late]);
    }

    #[test]
    fn whoever_a_sync_does_not_show_has_left() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 0), bob(Enter, 0)]);
        members.start_sync();
        assert_eq!(page(&mut members, "s1:next", vec![ada(Present, 0)]), Page { news: vec![], complete: false });
        let gone = PresenceMessage { id: None, timestamp: Some(Timestamp(99)), ..bob(Leave, 0) };
        assert_eq!(page(&mut members, "s1:", vec![]), Page { news: vec![gone], complete: true });
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn a_word_that_is_not_news_still_shows_the_member_to_the_sync() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 3)]);
        members.start_sync();
        assert_eq!(page(&mut members, "s1:", vec![ada(Present, 3)]).news, []);
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn a_leave_during_a_sync_is_told_once_at_its_end() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 0)]);
        members.start_sync();
        assert_eq!(members.apply(vec![ada(Leave, 1)]), []);
        assert_eq!(names(&members), Vec::<&str>::new(), "and the member no longer shows");
        assert_eq!(page(&mut members, "s1:", vec![ada(Present, 0)]).news, [ada(Leave, 1)]);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn a_member_that_came_and_left_within_a_sync_is_told_to_have_left() {
        let mut members = Members::default();
        members.start_sync();
        assert_eq!(members.apply(vec![ada(Enter, 0)]), [ada(Enter, 0)]);
        members.apply(vec![ada(Leave, 1)]);
        assert_eq!(page(&mut members, "s1:", vec![]).news, [ada(Leave, 1)]);
    }

    #[test]
    fn a_page_does_not_bring_back_a_member_that_left_before_it_was_ever_seen() {
        let mut members = Members::default();
        members.start_sync();
        members.apply(vec![ada(Leave, 1)]);
        assert_eq!(page(&mut members, "s1:", vec![ada(Present, 0)]).news, []);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn a_new_sequence_starts_the_sync_over() {
        let mut members = Members::default();
        members.apply(vec![ada(Enter, 0)]);
        members.start_sync();
        page(&mut members, "s1:next", vec![ada(Present, 0)]);
        page(&mut members, "s2:next", vec![bob(Present, 0)]);
        assert_eq!(page(&mut members, "s2:", vec![]).news.len(), 1);
        assert_eq!(names(&members), ["bob"]);
    }

    #[test]
    fn a_page_without_a_cursor_is_a_whole_sync() {
        let mut members = Members::default();
        members.apply(vec![bob(Enter, 0)]);
        let whole = members.apply_page(None, vec![ada(Present, 0)], None);
        assert!(whole.complete);
        assert_eq!(whole.news.iter().map(|word| word.action).collect::<Vec<_>>(), [Present, Leave]);
        assert_eq!(names(&members), ["ada"]);
    }

    #[test]
    fn words_that_name_no_member_are_skipped() {
        let mut members = Members::default();
        let nobody = PresenceMessage { client_id: None, ..ada(Enter, 0) };
        assert_eq!(members.apply(vec![nobody, ada(PresenceAction::Unknown(9), 1)]), []);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn the_number_of_members_is_bounded() {
        let mut members = Members::default();
        for index in 0..MAX_MEMBERS + 10 {
            members.apply(vec![word(Enter, "c", &index.to_string(), 0)]);
        }
        assert_eq!(members.len(), MAX_MEMBERS);
    }
}
