//! The referee lets a fair round pass and finds each way in which one can be unfair.

use serde_json::{Value, json};

use super::*;

/// Ada's line, then what Bob needs for two lines, then what Ada needs for a full house.
const CALLS: [u64; 23] = [14, 23, 32, 41, 82, 17, 21, 43, 54, 66, 55, 67, 78, 89, 27, 39, 52, 71, 84, 4, 47, 56, 86];

fn adas_strip() -> Value {
    json!([
        [[0, 14, 23, 32, 41, 0, 0, 0, 82], [0, 0, 27, 39, 0, 52, 0, 71, 84], [4, 0, 0, 0, 47, 56, 66, 0, 86]],
        [[0, 18, 26, 34, 48, 0, 0, 78, 0], [9, 0, 0, 36, 0, 54, 62, 0, 88], [0, 0, 28, 37, 0, 55, 69, 0, 90]],
        [[0, 0, 0, 31, 43, 0, 63, 70, 80], [3, 11, 20, 0, 0, 0, 64, 77, 0], [8, 13, 0, 0, 0, 50, 67, 0, 87]],
        [[6, 12, 0, 0, 42, 0, 61, 0, 81], [0, 15, 21, 0, 46, 59, 65, 0, 0], [7, 0, 24, 30, 49, 0, 0, 79, 0]],
        [[5, 10, 22, 0, 0, 51, 0, 74, 0], [0, 16, 0, 0, 44, 57, 60, 75, 0], [0, 17, 25, 33, 0, 0, 0, 76, 85]],
        [[0, 0, 29, 35, 40, 53, 0, 0, 83], [1, 0, 0, 38, 45, 58, 0, 72, 0], [2, 19, 0, 0, 0, 0, 68, 73, 89]]
    ])
}

fn bobs_strip() -> Value {
    json!([
        [[1, 14, 20, 0, 0, 50, 0, 0, 82], [2, 0, 22, 35, 46, 0, 65, 0, 0], [5, 16, 29, 0, 0, 57, 0, 79, 0]],
        [[3, 11, 0, 32, 0, 52, 0, 0, 84], [0, 17, 21, 0, 43, 54, 66, 0, 0], [0, 0, 23, 0, 0, 55, 67, 78, 89]],
        [[0, 0, 25, 34, 41, 0, 61, 0, 83], [0, 12, 27, 0, 44, 0, 0, 76, 85], [6, 18, 0, 0, 0, 59, 64, 0, 90]],
        [[0, 0, 28, 30, 0, 51, 69, 74, 0], [0, 10, 0, 31, 40, 56, 0, 0, 86], [9, 19, 0, 38, 0, 0, 0, 75, 88]],
        [[0, 0, 0, 36, 42, 58, 60, 0, 80], [8, 13, 0, 0, 0, 0, 63, 72, 87], [0, 0, 26, 39, 45, 0, 68, 73, 0]],
        [[4, 0, 0, 33, 47, 0, 62, 70, 0], [0, 15, 0, 37, 48, 53, 0, 71, 0], [7, 0, 24, 0, 49, 0, 0, 77, 81]]
    ])
}

fn call(index: usize, number: u64) -> Value {
    json!({ "event": "called", "number": number, "nickname": format!("the {number}"), "index": index })
}

fn shout(by: &str, numbers: &[u64]) -> Value {
    json!({ "event": "shout", "by": by, "numbers": numbers })
}

fn prize(prize: &str, winner: &str) -> Value {
    json!({ "event": "prize", "prize": prize, "winner": winner })
}

/// The calls and what came of them, as everyone saw it.
fn course() -> Vec<Value> {
    let mut events = Vec::new();
    for (at, number) in CALLS.into_iter().enumerate() {
        events.push(call(at + 1, number));
        match at + 1 {
            5 => events.extend([shout("id-ada", &CALLS[..5]), prize("one-line", "id-ada")]),
            14 => {
                let marks = [17, 21, 23, 43, 54, 55, 66, 67, 78, 89];
                events.extend([shout("id-bob", &marks), prize("two-lines", "id-bob")]);
            }
            23 => {
                let marks = [14, 23, 32, 41, 82, 27, 39, 52, 71, 84, 4, 47, 56, 66, 86];
                events.extend([shout("id-ada", &marks), prize("full-house", "id-ada")]);
            }
            _ => {}
        }
    }
    events.push(json!({ "event": "complete", "reason": "full-house", "winner": "id-ada", "called": CALLS }));
    events
}

