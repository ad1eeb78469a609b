//! The document that all players of a room share: seats, counters of applied requests, the room's rules, and the game's
//! values.
//!
//! Owns its shape, how two of them differ, and how a patch changes one. A patch is JSON Patch (RFC 6902) over the JSON
//! form `{ "roster": { player: seat }, "applied": { player: counter }, "rules": { name: rule }, "shared": { key: value } }`,
//! limited to `add`, `replace` and `remove` below one entry, because `copy` could double a document with every operation. It
//! applies whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation,
    jsonptr::{Pointer, PointerBuf},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use crate::{
    config::Migration,
    id::{Generation, PlayerId},
    state::json::{MAX_DEPTH, json_size},
    state::roster::{MAX_PLAYERS, Roster, Seat, SeatRecord},
    state::rules::RoomRules,
};

/// Most keys of the shared state.
pub const MAX_SHARED_KEYS: usize = 1000;

/// Most bytes of JSON text in the shared state's values. A newcomer gets them all, in fragments.
pub const MAX_SHARED_SIZE: usize = 1024 * 1024;

/// Levels of the document above a shared value.
const LEVELS_ABOVE: usize = 2;

const ROSTER: &str = "roster";
const APPLIED: &str = "applied";
const RULES: &str = "rules";
const SHARED: &str = "shared";

/// How far a player's requests are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// The process that numbered them.
    pub generation: Generation,
    /// The last one applied.
    pub sequence: u64,
}

/// What all players of a room share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    /// Who is in the room.
    #[serde(default)]
    pub roster: Roster,
    /// How far the requests are applied, also of players who vanished: they may come back and send one again.
    #[serde(default)]
    pub applied: BTreeMap<PlayerId, Applied>,
    /// What the host set.
    #[serde(default, skip_serializing_if = "RoomRules::is_unset")]
    pub rules: RoomRules,
    /// The game's values.
    #[serde(default)]
    pub shared: BTreeMap<SmolStr, Value>,
    /// What becomes of the room without its host. The founder chooses it, and it never changes.
    #[serde(default, skip_serializing_if = "Migration::is_default")]
    pub migration: Migration,
}

/// What a document held before it changed, for each entry that did.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub roster: BTreeMap<PlayerId, Option<Seat>>,
    pub applied: BTreeMap<PlayerId, Option<Applied>>,
    pub rules: Option<RoomRules>,
    pub shared: BTreeMap<SmolStr, Option<Value>>,
}

/// Why a patch or snapshot was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("a patch holds an operation other than add, replace and remove")]
    Operation,
    #[error("a patch points at nothing")]
    Path,
    #[error("an entry does not have the form that its place asks for")]
    Entry,
    #[error("the document would grow over its limits")]
    TooLarge,
}

impl Document {
    /// The last request of a player that was applied.
    pub(crate) fn applied(&self, player: &PlayerId) -> u64 {
        self.applied.get(player).map_or(0, |applied| applied.sequence)
    }

    /// Whether the document keeps to the limits.
    pub(crate) fn check(&self) -> Result<(), DocumentError> {
        let fits = self.roster.len() <= MAX_PLAYERS
            && self.applied.len() <= MAX_PLAYERS
            && self.shared.len() <= MAX_SHARED_KEYS;
        if fits && self.rules.are_bounded() { Ok(()) } else { Err(DocumentError::TooLarge) }
    }

    /// Gives or takes a seat, and notes in `changes` what was there.
    pub(crate) fn set_seat(&mut self, player: &PlayerId, seat: Option<Seat>, changes: &mut Changes) {
        let old = self.roster.set(player, seat);
        changes.roster.entry(player.clone()).or_insert(old);
    }

    /// Sets or forgets a counter, and notes in `changes` what was there.
    pub(crate) fn set_applied(&mut self, player: &PlayerId, applied: Option<Applied>, changes: &mut Changes) {
        let old = match applied {
            Some(applied) => self.applied.insert(player.clone(), applied),
            None => self.applied.remove(player),
        };
        changes.applied.entry(player.clone()).or_insert(old);
    }

