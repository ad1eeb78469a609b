//! Connections that drop, hosts that fall silent, and what the game is told (rules 9 in part, and 17).

use std::time::Duration;

use serde_json::json;

use super::bus::*;
use crate::*;
use rooms_client::{ChannelChange, ChannelState, Command, ConnectionChange, ConnectionState, Event, PresenceCommand};
use rooms_protocol::{ErrorCode, ErrorInfo, Flags};

const SECOND: Duration = Duration::from_secs(1);

fn failed(reason: &ErrorInfo) -> Event {
    Event::Connection(ConnectionChange {
        previous: ConnectionState::Connecting,
        current: ConnectionState::Failed,
        reason: Some(reason.clone()),
        retry_in: None,
        connection_id: None,
        client_id: None,
        resumed: false,
        max_inbound_rate: None,
        attempt: 0,
    })
}

fn connected_as(client: &str) -> Event {
    Event::Connection(ConnectionChange {
        previous: ConnectionState::Connecting,
        current: ConnectionState::Connected,
        reason: None,
        retry_in: None,
        connection_id: Some("c".into()),
        client_id: Some(client.into()),
        resumed: false,
        max_inbound_rate: None,
        attempt: 0,
    })
}

#[test]
fn a_cut_within_the_resume_window_loses_nothing() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.take_log(1);
    bus.cut(1);
    bus.run(SECOND / 10);
    assert_eq!(bus.take_log(1), [SessionEvent::Interrupted { reason: InterruptReason::Disconnected(None) }]);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.session(0).send(Target::Everyone, "wave", json!("from ada")).unwrap();
    bus.session(1).send(Target::Everyone, "wave", json!("from bob")).unwrap();
    bus.run(SECOND);
    bus.connect(1, true);
    bus.run(SECOND);
    let log = bus.take_log(1);
    let resumed = SessionEvent::Resumed { continuity: Continuity::Kept };
    assert!(log.contains(&resumed));
    assert!(log.contains(&SessionEvent::SharedChanged { key: "a".into(), value: Some(json!(1)) }));
    let waves: Vec<_> = log.iter().filter(|event| matches!(event, SessionEvent::Message { .. })).collect();
    assert_eq!(waves.len(), 2);
    assert_eq!(bus.messages(0), [json!("from ada"), json!("from bob")]);
    bus.assert_agreed();
}

#[test]
fn a_missed_resume_window_is_told_and_the_state_comes_anew() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(1);
    bus.run(SECOND / 2);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.session(1).send(Target::Everyone, "wave", json!("lost")).unwrap();
    bus.run(SECOND);
    bus.take_log(1);
    bus.connect(1, false);
    bus.run(2 * SECOND);
    let log = bus.take_log(1);
    assert_eq!(log.last(), Some(&SessionEvent::Resumed { continuity: Continuity::Lost }));
    assert!(log.iter().any(|event| matches!(event, SessionEvent::SendFailed { kind, .. } if kind == "wave")));
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    assert_eq!(bus.messages(0), [json!(null); 0]);
    bus.assert_agreed();
}

#[test]
fn presence_that_a_server_in_trouble_did_not_take_is_shown_again() {
    let mut bus = Bus::with_players(&["ada"]);
    let mut refused = 0;
    bus.refuse = Box::new(move |command| {
        let refuse = refused < 3 && matches!(command, Command::Presence { .. });
        refused += usize::from(refuse);
        refuse
    });
    let bob = bus.add(config("bob", Wish::Join));
    bus.run(40 * SECOND);
    let log = bus.take_log(0);
    assert!(!log.iter().any(|event| matches!(event, SessionEvent::PlayerLeft { .. })), "{log:?}");
    let id = PlayerId::new("bob").unwrap();
    assert!(bus.is_joined(bob) && bus.session(0).roster().get(&id).unwrap().status == SeatStatus::Present);
}

fn told_of_reentry(code: u32) -> Event {
    let mut reason = ErrorInfo::new(ErrorCode::REENTRY_FAILED, 400, "not entered again");
    reason.cause = Some(Box::new(ErrorInfo::new(ErrorCode(code), 400, "why")));
    Event::Channel(ChannelChange {
        channel: "room:den".into(),
        previous: ChannelState::Attached,
        current: ChannelState::Attached,
        resumed: true,
        has_backlog: false,
        modes: Flags::MODES,
        reason: Some(reason),
    })
}

#[test]
fn presence_that_is_refused_on_the_way_back_closes_the_room_or_is_shown_again() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let now = bus.now;
    bus.session(1).handle_event(told_of_reentry(50_000), now);
    let shown = |bus: &mut Bus| {
        let commands: Vec<_> = std::iter::from_fn(|| bus.session(1).poll_command()).collect();
        commands.iter().any(|command| matches!(command, Command::Presence { action: PresenceCommand::Update, .. }))
    };
    bus.session(1).step(now + 4 * SECOND);
    assert!(!shown(&mut bus));
    bus.session(1).step(now + 5 * SECOND);
    assert!(shown(&mut bus));
    bus.session(1).handle_event(told_of_reentry(91_003), now + 5 * SECOND);
    assert!(std::iter::from_fn(|| bus.session(1).poll_event()).any(
        |event| matches!(event, SessionEvent::Closed(CloseReason::NotPresent(reason)) if reason.code.0 == 91_003)
    ));
}

