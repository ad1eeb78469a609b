//! One player's events, sorted by round.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Transcript;

/// What one player saw.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) label: String,
    /// The player's process was killed.
    pub(super) is_cut_short: bool,
    /// The player's own id.
    pub(super) id: Option<String>,
    pub(super) rooms: BTreeSet<String>,
    /// The terms in which the player came in as host.
    pub(super) hosted: BTreeSet<u64>,
    /// Who leads in which term, as the player was told.
    pub(super) leaders: BTreeSet<(u64, String)>,
    /// The rounds, by number.
    pub(super) rounds: BTreeMap<u64, RoundView>,
}

/// What one player saw of a round.
#[derive(Debug, Default)]
pub(super) struct RoundView {
    pub(super) number: Option<u64>,
    pub(super) strip: Option<Value>,
    pub(super) calls: Vec<Call>,
    pub(super) shouts: Vec<Shout>,
    pub(super) prizes: Vec<Prize>,
    pub(super) complete: Option<End>,
    /// The player was told that messages may be missing.
    pub(super) messages_missing: bool,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) nickname: String,
    pub(super) index: u64,
}

#[derive(Debug)]
pub(super) struct Shout {
    pub(super) by: String,
    pub(super) numbers: BTreeSet<u64>,
}

#[derive(Debug)]
pub(super) struct Prize {
    pub(super) name: String,
    pub(super) winner: String,
    /// How many numbers this player had heard by then.
    pub(super) calls_before: usize,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) reason: String,
    pub(super) winner: Option<String>,
    pub(super) called: Vec<u64>,
    /// How many numbers this player had heard by then.
    pub(super) calls_before: usize,
}

impl View {
    /// Reads a transcript; what cannot be read is a finding.
    pub(super) fn read(transcript: &Transcript, findings: &mut Vec<String>) -> Self {
        let (label, is_cut_short) = (transcript.label.clone(), transcript.is_cut_short);
        let mut view = Self { label, is_cut_short, ..Self::default() };
        let mut current = None;
        let mut clock = 0.0;
        for (nth, event) in transcript.events.iter().enumerate() {
            let at = event["at_ms"].as_f64().unwrap_or(-1.0);
            let read = if at < clock { Err("its time goes backwards") } else { view.take(event, &mut current) };
            clock = at.max(clock);
            if let Err(reason) = read {
                findings.push(format!("{}: event {}: {reason}: {event}", view.label, nth + 1));
            }
        }
        if let Some(reason) = current.and_then(|round| view.keep(round).err()) {
            findings.push(format!("{}: {reason}", view.label));
        }
        view
    }

    fn take(&mut self, event: &Value, current: &mut Option<RoundView>) -> Result<(), &'static str> {
        match event["event"].as_str().ok_or("no `event`")? {
            "joined" => return self.join(event),
            "host_changed" => {
                let term = event["term"].as_u64().ok_or("no `term`")?;
                self.leaders.insert((term, text(&event["to"]).ok_or("no `to`")?));
                return Ok(());
            }
            // The strip comes over a channel of its own, so either may be first.
            "round" => {
                let number = event["round"].as_u64().ok_or("no `round`")?;
                let open = current.take_if(|open| open.number.is_none_or(|known| known == number));
                let done = current.replace(RoundView { number: Some(number), ..open.unwrap_or_default() });
                return done.map_or(Ok(()), |done| self.keep(done));
            }
            "strip" => {
                if let Some(done) = current.take_if(|open| open.complete.is_some()) {
                    self.keep(done)?;
                }
                return current.get_or_insert_default().hold(event);
            }
            "resumed" => {
                if let Some(round) = current {
                    round.messages_missing |= event["continuity"] == "lost";
                }
                return Ok(());
            }
            "called" | "shout" | "prize" | "complete" => {}
            _ => return Ok(()),
        }
        current.as_mut().ok_or("it belongs to no round")?.take(event)
    }

    fn join(&mut self, event: &Value) -> Result<(), &'static str> {
        let id = text(&event["player_id"]).ok_or("no `player_id`")?;
        if self.id.as_ref().is_some_and(|known| *known != id) {
            return Err("the player id is another than before");
        }
        self.id = Some(id);
        self.rooms.insert(text(&event["room"]).ok_or("no `room`")?);
        match event["role"].as_str() {
            Some("host") => _ = self.hosted.insert(event["term"].as_u64().ok_or("no `term`")?),
            Some("peer") => {}
            _ => return Err("no such `role`"),
        }
        Ok(())
    }

    fn keep(&mut self, round: RoundView) -> Result<(), &'static str> {
        let number = round.number.ok_or("a strip came without a round")?;
        match self.rounds.insert(number, round) {
            Some(_) => Err("a round was played twice"),
            None => Ok(()),
        }
    }
}

impl RoundView {
    fn hold(&mut self, event: &Value) -> Result<(), &'static str> {
        let strip = event["tickets"].clone();
        match self.strip.replace(strip.clone()) {
            Some(before) if before != strip => Err("the strip is another than before"),
            _ => Ok(()),
        }
    }

    fn take(&mut self, event: &Value) -> Result<(), &'static str> {
        let calls_before = self.calls.len();
        match event["event"].as_str() {
            Some("called") => self.calls.push(Call {
                number: event["number"].as_u64().ok_or("no `number`")?,
                nickname: text(&event["nickname"]).ok_or("no `nickname`")?,
                index: event["index"].as_u64().ok_or("no `index`")?,
            }),
            Some("shout") => self.shouts.push(Shout {
                by: text(&event["by"]).ok_or("no `by`")?,
                numbers: numbers(&event["numbers"]).ok_or("no `numbers`")?.into_iter().collect(),
            }),
            Some("prize") => self.prizes.push(Prize {
                name: text(&event["prize"]).ok_or("no `prize`")?,
                winner: text(&event["winner"]).ok_or("no `winner`")?,
                calls_before,
            }),
            _ => {
                let end = End {
                    reason: text(&event["reason"]).ok_or("no `reason`")?,
                    winner: text(&event["winner"]),
                    called: numbers(&event["called"]).ok_or("no `called`")?,
                    calls_before,
                };
                if self.complete.replace(end).is_some() {
                    return Err("the round ended twice");
                }
            }
        }
        Ok(())
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn numbers(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}
