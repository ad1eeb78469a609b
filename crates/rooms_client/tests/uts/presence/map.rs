//! The members of a channel (`RTP2`).

use rooms_protocol::PresenceAction;
use serde_json::json;

use super::*;

/// A client that was told this about one member. What led there is forgotten.
fn told(word: Value) -> Bench {
    let mut bench = Bench::attached();
    tell(&mut bench, &[word]);
    bench.forget();
    bench
}

fn entered(serial: i64) -> Bench {
    told(word(ENTER, "c1", "ada", serial))
}

/// Case: RTP2/basic-put-and-get-0
#[test]
fn rtp2_a_member_is_known_by_connection_and_name() {
    let members = members(&entered(0));
    assert_eq!((members.len(), name(&members[0])), (1, "ada"));
    assert_eq!(members[0].connection_id, Some("c1".into()));
}

/// Case: RTP2d2/enter-stored-as-present-0
/// Case: RTP2d2/update-stored-as-present-1
/// Case: RTP2d2/present-stored-as-present-2
/// Case: RTP2d1/put-returns-original-action-0
#[test]
fn rtp2d_whoever_comes_is_told_as_said_and_kept_as_present() {
    let mut bench = Bench::attached();
    for (serial, (action, said)) in
        [(ENTER, PresenceAction::Enter), (UPDATE, PresenceAction::Update), (PRESENT, PresenceAction::Present)]
            .into_iter()
            .enumerate()
    {
        let serial = i64::try_from(serial).unwrap();
        tell(&mut bench, &[word(action, "c1", "ada", serial)]);
        assert_eq!(news(&mut bench), [(said, "ada".to_owned())]);
        assert_eq!((members(&bench)[0].action, data(&bench)), (PresenceAction::Present, vec![format!("ada-{serial}")]));
    }
}

/// Case: RTP2h1/leave-outside-sync-removes-0
#[test]
fn rtp2h1_whoever_leaves_is_told_and_forgotten() {
    let mut bench = entered(0);
    tell(&mut bench, &[word(LEAVE, "c1", "ada", 1)]);
    assert_eq!((news(&mut bench), names(&bench).len()), (vec![(PresenceAction::Leave, "ada".to_owned())], 0));
}

/// Case: RTP2h1/leave-nonexistent-returns-null-1
#[test]
fn rtp2h1_a_leave_of_nobody_is_not_told() {
    let mut bench = Bench::attached();
    tell(&mut bench, &[word(LEAVE, "cx", "unknown", 0)]);
    assert_eq!(news(&mut bench), []);
}

/// Case: RTP2h2a/leave-during-sync-stores-absent-0
/// Case: RTP2/values-excludes-absent-2
#[test]
fn rtp2h2a_whoever_leaves_during_a_sync_is_no_member_and_not_yet_told() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:more", &[]);
    tell(&mut bench, &[word(LEAVE, "c2", "bob", 1)]);
    assert_eq!((news(&mut bench), names(&bench)), (vec![], vec!["alice".to_owned()]));
    page(&mut bench, "t:more", &[word(PRESENT, "c2", "bob", 0)]);
    assert_eq!(names(&bench), ["alice"], "an older word does not bring the member back");
}

/// Case: RTP2h2b/absent-deleted-on-endsync-0
#[test]
fn rtp2h2b_whoever_left_during_a_sync_is_forgotten_at_its_end() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:more", &[word(PRESENT, "c1", "alice", 1)]);
    tell(&mut bench, &[word(LEAVE, "c2", "bob", 1)]);
    page(&mut bench, "t:", &[]);
    assert_eq!((names(&bench), bench.client.stats().members), (vec!["alice".to_owned()], 1));
}

/// Whether `second` is taken, told after `first`.
fn is_newer(first: Value, second: Value) -> bool {
    let mut bench = told(first);
    tell(&mut bench, &[second]);
    !news(&mut bench).is_empty()
}

/// Case: RTP2b2/newness-by-msgserial-index-0
#[test]
fn rtp2b2_words_of_one_connection_are_ordered_by_frame() {
    let first = word(ENTER, "c1", "ada", 5);
    assert!(!is_newer(first.clone(), with(word(UPDATE, "c1", "ada", 3), json!({ "timestamp": 2000 }))));
    assert!(is_newer(first, with(word(UPDATE, "c1", "ada", 7), json!({ "timestamp": 500 }))));
}

/// Case: RTP2b2/newness-by-index-same-serial-1
#[test]
fn rtp2b2_words_of_one_frame_are_ordered_by_place() {
    let at = |place: &str, time: i64| with(word(UPDATE, "c1", "ada", 5), json!({ "id": place, "timestamp": time }));
    assert!(!is_newer(at("c1:5:2", 1000), at("c1:5:1", 2000)));
    assert!(is_newer(at("c1:5:2", 1000), at("c1:5:5", 500)));
}

fn made_up_leave(time: i64) -> Value {
    with(word(LEAVE, "c1", "ada", 0), json!({ "id": "synthesized-leave-id", "timestamp": time }))
}

/// Case: RTP2b1/newness-by-timestamp-0
/// Case: RTP2b1/older-synth-leave-rejected-1
#[test]
fn rtp2b1_a_leave_that_the_server_made_up_is_ordered_by_time() {
    let mut bench = entered(5);
    tell(&mut bench, &[made_up_leave(1004)]);
    assert_eq!((news(&mut bench), names(&bench).len()), (vec![], 1));
    tell(&mut bench, &[made_up_leave(2000)]);
    assert_eq!((news(&mut bench).len(), names(&bench).len()), (1, 0));
}

/// Case: RTP2b1a/equal-timestamps-incoming-wins-0
#[test]
fn rtp2b1a_of_two_words_of_one_time_the_later_one_stands() {
    let at = |id: &str| with(word(UPDATE, "c1", "ada", 0), json!({ "id": id, "timestamp": 1000 }));
    assert!(is_newer(at("synthesized-id-1"), at("synthesized-id-2")));
}

/// Case: RTP2c/sync-uses-same-newness-0
#[test]
fn rtp2c_words_of_a_sync_are_ordered_like_any_other() {
    let mut bench = syncing();
    page(&mut bench, "s:a", &[word(PRESENT, "c1", "ada", 5)]);
    page(&mut bench, "s:b", &[with(word(PRESENT, "c1", "ada", 3), json!({ "timestamp": 2000 }))]);
    assert_eq!((news(&mut bench).len(), data(&bench)), (1, vec!["ada-5".to_owned()]));
    page(&mut bench, "s:c", &[with(word(PRESENT, "c1", "ada", 8), json!({ "timestamp": 500 }))]);
    assert_eq!((news(&mut bench).len(), data(&bench)), (1, vec!["ada-8".to_owned()]));
}

/// Case: RTP2/multiple-members-coexist-1
#[test]
fn rtp2_one_name_on_two_connections_is_two_members() {
    let mut bench = Bench::attached();
    let alice_again = word(ENTER, "c3", "alice", 0);
    tell(&mut bench, &[word(ENTER, "c1", "alice", 0), word(ENTER, "c2", "bob", 0), alice_again]);
    assert_eq!(names(&bench), ["alice", "bob", "alice"]);
}

/// Case: RTP2/clear-resets-state-3
#[test]
fn rtp2_detaching_forgets_members_and_the_sync() {
    let mut bench = with_alice_and_bob();
    page(&mut bench, "t:more", &[]);
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    assert_eq!((names(&bench).len(), is_synced(&bench)), (0, false));
    bench.attach("c");
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!((names(&bench).len(), is_synced(&bench)), (0, true));
}