#[test]
fn who_may_not_speak_to_the_room_is_told_so() {
    let mut bus = Bus::new();
    let ada = bus.add(config("ada", Wish::JoinOrHost));
    bus.refuse = Box::new(|command| matches!(command, Command::Publish { .. }));
    bus.refusal = ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, "no publish");
    bus.run(5 * SECOND);
    assert!(matches!(bus.closed(ada), Some(CloseReason::Failed(reason)) if reason.code.0 == 40_160));
}

#[test]
fn an_overflow_between_client_and_session_is_lost_continuity() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.take_log(1);
    let now = bus.now;
    bus.session(1).handle_event(Event::Overflow { dropped: 3 }, now);
    bus.run(2 * SECOND);
    assert_eq!(bus.take_log(1), [SessionEvent::Resumed { continuity: Continuity::Lost }]);
}

#[test]
fn a_gap_in_the_own_sequence_is_lost_continuity() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.take_log(1);
    bus.filter =
        Box::new(
            |to, message| {
                if to == 1 && message.name.as_deref() == Some("first") { Fate::Lost } else { Fate::Delivered }
            },
        );
    bus.session(1).send(Target::Everyone, "first", json!(1)).unwrap();
    bus.run(SECOND);
    bus.session(1).send(Target::Everyone, "second", json!(2)).unwrap();
    bus.run(2 * SECOND);
    assert!(bus.take_log(1).contains(&SessionEvent::Resumed { continuity: Continuity::Lost }));
}

#[test]
fn a_host_that_lost_continuity_claims_anew_and_keeps_its_state() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(0);
    bus.run(SECOND / 2);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND);
    bus.connect(0, false);
    bus.run(5 * SECOND);
    assert!(bus.session(0).is_host());
    assert_eq!([0, 1].map(|node| bus.session(node).term()), [Term(3); 2], "the second is left free");
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    assert!(bus.take_log(0).contains(&SessionEvent::Resumed { continuity: Continuity::Lost }));
    let changed = |event: &SessionEvent| matches!(event, SessionEvent::HostChanged { from: Some(_), .. });
    assert!(!bus.take_log(1).iter().any(changed), "the host is the same");
    bus.assert_agreed();
}

#[test]
fn a_host_that_resumes_goes_on_in_its_term() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.cut(0);
    bus.run(2 * SECOND);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.connect(0, true);
    bus.run(2 * SECOND);
    assert_eq!(bus.session(1).term(), Term(1));
    assert_eq!(bus.session(1).shared("a"), Some(&json!(1)));
    assert!(bus.take_log(0).contains(&SessionEvent::Resumed { continuity: Continuity::Kept }));
}

#[test]
fn a_host_that_comes_back_in_time_is_followed_again() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    bus.nodes[0].frozen = true;
    bus.run(3 * SECOND);
    bus.take_log(1);
    bus.nodes[0].frozen = false;
    bus.run(2 * SECOND);
    assert_eq!(bus.take_log(1), []);
    bus.session(0).set_shared("a", json!(1)).unwrap();
    bus.run(SECOND);
    assert_eq!((bus.session(1).term(), bus.session(1).shared("a")), (Term(1), Some(&json!(1))));
}

#[test]
fn the_lease_runs_only_while_the_peer_could_hear_the_host() {
    let mut bus = Bus::with_players(&["ada", "bob", "zoe"]);
    bus.nodes[1].frozen = true;
    bus.cut(2);
    bus.run(60 * SECOND);
    bus.take_log(2);
    bus.nodes[1].frozen = false;
    bus.connect(2, true);
    bus.run(SECOND);
    let silent = SessionEvent::Interrupted { reason: InterruptReason::HostSilent };
    assert!(bus.is_joined(1) && bus.is_joined(2));
    assert!(!bus.take_log(1).contains(&silent) && !bus.take_log(2).contains(&silent));
}

#[test]
fn a_room_is_founded_anew_after_everyone_left() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let now = bus.now;
    (0..2).for_each(|node| bus.session(node).leave(now));
    bus.run(SECOND);
    let zoe = bus.add(config("zoe", Wish::JoinOrHost));
    bus.until(3 * SECOND, |bus| bus.session(zoe).is_host());
}

#[test]
fn a_connection_that_failed_for_good_ends_the_session() {
    let mut bus = Bus::with_players(&["ada", "bob"]);
    let reason = ErrorInfo::new(ErrorCode::INVALID_CREDENTIALS, 401, "wrong key");
    let now = bus.now;
    bus.session(1).handle_event(failed(&reason), now);
    bus.frame();
    assert_eq!(bus.take_log(1).last(), Some(&SessionEvent::Closed(CloseReason::Failed(reason))));
}

#[test]
fn a_session_that_is_connected_as_somebody_else_ends() {
    let mut bus = Bus::new();
    let ada = bus.add(config("ada", Wish::JoinOrHost));
    let now = bus.now;
    bus.session(ada).handle_event(connected_as("eve"), now);
    bus.frame();
    assert!(
        matches!(bus.closed(ada), Some(CloseReason::Failed(reason)) if reason.code == ErrorCode::INVALID_CLIENT_ID)
    );
}
