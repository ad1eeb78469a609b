//! What a player sees, told line by line: as JSON for scripts, or in words.
//!
//! Everything about the round is read off the shared state, never off the way: so a player that comes late or comes
//! back tells the same story as one that was there all the time.

use std::collections::HashSet;
#[cfg(not(target_arch = "wasm32"))]
use std::io::{self, Write};

use bevy::{platform::time::Instant, prelude::*};
use bevy_rooms::prelude::*;
use serde_json::{Value, json};

use crate::{
    caller::{call, nickname},
    net::{Hand, NoPrize, Shouted, Table},
    rules::{Prize, Status},
};

/// How to tell what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, for all players of this process.
    Json,
    /// Words, for the player of this process.
    Words,
    /// Nothing.
    Silent,
}

/// Tells what one player sees, on standard output.
#[derive(Resource, Clone, Debug)]
pub struct Reporter {
    /// How.
    pub format: Format,
    /// Whose view it is: the player's name.
    pub player: String,
    /// When this process started.
    pub started: Instant,
}

impl Reporter {
    fn tell(&self, event: &str, fields: Value, words: impl FnOnce() -> Option<String>) {
        let line = match self.format {
            Format::Silent => return,
            Format::Words => match words() {
                Some(line) => line,
                None => return,
            },
            Format::Json => {
                let at = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let mut object = json!({ "event": event, "at_ms": at, "player": self.player });
                if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
                    object.extend(fields);
                }
                object.to_string()
            }
        };
        print(&line);
    }
}

/// Writes a line to standard output, or to the browser's console.
fn print(line: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::page::print(line);
    // A reader that went away, such as `head`, is no reason to stop playing.
    #[cfg(not(target_arch = "wasm32"))]
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// What was told of the round.
#[derive(Debug, Default)]
struct Told {
    round: u32,
    strip_of: u32,
    called: usize,
    prizes: HashSet<Prize>,
    complete: bool,
}

/// Tells what happens.
pub struct ReportPlugin(pub Reporter);

impl Plugin for ReportPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone()).add_systems(
            PostUpdate,
            (tell_connection, tell_notice, tell_line, tell_room, tell_roster, tell_round, tell_refusals)
                .chain()
                .before(RoomsSystems::Collect),
        );
    }
}