    /// Sets the rules, and notes in `changes` what they were.
    pub(crate) fn set_rules(&mut self, rules: RoomRules, changes: &mut Changes) {
        if self.rules != rules {
            let old = std::mem::replace(&mut self.rules, rules);
            changes.rules.get_or_insert(old);
        }
    }

    /// Sets or removes a value, and notes in `changes` what was there.
    pub(crate) fn set_shared(&mut self, key: &SmolStr, value: Option<Value>, changes: &mut Changes) {
        let old = match value {
            Some(value) => self.shared.insert(key.clone(), value),
            None => self.shared.remove(key),
        };
        changes.shared.entry(key.clone()).or_insert(old);
    }

    /// Applies a patch, all of it or nothing. Returns what was there before.
    pub(crate) fn apply(&mut self, patch: &Patch) -> Result<Changes, DocumentError> {
        let mut edits = Edits::default();
        for operation in &patch.0 {
            edits.add(self, operation)?;
        }
        let Edits { roster, applied, rules, shared } = edits;
        let mut seats = Vec::with_capacity(roster.len());
        for (player, value) in roster {
            let record = value.map(serde_json::from_value::<SeatRecord>).transpose();
            let seat = record.map_err(|_| DocumentError::Entry)?.map(|record| record.with_player(player.clone()));
            seats.push((player, seat));
        }
        let mut counters = Vec::with_capacity(applied.len());
        for (player, value) in applied {
            let counter = value.map(serde_json::from_value::<Applied>).transpose();
            counters.push((player, counter.map_err(|_| DocumentError::Entry)?));
        }
        let rules = if rules.is_empty() { None } else { Some(edited(&self.rules, rules)?) };
        let grown = |have: usize, more: usize, max: usize| have.saturating_add(more) > max;
        let new_seats = seats.iter().filter(|(player, seat)| seat.is_some() && !self.roster.contains(player)).count();
        let new_counters = counters.iter().filter(|(player, _)| !self.applied.contains_key(player)).count();
        let new_keys = shared.iter().filter(|(key, _)| !self.shared.contains_key(*key)).count();
        if grown(self.roster.len(), new_seats, MAX_PLAYERS)
            || grown(self.applied.len(), new_counters, MAX_PLAYERS)
            || grown(self.shared.len(), new_keys, MAX_SHARED_KEYS)
        {
            return Err(DocumentError::TooLarge);
        }
        let mut changes = Changes::default();
        seats.into_iter().for_each(|(player, seat)| self.set_seat(&player, seat, &mut changes));
        counters.into_iter().for_each(|(player, counter)| self.set_applied(&player, counter, &mut changes));
        rules.into_iter().for_each(|rules| self.set_rules(rules, &mut changes));
        shared.into_iter().for_each(|(key, value)| self.set_shared(&key, value, &mut changes));
        Ok(changes)
    }
}

/// The entries that a patch touches, as they are after it.
#[derive(Default)]
struct Edits {
    roster: BTreeMap<PlayerId, Option<Value>>,
    applied: BTreeMap<PlayerId, Option<Value>>,
    rules: BTreeMap<String, Option<Value>>,
    shared: BTreeMap<SmolStr, Option<Value>>,
}

impl Edits {
    fn add(&mut self, document: &Document, operation: &PatchOperation) -> Result<(), DocumentError> {
        let path = operation.path();
        if path.count() > MAX_DEPTH + LEVELS_ABOVE {
            return Err(DocumentError::TooLarge);
        }
        let (section, rest) = path.split_front().ok_or(DocumentError::Path)?;
        let (key, inner) = rest.split_front().ok_or(DocumentError::Path)?;
        let key = key.decoded();
        let player = || PlayerId::new(&*key).map_err(|_| DocumentError::Entry);
        let slot = match &*section.decoded() {
            ROSTER => {
                let player = player()?;
                let now = || document.roster.get(&player).and_then(|seat| to_value(&SeatRecord::from(seat)));
                let now = if self.roster.contains_key(&player) { None } else { now() };
                self.roster.entry(player).or_insert(now)
            }
            APPLIED => {
                let player = player()?;
                let now = document.applied.get(&player).and_then(to_value);
                self.applied.entry(player).or_insert(now)
            }
            RULES => {
                let now = || document.rules.to_map().remove(&*key);
                let now = if self.rules.contains_key(&*key) { None } else { now() };
                self.rules.entry(key.into_owned()).or_insert(now)
            }
            SHARED => {
                let key = SmolStr::new(&*key);
                let now = || document.shared.get(&key).cloned();
                let now = if self.shared.contains_key(&key) { None } else { now() };
                self.shared.entry(key).or_insert(now)
            }
            // Later versions may share more. What is not known here is not kept.
            _ => return Ok(()),
        };
        edit(slot, operation, inner)
    }
}

