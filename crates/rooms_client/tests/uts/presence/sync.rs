//! Syncs: the server tells all members, a page at a time (`RTP18`, `RTP19`).

use rooms_protocol::{PresenceAction, PresenceMessage, Timestamp};

use super::*;

fn left(names: &[&str]) -> Vec<(PresenceAction, String)> {
    names.iter().map(|name| (PresenceAction::Leave, (*name).to_owned())).collect()
}

fn leaves(bench: &mut Bench) -> Vec<PresenceMessage> {
    bench.presence_words().into_iter().filter(|word| word.action == PresenceAction::Leave).collect()
}

/// Case: RTP18a/startsync-sets-flag-0
/// Case: RTP18b/endsync-clears-flag-0
#[test]
fn rtp18_a_sync_begins_with_a_page_and_ends_with_the_one_that_has_no_cursor() {
    let mut bench = Bench::attached();
    assert!(is_synced(&bench));
    page(&mut bench, "seq:cursor", &[]);
    assert!(!is_synced(&bench));
    page(&mut bench, "seq:", &[]);
    assert!(is_synced(&bench));
}

/// Case: RTP19/stale-members-leave-after-sync-0
#[test]
fn rtp19_whoever_a_sync_does_not_show_has_left() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:more", &[word(PRESENT, "c1", "alice", 1)]);
    bench.forget();
    page(&mut bench, "t:", &[]);
    assert_eq!((news(&mut bench), names(&bench)), (left(&["bob"]), vec!["alice".to_owned()]));
}

/// Case: RTP19/synth-leave-null-id-timestamp-1
///
/// The present time is that of the frame that showed it: the client has no clock of its own.
#[test]
fn rtp19_a_leave_that_the_client_makes_up_has_no_id_and_the_present_time() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:", &[word(PRESENT, "c1", "alice", 1)]);
    let leave = leaves(&mut bench).remove(0);
    assert_eq!((name(&leave), &leave.data), ("bob", &Some("bob-0".into())));
    assert_eq!(leave.connection_id, Some("c2".into()));
    assert_eq!((leave.id, leave.timestamp), (None, Some(Timestamp(99))));
}

/// Case: RTP19/updated-members-survive-sync-2
#[test]
fn rtp19_a_word_during_the_sync_shows_the_member_too() {
    let mut bench = with_alice_and_bob();
    tell(&mut bench, &[word(ENTER, "c3", "carol", 0)]);
    page(&mut bench, "t:more", &[word(PRESENT, "c1", "alice", 1)]);
    tell(&mut bench, &[word(UPDATE, "c2", "bob", 1)]);
    bench.forget();
    page(&mut bench, "t:", &[]);
    assert_eq!(news(&mut bench), left(&["carol"]));
    assert_eq!((names(&bench), data(&bench)[1].as_str()), (vec!["alice".to_owned(), "bob".to_owned()], "bob-1"));
}

/// Case: RTP18a/new-sync-discards-previous-1
#[test]
fn rtp18a_a_new_sequence_takes_the_place_of_the_running_one() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:more", &[word(PRESENT, "c1", "alice", 1)]);
    page(&mut bench, "u:more", &[word(PRESENT, "c1", "alice", 2)]);
    page(&mut bench, "u:", &[word(PRESENT, "c2", "bob", 1)]);
    assert_eq!((leaves(&mut bench).len(), names(&bench).len(), is_synced(&bench)), (0, 2, true));
}

/// Case: RTP18c/single-message-sync-0
#[test]
fn rtp18c_a_page_without_a_serial_is_a_whole_sync() {
    let mut bench = with_alice_and_bob();
    bench.receive(json!({ "action": 16, "channel": "c", "presence": [word(PRESENT, "c1", "alice", 1)] }));
    assert_eq!((leaves(&mut bench).len(), names(&bench)), (1, vec!["alice".to_owned()]));
    assert!(is_synced(&bench));
}

/// Case: RTP19a/no-has-presence-clears-members-0
#[test]
fn rtp19a_attached_without_members_all_have_left() {
    let mut bench = with_alice_and_bob();
    bench.receive(attached("c", "s1", Flags::empty()));
    let leaves = leaves(&mut bench);
    assert_eq!((leaves.len(), names(&bench).len()), (2, 0));
    assert_eq!(leaves[0].data, Some("alice-0".into()));
    assert!(leaves.iter().all(|leave| leave.id.is_none()));
}

/// Case: RTP2h2a/leave-during-sync-absent-cleanup-0
///
/// The case wants no leave told for bob at the end. `RTP19` asks for one, since bob was a member when the sync began and
/// it did not show him; without it a game that follows the events would keep him for ever.
#[test]
fn rtp19_whoever_left_during_a_sync_is_told_once_at_its_end() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:more", &[word(PRESENT, "c1", "alice", 1)]);
    bench.forget();
    tell(&mut bench, &[word(LEAVE, "c2", "bob", 1)]);
    assert_eq!(news(&mut bench), []);
    page(&mut bench, "t:", &[]);
    assert_eq!((news(&mut bench), names(&bench)), (left(&["bob"]), vec!["alice".to_owned()]));
}

/// Case: RTP19/empty-map-sync-no-leaves-3
#[test]
fn rtp19_the_first_sync_tells_no_leaves() {
    let mut bench = syncing();
    page(&mut bench, "s:", &[word(PRESENT, "c1", "alice", 0)]);
    assert_eq!((leaves(&mut bench).len(), names(&bench)), (0, vec!["alice".to_owned()]));
}

/// Case: RTP18/endsync-without-startsync-noop-0
#[test]
fn rtp18_an_end_without_a_beginning_is_a_whole_sync() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:", &[word(PRESENT, "c1", "alice", 0), word(PRESENT, "c2", "bob", 0)]);
    assert_eq!((leaves(&mut bench).len(), names(&bench).len(), is_synced(&bench)), (0, 2, true));
}

/// Case: RTP19/stale-sync-removes-from-residuals-4
#[test]
fn rtp19_an_older_word_of_the_sync_shows_the_member_all_the_same() {
    let mut bench = Bench::attached();
    tell(&mut bench, &[word(ENTER, "c1", "alice", 5)]);
    bench.forget();
    page(&mut bench, "t:", &[word(PRESENT, "c1", "alice", 3)]);
    assert_eq!((news(&mut bench), data(&bench)), (vec![], vec!["alice-5".to_owned()]));
}

/// Case: RTP19/presence-echoes-then-sync-preserves-5
#[test]
fn rtp19_a_sync_of_what_is_known_changes_nothing() {
    let users = |action| ["u0", "u1", "u2"].map(|name| word(action, "c1", name, 0));
    let mut bench = syncing();
    tell(&mut bench, &users(ENTER));
    bench.forget();
    page(&mut bench, "s:", &users(PRESENT));
    assert_eq!((news(&mut bench), data(&bench)), (vec![], ["u0-0", "u1-0", "u2-0"].map(str::to_owned).into()));
}

/// Case: RTP19/new-member-during-sync-survives-6
#[test]
fn rtp19_whoever_comes_during_a_sync_stays() {
    let mut bench = Bench::attached();
    tell(&mut bench, &[word(ENTER, "c1", "alice", 0)]);
    page(&mut bench, "t:more", &[word(PRESENT, "c1", "alice", 1)]);
    tell(&mut bench, &[word(ENTER, "c2", "bob", 0)]);
    page(&mut bench, "t:", &[]);
    assert_eq!((leaves(&mut bench).len(), names(&bench).len()), (0, 2));
}
