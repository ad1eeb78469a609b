//! Asking who is there (`RTP11`).

use rooms_client::ChannelState::*;
use rooms_protocol::{Action, ErrorCode};
use serde_json::json;

use super::*;

/// Case: RTP11a/get-returns-members-single-sync-0
/// Case: RTP11a/get-waits-for-multi-sync-1
#[test]
fn rtp11a_the_answer_waits_for_the_sync() {
    let mut bench = syncing();
    ask(&mut bench, MemberQuery::default());
    page(&mut bench, "seq1:cursor1", &[word(PRESENT, "c1", "alice", 0)]);
    assert_eq!(answer(&mut bench), None);
    page(&mut bench, "seq1:", &[word(PRESENT, "c2", "bob", 0)]);
    assert_eq!(answered_names(&mut bench), Some(vec!["alice".to_owned(), "bob".to_owned()]));
    page(&mut bench, "seq2:", &[]);
    assert_eq!(answer(&mut bench), None, "and comes once");
}

/// Case: RTP11c1/get-no-wait-returns-immediately-0
#[test]
fn rtp11c1_without_waiting_what_is_known_is_told() {
    let mut bench = syncing();
    page(&mut bench, "seq1:cursor1", &[word(PRESENT, "c1", "alice", 0)]);
    ask(&mut bench, at_once());
    assert_eq!(answered_names(&mut bench), Some(vec!["alice".to_owned()]));
}

/// Case: RTP11c2/get-filtered-by-clientid-0
#[test]
fn rtp11c2_members_of_one_name_are_told() {
    let mut bench = with_alice_and_bob();
    tell(&mut bench, &[word(ENTER, "c3", "alice", 0)]);
    ask(&mut bench, MemberQuery { client_id: Some("alice".into()), ..MemberQuery::default() });
    assert_eq!(answered_names(&mut bench), Some(vec!["alice".to_owned(), "alice".to_owned()]));
}

/// Case: RTP11c3/get-filtered-by-connectionid-0
#[test]
fn rtp11c3_members_of_one_connection_are_told() {
    let mut bench = with_alice_and_bob();
    tell(&mut bench, &[word(ENTER, "c1", "carol", 0)]);
    ask(&mut bench, MemberQuery { connection_id: Some("c1".into()), ..MemberQuery::default() });
    assert_eq!(answered_names(&mut bench), Some(vec!["alice".to_owned(), "carol".to_owned()]));
}

/// Case: RTP11b/get-implicitly-attaches-0
#[test]
fn rtp11e_asking_attaches_the_channel() {
    for query in [MemberQuery::default(), at_once()] {
        let mut bench = Bench::connected();
        ask(&mut bench, query);
        assert_eq!((bench.sent_actions(), bench.channel("c")), (vec![Action::Attach], Attaching));
        bench.receive(attached("c", "s0", Flags::empty()));
        assert_eq!(answered_names(&mut bench), Some(vec![]));
    }
}

/// Item RTP11e.
#[test]
fn rtp11e_where_the_channel_cannot_be_attached_the_answer_says_why() {
    let mut bench = Bench::connected();
    ask(&mut bench, MemberQuery::default());
    bench.receive(channel_error("c", 40160, 401));
    assert_eq!(answer(&mut bench).unwrap().unwrap_err().code, ErrorCode::NOT_PERMITTED);
    ask(&mut bench, at_once());
    assert_eq!(answer(&mut bench).unwrap().unwrap_err().code, ErrorCode::INVALID_CHANNEL_STATE);
}

/// Item RTP11e.
#[test]
fn rtp11e_asking_while_detaching_attaches_the_channel_again() {
    let mut bench = Bench::attached();
    bench.detach("c");
    ask(&mut bench, MemberQuery::default());
    bench.receive(detached("c", json!(null)));
    assert_eq!((answer(&mut bench), bench.channel("c")), (None, Attaching));
    bench.receive(attached("c", "s1", Flags::empty()));
    assert_eq!(answered_names(&mut bench), Some(vec![]));
}

/// Case: RTP11d/get-suspended-errors-default-0
/// Case: RTP11d/get-suspended-no-wait-returns-1
#[test]
fn rtp11d_on_a_suspended_channel_only_what_was_known_is_told() {
    let mut bench = with_alice_and_bob();
    bench.suspend();
    ask(&mut bench, MemberQuery::default());
    assert_eq!(answer(&mut bench).unwrap().unwrap_err().code, ErrorCode::PRESENCE_OUT_OF_SYNC);
    ask(&mut bench, at_once());
    assert_eq!(answered_names(&mut bench), Some(vec!["alice".to_owned(), "bob".to_owned()]));
}

/// Questions are bounded like everything else that waits.
#[test]
fn rtp11_no_more_questions_wait_than_the_outbox_holds() {
    let mut bench = Bench::connected_with(rooms_client::ClientOptions { outbox_limit: 3, ..options() });
    for _ in 0..4 {
        ask(&mut bench, MemberQuery::default());
    }
    assert_eq!(answer(&mut bench).unwrap().unwrap_err().code, ErrorCode::CONNECTION_RATE_EXCEEDED);
}
