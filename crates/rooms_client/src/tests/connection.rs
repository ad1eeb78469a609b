//! The states of the connection.

use super::*;
use ConnectionState::{Closed, Closing, Connected, Connecting, Disconnected, Failed, Suspended};

fn error(code: u32, status: u16) -> Value {
    json!({ "message": "no", "code": code, "statusCode": status })
}

#[test]
fn nothing_happens_before_it_is_told_to_connect() {
    let mut bench = Bench::new();
    bench.pass(1000 * SECOND);
    assert_eq!((bench.urls.len(), bench.events.len()), (0, 0));
    assert_eq!(bench.client.poll_timeout(), None);
}

#[test]
fn connecting_waits_for_the_server_to_speak() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.client.handle_opened(bench.socket.unwrap(), bench.now);
    bench.drain();
    assert_eq!(bench.states(), [Connecting]);
    bench.accept("conn-1");
    let change = bench.last_change();
    assert_eq!((change.previous, change.current, change.resumed), (Connecting, Connected, false));
    assert_eq!(change.connection_id.as_ref().map(|id| id.as_str()), Some("conn-1"));
    assert_eq!(change.client_id.as_ref().map(|id| id.as_str()), Some("ada"));
    assert!(bench.sent.is_empty());
}

#[test]
fn connecting_twice_is_connecting_once() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.command(Command::Connect);
    bench.accept("conn-1");
    bench.command(Command::Connect);
    assert_eq!(bench.urls.len(), 1);
}

#[test]
fn a_game_that_goes_offline_has_no_line_until_it_is_back_and_then_goes_on_where_it_was() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.accept("conn-1");
    bench.command(Command::Network { up: false });
    assert_eq!((bench.client.state(), bench.socket), (Disconnected, None), "the socket broke");
    assert!(bench.sent.is_empty(), "without a goodbye");
    bench.pass(60 * SECOND);
    assert_eq!((bench.client.state(), bench.urls.len()), (Disconnected, 1), "no socket was opened since");
    bench.command(Command::Network { up: true });
    assert_eq!(bench.urls.len(), 2);
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
}

#[test]
fn waits_between_attempts_grow_until_the_connection_is_suspended() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    let start = bench.now;
    for step in [15.0, 20.0, 25.0, 30.0] {
        bench.cut();
        let change = bench.last_change().clone();
        assert_eq!(change.current, Disconnected);
        let wait = change.retry_in.unwrap();
        assert!((step * 0.8..=step).contains(&wait.as_secs_f64()), "{wait:?}");
        assert_eq!(bench.client.poll_timeout(), Some(bench.now + wait), "the event tells the truth");
        bench.pass(wait);
        assert_eq!(bench.client.state(), Connecting);
    }
    bench.cut();
    bench.pass(start + 120 * SECOND - bench.now);
    assert_eq!(bench.client.state(), Suspended);
    assert_eq!(bench.last_change().retry_in, Some(30 * SECOND));
    for _ in 0..3 {
        bench.pass(30 * SECOND);
        assert_eq!(bench.client.state(), Connecting);
        bench.cut();
        let change = bench.last_change();
        assert_eq!((change.current, change.retry_in), (Suspended, Some(30 * SECOND)));
    }
}

#[test]
fn back_off_starts_anew_after_a_success() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    for _ in 0..3 {
        bench.cut();
        bench.pass(bench.last_change().retry_in.unwrap());
    }
    bench.accept("conn-1");
    bench.cut();
    bench.cut();
    assert!(bench.last_change().retry_in.unwrap() <= 15 * SECOND);
}

#[test]
fn an_attempt_without_an_answer_is_given_up() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.pass(10 * SECOND);
    let change = bench.last_change();
    assert_eq!(change.current, Disconnected);
    assert_eq!(change.reason.as_ref().map(|reason| reason.status_code), Some(408));
    assert_eq!(bench.socket, None, "and its socket is shut");
}

#[test]
fn a_broken_line_is_taken_up_again_at_once_with_the_newest_key() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 4, "connectionId": "conn-1", "connectionDetails": { "connectionKey": "newer" } }));
    bench.forget();
    bench.cut();
    assert_eq!(bench.states(), [Disconnected, Connecting]);
    assert_eq!(bench.resume_key().as_deref(), Some("newer"));
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
    assert_eq!(bench.client.stats().reconnects, 1);
}

#[test]
fn a_line_that_keeps_breaking_is_taken_up_once_a_second() {
    let mut bench = Bench::connected();
    let start = bench.now;
    for attempts in 1..5 {
        bench.cut();
        if attempts > 1 {
            assert_eq!(bench.client.state(), Disconnected);
            bench.pass(SECOND);
        }
        assert_eq!((bench.client.state(), bench.now - start), (Connecting, (attempts - 1) * SECOND));
        bench.accept("conn-1");
    }
}

