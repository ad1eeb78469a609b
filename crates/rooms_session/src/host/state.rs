//! What a host keeps beside what everybody has: the document as it wants it, and what of it is not published yet.

use std::collections::BTreeMap;

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    MAX_PLAYERS, PlayerId, Reign, RoomRules, Seat, SessionError, Stamp, Version,
    host::control::Asked,
    requests::Intake,
    state::document::{
        Applied, Changes, Document, MAX_DEPTH, MAX_SHARED_KEYS, MAX_SHARED_SIZE, is_shallow, json_fits, json_size,
    },
    wire::message::{Nonce, StateBody},
};

/// Whether a host acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Leads anew: not before its first snapshot came back.
    Opening,
    /// Acts: its own words come back.
    Active,
    /// Does not act until a lease from this one on comes back.
    Suspended { from_beat: u64 },
    /// Missed something, or somebody claims its place: does not act until it has claimed to lead anew.
    Reclaiming,
    /// Has named a successor: does not act, and waits for its claim.
    HandingOver,
}

/// What a host keeps beside what everybody has.
#[derive(Debug)]
pub(crate) struct HostState {
    pub reign: Reign,
    pub phase: Phase,
    /// The document as the host has it, published or not. Changed through the setters alone, which note what was.
    pub working: Document,
    /// What differs from what was published last.
    unpublished: Changes,
    pub version: Version,
    /// The last state that may have reached anybody.
    published: Option<Stamp>,
    /// Who is to lead once everything is published.
    pub successor: Option<PlayerId>,
    /// Whether the next state goes out whole: nobody can be sure to have its base.
    pub snapshot_due: bool,
    /// Not before this, so that a server that refuses snapshots is not asked ten times a second.
    pub snapshot_at: Option<Instant>,
    /// What an own lease that came back announced, as long as the state itself did not.
    pub announced: Option<Stamp>,
    pub beat: u64,
    pub last_lease: Option<Instant>,
    /// When a process was last told that a newer one has its seat.
    pub last_superseded: Option<Instant>,
    shared_size: usize,
    pub intake: Intake,
    /// Which process of each player was admitted here.
    pub nonces: BTreeMap<PlayerId, Nonce>,
    /// Whom to welcome with the next state.
    pub welcomes: BTreeMap<PlayerId, Nonce>,
    /// When the next welcomes may go: each holds the whole document, so that a flood of hellos must not set their pace.
    pub welcome_at: Option<Instant>,
    /// When each player was admitted here or seen again last.
    pub seen: BTreeMap<PlayerId, Instant>,
    /// When the seats of those who are lost are given up.
    pub grace: BTreeMap<PlayerId, Instant>,
    /// About whom the game was asked.
    pub asked: Asked,
}

impl HostState {
    /// Leads on from `working`, the state `held`; without one the room is founded.
    pub(crate) fn new(reign: Reign, working: Document, held: Option<Stamp>) -> Self {
        Self {
            reign,
            phase: Phase::Opening,
            shared_size: working.shared.iter().map(|(key, value)| entry_size(key, value)).sum(),
            working,
            unpublished: Changes::default(),
            version: held.as_ref().map_or(Version::default(), |stamp| stamp.version),
            published: held,
            successor: None,
            snapshot_due: true,
            snapshot_at: None,
            announced: None,
            beat: 0,
            last_lease: None,
            last_superseded: None,
            intake: Intake::default(),
            nonces: BTreeMap::new(),
            welcomes: BTreeMap::new(),
            welcome_at: None,
            seen: BTreeMap::new(),
            grace: BTreeMap::new(),
            asked: Asked::default(),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// The best state that anybody may have of this host; `None` before a room's first.
    pub(crate) fn published(&self) -> Option<&Stamp> {
        self.published.as_ref()
    }

    /// Gives or takes a seat, and tells what was there.
    pub(crate) fn set_seat(&mut self, player: &PlayerId, seat: Option<Seat>) {
        self.working.set_seat(player, seat, &mut self.unpublished);
    }

    /// Makes room for a counter where those of players who vanished have filled the document.
    pub(crate) fn forget_a_vanished_player(&mut self) {
        if self.working.applied.len() < MAX_PLAYERS {
            return;
        }
        let vanished = self.working.applied.keys().find(|player| !self.working.roster.contains(player)).cloned();
        if let Some(player) = vanished {
            self.nonces.remove(&player);
            self.set_applied(&player, None);
        }
    }

    /// Sets or forgets how far a player's requests are applied.
    pub(crate) fn set_applied(&mut self, player: &PlayerId, applied: Option<Applied>) {
        self.working.set_applied(player, applied, &mut self.unpublished);
    }

    /// Sets the room's rules.
    pub(crate) fn set_rules(&mut self, rules: RoomRules) {
        self.working.set_rules(rules, &mut self.unpublished);
    }

    pub(crate) fn set_shared(&mut self, key: &str, value: Value) -> Result<(), SessionError> {
        let old = self.working.shared.get(key);
        if old == Some(&value) {
            return Ok(());
        }
        if !is_shallow(&value) {
            return Err(SessionError::TooDeep { kind: key.into(), max: MAX_DEPTH });
        }
        if old.is_none() && self.working.shared.len() >= MAX_SHARED_KEYS {
            return Err(SessionError::TooManyKeys { max: MAX_SHARED_KEYS });
        }
        let others = self.shared_size.saturating_sub(old.map_or(0, |old| entry_size(key, old)));
        let size = others.saturating_add(entry_size(key, &value));
        if size > MAX_SHARED_SIZE {
            return Err(SessionError::TooLarge { kind: key.into(), size, max: MAX_SHARED_SIZE });
        }
        self.shared_size = size;
        self.working.set_shared(&SmolStr::new(key), Some(value), &mut self.unpublished);
        Ok(())
    }

    /// Whether anything waits to be published.
    pub(crate) fn is_dirty(&self) -> bool {
        self.snapshot_due || !self.unpublished.is_empty()
    }

    /// The next state to publish, unless nothing is different after all.
    pub(crate) fn next_state(&mut self) -> Option<(Version, StateBody)> {
        let patch = std::mem::take(&mut self.unpublished).patch(&self.working);
        if !self.snapshot_due && patch.0.is_empty() {
            return None;
        }
        let version = Version(self.version.0.checked_add(1)?);
        // The base is as long in both forms of a large patch, so the bodies alone are compared.
        let whole = self.snapshot_due || json_fits(&self.working, json_size(&patch));
        let body = if whole {
            StateBody::Snapshot { snapshot: self.working.clone() }
        } else {
            StateBody::Patch { base: Stamp { reign: self.reign.clone(), version: self.version }, patch }
        };
        self.version = version;
        self.published = Some(Stamp { reign: self.reign.clone(), version });
        self.snapshot_due = false;
        self.snapshot_at = None;
        Some((version, body))
    }
}

fn entry_size(key: &str, value: &Value) -> usize {
    key.len().saturating_add(json_size(value))
}
