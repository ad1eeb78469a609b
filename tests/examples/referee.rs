//! A referee for rounds of bingo: reads what players saw and says whether the round was fair.
//!
//! Knows the rules of the game and the events of `--headless --json`, and nothing else: it shares no code with the
//! example, so that a mistake there is not made here again. Pure functions over parsed lines; who plays the round and
//! collects the lines is up to the test.

mod game;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use game::{LINE, PRIZES, Tickets, best_prize};
use view::{Prize, RoundView, View};

/// What one player saw, in order.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Whose it is, for the findings.
    pub label: String,
    /// The parsed JSON lines.
    pub events: Vec<Value>,
    /// Whether the player's process was killed: its story ends early, and is right as far as it goes.
    pub is_cut_short: bool,
}

/// What happened, when nothing was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The ids of all players, whether they played or watched.
    pub players: BTreeSet<String>,
    /// The rounds, in order.
    pub rounds: Vec<RoundSummary>,
}

/// What happened in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundSummary {
    /// The number of the round.
    pub round: u64,
    /// The ids of those who had a strip.
    pub players: BTreeSet<String>,
    /// The called numbers, in order.
    pub called: Vec<u64>,
    /// Each prize that was won, with the id of its winner.
    pub prizes: BTreeMap<String, String>,
}

/// Sorts the lines of one process into a transcript for each of its players, by the field `player`.
///
/// # Errors
///
/// Findings, one for each line that is not a JSON object with `event`, `at_ms` and `player`.
pub fn transcripts(process: &str, output: &str) -> Result<Vec<Transcript>, Vec<String>> {
    let mut by_player = BTreeMap::<String, Vec<Value>>::new();
    let mut findings = Vec::new();
    for (nth, line) in output.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        match (event["event"].is_string(), event["at_ms"].is_number(), player_of(&event)) {
            (true, true, Some(player)) => by_player.entry(player).or_default().push(event),
            _ => findings.push(format!("{process}, line {}: not an event: {line}", nth + 1)),
        }
    }
    if by_player.is_empty() {
        findings.push(format!("{process}: no events at all"));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let label = |player| format!("{process}/{player}");
    Ok(by_player
        .into_iter()
        .map(|(player, events)| Transcript { label: label(player), events, is_cut_short: false })
        .collect())
}