/// Tells of each attempt to connect at once: how often it was tried, why the last try failed, and when the next one comes.
fn tell_connection(reporter: Res<Reporter>, mut changes: MessageReader<ConnectionChanged>) {
    for change in changes.read() {
        let state = format!("{:?}", change.current);
        let mut fields = json!({ "state": state, "attempt": change.attempt, "resumed": change.resumed });
        if let Some(wait) = change.retry_in {
            fields["retry_in_ms"] = json!(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(reason) = &change.reason {
            fields["reason"] = json!(reason.to_string());
        }
        reporter.tell("connection", fields, || None);
    }
}

/// Tells in words what is wrong and what happens next, when that becomes something else than before.
fn tell_notice(
    reporter: Res<Reporter>,
    (connection, room): (Res<Connection>, Res<Room>),
    mut told: Local<Option<(ConnectionState, u32, Option<InterruptReason>)>>,
) {
    // Of each try, it is told once that it failed.
    if told.is_some() && connection.state == ConnectionState::Connecting && connection.trouble.is_some() {
        return;
    }
    let notice = if connection.is_connected() { room.notice() } else { connection.notice() };
    let now = notice.is_some().then(|| (connection.state, connection.attempt, room.interruption.clone()));
    if *told != now {
        *told = now;
        // What a room is told when it is interrupted follows from its own event.
        reporter.tell("notice", json!({ "text": notice }), || notice.clone().map(|notice| format!("({notice})")));
    }
}

fn tell_line(
    reporter: Res<Reporter>,
    connection: Res<Connection>,
    mut told: Local<Option<String>>,
    mut interrupted: MessageReader<RoomInterrupted>,
    mut resumed: MessageReader<RoomResumed>,
) {
    if let Some(id) = &connection.id
        && connection.is_connected()
        && told.as_deref() != Some(id.as_str())
    {
        *told = Some(id.to_string());
        reporter.tell("connected", json!({ "connection_id": id }), || None);
    }
    for RoomInterrupted { reason } in interrupted.read() {
        reporter.tell("interrupted", json!({ "reason": reason.to_string() }), || None);
    }
    for RoomResumed { continuity } in resumed.read() {
        let word = match continuity {
            Continuity::Kept => "kept",
            Continuity::Lost => "lost",
        };
        reporter.tell("resumed", json!({ "continuity": word }), || Some("(back again)".to_owned()));
    }
}

fn tell_room(
    reporter: Res<Reporter>,
    (room, host, us): (Res<Room>, Res<Host>, Res<LocalPlayer>),
    state: Res<State<RoomState>>,
    mut in_room: Local<bool>,
    mut hosts: MessageReader<HostChanged>,
    mut closed: MessageReader<RoomClosed>,
) {
    let joined = *state.get() == RoomState::Joined;
    if joined && !*in_room {
        *in_room = true;
        let role = if host.is_us { "host" } else { "peer" };
        let fields = json!({ "room": room.name, "player_id": us.id, "role": role, "term": room.term });
        let name = room.name.as_ref().map(RoomName::as_str).unwrap_or_default();
        reporter.tell("joined", fields, || Some(format!("You are in the room {name}, as {role}.")));
    }
    for HostChanged { from, to, term } in hosts.read() {
        if let Some(from) = from {
            let fields = json!({ "from": from, "to": to, "term": term });
            reporter.tell("host_changed", fields, || Some(format!("{to} hosts now.")));
        }
    }
    for RoomClosed { reason } in closed.read() {
        *in_room = false;
        let text = reason.to_string();
        match reason {
            CloseReason::Refused(refusal) => {
                reporter.tell("refused", json!({ "reason": refusal.to_string() }), || Some(text));
            }
            CloseReason::NoHost | CloseReason::NotPresent(_) => {
                reporter.tell("refused", json!({ "reason": text }), || Some(text.clone()))
            }
            _ => reporter.tell("left", json!({ "reason": text }), || Some(format!("You are out of the room: {text}."))),
        }
    }
}

fn tell_roster(reporter: Res<Reporter>, roster: Res<Roster>) {
    if !roster.is_changed() || roster.is_empty() {
        return;
    }
    let status = |status| match status {
        PlayerStatus::Present => "present",
        PlayerStatus::Lost => "lost",
    };
    let players: Vec<Value> = roster
        .iter()
        .map(|player| {
            json!({
                "id": player.id, "name": player.profile.name,
                "status": status(player.status), "host": player.is_host,
            })
        })
        .collect();
    reporter.tell("roster", json!({ "players": players }), || {
        let names: Vec<&str> = roster.iter().map(|player| player.profile.name.as_str()).collect();
        Some(format!("In the room: {}.", names.join(", ")))
    });
}

fn tell_round(
    reporter: Res<Reporter>,
    (table, hand, roster): (Res<Confirmed<Table>>, Res<Hand>, Res<Roster>),
    mut told: Local<Told>,
    mut shouts: MessageReader<FromRoom<Shouted>>,
) {
    if table.round() != told.round {
        *told = Told { round: table.round(), strip_of: told.strip_of, ..default() };
        if told.round > 0 {
            let round = told.round;
            reporter.tell("round", json!({ "round": round }), || Some(format!("Round {round}: eyes down!")));
        }
    }
    if let Some(strip) = hand.strip().filter(|_| hand.round != told.strip_of) {
        told.strip_of = hand.round;
        reporter.tell("strip", json!({ "tickets": strip }), || Some(crate::headless::draw(strip)));
    }
    for (index, number) in table.called().iter().enumerate().skip(told.called) {
        let fields = json!({ "number": number, "nickname": nickname(*number), "index": index + 1 });
        reporter.tell("called", fields, || Some(call(*number)));
    }
    told.called = table.called().len();
    for shout in shouts.read() {
        let by = roster.name(&shout.by);
        reporter.tell("shout", json!({ "by": shout.by, "numbers": shout.marks }), || Some(format!("{by}: Bingo!")));
    }
    for (prize, winner) in table.prizes() {
        if told.prizes.insert(*prize) {
            let fields = json!({ "prize": prize, "winner": winner.id });
            reporter.tell("prize", fields, || Some(format!("{} wins: {prize}!", winner.name)));
        }
    }
    if table.status() == Status::Complete && !told.complete {
        told.complete = true;
        let winner = table.winner();
        let fields = json!({
            "reason": table.reason(), "winner": winner.map(|winner| &winner.id), "called": table.called(),
        });
        reporter.tell("complete", fields, || {
            let reason = table.reason().map(|reason| reason.to_string()).unwrap_or_default();
            Some(format!("The round is over: {reason}."))
        });
    }
}

fn tell_refusals(reporter: Res<Reporter>, mut refused: MessageReader<FromRoom<NoPrize>>) {
    if reporter.format == Format::Words {
        for refused in refused.read() {
            reporter.tell("", Value::Null, || Some(refused.message.0.to_string()));
        }
    }
}
