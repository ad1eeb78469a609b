//! The cases about presence.
//!
//! Cases about the maps of members are told through frames and what the client says of them, since the maps are its own
//! affair. Cases about listeners are not here: whoever drives the client reads all events, and there is nobody to
//! register.

mod channel_state;
mod enter;
mod get;
mod history;
mod map;
mod own;
mod reentry;
mod subscribe;
mod sync;

use rooms_client::{Command, Event, MemberQuery, OperationId, PresenceCommand};
use rooms_protocol::{Data, ErrorInfo, Flags, PresenceAction, PresenceMessage};
use serde_json::{Value, json};

use crate::support::*;

const PRESENT: i64 = 1;
const ENTER: i64 = 2;
const LEAVE: i64 = 3;
const UPDATE: i64 = 4;

/// The server's word about `client` on `connection`: frame `serial` of that connection, at 1000 and as many more.
fn word(action: i64, connection: &str, client: &str, serial: i64) -> Value {
    json!({ "action": action, "clientId": client, "connectionId": connection, "timestamp": 1000 + serial,
        "id": format!("{connection}:{serial}:0"), "data": format!("{client}-{serial}") })
}

/// The same word with other fields.
fn with(mut word: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        word[name] = value.clone();
    }
    word
}

/// The server tells words about members of the channel `c`.
fn tell(bench: &mut Bench, words: &[Value]) {
    bench.receive(json!({ "action": 14, "channel": "c", "presence": words }));
}

/// The server tells a page of all members of the channel `c`.
fn page(bench: &mut Bench, cursor: &str, words: &[Value]) {
    bench.receive(json!({ "action": 16, "channel": "c", "channelSerial": cursor, "presence": words, "timestamp": 99 }));
}

/// A client that is attached, with a sync to come.
fn syncing() -> Bench {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::HAS_PRESENCE));
    bench.forget();
    bench
}

/// A client that knows alice on `c1` and bob on `c2`, as their connections' frame 0. What led there is forgotten.
fn with_alice_and_bob() -> Bench {
    let mut bench = syncing();
    page(&mut bench, "s:", &[word(PRESENT, "c1", "alice", 0), word(PRESENT, "c2", "bob", 0)]);
    bench.forget();
    bench
}

fn members(bench: &Bench) -> Vec<PresenceMessage> {
    bench.client.members(&"c".into()).cloned().collect()
}

fn name(word: &PresenceMessage) -> &str {
    word.client_id.as_ref().unwrap().as_str()
}

/// The names of the members, by connection.
fn names(bench: &Bench) -> Vec<String> {
    members(bench).iter().map(|word| name(word).to_owned()).collect()
}

/// What the members say about themselves, by connection.
fn data(bench: &Bench) -> Vec<String> {
    members(bench).into_iter().map(|word| word.data.unwrap().as_text().unwrap().to_owned()).collect()
}

/// What was told of members, as actions and names, and forgets all events.
fn news(bench: &mut Bench) -> Vec<(PresenceAction, String)> {
    bench.presence_words().iter().map(|word| (word.action, name(word).to_owned())).collect()
}

fn is_synced(bench: &Bench) -> bool {
    bench.client.members_synced(&"c".into())
}

fn ask(bench: &mut Bench, query: MemberQuery) {
    bench.command(Command::Members { operation: OperationId(77), channel: "c".into(), query });
}

fn at_once() -> MemberQuery {
    MemberQuery { wait_for_sync: false, ..MemberQuery::default() }
}

/// The answer to the last question, if there is one, and forgets all events.
fn answer(bench: &mut Bench) -> Option<Result<Vec<PresenceMessage>, ErrorInfo>> {
    bench.take_events().into_iter().find_map(|event| match event {
        Event::Members { operation: OperationId(77), outcome } => Some(outcome),
        _ => None,
    })
}

/// The names in the answer to the last question.
fn answered_names(bench: &mut Bench) -> Option<Vec<String>> {
    let words = answer(bench)?.unwrap();
    Some(words.iter().map(|word| name(word).to_owned()).collect())
}

fn enter(bench: &mut Bench, operation: u64, data: &str) {
    bench.presence(operation, PresenceCommand::Enter, Some(data.into()));
}

/// Enters, updates or leaves in the name of another member.
fn speak_for(bench: &mut Bench, client: &str, action: PresenceCommand, data: Option<&str>) {
    let (operation, channel, client_id) = (OperationId(1), "c".into(), client.into());
    bench.command(Command::PresenceFor { operation, channel, client_id, action, data: data.map(Data::from) });
}

/// The words that the client said, and forgets all frames.
fn said(bench: &mut Bench) -> Vec<PresenceMessage> {
    bench.take_sent().into_iter().flat_map(|frame| frame.presence).collect()
}

/// CONNECTED for a client that may be anybody.
fn connected_as_anybody(id: &str) -> Value {
    let mut frame = connected(id);
    frame["connectionDetails"]["clientId"] = json!("*");
    frame
}

/// A client that may be anybody, connected as `conn-1`.
fn anybody() -> Bench {
    let mut bench = Bench::connecting(anonymous());
    bench.open();
    bench.receive(connected_as_anybody("conn-1"));
    bench.forget();
    bench
}

/// The same, attached to the channel `c`.
fn anybody_attached() -> Bench {
    let mut bench = anybody();
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.forget();
    bench
}