#[test]
fn a_connection_that_could_not_be_resumed_says_why() {
    let mut bench = Bench::connected();
    bench.cut();
    let mut frame = welcome("conn-2");
    frame["error"] = error(80018, 400);
    bench.receive(frame);
    let change = bench.last_change();
    assert_eq!((change.current, change.resumed), (Connected, false));
    assert_eq!(change.reason.as_ref().map(|reason| reason.code), Some(ErrorCode::INVALID_CONNECTION_KEY));
    assert_eq!(bench.client.connection_id(), Some(&"conn-2".into()));
}

#[test]
fn a_suspended_connection_is_still_resumed() {
    let mut bench = Bench::connected();
    bench.cut();
    while bench.client.state() != Suspended {
        if bench.socket.is_some() {
            bench.cut();
        }
        bench.pass(SECOND);
    }
    assert_eq!(bench.client.connection_id(), Some(&"conn-1".into()), "the id is kept");
    bench.pass(30 * SECOND);
    assert_eq!(bench.resume_key().as_deref(), Some("conn-1-key"));
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
}

#[test]
fn the_servers_ttl_stands_over_the_options() {
    let mut bench = Bench::connected();
    bench
        .receive(json!({ "action": 4, "connectionId": "conn-1", "connectionDetails": { "connectionStateTtl": 3000 } }));
    bench.cut();
    bench.cut();
    assert_eq!(bench.client.state(), Disconnected);
    bench.pass(3 * SECOND);
    assert_eq!(bench.client.state(), Suspended);
}

#[test]
fn silence_beyond_the_promise_ends_the_line() {
    let mut bench = Bench::connected();
    bench.pass(24 * SECOND);
    bench.receive(json!({ "action": 0 }));
    bench.pass(24 * SECOND);
    bench.client.handle_activity(bench.socket.unwrap(), bench.now);
    bench.pass(24 * SECOND);
    assert_eq!(bench.client.state(), Connected);
    bench.forget();
    bench.pass(SECOND);
    let Event::Connection(change) = &bench.events[0] else { panic!("{:?}", bench.events) };
    let reason = change.reason.as_ref().unwrap();
    assert_eq!((change.current, reason.code.0, reason.status_code), (Disconnected, 80003, 408));
    assert_eq!(bench.states(), [Disconnected, Connecting]);
}

#[test]
fn sent_frames_are_no_sign_of_life() {
    let mut bench = Bench::connected();
    for _ in 0..25 {
        bench.publish(1, Lifetime::Durable);
        bench.pass(SECOND);
    }
    assert_eq!(bench.client.state(), Connecting);
}

#[test]
fn a_server_that_promises_nothing_may_be_silent() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 4, "connectionId": "conn-1", "connectionDetails": { "maxIdleInterval": 0 } }));
    bench.pass(10_000 * SECOND);
    assert_eq!(bench.client.state(), Connected);
}

#[test]
fn a_frozen_program_finds_out_at_once() {
    let mut bench = Bench::connected();
    bench.now += 60 * SECOND;
    bench.client.check_socket(bench.now);
    bench.drain();
    assert_eq!(bench.states(), [Disconnected, Connecting]);
    bench.cut();
    assert_eq!(bench.client.state(), Disconnected);
    bench.client.check_socket(bench.now);
    assert_eq!(bench.client.state(), Connecting, "and does not sit out the wait");
}

#[test]
fn a_program_that_goes_on_wants_a_sign_of_life_soon() {
    let mut bench = Bench::connected();
    bench.pass(3 * SECOND);
    bench.client.check_socket(bench.now);
    bench.drain();
    bench.pass(SECOND);
    assert_eq!(bench.client.state(), Connected, "an answer may take a while");
    bench.client.check_socket(bench.now);
    bench.pass(SECOND);
    assert_eq!(bench.states(), [Disconnected, Connecting], "to ask twice does not put it off");
}

#[test]
fn a_line_that_gives_a_sign_of_life_stands_for_as_long_as_before() {
    let mut bench = Bench::connected();
    bench.client.check_socket(bench.now);
    bench.drain();
    let asked = bench.sent.pop().unwrap();
    assert_eq!(asked.action, Action::Heartbeat);
    bench.receive(json!({ "action": 0, "id": asked.id }));
    bench.pass(20 * SECOND);
    assert_eq!(bench.client.state(), Connected);
    let told = bench.events.iter().filter(|event| matches!(event, Event::RoundTrip(_))).count();
    assert_eq!(told, 1, "whoever asked learns that the socket works");
    bench.receive(json!({ "action": 0, "id": asked.id }));
    assert_eq!(bench.events.iter().filter(|event| matches!(event, Event::RoundTrip(_))).count(), 1, "and once");
}