/// The rules with these entries set or removed.
fn edited(rules: &RoomRules, edits: BTreeMap<String, Option<Value>>) -> Result<RoomRules, DocumentError> {
    let mut map = rules.to_map();
    for (name, rule) in edits {
        match rule {
            Some(rule) => map.insert(name, rule),
            None => map.remove(&name),
        };
    }
    let rules: RoomRules = serde_json::from_value(Value::Object(map)).map_err(|_| DocumentError::Entry)?;
    if rules.are_bounded() { Ok(rules) } else { Err(DocumentError::TooLarge) }
}

fn edit(slot: &mut Option<Value>, operation: &PatchOperation, inner: &Pointer) -> Result<(), DocumentError> {
    if inner.is_root() {
        match operation {
            PatchOperation::Add(add) => *slot = Some(add.value.clone()),
            PatchOperation::Replace(replace) if slot.is_some() => *slot = Some(replace.value.clone()),
            PatchOperation::Remove(_) if slot.is_some() => *slot = None,
            PatchOperation::Replace(_) | PatchOperation::Remove(_) => return Err(DocumentError::Path),
            _ => return Err(DocumentError::Operation),
        }
        return Ok(());
    }
    let value = slot.as_mut().ok_or(DocumentError::Path)?;
    let path = inner.to_buf();
    let operation = match operation {
        PatchOperation::Add(add) => PatchOperation::Add(AddOperation { path, value: add.value.clone() }),
        PatchOperation::Replace(replace) => {
            PatchOperation::Replace(ReplaceOperation { path, value: replace.value.clone() })
        }
        PatchOperation::Remove(_) => PatchOperation::Remove(RemoveOperation { path }),
        _ => return Err(DocumentError::Operation),
    };
    json_patch::patch(value, &[operation]).map_err(|_| DocumentError::Path)
}