fn arrival(name: &str, role: &str) -> Vec<Value> {
    vec![
        json!({ "event": "connected", "connection_id": format!("connection of {name}") }),
        json!({ "event": "joined", "room": "a-b-c", "player_id": format!("id-{name}"), "role": role, "term": 1 }),
    ]
}

fn round(number: u64) -> Value {
    json!({ "event": "round", "round": number })
}

fn strip(tickets: &Value) -> Value {
    json!({ "event": "strip", "tickets": tickets })
}

fn transcript(label: &str, events: Vec<Value>) -> Transcript {
    let stamp = |(at, mut event): (usize, Value)| {
        event["at_ms"] = json!(at * 10);
        event["player"] = json!(label);
        event
    };
    let events = events.into_iter().enumerate().map(stamp).collect();
    Transcript { label: label.to_owned(), events, is_cut_short: false }
}

/// What Ada and Bob saw of a fair round: Ada got her strip after the news of the round, Bob before.
fn fair() -> [Vec<Value>; 2] {
    let ada = [arrival("ada", "host"), vec![round(1), strip(&adas_strip())], course()].concat();
    let bob = [arrival("bob", "peer"), vec![strip(&bobs_strip()), round(1)], course()].concat();
    [ada, bob]
}

fn judge_both([ada, bob]: [Vec<Value>; 2]) -> Result<Summary, Vec<String>> {
    judge(&[transcript("ada", ada), transcript("bob", bob)])
}

/// Where the nth event of a kind is.
fn place(events: &[Value], kind: &str, nth: usize) -> usize {
    let mut places = (0..events.len()).filter(|at| events[*at]["event"] == kind);
    places.nth(nth).expect("the transcript has such an event")
}

/// Spoils a fair round and expects the referee to say so.
fn spoilt(spoil: impl FnOnce(&mut Vec<Value>, &mut Vec<Value>), finding: &str) {
    let [mut ada, mut bob] = fair();
    spoil(&mut ada, &mut bob);
    let findings = judge_both([ada, bob]).expect_err("the referee finds it");
    assert!(findings.iter().any(|found| found.contains(finding)), "no {finding:?} in {findings:#?}");
}

/// Changes the nth event of a kind for both players.
fn in_both(ada: &mut [Value], bob: &mut [Value], kind: &str, nth: usize, change: impl Fn(&mut Value)) {
    for events in [ada, bob] {
        let at = place(events, kind, nth);
        change(&mut events[at]);
    }
}

#[test]
fn a_fair_round_passes() {
    let summary = judge_both(fair()).unwrap();
    let ids = BTreeSet::from(["id-ada".to_owned(), "id-bob".to_owned()]);
    assert_eq!(summary.players, ids);
    let [round] = &summary.rounds[..] else { panic!("one round: {summary:?}") };
    assert_eq!((round.round, &round.players, &round.called[..]), (1, &ids, &CALLS[..]));
    let prizes = [("one-line", "id-ada"), ("two-lines", "id-bob"), ("full-house", "id-ada")];
    assert_eq!(round.prizes, prizes.map(|(prize, winner)| (prize.to_owned(), winner.to_owned())).into());
}

#[test]
fn a_round_without_a_winner_passes_when_all_ninety_were_called() {
    let calls: Vec<u64> = (1..=90).collect();
    let mut course: Vec<_> = calls.iter().enumerate().map(|(at, number)| call(at + 1, *number)).collect();
    course.push(json!({ "event": "complete", "reason": "all-called", "winner": null, "called": calls }));
    let ada = [arrival("ada", "host"), vec![round(1), strip(&adas_strip())], course.clone()].concat();
    let bob = [arrival("bob", "peer"), vec![round(1), strip(&bobs_strip())], course].concat();
    assert_eq!(judge_both([ada, bob]).unwrap().rounds[0].called.len(), 90);
}

#[test]
fn a_second_round_with_other_strips_passes() {
    let [ada, bob] = fair();
    let ada = [ada, vec![strip(&bobs_strip()), round(2)], second_course()].concat();
    let bob = [bob, vec![round(2), strip(&adas_strip())], second_course()].concat();
    let summary = judge_both([ada, bob]).unwrap();
    assert_eq!(summary.rounds.iter().map(|round| round.round).collect::<Vec<_>>(), [1, 2]);
}