#[test]
fn a_shelved_program_opens_nothing_until_it_is_back() {
    let mut bench = Bench::connected();
    let opened = bench.urls.len();
    bench.client.shelve(bench.now);
    bench.drain();
    assert_eq!((bench.client.state(), bench.socket), (Disconnected, None));
    bench.pass(60 * SECOND);
    assert_eq!(bench.urls.len(), opened);
    bench.client.check_socket(bench.now);
    bench.drain();
    assert_eq!((bench.client.state(), bench.urls.len()), (Connecting, opened + 1));
}

#[test]
fn new_details_of_a_connected_client_are_an_update() {
    let mut bench = Bench::attached();
    bench.receive(welcome("conn-1"));
    let change = bench.last_change();
    assert_eq!((change.previous, change.current), (Connected, Connected));
    assert!(bench.sent.is_empty(), "channels stay as they are");
}

#[test]
fn a_disconnected_frame_is_a_broken_line() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 6, "error": error(80003, 503) }));
    assert_eq!(bench.states(), [Disconnected, Connecting]);
    bench.receive(json!({ "action": 6, "error": error(80003, 503) }));
    assert_eq!(bench.last_change().reason.as_ref().map(|reason| reason.status_code), Some(503));
    assert_eq!(bench.client.state(), Disconnected);
}

#[test]
fn an_error_frame_ends_the_connection_and_its_channels() {
    let mut bench = Bench::attached();
    bench.receive(json!({ "action": 9, "error": error(40101, 401) }));
    assert_eq!(bench.client.state(), Failed);
    assert_eq!(bench.client.channel_state(&"c".into()), ChannelState::Failed);
    assert_eq!((bench.client.connection_id(), bench.client.poll_timeout()), (None, None));
    bench.command(Command::Connect);
    assert_eq!(bench.resume_key(), None, "a failed connection is not resumed");
    assert_eq!(bench.client.channel_state(&"c".into()), ChannelState::Initialized);
}

#[test]
fn a_refused_token_cannot_be_renewed_with_a_key() {
    for action in [6, 9] {
        let mut bench = Bench::connected();
        bench.receive(json!({ "action": action, "error": error(40142, 401) }));
        let reason = bench.last_change().reason.clone().unwrap();
        assert_eq!((bench.client.state(), reason.code), (Failed, ErrorCode::NO_RENEWAL));
        assert_eq!(reason.cause.map(|cause| cause.code.0), Some(40142));
    }
}

#[test]
fn credentials_of_somebody_else_fail() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.receive(json!({ "action": 4, "connectionId": "x", "connectionDetails": { "clientId": "bob" } }));
    assert_eq!(bench.client.state(), Failed);
    assert_eq!(bench.last_change().reason.as_ref().unwrap().code, ErrorCode::INCOMPATIBLE_CREDENTIALS);
}

/// In a page it is the key itself that is wrong.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn wrong_options_fail_and_say_what_to_do() {
    let endpoint = Endpoint::Url("ws://example.com".to_owned());
    let mut bench = Bench::with(ClientOptions { endpoint, ..options() });
    for _ in 0..2 {
        bench.command(Command::Connect);
        let reason = bench.last_change().reason.clone().unwrap();
        assert_eq!((reason.code, bench.states()), (ErrorCode::KEY_OVER_PLAIN_LINE, vec![Failed]));
        assert!(reason.message.contains("wss://"));
    }
    assert!(bench.urls.is_empty());
}

#[test]
fn closing_says_goodbye_and_waits_for_the_answer() {
    let mut bench = Bench::attached();
    bench.command(Command::Close);
    assert_eq!((bench.sent_actions(), bench.client.state()), (vec![Action::Close], Closing));
    bench.receive(json!({ "action": 8 }));
    assert_eq!((bench.states(), bench.socket), (vec![Closing, Closed], None));
    assert_eq!(bench.client.channel_state(&"c".into()), ChannelState::Detached);
    assert_eq!(bench.client.poll_timeout(), None);
}

#[test]
fn closing_ends_by_itself_without_an_answer() {
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    bench.pass(10 * SECOND);
    assert_eq!(bench.client.state(), Closed);
    let mut bench = Bench::connected();
    bench.command(Command::Close);
    bench.cut();
    assert_eq!(bench.client.state(), Closed);
}

