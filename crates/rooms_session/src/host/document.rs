//! The document as the host wants it, and what of it is not published yet.
//!
//! Owns the changes since the last publish. Every setter notes what was there before, so that a patch can be made.

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    event::SessionError,
    id::{PlayerId, Reign, Stamp, Version},
    state::{
        document::{Applied, Changes, Document, MAX_SHARED_KEYS, MAX_SHARED_SIZE},
        json::{MAX_DEPTH, is_shallow, json_fits, json_size},
        roster::{MAX_PLAYERS, Seat},
        rules::RoomRules,
    },
    wire::message::StateBody,
};

/// The document as the host wants it.
#[derive(Debug)]
pub(crate) struct WorkingDocument {
    document: Document,
    /// What differs from the state that was published last.
    unpublished: Changes,
    version: Version,
    /// The last state that may have reached anybody.
    published: Option<Stamp>,
    /// Whether the next state goes out whole, because it is not certain that the others have its base.
    snapshot_due: bool,
    /// The next state does not go out before this, so that a server that refuses snapshots does not get ten in a second.
    snapshot_at: Option<Instant>,
    shared_size: usize,
}

impl WorkingDocument {
    /// Goes on from `document`, the state `held`. The room is founded if there is none.
    pub(super) fn new(document: Document, held: Option<Stamp>) -> Self {
        Self {
            shared_size: document.shared.iter().map(|(key, value)| entry_size(key, value)).sum(),
            document,
            unpublished: Changes::default(),
            version: held.as_ref().map_or(Version::default(), |stamp| stamp.version),
            published: held,
            snapshot_due: true,
            snapshot_at: None,
        }
    }

    /// The document, published or not.
    pub(super) fn get(&self) -> &Document {
        &self.document
    }

    /// The version that was published last.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The best state that anybody may have of this host. `None` before a room's first.
    pub(super) fn published(&self) -> Option<&Stamp> {
        self.published.as_ref()
    }

    /// Gives or takes a seat.
    pub(super) fn set_seat(&mut self, player: &PlayerId, seat: Option<Seat>) {
        self.document.set_seat(player, seat, &mut self.unpublished);
    }

    /// Sets or forgets how far a player's requests are applied.
    pub(super) fn set_applied(&mut self, player: &PlayerId, applied: Option<Applied>) {
        self.document.set_applied(player, applied, &mut self.unpublished);
    }

    /// A player without a seat whose counter has to make way for a new one.
    pub(super) fn superfluous_counter(&self) -> Option<PlayerId> {
        if self.document.applied.len() < MAX_PLAYERS {
            return None;
        }
        self.document.applied.keys().find(|player| !self.document.roster.contains(player)).cloned()
    }

    /// Sets the room's rules.
    pub(super) fn set_rules(&mut self, rules: RoomRules) {
        self.document.set_rules(rules, &mut self.unpublished);
    }

    /// Sets a value of the game.
    pub(super) fn set_shared(&mut self, key: &str, value: Value) -> Result<(), SessionError> {
        let old = self.document.shared.get(key);
        if old == Some(&value) {
            return Ok(());
        }
        if !is_shallow(&value) {
            return Err(SessionError::TooDeep { kind: key.into(), max: MAX_DEPTH });
        }
        if old.is_none() && self.document.shared.len() >= MAX_SHARED_KEYS {
            return Err(SessionError::TooManyKeys { max: MAX_SHARED_KEYS });
        }
        let others = self.shared_size.saturating_sub(old.map_or(0, |old| entry_size(key, old)));
        let size = others.saturating_add(entry_size(key, &value));
        if size > MAX_SHARED_SIZE {
            return Err(SessionError::TooLarge { kind: key.into(), size, max: MAX_SHARED_SIZE });
        }
        self.shared_size = size;
        self.document.set_shared(&SmolStr::new(key), Some(value), &mut self.unpublished);
        Ok(())
    }

    /// Publishes the next state whole.
    pub(super) fn demand_snapshot(&mut self, not_before: Option<Instant>) {
        self.snapshot_due = true;
        self.snapshot_at = not_before;
    }

    /// Publishes the next state whole. The time at which it may go out stays.
    pub(super) fn repeat_snapshot(&mut self) {
        self.snapshot_due = true;
    }

    /// Whether the next state goes out whole.
    pub(super) fn is_snapshot_due(&self) -> bool {
        self.snapshot_due
    }

    /// The next state does not go out before this.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.snapshot_at
    }

    /// Whether anything waits to be published.
    pub(super) fn is_dirty(&self) -> bool {
        self.snapshot_due || !self.unpublished.is_empty()
    }

    /// Takes the next state to publish, unless nothing is different after all.
    pub(super) fn next_state(&mut self, reign: &Reign) -> Option<(Version, StateBody)> {
        let patch = std::mem::take(&mut self.unpublished).patch(&self.document);
        if !self.snapshot_due && patch.0.is_empty() {
            return None;
        }
        let version = Version(self.version.0.checked_add(1)?);
        // The base is as long in both forms of a large patch, so it is enough to compare the bodies.
        let whole = self.snapshot_due || json_fits(&self.document, json_size(&patch));
        let body = if whole {
            StateBody::Snapshot { snapshot: self.document.clone() }
        } else {
            StateBody::Patch { base: Stamp { reign: reign.clone(), version: self.version }, patch }
        };
        self.version = version;
        self.published = Some(Stamp { reign: reign.clone(), version });
        self.snapshot_due = false;
        self.snapshot_at = None;
        Some((version, body))
    }
}

fn entry_size(key: &str, value: &Value) -> usize {
    key.len().saturating_add(json_size(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::Term;

    fn reign() -> Reign {
        Reign { incarnation: "1".into(), term: Term(1), since: "1".into() }
    }

    #[test]
    fn the_first_state_is_whole_and_the_next_ones_are_patches() {
        let mut working = WorkingDocument::new(Document::default(), None);
        working.set_shared("long", json!("x".repeat(200))).unwrap();
        assert!(matches!(working.next_state(&reign()), Some((Version(1), StateBody::Snapshot { .. }))));
        assert!(!working.is_dirty() && working.next_state(&reign()).is_none());
        working.set_shared("score", json!(1)).unwrap();
        let Some((version, StateBody::Patch { base, .. })) = working.next_state(&reign()) else { panic!() };
        assert_eq!((base.version, version), (Version(1), Version(2)));
        assert_eq!(working.published().map(|stamp| stamp.version), Some(Version(2)));
    }

    #[test]
    fn a_change_that_is_taken_back_is_not_published() {
        let mut working = WorkingDocument::new(Document::default(), None);
        working.set_shared("score", json!(1)).unwrap();
        working.next_state(&reign());
        working.set_shared("score", json!(2)).unwrap();
        working.set_shared("score", json!(1)).unwrap();
        assert!(working.is_dirty());
        assert!(working.next_state(&reign()).is_none());
    }

    #[test]
    fn values_over_the_limit_are_refused_and_those_replaced_do_not_count() {
        let mut working = WorkingDocument::new(Document::default(), None);
        let half = json!("x".repeat(MAX_SHARED_SIZE / 2));
        working.set_shared("a", half.clone()).unwrap();
        assert!(matches!(working.set_shared("b", half.clone()), Err(SessionError::TooLarge { .. })));
        working.set_shared("a", json!(1)).unwrap();
        working.set_shared("b", half).unwrap();
    }
}
