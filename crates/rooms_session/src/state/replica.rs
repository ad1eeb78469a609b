//! The local copy of the shared document, as it came over the wire, and the patches that do not fit yet.
//!
//! Every player keeps one. The host's holds what its own echo confirmed. A copy never goes back to a worse stamp.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use json_patch::Patch;
use smol_str::SmolStr;

use crate::{
    id::Stamp,
    state::document::{Changes, Document, MAX_SHARED_KEYS, MAX_SHARED_SIZE},
    state::json::json_size,
};

/// Most patches that wait for the state that they change. No more than a few come before a newcomer's welcome.
const MAX_KEPT: usize = 64;

/// Most bytes of JSON text in those patches.
const MAX_KEPT_SIZE: usize = 4 * MAX_SHARED_SIZE;

/// Largest document that is held, in bytes of JSON text: the shared values, and twice as much for a full roster.
const MAX_DOCUMENT_SIZE: usize = 3 * MAX_SHARED_SIZE;

/// How long the copy may stay behind a state that a lease announced, before the player asks for it.
pub(crate) const BEHIND: Duration = Duration::from_millis(300);

/// The document as far as it came over the wire.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    stamp: Option<Stamp>,
    document: Document,
    kept: VecDeque<Kept>,
    /// Whether a patch was dropped because there were too many.
    overflowed: bool,
    /// An upper bound of the document's size. It is measured again when patches could have led over the limit.
    size: usize,
    /// The keys of shared values that changed since somebody asked. Those that are gone may be left out.
    confirmed: BTreeSet<SmolStr>,
}

#[derive(Debug)]
struct Kept {
    base: Stamp,
    stamp: Stamp,
    patch: Patch,
    size: usize,
}

/// What became of a state that was offered.
#[derive(Debug, PartialEq)]
pub(crate) enum Offer {
    /// Applied, with all kept patches that then fitted.
    Applied(Changes),
    /// Kept: a patch onto a state that has not come yet.
    Kept,
    /// Dropped: not ahead of the copy.
    Stale,
    /// Dropped: the change cannot be made.
    Broken,
}

