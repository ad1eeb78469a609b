//! A host whose line carries packets one way alone for 32 s. Every player sends the host a numbered request all the time, and the host
//! keeps them in its ledger: in the end each is there once.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    ledger::{Ledger, start},
    net::{Net, Rule, Way},
    report::{row, seconds},
};

/// How long one way is cut: that is what happens, not what is waited for.
const CUT: Duration = Duration::from_secs(32);

/// The time within which another player leads.
const REPLACED: Duration = Duration::from_secs(10);

/// Longest wait for the last requests. They are sent again every 3 s.
const WHOLE: Duration = Duration::from_secs(30);

/// Requests of each player before and after the cut.
const REQUESTS: u64 = 20;

fn each_request_counts_once(seed: u64, way: Way) {
    let Some(mut net) = Net::new(seed, 3) else { return };
    let mut players = [1, 2, 3].map(|place| start(&net, place));
    for player in &mut players {
        player.wait_for("the first requests", |event| Ledger::read(event).is_some_and(|ledger| ledger.have(REQUESTS)));
    }
    net.rule(1, &[way], Rule::CUT);
    let cut = Instant::now();
    let led = players[1].wait_for("another host", |event| event["event"] == "host");
    let took = cut.elapsed();
    thread::sleep(CUT.saturating_sub(took));
    net.rule(1, &[way], Rule::default());
    let sent = players.each_mut().map(|player| {
        let sent = player.wait_for("more requests", |event| event["event"] == "sent");
        let last = sent["number"].as_u64().expect("a number") + REQUESTS;
        player.wait_for("the last request", |event| event["event"] == "sent" && event["number"] == last);
        player.say("stop");
        let stopped = player.wait_for("the end of the requests", |event| event["event"] == "stopped");
        stopped["sent"].as_u64().expect("a number")
    });
    for player in &mut players {
        let (start, last) = (Instant::now(), |told: &[Value]| told.iter().rev().find_map(Ledger::read));
        let is_whole = |ledger: &Ledger| ledger.total() >= sent.iter().sum::<u64>();
        player
            .wait_until("a whole ledger", |told| last(told).is_some_and(|it| is_whole(&it)) || start.elapsed() > WHOLE);
        let ledger = last(&player.told).expect("a ledger");
        assert_eq!(ledger.flaws(&sent), Vec::<String>::new(), "{}", player.label);
    }
    assert!(took < REPLACED, "it took {took:?}: {led}");
    let what = match way {
        Way::Down => "the host can send and not receive, for 32 s",
        Way::Up => "the host can receive and not send, for 32 s",
    };
    let requests = format!("none of {} requests", sent.iter().sum::<u64>());
    row(what, &"-", &seconds(took), &requests);
}

#[test]
fn a_host_that_can_send_and_not_receive_costs_no_request() {
    each_request_counts_once(8, Way::Down);
}

#[test]
fn a_host_that_can_receive_and_not_send_costs_no_request() {
    each_request_counts_once(9, Way::Up);
}
