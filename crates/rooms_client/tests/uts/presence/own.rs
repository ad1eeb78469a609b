//! The members that this client entered (`RTP17`): those that it enters again when the channel is attached anew.

use rooms_protocol::PresenceAction;
use serde_json::json;

use super::*;

/// The members that the client enters again when the channel is attached anew, with what they say about themselves.
fn kept(bench: &mut Bench) -> Vec<(String, String)> {
    bench.forget();
    bench.receive(attached("c", "s9", Flags::HAS_PRESENCE));
    let words = said(bench).into_iter().inspect(|word| assert_eq!(word.action, PresenceAction::Enter));
    words.map(|word| (name(&word).to_owned(), word.data.unwrap().as_text().unwrap().to_owned())).collect()
}

fn kept_names(bench: &mut Bench) -> Vec<String> {
    kept(bench).into_iter().map(|(name, _)| name).collect()
}

fn told(words: &[Value]) -> Bench {
    let mut bench = anybody_attached();
    tell(&mut bench, words);
    bench
}

/// Case: RTP17h/keyed-by-clientid-0
#[test]
fn rtp17h_a_member_entered_on_a_new_connection_takes_the_place_of_the_old_one() {
    let mut bench = told(&[word(ENTER, "conn-1", "user-1", 0)]);
    bench.cut();
    bench.open();
    bench.receive(connected_as_anybody("conn-2"));
    bench.receive(attached("c", "s1", Flags::HAS_PRESENCE));
    tell(&mut bench, &[with(word(ENTER, "conn-2", "user-1", 0), json!({ "data": "second" }))]);
    // What the client entered again is on its way no more.
    bench.receive(ack(0));
    assert_eq!(kept(&mut bench), [("user-1".to_owned(), "second".to_owned())]);
}

/// Case: RTP17b/enter-adds-to-map-0
/// Case: RTP17b/update-adds-to-map-1
/// Case: RTP17b/present-adds-to-map-4
#[test]
fn rtp17b_enter_update_and_present_make_a_member_of_this_client() {
    for action in [ENTER, UPDATE, PRESENT] {
        let mut bench = told(&[word(action, "conn-1", "client-1", 0)]);
        assert_eq!(kept(&mut bench), [("client-1".to_owned(), "client-1-0".to_owned())], "{action}");
    }
}

/// Case: RTP17b/enter-overwrites-enter-2
/// Case: RTP17b/update-overwrites-enter-3
#[test]
fn rtp17b_the_newest_word_stands() {
    for action in [ENTER, UPDATE] {
        let mut bench = told(&[word(ENTER, "conn-1", "client-1", 0), word(action, "conn-1", "client-1", 1)]);
        assert_eq!(kept(&mut bench), [("client-1".to_owned(), "client-1-1".to_owned())]);
    }
}

/// Case: RTP17b/non-synthesized-leave-removes-5
#[test]
fn rtp17b_leaving_ends_the_membership() {
    let mut bench = told(&[word(ENTER, "conn-1", "client-1", 0), word(LEAVE, "conn-1", "client-1", 1)]);
    assert_eq!(kept(&mut bench), []);
}

/// Case: RTP17b/synthesized-leave-ignored-6
#[test]
fn rtp17b_a_leave_that_the_server_made_up_does_not_end_the_membership() {
    let made_up = with(word(LEAVE, "conn-1", "client-1", 1), json!({ "id": "synthesized-leave-id" }));
    let mut bench = told(&[word(ENTER, "conn-1", "client-1", 0), made_up]);
    assert_eq!(names(&bench).len(), 0, "the others see it gone");
    assert_eq!(kept_names(&mut bench), ["client-1"]);
}

/// Case: RTP17/multiple-clientids-coexist-0
#[test]
fn rtp17_one_connection_enters_several_members() {
    let mut bench = told(&["alice", "bob", "carol"].map(|name| word(ENTER, "conn-1", name, 0)));
    assert_eq!(kept_names(&mut bench), ["alice", "bob", "carol"]);
}

/// Case: RTP17/remove-one-of-multiple-1
#[test]
fn rtp17_one_of_several_members_leaves() {
    let mut bench = told(&["alice", "bob"].map(|name| word(ENTER, "conn-1", name, 0)));
    tell(&mut bench, &[word(LEAVE, "conn-1", "alice", 1)]);
    assert_eq!(kept_names(&mut bench), ["bob"]);
}

/// Case: RTP17/clear-resets-state-2
#[test]
fn rtp17_detaching_forgets_the_memberships() {
    let mut bench = told(&["alice", "bob"].map(|name| word(ENTER, "conn-1", name, 0)));
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    bench.attach("c");
    assert_eq!(kept_names(&mut bench), Vec::<String>::new());
}

/// Case: RTP17/get-null-unknown-clientid-3
/// Case: RTP17/remove-unknown-noop-4
#[test]
fn rtp17_members_of_other_connections_are_not_this_clients() {
    let mut bench = told(&[word(ENTER, "conn-x", "bob", 0), word(LEAVE, "conn-1", "nobody", 0)]);
    assert_eq!(kept_names(&mut bench), Vec::<String>::new());
}