impl Changes {
    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.roster.is_empty() && self.applied.is_empty() && self.rules.is_none() && self.shared.is_empty()
    }

    /// What `old` held, for each entry that differs in `new`.
    pub(crate) fn between(old: &Document, new: &Document) -> Self {
        fn differing<K: Ord + Clone, V: PartialEq + Clone>(
            old: impl Fn(&K) -> Option<V>,
            new: impl Fn(&K) -> Option<V>,
            keys: impl Iterator<Item = K>,
        ) -> BTreeMap<K, Option<V>> {
            let keys: BTreeSet<K> = keys.collect();
            let entries = keys.into_iter().map(|key| (old(&key), new(&key), key));
            entries.filter(|(old, new, _)| old != new).map(|(old, _, key)| (key, old)).collect()
        }
        let players = old.roster.iter().chain(new.roster.iter()).map(|seat| seat.player.clone());
        Self {
            roster: differing(|p| old.roster.get(p).cloned(), |p| new.roster.get(p).cloned(), players),
            applied: differing(
                |p| old.applied.get(p).copied(),
                |p| new.applied.get(p).copied(),
                old.applied.keys().chain(new.applied.keys()).cloned(),
            ),
            rules: (old.rules != new.rules).then(|| old.rules.clone()),
            shared: differing(
                |k| old.shared.get(k).cloned(),
                |k| new.shared.get(k).cloned(),
                old.shared.keys().chain(new.shared.keys()).cloned(),
            ),
        }
    }

    /// Adds what changed after this. For each entry the oldest value stays.
    pub(crate) fn absorb(&mut self, later: Self) {
        for (key, old) in later.roster {
            self.roster.entry(key).or_insert(old);
        }
        for (key, old) in later.applied {
            self.applied.entry(key).or_insert(old);
        }
        if let Some(old) = later.rules {
            self.rules.get_or_insert(old);
        }
        for (key, old) in later.shared {
            self.shared.entry(key).or_insert(old);
        }
    }

    /// The patch that leads from what was there before to `now`.
    pub(crate) fn patch(&self, now: &Document) -> Patch {
        let mut operations = Vec::new();
        for (player, old) in &self.roster {
            let record = |seat: &Seat| to_value(&SeatRecord::from(seat));
            let new = now.roster.get(player).and_then(record);
            differ(ROSTER, player.as_str(), old.as_ref().and_then(record).as_ref(), new.as_ref(), &mut operations);
        }
        for (player, old) in &self.applied {
            let (old, new) = (old.as_ref().and_then(to_value), now.applied.get(player).and_then(to_value));
            differ(APPLIED, player.as_str(), old.as_ref(), new.as_ref(), &mut operations);
        }
        if let Some(old) = &self.rules {
            let (old, new) = (old.to_map(), now.rules.to_map());
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            names.into_iter().for_each(|name| differ(RULES, name, old.get(name), new.get(name), &mut operations));
        }
        for (key, old) in &self.shared {
            differ(SHARED, key, old.as_ref(), now.shared.get(key), &mut operations);
        }
        Patch(operations)
    }
}

fn differ(section: &str, key: &str, old: Option<&Value>, new: Option<&Value>, operations: &mut Vec<PatchOperation>) {
    let path = PointerBuf::from_tokens([section, key]);
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => operations.push(PatchOperation::Add(AddOperation { path, value: new.clone() })),
        (Some(_), None) => operations.push(PatchOperation::Remove(RemoveOperation { path })),
        (Some(old), Some(new)) if old == new => {}
        (Some(old), Some(new)) => {
            let inner = json_patch::diff(old, new);
            // A list that shifts differs everywhere. Then the value itself is shorter than the operations that lead to it.
            if json_size(&inner) > json_size(new) {
                operations.push(PatchOperation::Replace(ReplaceOperation { path, value: new.clone() }));
                return;
            }
            operations.extend(inner.0.into_iter().map(|operation| match operation {
                PatchOperation::Add(add) => {
                    PatchOperation::Add(AddOperation { path: path.concat(&add.path), value: add.value })
                }
                PatchOperation::Replace(replace) => {
                    PatchOperation::Replace(ReplaceOperation { path: path.concat(&replace.path), value: replace.value })
                }
                PatchOperation::Remove(remove) => {
                    PatchOperation::Remove(RemoveOperation { path: path.concat(&remove.path) })
                }
                other => other,
            }));
        }
    }
}

