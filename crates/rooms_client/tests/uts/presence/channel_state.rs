//! Presence and the channel's state (`RTP1`, `RTP5`, `RTP13`, `RTL9`, `RTL11`).

use rooms_client::ChannelState::*;
use rooms_protocol::{ErrorCode, PresenceAction};
use serde_json::json;

use super::*;

/// Case: RTP1/has-presence-triggers-sync-0
/// Case: RTP13/sync-complete-attribute-0
#[test]
fn rtp1_attached_with_members_a_sync_follows() {
    let mut bench = syncing();
    assert!(!is_synced(&bench));
    ask(&mut bench, MemberQuery::default());
    page(&mut bench, "s:more", &[word(PRESENT, "c1", "alice", 0)]);
    assert!(!is_synced(&bench));
    page(&mut bench, "s:", &[]);
    assert!(is_synced(&bench));
    assert_eq!(answered_names(&mut bench), Some(vec!["alice".to_owned()]));
}

/// Case: RTP1/no-has-presence-empty-1
#[test]
fn rtp1_attached_without_members_all_is_known_at_once() {
    let mut bench = Bench::attached();
    ask(&mut bench, MemberQuery::default());
    assert_eq!((answered_names(&mut bench), is_synced(&bench)), (Some(vec![]), true));
}

/// Case: RTP1/no-has-presence-clears-existing-2
#[test]
fn rtp1_attached_again_without_members_all_have_left() {
    let mut bench = with_alice_and_bob();
    bench.cut();
    bench.accept("conn-1");
    bench.forget();
    bench.receive(attached("c", "s1", Flags::empty()));
    let words = bench.presence_words();
    assert!(words.iter().all(|word| word.action == PresenceAction::Leave && word.id.is_none()));
    assert_eq!((words.len(), names(&bench).len()), (2, 0));
}

/// Case: RTP5a/detached-clears-presence-maps-0
/// Case: RTP5a/failed-clears-presence-maps-1
#[test]
fn rtp5a_detached_or_failed_the_members_are_forgotten_and_not_told_to_leave() {
    for (end, state) in [(detached("c", json!(null)), Detached), (channel_error("c", 90001, 400), Failed)] {
        let mut bench = with_alice_and_bob();
        bench.detach("c");
        bench.receive(end);
        assert_eq!((bench.channel("c"), names(&bench).len(), news(&mut bench)), (state, 0, vec![]));
    }
}

/// Case: RTP5b/attached-sends-queued-presence-0
#[test]
fn rtp5b_what_waited_for_the_channel_is_said_once_it_is_attached() {
    let mut bench = Bench::connected();
    bench.attach("c");
    enter(&mut bench, 1, "queued");
    assert_eq!(said(&mut bench), []);
    bench.receive(attached("c", "s0", Flags::empty()));
    let words = said(&mut bench);
    assert_eq!((words.len(), words[0].action, &words[0].data), (1, PresenceAction::Enter, &Some("queued".into())));
    bench.receive(ack(0));
    assert_eq!(bench.outcomes().0, [1]);
}

/// Case: RTP5f/suspended-maintains-presence-map-0
#[test]
fn rtp5f_suspended_the_members_are_kept_and_only_changes_are_told_later() {
    let mut bench = with_alice_and_bob();
    bench.suspend();
    assert_eq!((bench.channel("c"), names(&bench).len()), (Suspended, 2));
    bench.next_timer();
    bench.accept("conn-2");
    bench.receive(attached("c", "s1", Flags::HAS_PRESENCE));
    bench.forget();
    page(&mut bench, "t:", &[word(PRESENT, "c1", "alice", 0), word(PRESENT, "c3", "carol", 0)]);
    let expected = [(PresenceAction::Present, "carol".to_owned()), (PresenceAction::Leave, "bob".to_owned())];
    assert_eq!(news(&mut bench), expected);
}

/// Case: RTL9/presence-attribute-0
#[test]
fn rtl9_every_channel_has_its_own_members() {
    let mut bench = with_alice_and_bob();
    bench.attach("d");
    bench.receive(attached("d", "s0", Flags::empty()));
    assert_eq!((names(&bench).len(), bench.client.members(&"d".into()).count()), (2, 0));
}

/// Case: RTL11/queued-presence-fail-detached-0
#[test]
fn rtl11_on_a_detached_channel_nothing_is_said() {
    let mut bench = Bench::connected();
    bench.attach("c");
    enter(&mut bench, 1, "waits");
    bench.cut();
    bench.detach("c");
    enter(&mut bench, 2, "late");
    let codes: Vec<_> = bench.outcomes().1;
    assert_eq!(codes, [1, 2].map(|operation| (operation, ErrorCode::INVALID_CHANNEL_STATE)));
    assert_eq!(said(&mut bench), []);
}

/// Case: RTL11/queued-presence-fail-suspended-1
#[test]
fn rtl11_what_waited_for_a_channel_that_is_suspended_has_failed() {
    let mut bench = Bench::connected();
    bench.attach("c");
    enter(&mut bench, 1, "queued-enter");
    bench.presence(2, PresenceCommand::Update, Some("queued-update".into()));
    bench.suspend();
    assert_eq!(bench.channel("c"), Suspended);
    let failed: Vec<_> = bench.outcomes().1.into_iter().map(|(operation, _)| operation).collect();
    assert_eq!((failed, said(&mut bench)), (vec![1, 2], vec![]));
}

/// Case: RTL11/queued-presence-fail-failed-2
#[test]
fn rtl11_what_waited_for_a_channel_that_fails_has_failed() {
    let mut bench = Bench::connected();
    bench.attach("c");
    enter(&mut bench, 1, "queued-enter");
    bench.receive(channel_error("c", 90001, 400));
    assert_eq!((bench.outcomes().1, said(&mut bench)), (vec![(1, ErrorCode::INVALID_CHANNEL_STATE)], vec![]));
}

/// Case: RTL11a/ack-nack-unaffected-by-state-0
#[test]
fn rtl11a_what_was_said_is_acknowledged_whatever_the_channel_does() {
    let mut bench = Bench::attached();
    enter(&mut bench, 1, "awaiting-ack");
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    bench.receive(ack(0));
    assert_eq!((bench.channel("c"), bench.outcomes()), (Detached, (vec![1], vec![])));
}
