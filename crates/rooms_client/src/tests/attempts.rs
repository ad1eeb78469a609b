//! What the game hears of attempts to connect: how many there were, and why the last one failed.

use super::*;
use ConnectionState::{Connected, Connecting, Disconnected};

fn reason(bench: &Bench) -> String {
    bench.last_change().reason.as_ref().expect("a reason").message.clone()
}

/// The states that the connection went through with the number of the attempt, and forgets them.
fn numbered(bench: &mut Bench) -> Vec<(ConnectionState, u32)> {
    let changes = bench.take_events().into_iter();
    changes
        .filter_map(|event| match event {
            Event::Connection(change) => Some((change.current, change.attempt)),
            _ => None,
        })
        .collect()
}

#[test]
fn each_attempt_is_told_at_once_with_its_number() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert_eq!(numbered(&mut bench), [(Connecting, 1)]);
    bench.cut();
    let wait = bench.last_change().retry_in.unwrap();
    assert_eq!(numbered(&mut bench), [(Disconnected, 1)]);
    bench.pass(wait);
    bench.cut();
    let wait = bench.last_change().retry_in.unwrap();
    assert_eq!(numbered(&mut bench), [(Connecting, 2), (Disconnected, 2)]);
    bench.pass(wait);
    bench.accept("conn-1");
    assert_eq!(numbered(&mut bench), [(Connecting, 3), (Connected, 3)]);
    bench.cut();
    assert_eq!(numbered(&mut bench), [(Disconnected, 0), (Connecting, 1)], "the count starts anew after a success");
}

#[test]
fn a_server_that_never_answers_is_told_by_how_far_the_attempt_came() {
    for (steps, word) in [(0, "no answer came from"), (1, "takes the connection"), (2, "opened a WebSocket")] {
        let mut bench = Bench::new();
        bench.command(Command::Connect);
        let socket = bench.socket.unwrap();
        if steps > 0 {
            bench.client.handle_reached(socket);
        }
        if steps > 1 {
            bench.client.handle_opened(socket, bench.now);
        }
        bench.pass(10 * SECOND);
        let reason = reason(&bench);
        assert!(reason.contains(word) && reason.contains("127.0.0.1:8787"), "{reason}");
    }
}

#[test]
fn what_an_earlier_socket_reached_does_not_count_for_the_next() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    let first = bench.socket.unwrap();
    bench.client.handle_reached(first);
    bench.cut();
    bench.pass(20 * SECOND);
    assert_eq!(bench.client.state(), Connecting);
    bench.client.handle_reached(first);
    bench.pass(10 * SECOND);
    assert!(reason(&bench).contains("no answer came"), "{}", reason(&bench));
}

#[test]
fn a_server_of_another_kind_is_named() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.client.handle_opened(bench.socket.unwrap(), bench.now);
    bench.cut();
    assert!(reason(&bench).starts_with("127.0.0.1:8787 closed the WebSocket before"), "{}", reason(&bench));
    bench.pass(20 * SECOND);
    let error = wire::decode("hello").unwrap_err();
    bench.client.handle_malformed(bench.socket.unwrap(), &error, bench.now);
    bench.drain();
    assert!(reason(&bench).starts_with("127.0.0.1:8787 has a WebSocket, but"), "{}", reason(&bench));
}

#[test]
fn a_game_that_doubts_its_line_has_another_soon() {
    let mut bench = Bench::attached();
    bench.pass(3 * SECOND);
    bench.command(Command::CheckSocket);
    assert_eq!(bench.sent_actions(), [Action::Heartbeat]);
    bench.pass(SECOND);
    bench.command(Command::CheckSocket);
    bench.pass(SECOND);
    assert_eq!(bench.states(), [Disconnected, Connecting], "to doubt again puts nothing off");
    bench.accept("conn-1");
    assert!(bench.last_change().resumed);
    bench.sent.clear();
    bench.command(Command::CheckSocket);
    let asked = bench.sent.pop().unwrap();
    bench.receive(json!({ "action": 0, "id": asked.id }));
    bench.pass(20 * SECOND);
    assert_eq!(bench.client.state(), Connected, "a line that answers stands");
}

#[test]
fn a_game_that_does_not_want_to_wait_has_the_next_attempt_now() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.cut();
    bench.command(Command::CheckSocket);
    assert_eq!((bench.client.state(), bench.urls.len()), (Connecting, 2));
}