/// The JSON form of something whose keys are text. It cannot fail, and `None` would only leave an entry out.
fn to_value(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::json::{is_shallow, json_fits};
    use crate::{Removal, state::roster::tests::seat};

    fn document(shared: Value) -> Document {
        let mut document = Document::default();
        let mut changes = Changes::default();
        document.set_seat(&PlayerId::new("ada").unwrap(), Some(seat("ada", 0)), &mut changes);
        let applied = Applied { generation: Generation(1), sequence: 3 };
        document.set_applied(&PlayerId::new("ada").unwrap(), Some(applied), &mut changes);
        document.shared = serde_json::from_value(shared).unwrap();
        document
    }

    #[test]
    fn a_patch_leads_from_one_document_to_the_other_and_touches_nothing_else() {
        let old = document(json!({ "score": { "ada": 1, "bob/2": [1, 2] }, "gone": 1, "same": [1, 2, 3] }));
        let mut new = document(json!({ "score": { "ada": 2, "bob/2": [1, 2, 3] }, "same": [1, 2, 3], "~new/": null }));
        new.set_seat(&PlayerId::new("bob").unwrap(), Some(seat("bob", 1)), &mut Changes::default());
        new.rules.capacity = Some(4);
        let patch = Changes::between(&old, &new).patch(&new);
        let mut patched = old.clone();
        let changes = patched.apply(&patch).unwrap();
        assert_eq!(patched, new);
        assert_eq!(changes, Changes::between(&old, &new));
        assert!(!serde_json::to_string(&patch).unwrap().contains("same"));
    }

    #[test]
    fn one_ban_more_is_told_without_the_others() {
        let mut old = document(json!({}));
        let ban = |player: &str| (PlayerId::new(player).unwrap(), Removal { reason: "r".repeat(99), generation: None });
        old.rules.removed = (0..100).map(|number| ban(&format!("p{number}"))).collect();
        let mut new = old.clone();
        new.rules.removed.extend([ban("eve")]);
        let patch = Changes::between(&old, &new).patch(&new);
        assert!(json_size(&patch) < 300, "{}", json_size(&patch));
        old.apply(&patch).unwrap();
        assert_eq!(old, new);
    }

    #[test]
    fn the_patch_of_a_list_that_shifts_is_no_longer_than_the_list() {
        let old = document(json!({ "queue": (0..100).collect::<Vec<_>>() }));
        let new = document(json!({ "queue": (1..101).collect::<Vec<_>>() }));
        let patch = Changes::between(&old, &new).patch(&new);
        assert_eq!(patch.0.len(), 1);
    }

    #[test]
    fn a_patch_that_fails_leaves_the_document_whole() {
        let whole = document(json!({ "a": { "b": 1 } }));
        for bogus in [
            json!([{ "op": "replace", "path": "/shared/a/b", "value": 2 }, { "op": "remove", "path": "/shared/x" }]),
            json!([{ "op": "copy", "from": "/shared/a", "path": "/shared/a/c" }]),
            json!([{ "op": "move", "from": "/shared/a", "path": "/shared/c" }]),
            json!([{ "op": "remove", "path": "" }]),
            json!([{ "op": "replace", "path": "/shared", "value": {} }]),
            json!([{ "op": "add", "path": "/roster/eve", "value": { "order": "first" } }]),
            json!([{ "op": "add", "path": "/roster/e:ve", "value": null }]),
            json!([{ "op": "add", "path": "/applied/ada/sequence", "value": -1 }]),
            json!([{ "op": "add", "path": "/shared/a/b/c/d", "value": -1 }]),
            json!([{ "op": "add", "path": "/rules/locked", "value": "maybe" }]),
            json!([{ "op": "add", "path": "/rules/removed", "value": { "e:ve": {} } }]),
        ] {
            let mut document = whole.clone();
            let patch = serde_json::from_value(bogus.clone()).unwrap();
            assert!(document.apply(&patch).is_err(), "{bogus}");
            assert_eq!(document, whole, "{bogus}");
        }
    }

    #[test]
    fn patches_cannot_grow_a_document_over_its_limits() {
        let mut document = document(json!({}));
        let many = (0..=MAX_SHARED_KEYS).map(|i| json!({ "op": "add", "path": format!("/shared/{i}"), "value": 1 }));
        let patch = serde_json::from_value(many.collect()).unwrap();
        assert_eq!(document.apply(&patch), Err(DocumentError::TooLarge));
        let deep = format!("/shared{}", "/a".repeat(200));
        let patch = serde_json::from_value(json!([{ "op": "add", "path": deep, "value": 1 }])).unwrap();
        assert_eq!(document.apply(&patch), Err(DocumentError::TooLarge));
    }

    #[test]
    fn sizes_are_those_of_the_text_and_depth_is_bounded() {
        let value = json!({ "a": [1, "zwei"] });
        let size = value.to_string().len();
        assert_eq!(json_size(&value), size);
        assert!(json_fits(&value, size) && !json_fits(&value, size - 1));
        let nested = |levels| (1..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(is_shallow(&nested(MAX_DEPTH)) && !is_shallow(&nested(MAX_DEPTH + 1)));
    }
}