impl Replica {
    /// Which state this is. `None` if no state has come yet.
    pub(crate) fn stamp(&self) -> Option<&Stamp> {
        self.stamp.as_ref()
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// Lets the next snapshot count as ahead, whatever it is. The document stays until it comes.
    pub(crate) fn forget_stamp(&mut self) {
        self.stamp = None;
        self.kept.clear();
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Whether a patch was dropped since the last call because there were too many.
    pub(crate) fn take_overflowed(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    /// Whether a state is ahead of this one.
    pub(crate) fn is_behind(&self, stamp: &Stamp) -> bool {
        self.stamp.as_ref().is_none_or(|own| stamp.is_better_than(own))
    }

    /// Takes a snapshot if it is ahead.
    pub(crate) fn offer_snapshot(&mut self, stamp: Stamp, document: Document) -> Offer {
        if !self.is_behind(&stamp) {
            return Offer::Stale;
        }
        let size = json_size(&document);
        if size > MAX_DOCUMENT_SIZE || document.check().is_err() {
            return Offer::Broken;
        }
        let mut changes = Changes::between(&self.document, &document);
        (self.document, self.stamp, self.size) = (document, Some(stamp), size);
        self.apply_kept(&mut changes);
        self.note_confirmed(&changes);
        Offer::Applied(changes)
    }

    /// Takes a patch if it changes exactly the state that is here. Keeps it if that state may still come.
    pub(crate) fn offer_patch(&mut self, base: Stamp, stamp: Stamp, patch: Patch) -> Offer {
        if base.reign != stamp.reign || base.version >= stamp.version {
            return Offer::Broken;
        }
        if !self.is_behind(&stamp) {
            return Offer::Stale;
        }
        if self.stamp.as_ref() != Some(&base) {
            self.keep(base, stamp, patch);
            return Offer::Kept;
        }
        let Some(mut changes) = self.apply(stamp, &patch) else { return Offer::Broken };
        self.apply_kept(&mut changes);
        self.note_confirmed(&changes);
        Offer::Applied(changes)
    }

    /// Takes the keys of the shared values that changed since the last call.
    pub(crate) fn take_confirmed(&mut self) -> BTreeSet<SmolStr> {
        std::mem::take(&mut self.confirmed)
    }

    /// Notes which shared values changed. Nobody has to ask for them, so a host that names ever new keys must not fill the
    /// memory: they are no more than a document may have, and those of one change.
    fn note_confirmed(&mut self, changes: &Changes) {
        self.confirmed.extend(changes.shared.keys().cloned());
        if self.confirmed.len() > MAX_SHARED_KEYS {
            let shared = &self.document.shared;
            self.confirmed.retain(|key| shared.contains_key(key));
        }
    }

    fn keep(&mut self, base: Stamp, stamp: Stamp, patch: Patch) {
        if self.kept.iter().any(|kept| kept.stamp == stamp) {
            return;
        }
        let size = json_size(&patch);
        self.kept.push_back(Kept { base, stamp, patch, size });
        let over = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.size).sum::<usize>() > MAX_KEPT_SIZE;
        while self.kept.len() > MAX_KEPT || over(&self.kept) {
            self.kept.pop_front();
            self.overflowed = true;
        }
    }

    fn apply(&mut self, stamp: Stamp, patch: &Patch) -> Option<Changes> {
        let size = self.size.saturating_add(json_size(patch));
        self.size = if size > MAX_DOCUMENT_SIZE { json_size(&self.document) } else { size };
        if self.size > MAX_DOCUMENT_SIZE {
            return None;
        }
        let changes = self.document.apply(patch).ok()?;
        self.stamp = Some(stamp);
        Some(changes)
    }

    fn apply_kept(&mut self, changes: &mut Changes) {
        while let Some(at) = self.kept.iter().position(|kept| Some(&kept.base) == self.stamp.as_ref()) {
            let Some(Kept { stamp, patch, .. }) = self.kept.remove(at) else { break };
            if let Some(later) = self.apply(stamp, &patch) {
                changes.absorb(later);
            }
        }
        if let Some(own) = &self.stamp {
            self.kept.retain(|kept| kept.stamp.is_better_than(own));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Reign, Term, Version};

    fn stamp(term: u64, version: u64) -> Stamp {
        let reign = Reign { incarnation: "1".into(), term: Term(term), since: format!("{term}").as_str().into() };
        Stamp { reign, version: Version(version) }
    }

    fn patch(value: u64) -> Patch {
        serde_json::from_value(json!([{ "op": "add", "path": format!("/shared/v{value}"), "value": value }])).unwrap()
    }

    fn replica(version: u64) -> Replica {
        let mut replica = Replica::default();
        assert!(matches!(replica.offer_snapshot(stamp(1, version), Document::default()), Offer::Applied(_)));
        replica
    }

    #[test]
    fn a_patch_applies_only_onto_exactly_its_base() {
        let mut replica = replica(3);
        assert_eq!(replica.offer_patch(stamp(1, 4), stamp(1, 5), patch(5)), Offer::Kept);
        assert_eq!(replica.stamp(), Some(&stamp(1, 3)));
        assert_eq!(replica.offer_patch(stamp(2, 3), stamp(2, 4), patch(9)), Offer::Kept);
        let Offer::Applied(changes) = replica.offer_patch(stamp(1, 3), stamp(1, 4), patch(4)) else { panic!() };
        assert_eq!(changes.shared.keys().collect::<Vec<_>>(), ["v4", "v5"]);
        assert_eq!(replica.stamp(), Some(&stamp(1, 5)));
    }

    #[test]
    fn the_keys_that_changed_are_told_once_and_do_not_pile_up() {
        let mut replica = replica(3);
        assert_eq!(replica.offer_patch(stamp(1, 4), stamp(1, 5), patch(5)), Offer::Kept);
        assert!(replica.take_confirmed().is_empty(), "what waits is not confirmed");
        replica.offer_patch(stamp(1, 3), stamp(1, 4), patch(4));
        assert_eq!(replica.take_confirmed().into_iter().collect::<Vec<_>>(), ["v4", "v5"]);
        assert!(replica.take_confirmed().is_empty());
        for version in 5..5000 {
            let renamed = json!([{ "op": "remove", "path": format!("/shared/v{version}") },
                { "op": "add", "path": format!("/shared/v{}", version + 1), "value": 1 }]);
            let renamed = serde_json::from_value(renamed).unwrap();
            assert!(matches!(
                replica.offer_patch(stamp(1, version), stamp(1, version + 1), renamed),
                Offer::Applied(_)
            ));
        }
        assert!(replica.take_confirmed().len() <= MAX_SHARED_KEYS);
    }

    #[test]
    fn nothing_goes_back_to_a_worse_stamp() {
        let mut replica = replica(3);
        assert_eq!(replica.offer_snapshot(stamp(1, 3), Document::default()), Offer::Stale);
        assert_eq!(replica.offer_patch(stamp(1, 1), stamp(1, 2), patch(2)), Offer::Stale);
        assert!(matches!(replica.offer_snapshot(stamp(2, 1), Document::default()), Offer::Applied(_)));
        assert_eq!(replica.offer_snapshot(stamp(1, 99), Document::default()), Offer::Stale);
    }

    #[test]
    fn no_more_than_a_bounded_number_of_patches_is_kept() {
        let mut replica = replica(1);
        for version in 10..1000 {
            replica.offer_patch(stamp(1, version), stamp(1, version + 1), patch(version));
        }
        assert_eq!(replica.kept(), MAX_KEPT);
        replica.offer_snapshot(stamp(1, 2000), Document::default());
        assert_eq!(replica.kept(), 0);
    }

    #[test]
    fn a_patch_that_cannot_be_applied_or_goes_backwards_is_broken() {
        let mut replica = replica(3);
        let bogus = serde_json::from_value(json!([{ "op": "remove", "path": "/shared/none" }])).unwrap();
        assert_eq!(replica.offer_patch(stamp(1, 3), stamp(1, 4), bogus), Offer::Broken);
        assert_eq!(replica.offer_patch(stamp(1, 3), stamp(1, 3), patch(1)), Offer::Broken);
        assert_eq!(replica.stamp(), Some(&stamp(1, 3)));
    }
}
