//! What is told of members (`RTP6`).

use rooms_client::ChannelState::*;
use rooms_protocol::{Action, PresenceAction};

use super::*;

const ALL: [(PresenceAction, &str); 3] =
    [(PresenceAction::Enter, "alice"), (PresenceAction::Update, "alice"), (PresenceAction::Leave, "alice")];

fn a_life() -> [Value; 3] {
    [word(ENTER, "c1", "alice", 0), word(UPDATE, "c1", "alice", 1), word(LEAVE, "c1", "alice", 2)]
}

/// Case: RTP6a/subscribe-all-presence-events-0
#[test]
fn rtp6a_all_words_are_told() {
    let mut bench = syncing();
    for word in a_life() {
        tell(&mut bench, &[word]);
    }
    page(&mut bench, "s:", &[]);
    // The leave came during the sync, so it is told at its end.
    assert_eq!(news(&mut bench), ALL.map(|(action, name)| (action, name.to_owned())));
}

/// Case: RTP6b/subscribe-filtered-by-action-0
/// Case: RTP6b/subscribe-filtered-multiple-actions-1
#[test]
fn rtp6b_each_word_says_what_happened() {
    let mut bench = Bench::attached();
    tell(&mut bench, &a_life());
    let news = news(&mut bench);
    let of = |wanted: &[PresenceAction]| news.iter().filter(|(action, _)| wanted.contains(action)).count();
    assert_eq!(
        (news.len(), of(&[PresenceAction::Enter]), of(&[PresenceAction::Enter, PresenceAction::Leave])),
        (3, 1, 2)
    );
}

/// Case: RTP6d/subscribe-implicitly-attaches-0
#[test]
fn rtp6d_wanting_members_attaches_the_channel() {
    let mut bench = Bench::connected();
    bench.attach("c");
    assert_eq!(bench.sent_actions(), [Action::Attach]);
    bench.receive(attached("c", "s0", Flags::empty()));
    assert_eq!(bench.channel("c"), Attached);
}

/// Case: RTP6e/subscribe-no-attach-option-0
#[test]
fn rtp6e_looking_at_members_attaches_nothing() {
    let mut bench = Bench::connected();
    assert_eq!((names(&bench).len(), news(&mut bench).len()), (0, 0));
    assert_eq!((bench.channel("c"), bench.sent.len()), (Initialized, 0));
}

/// Case: RTP6/presence-events-update-map-0
#[test]
fn rtp6_what_is_told_is_known() {
    let mut bench = Bench::attached();
    tell(&mut bench, &[word(ENTER, "c1", "alice", 0)]);
    let members = members(&bench);
    assert_eq!((members.len(), name(&members[0]), members[0].action), (1, "alice", PresenceAction::Present));
    assert_eq!(members[0].data, Some("alice-0".into()));
}

/// Case: RTP6/multiple-presence-in-single-message-1
#[test]
fn rtp6_words_of_one_frame_are_told_in_order() {
    let mut bench = Bench::attached();
    tell(&mut bench, &[word(ENTER, "c1", "alice", 0), word(ENTER, "c2", "bob", 0), word(ENTER, "c3", "carol", 0)]);
    let names: Vec<String> = news(&mut bench).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
}