fn player_of(event: &Value) -> Option<String> {
    match &event["player"] {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Judges what all players of one room saw, from their arrival to the end of their last round, or of their process.
///
/// # Errors
///
/// Everything that is against the rules, one readable finding each.
pub fn judge(transcripts: &[Transcript]) -> Result<Summary, Vec<String>> {
    let mut findings = Vec::new();
    let views: Vec<View> = transcripts.iter().map(|transcript| View::read(transcript, &mut findings)).collect();
    if views.is_empty() {
        findings.push("no transcripts at all".to_owned());
    }
    judge_arrivals(&views, &mut findings);
    let numbers: BTreeSet<u64> = views.iter().flat_map(|view| view.rounds.keys().copied()).collect();
    judge_attendance(&views, &numbers, &mut findings);
    let rounds = numbers.iter().map(|round| judge_round(*round, &views, &mut findings)).collect();
    let players = views.iter().filter_map(|view| view.id.clone()).collect();
    if findings.is_empty() { Ok(Summary { players, rounds }) } else { Err(findings) }
}

/// Each player is somebody else, all are in one room, and no term has two hosts.
fn judge_arrivals(views: &[View], findings: &mut Vec<String>) {
    let mut owners = BTreeMap::new();
    for view in views {
        match &view.id {
            None => findings.push(format!("{}: never joined", view.label)),
            Some(id) => {
                if let Some(other) = owners.insert(id, &view.label) {
                    findings.push(format!("{} and {other} have the same player id {id}", view.label));
                }
            }
        }
    }
    let rooms: BTreeSet<_> = views.iter().flat_map(|view| &view.rooms).collect();
    if rooms.len() > 1 {
        findings.push(format!("players are in different rooms: {rooms:?}"));
    }
    let mut leaders = BTreeMap::new();
    for view in views {
        for (term, leader) in &view.leaders {
            let known = leaders.entry(term).or_insert(leader);
            if *known != leader {
                findings.push(format!("{}: {leader} leads in term {term}, for others {known}", view.label));
            }
        }
    }
    let mut hosts = BTreeMap::new();
    for view in views {
        for term in &view.hosted {
            if let Some(other) = hosts.insert(term, &view.label) {
                findings.push(format!("{} and {other} both host in term {term}", view.label));
            }
        }
    }
}

/// Who has seen one round sees all that follow.
fn judge_attendance(views: &[View], numbers: &BTreeSet<u64>, findings: &mut Vec<String>) {
    if numbers.is_empty() {
        findings.push("nobody saw a round".to_owned());
    }
    for view in views.iter().filter(|view| !view.is_cut_short) {
        match view.rounds.keys().next() {
            None => findings.push(format!("{}: saw no round", view.label)),
            Some(first) => {
                let missed: Vec<_> = numbers.range(first..).filter(|round| !view.rounds.contains_key(round)).collect();
                if !missed.is_empty() {
                    findings.push(format!("{}: missed rounds {missed:?}", view.label));
                }
            }
        }
    }
}

fn judge_round(round: u64, views: &[View], findings: &mut Vec<String>) -> RoundSummary {
    let mut found = Vec::new();
    let seen: Vec<(&View, &RoundView)> =
        views.iter().filter_map(|view| Some((view, view.rounds.get(&round)?))).collect();
    let strips = judge_strips(&seen, &mut found);
    let called = judge_calls(&seen, &mut found);
    let prizes = judge_prizes(&seen, &strips, &mut found);
    judge_end(&seen, &called, &prizes, &mut found);
    findings.extend(found.into_iter().map(|finding| format!("round {round}: {finding}")));
    RoundSummary { round, players: strips.keys().map(|id| (*id).to_owned()).collect(), called, prizes }
}

/// All strips are valid and no two alike; gives them by player id.
fn judge_strips<'a>(seen: &[(&'a View, &'a RoundView)], findings: &mut Vec<String>) -> BTreeMap<&'a str, Tickets> {
    let mut strips: BTreeMap<&str, Tickets> = BTreeMap::new();
    for (view, round) in seen {
        let Some(wire) = &round.strip else { continue };
        match game::read_strip(wire) {
            Err(reason) => findings.push(format!("{}: the strip is not valid: {reason}", view.label)),
            Ok(strip) => {
                let twin = strips.iter().find(|(_, other)| **other == strip);
                if let Some((twin, _)) = twin {
                    findings.push(format!("{}: has the same strip as player {twin}", view.label));
                }
                if let Some(id) = &view.id {
                    strips.insert(id, strip);
                }
            }
        }
    }
    if seen.iter().all(|(_, round)| round.strip.is_none()) {
        findings.push("nobody has a strip".to_owned());
    }
    strips
}

/// Everyone saw the same numbers in the same order, none missing or twice; gives them.
fn judge_calls(seen: &[(&View, &RoundView)], findings: &mut Vec<String>) -> Vec<u64> {
    // The first of the longest, so that findings speak of who differs from the player listed first.
    let longest = seen.iter().rev().map(|(_, round)| &round.calls).max_by_key(|calls| calls.len());
    let reference: Vec<u64> = longest.into_iter().flatten().map(|call| call.number).collect();
    let mut nicknames = BTreeMap::new();
    for (view, round) in seen {
        let mut before = BTreeSet::new();
        // A spectator comes in the middle and may hear of the numbers from then on.
        let first = match round.calls.first() {
            Some(call) if round.strip.is_none() => call.index,
            _ => 1,
        };
        for (expected, call) in (first..).zip(&round.calls) {
            if call.index != expected {
                findings.push(format!("{}: call {expected} has the index {}", view.label, call.index));
                break;
            }
            if !(1..=90).contains(&call.number) {
                findings.push(format!("{}: {} was called, which is no number", view.label, call.number));
            }
            if !before.insert(call.number) {
                findings.push(format!("{}: number {} was called twice", view.label, call.number));
            }
            let name = nicknames.entry(call.number).or_insert(&call.nickname);
            if call.nickname.trim().is_empty() || *name != &call.nickname {
                findings.push(format!("{}: number {} is called {:?}", view.label, call.number, call.nickname));
            }
        }
        let skipped = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest = reference.get(skipped..).unwrap_or_default();
        let numbers: Vec<u64> = round.calls.iter().map(|call| call.number).collect();
        let came_at_the_end = round.strip.is_none() && numbers.is_empty();
        let went_before = view.is_cut_short && rest.starts_with(&numbers);
        if numbers != rest && !came_at_the_end && !went_before {
            findings.push(format!("{}: heard {numbers:?} where others heard {rest:?}", view.label));
        }
    }
    reference
}

/// Each prize has one winner, who had it then; gives them by prize.
fn judge_prizes(
    seen: &[(&View, &RoundView)],
    strips: &BTreeMap<&str, Tickets>,
    findings: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut winners = BTreeMap::<String, String>::new();
    for (view, round) in seen {
        let mut here = BTreeSet::new();
        for prize in &round.prizes {
            if !PRIZES.contains(&prize.name.as_str()) {
                findings.push(format!("{}: there is no prize {:?}", view.label, prize.name));
                continue;
            }
            if !here.insert(&prize.name) {
                findings.push(format!("{}: {} was won twice", view.label, prize.name));
            }
            let winner = winners.entry(prize.name.clone()).or_insert_with(|| prize.winner.clone());
            if *winner != prize.winner {
                let (label, name) = (&view.label, &prize.name);
                findings.push(format!("{label}: {name} went to {}, for others to {winner}", prize.winner));
            }
            if let Err(reason) = judge_prize(prize, round, strips) {
                let (label, name) = (&view.label, &prize.name);
                findings.push(format!("{label}: {name} for {} is not right: {reason}", prize.winner));
            }
        }
    }
    for (view, round) in seen.iter().filter(|(view, round)| round.strip.is_some() && !view.is_cut_short) {
        for name in winners.keys().filter(|name| round.prizes.iter().all(|prize| prize.name != **name)) {
            findings.push(format!("{}: did not hear that {name} was won", view.label));
        }
    }
    judge_shouts(seen, findings);
    winners
}

/// A prize is the highest free one that a shout of its winner covers with called numbers.
fn judge_prize(prize: &Prize, round: &RoundView, strips: &BTreeMap<&str, Tickets>) -> Result<(), String> {
    let strip = strips.get(prize.winner.as_str()).ok_or("the winner has no strip")?;
    // A spectator may have come later, and need not know what was called and shouted before.
    if round.strip.is_none() {
        return Ok(());
    }
    let called: BTreeSet<u64> = round.calls[..prize.calls_before].iter().map(|call| call.number).collect();
    if !game::covers(strip, &called, &prize.name) {
        return Err(format!("no ticket has it with the {} numbers called by then", called.len()));
    }
    // Prizes of the same moment may be told in any order, so those may have been free or not.
    let taken_before: Vec<&str> =
        round.prizes.iter().filter(|other| other.calls_before < prize.calls_before).map(|other| &*other.name).collect();
    let same_moment: Vec<&str> = round
        .prizes
        .iter()
        .filter(|other| other.calls_before == prize.calls_before && other.name != prize.name)
        .map(|other| &*other.name)
        .collect();
    let taken_by_then: Vec<&str> = taken_before.iter().chain(&same_moment).copied().collect();
    let shouts = round.shouts.iter().filter(|shout| shout.by == prize.winner);
    let mut covered = None;
    for shout in shouts {
        let hits = shout.numbers.intersection(&called).copied().collect();
        let claims = [&taken_before, &taken_by_then].map(|taken| best_prize(strip, &hits, taken));
        if claims.contains(&Some(&*prize.name)) {
            return Ok(());
        }
        covered = covered.or(claims[0]);
    }
    // A prize stands in the state, but a shout is a message, and the player was told that some are missing.
    if round.messages_missing && covered.is_none() {
        return Ok(());
    }
    Err(match covered {
        Some(other) => format!("the winner's shouts are worth {other}"),
        None => "no shout of the winner has it marked".to_owned(),
    })
}

/// Whoever shouts plays, and has marked as many numbers as a line has.
fn judge_shouts(seen: &[(&View, &RoundView)], findings: &mut Vec<String>) {
    for (view, round) in seen {
        for shout in &round.shouts {
            if shout.numbers.len() < LINE {
                findings.push(format!("{}: {} shouted with {} marks", view.label, shout.by, shout.numbers.len()));
            }
        }
    }
}

/// The round ends with a full house or when all numbers were called, and everyone hears how it went.
fn judge_end(
    seen: &[(&View, &RoundView)],
    called: &[u64],
    prizes: &BTreeMap<String, String>,
    findings: &mut Vec<String>,
) {
    let winner = prizes.get("full-house");
    if winner.is_none() && called.len() != 90 {
        findings.push(format!("ended without a full house after {} numbers", called.len()));
    }
    for (view, round) in seen {
        let house = round.prizes.iter().find(|prize| prize.name == "full-house");
        if house.is_some_and(|house| house.calls_before < round.calls.len()) {
            findings.push(format!("{}: numbers were called after the full house", view.label));
        }
        let Some(end) = &round.complete else {
            if view.is_cut_short {
                continue;
            }
            findings.push(format!("{}: the round did not end", view.label));
            continue;
        };
        if end.called != called {
            findings.push(format!("{}: at the end {:?} are said to be called", view.label, end.called));
        }
        if end.winner.as_ref() != winner {
            findings.push(format!("{}: the winner is {:?} at the end, not {winner:?}", view.label, end.winner));
        }
        if end.reason.is_empty() {
            findings.push(format!("{}: the round ended for no reason", view.label));
        }
        if end.calls_before != round.calls.len() {
            findings.push(format!("{}: numbers were called after the end", view.label));
        }
    }
}