#[test]
fn closing_while_connecting_says_goodbye_once_the_server_is_there() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.command(Command::Close);
    assert_eq!((bench.sent_actions(), bench.client.state()), (vec![], Closing));
    bench.accept("conn-1");
    assert_eq!(bench.sent_actions(), [Action::Close]);
    bench.receive(json!({ "action": 8 }));
    assert_eq!(bench.states(), [Connecting, Closing, Closed]);
}

#[test]
fn closing_without_a_line_is_closed_at_once() {
    let mut bench = Bench::new();
    bench.command(Command::Close);
    assert_eq!(bench.client.state(), ConnectionState::Initialized);
    bench.command(Command::Connect);
    bench.cut();
    bench.command(Command::Close);
    assert_eq!((bench.client.state(), bench.client.poll_timeout()), (Closed, None));
    bench.command(Command::Close);
    assert_eq!(bench.states(), [Connecting, Disconnected, Closed]);
}

#[test]
fn connecting_while_closing_leaves_the_old_connection_behind() {
    let mut bench = Bench::attached();
    let old = bench.socket.unwrap();
    bench.command(Command::Close);
    bench.command(Command::Connect);
    assert_eq!((bench.client.state(), bench.resume_key()), (Connecting, None));
    let late = wire::decode(r#"{"action":8}"#).unwrap();
    bench.client.handle_frame(old, late, bench.now);
    assert_eq!(bench.client.state(), Connecting, "a late goodbye of the old socket is ignored");
    bench.accept("conn-2");
    assert_eq!(bench.client.state(), Connected);
}

#[test]
fn a_goodbye_of_the_server_closes() {
    let mut bench = Bench::connected();
    bench.receive(json!({ "action": 8 }));
    assert_eq!(bench.client.state(), Closed);
}

#[test]
fn a_ping_tells_the_round_trip_by_its_id_alone() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    let id = bench.sent[0].id.clone().unwrap();
    bench.pass(SECOND / 20);
    bench.receive(json!({ "action": 0 }));
    bench.receive(json!({ "action": 0, "id": "other" }));
    assert!(bench.events.is_empty());
    bench.receive(json!({ "action": 0, "id": id }));
    bench.receive(json!({ "action": 0, "id": id }));
    assert_eq!(bench.events, [Event::RoundTrip(SECOND / 20)]);
    assert_eq!(bench.client.stats().round_trip, Some(SECOND / 20));
}

#[test]
fn a_ping_without_a_line_waits_for_one() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.command(Command::Ping);
    bench.accept("conn-1");
    assert_eq!(bench.sent_actions(), [Action::Heartbeat]);
}

#[test]
fn an_unanswered_ping_is_forgotten() {
    let mut bench = Bench::connected();
    bench.command(Command::Ping);
    bench.pass(10 * SECOND);
    bench.command(Command::Ping);
    assert_eq!(bench.sent_actions(), [Action::Heartbeat, Action::Heartbeat]);
}

#[test]
fn the_network_going_away_and_coming_back_is_acted_on_at_once() {
    let mut bench = Bench::connected();
    bench.client.handle_network(false, bench.now);
    bench.drain();
    assert_eq!(bench.states(), [Disconnected, Connecting]);
    bench.client.handle_network(false, bench.now);
    bench.drain();
    assert_eq!(bench.client.state(), Disconnected);
    bench.client.handle_network(true, bench.now);
    bench.drain();
    assert_eq!(bench.client.state(), Connecting);
    let sockets = bench.urls.len();
    bench.client.handle_network(true, bench.now);
    bench.drain();
    assert_eq!(bench.urls.len(), sockets + 1, "an attempt under way starts again");
}

#[test]
fn a_frame_that_cannot_be_read_is_asked_for_again_by_resuming_but_not_for_ever() {
    let mut bench = Bench::attached();
    let broken = || wire::decode("{").unwrap_err();
    bench.client.handle_malformed(bench.socket.unwrap(), &broken(), bench.now);
    bench.drain();
    assert_eq!(bench.states(), [Disconnected, Connecting]);
    bench.accept("conn-1");
    bench.receive(json!({ "action": 11, "channel": "c", "flags": 4 }));
    bench.forget();
    bench.client.handle_malformed(bench.socket.unwrap(), &broken(), bench.now);
    bench.drain();
    assert_eq!(bench.client.state(), Connected, "it did not help, so the socket is kept");
    let change = &bench.channel_changes()[0];
    assert_eq!((change.current, change.resumed), (ChannelState::Attached, false));
    assert_eq!(bench.client.stats().malformed, 2);
}