/// The first course with the two players' strips exchanged.
fn second_course() -> Vec<Value> {
    let mut events = course();
    for event in &mut events {
        for field in ["by", "winner"] {
            let other = match event[field].as_str() {
                Some("id-ada") => "id-bob",
                Some(_) => "id-ada",
                None => continue,
            };
            event[field] = json!(other);
        }
    }
    events
}

#[test]
fn a_spectator_who_comes_late_passes() {
    let [ada, bob] = fair();
    let at = place(&ada, "called", 15);
    let cy = [arrival("cy", "peer"), vec![round(1)], ada[at..].to_vec()].concat();
    let summary = judge(&[transcript("ada", ada), transcript("bob", bob), transcript("cy", cy)]).unwrap();
    assert_eq!((summary.players.len(), summary.rounds[0].players.len()), (3, 2));
}

#[test]
fn prizes_of_one_moment_may_be_told_in_any_order() {
    let tell = |events: &mut Vec<Value>| {
        let at = place(events, "prize", 1);
        events.insert(at, prize("one-line", "id-bob"));
        events.insert(at, shout("id-bob", &[17, 21, 23, 43, 54, 55, 66, 67, 78, 89]));
        events.remove(place(events, "prize", 0));
    };
    let [mut ada, mut bob] = fair();
    tell(&mut ada);
    tell(&mut bob);
    judge_both([ada, bob]).unwrap();
}

#[test]
fn a_missing_number_is_found() {
    let finding = "bob: call 8 has the index 9";
    spoilt(|_, bob| drop(bob.remove(place(bob, "called", 7))), finding);
}

#[test]
fn a_number_that_was_heard_differently_is_found() {
    let change = |_: &mut Vec<Value>, bob: &mut Vec<Value>| {
        let at = place(bob, "called", 7);
        bob[at]["number"] = json!(90);
    };
    spoilt(change, "bob: heard [14");
}

#[test]
fn a_number_that_comes_twice_is_found() {
    let change = |event: &mut Value| event["number"] = json!(14);
    spoilt(|ada, bob| in_both(ada, bob, "called", 18, change), "number 14 was called twice");
}

#[test]
fn numbers_in_another_order_are_found() {
    let swap = |_: &mut Vec<Value>, bob: &mut Vec<Value>| {
        let at = place(bob, "called", 15);
        bob[at] = call(16, CALLS[16]);
        bob[at + 1] = call(17, CALLS[15]);
    };
    spoilt(swap, "bob: heard [14");
}

#[test]
fn an_index_that_does_not_count_from_1_is_found() {
    let shift = |events: &mut Vec<Value>| {
        for event in events.iter_mut().filter(|event| event["event"] == "called") {
            event["index"] = json!(event["index"].as_u64().unwrap() - 1);
        }
    };
    spoilt(|ada, _| shift(ada), "ada: call 1 has the index 0");
}

#[test]
fn a_number_that_does_not_exist_is_found() {
    let change = |event: &mut Value| event["number"] = json!(91);
    spoilt(|ada, bob| in_both(ada, bob, "called", 20, change), "91 was called, which is no number");
}

#[test]
fn a_missing_or_different_nickname_is_found() {
    let silent = |event: &mut Value| event["nickname"] = json!("");
    spoilt(|ada, bob| in_both(ada, bob, "called", 3, silent), "number 41 is called \"\"");
    let rename = |_: &mut Vec<Value>, bob: &mut Vec<Value>| {
        let at = place(bob, "called", 3);
        bob[at]["nickname"] = json!("another");
    };
    spoilt(rename, "number 41 is called \"another\"");
}

#[test]
fn strips_that_are_not_valid_are_found() {
    type Change = &'static dyn Fn(&mut Value);
    let spoilings: [(Change, &str); 8] = [
        (&|strip| drop(strip.as_array_mut().unwrap().pop()), "5 tickets"),
        (&|strip| drop(strip[0].as_array_mut().unwrap().pop()), "ticket 1: not three rows of nine"),
        (&|strip| strip[1][0][0] = json!(9), "ticket 2: not five numbers"),
        (&|strip| strip[1][0].as_array_mut().unwrap().swap(0, 1), "ticket 2: column 1 holds [18, 9]"),
        (&|strip| strip[2][1][0] = json!(9), "ticket 3: column 1 does not ascend: [9, 8]"),
        (&|strip| strip[0][2].as_array_mut().unwrap().swap(0, 1), "ticket 1: column 1 is empty"),
        (&|strip| strip[5][0][8] = json!(82), "89 different numbers"),
        (&|strip| strip[0][0][0] = json!("x"), "not lists of numbers"),
    ];
    for (change, finding) in spoilings {
        let spoil = |ada: &mut Vec<Value>, _: &mut Vec<Value>| {
            let at = place(ada, "strip", 0);
            change(&mut ada[at]["tickets"]);
        };
        spoilt(spoil, &format!("ada: the strip is not valid: {finding}"));
    }
}

#[test]
fn the_same_strip_twice_is_found_even_with_its_tickets_in_another_order() {
    let copy = |_: &mut Vec<Value>, bob: &mut Vec<Value>| {
        let at = place(bob, "strip", 0);
        let mut tickets = adas_strip();
        tickets.as_array_mut().unwrap().reverse();
        bob[at]["tickets"] = tickets;
    };
    spoilt(copy, "bob: has the same strip as player id-ada");
}

#[test]
fn a_strip_that_changes_during_the_round_is_found() {
    let change = |ada: &mut Vec<Value>, _: &mut Vec<Value>| {
        let at = place(ada, "called", 6);
        ada.insert(at, strip(&bobs_strip()));
    };
    spoilt(change, "the strip is another than before");
}

#[test]
fn two_winners_of_a_prize_are_found() {
    let split = |_: &mut Vec<Value>, bob: &mut Vec<Value>| {
        let at = place(bob, "prize", 0);
        bob[at]["winner"] = json!("id-bob");
    };
    spoilt(split, "bob: one-line went to id-bob, for others to id-ada");
    let twice = |event: &mut Value| event["prize"] = json!("one-line");
    spoilt(|ada, bob| in_both(ada, bob, "prize", 1, twice), "one-line was won twice");
}

#[test]
fn a_prize_that_was_not_won_yet_is_found() {
    let early = |events: &mut Vec<Value>| {
        let at = place(events, "called", 4);
        events.swap(at, at + 2);
    };
    let finding = "one-line for id-ada is not right: no ticket has it with the 4 numbers called by then";
    let both = |ada: &mut Vec<Value>, bob: &mut Vec<Value>| {
        early(ada);
        early(bob);
    };
    spoilt(both, finding);
}

#[test]
fn two_lines_on_two_tickets_are_found() {
    let swap = |ada: &mut Vec<Value>, bob: &mut Vec<Value>| {
        in_both(ada, bob, "prize", 0, |event| event["prize"] = json!("two-lines"));
        in_both(ada, bob, "prize", 1, |event| event["prize"] = json!("one-line"));
    };
    spoilt(swap, "two-lines for id-ada is not right: no ticket has it");
}

#[test]
fn a_prize_lower_than_what_was_free_is_found() {
    let swap = |ada: &mut Vec<Value>, bob: &mut Vec<Value>| {
        in_both(ada, bob, "shout", 0, |event| event["by"] = json!("id-bob"));
        for events in [ada, bob] {
            events.remove(place(events, "prize", 0));
            let at = place(events, "prize", 0);
            events[at]["prize"] = json!("one-line");
        }
    };
    spoilt(swap, "one-line for id-bob is not right: the winner's shouts are worth two-lines");
}

#[test]
fn a_prize_without_marks_or_without_a_shout_is_found() {
    let unmark = |event: &mut Value| event["numbers"] = json!([14, 23, 32, 41, 17]);
    let finding = "one-line for id-ada is not right: no shout of the winner has it marked";
    // The shout for the full house covers the line as well, so it goes too.
    let spoil = |ada: &mut Vec<Value>, bob: &mut Vec<Value>| {
        in_both(ada, bob, "shout", 0, unmark);
        in_both(ada, bob, "shout", 2, unmark);
    };
    spoilt(spoil, finding);
    let hush = |_: &mut Vec<Value>, bob: &mut Vec<Value>| drop(bob.remove(place(bob, "shout", 1)));
    spoilt(hush, "two-lines for id-bob is not right: no shout of the winner");
}

#[test]
fn a_prize_for_nobody_who_plays_is_found() {
    let change = |event: &mut Value| event["winner"] = json!("id-eve");
    let finding = "one-line for id-eve is not right: the winner has no strip";
    spoilt(|ada, bob| in_both(ada, bob, "prize", 0, change), finding);
}

#[test]
fn a_prize_that_does_not_exist_is_found() {
    let change = |event: &mut Value| event["prize"] = json!("three-lines");
    spoilt(|ada, bob| in_both(ada, bob, "prize", 1, change), "there is no prize \"three-lines\"");
}

#[test]
fn a_prize_that_somebody_did_not_hear_of_is_found() {
    let deafen = |_: &mut Vec<Value>, bob: &mut Vec<Value>| drop(bob.remove(place(bob, "prize", 1)));
    spoilt(deafen, "bob: did not hear that two-lines was won");
}

#[test]
fn a_shout_with_too_few_marks_is_found() {
    let change = |event: &mut Value| event["numbers"] = json!([14, 23, 32, 41]);
    spoilt(|ada, bob| in_both(ada, bob, "shout", 0, change), "id-ada shouted with 4 marks");
}

#[test]
fn a_round_that_ends_early_is_found() {
    let cut = |events: &mut Vec<Value>| drop(events.remove(place(events, "prize", 2)));
    let both = |ada: &mut Vec<Value>, bob: &mut Vec<Value>| {
        cut(ada);
        cut(bob);
    };
    spoilt(both, "ended without a full house after 23 numbers");
}

#[test]
fn a_round_that_goes_on_after_the_full_house_is_found() {
    let go_on = |ada: &mut Vec<Value>, _: &mut Vec<Value>| {
        let at = place(ada, "complete", 0);
        ada.insert(at, call(24, 90));
    };
    spoilt(go_on, "ada: numbers were called after the full house");
}

#[test]
fn a_call_after_the_end_is_found() {
    spoilt(|ada, _| ada.push(call(24, 90)), "ada: numbers were called after the end");
}

#[test]
fn a_round_that_does_not_end_for_somebody_is_found() {
    spoilt(|_, bob| drop(bob.pop()), "bob: the round did not end");
    let twice = |_: &mut Vec<Value>, bob: &mut Vec<Value>| bob.extend(bob.last().cloned());
    spoilt(twice, "the round ended twice");
}

#[test]
fn an_end_that_does_not_fit_the_round_is_found() {
    let forget = |event: &mut Value| drop(event["called"].as_array_mut().unwrap().pop());
    spoilt(|ada, bob| in_both(ada, bob, "complete", 0, forget), "are said to be called");
    let rename = |event: &mut Value| event["winner"] = json!("id-bob");
    spoilt(|ada, bob| in_both(ada, bob, "complete", 0, rename), "the winner is Some(\"id-bob\") at the end");
    let nobody = |event: &mut Value| event["winner"] = json!(null);
    spoilt(|ada, bob| in_both(ada, bob, "complete", 0, nobody), "the winner is None at the end");
    let hush = |event: &mut Value| event["reason"] = json!("");
    spoilt(|ada, bob| in_both(ada, bob, "complete", 0, hush), "the round ended for no reason");
}

#[test]
fn players_who_are_one_or_apart_or_never_came_are_found() {
    spoilt(|_, bob| bob[1]["player_id"] = json!("id-ada"), "bob and ada have the same player id id-ada");
    spoilt(|_, bob| bob[1]["room"] = json!("x-y-z"), "players are in different rooms");
    spoilt(|_, bob| bob[1]["role"] = json!("host"), "bob and ada both host in term 1");
    spoilt(|_, bob| drop(bob.remove(1)), "bob: never joined");
}

#[test]
fn a_player_who_misses_a_round_is_found() {
    spoilt(|_, bob| bob.truncate(2), "bob: saw no round");
    let alone = |ada: &mut Vec<Value>, _: &mut Vec<Value>| ada.extend([vec![round(2)], course()].concat());
    spoilt(alone, "bob: missed rounds [2]");
}

#[test]
fn a_round_that_is_played_twice_is_found() {
    let again = |ada: &mut Vec<Value>, _: &mut Vec<Value>| {
        ada.extend([vec![strip(&adas_strip()), round(1)], course()].concat());
    };
    spoilt(again, "ada: a round was played twice");
}

#[test]
fn events_that_lack_something_are_found() {
    for (kind, field) in [("joined", "room"), ("called", "nickname"), ("shout", "numbers"), ("prize", "winner")] {
        let lose = |ada: &mut Vec<Value>, _: &mut Vec<Value>| {
            let at = place(ada, kind, 0);
            drop(ada[at].as_object_mut().unwrap().remove(field));
        };
        spoilt(lose, &format!("no `{field}`"));
    }
    let stray = |ada: &mut Vec<Value>, _: &mut Vec<Value>| ada.insert(2, call(1, 14));
    spoilt(stray, "it belongs to no round");
}

#[test]
fn a_clock_that_goes_backwards_is_found() {
    let [ada, bob] = fair().map(|events| transcript("x", events));
    let mut spoilt = ada.clone();
    spoilt.events[5]["at_ms"] = json!(0);
    let findings = judge(&[spoilt, bob]).unwrap_err();
    assert!(findings.iter().any(|finding| finding.contains("its time goes backwards")), "{findings:?}");
}

#[test]
fn two_leaders_of_one_term_are_found() {
    let change = |to: &str| json!({ "event": "host_changed", "from": "id-cy", "to": to, "term": 2 });
    let split = |ada: &mut Vec<Value>, bob: &mut Vec<Value>| {
        ada.push(change("id-ada"));
        bob.push(change("id-bob"));
    };
    spoilt(split, "id-bob leads in term 2, for others id-ada");
}

/// Both transcripts of a fair round, in which the process of one player was killed after so many numbers.
fn killed_after(calls: usize) -> [Transcript; 2] {
    let [mut ada, mut bob] = fair().map(|events| transcript("x", events));
    (ada.label, bob.label) = ("ada".to_owned(), "bob".to_owned());
    ada.events.truncate(place(&ada.events, "called", calls));
    ada.is_cut_short = true;
    [ada, bob]
}

#[test]
fn a_player_whose_process_was_killed_need_not_see_the_end_and_keeps_its_strip_for_the_judgement() {
    let summary = judge(&killed_after(9)).unwrap();
    assert_eq!(summary.rounds[0].called, CALLS);
    assert_eq!(summary.rounds[0].players.len(), 2);
    let [mut ada, bob] = killed_after(9);
    ada.is_cut_short = false;
    assert!(judge(&[ada, bob]).is_err(), "one that was not killed has to");
}

#[test]
fn a_player_whose_process_was_killed_saw_nothing_that_others_did_not() {
    let [mut ada, bob] = killed_after(9);
    let last = place(&ada.events, "called", 8);
    ada.events[last]["number"] = json!(90);
    let findings = judge(&[ada, bob]).unwrap_err();
    assert!(findings.iter().any(|finding| finding.contains("where others heard")), "{findings:?}");
}

#[test]
fn a_shout_may_be_missing_where_the_player_was_told_so() {
    let lose_shouts = |told: bool| {
        let [ada, mut bob] = fair();
        bob.retain(|event| event["event"] != "shout");
        if told {
            let at = place(&bob, "called", 1);
            bob.insert(at, json!({ "event": "resumed", "continuity": "lost" }));
        }
        judge(&[transcript("ada", ada), transcript("bob", bob)])
    };
    assert!(lose_shouts(false).is_err());
    assert!(lose_shouts(true).is_ok());
}

#[test]
fn nothing_to_judge_is_no_fair_round() {
    assert_eq!(judge(&[]).unwrap_err(), ["no transcripts at all", "nobody saw a round"]);
}

#[test]
fn the_lines_of_a_process_are_sorted_by_player() {
    let output = concat!(
        r#"{"event":"connected","at_ms":1,"player":"ada","connection_id":"a"}"#,
        "\n\n",
        r#"{"event":"connected","at_ms":2.5,"player":"bob","connection_id":"b"}"#,
        "\n",
        r#"{"event":"left","at_ms":3,"player":"ada","reason":"done"}"#,
        "\n",
    );
    let sorted = transcripts("p1", output).unwrap();
    let counts: Vec<_> = sorted.iter().map(|one| (one.label.as_str(), one.events.len())).collect();
    assert_eq!(counts, [("p1/ada", 2), ("p1/bob", 1)]);
}

#[test]
fn lines_that_are_no_events_are_found() {
    let output = "{\"event\":\"left\",\"at_ms\":3,\"player\":\"ada\"}\nhello\n{\"event\":\"left\",\"player\":\"ada\"}";
    let findings = transcripts("p1", output).unwrap_err();
    let expected =
        ["p1, line 2: not an event: hello", "p1, line 3: not an event: {\"event\":\"left\",\"player\":\"ada\"}"];
    assert_eq!(findings, expected);
    assert_eq!(transcripts("p1", "").unwrap_err(), ["p1: no events at all"]);
}
