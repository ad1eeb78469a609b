//! The rules of a room: how many may come in, who may not, what becomes of latecomers, and what the public list shows.
//!
//! Owns their shape and their bounds. They are part of the shared document, so that the next host keeps them. The host
//! enforces them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    event::Refusal,
    id::{Generation, PlayerId},
    state::roster::MAX_PLAYERS,
};

/// Most players that are banned from a room at a time. Everyone who comes in reads them all.
pub const MAX_BANS: usize = 200;

/// Most kicks that are remembered. Those of the oldest processes are dropped first. A kick is done once the player was told.
const MAX_KICKS: usize = 64;

/// Longest reason that is kept of a kick or ban, in characters.
pub const MAX_REASON: usize = 200;

/// Longest title of a listed room, in characters.
pub const MAX_TITLE: usize = 64;

/// What becomes of players who come while a round runs. A player that has a seat keeps it in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Newcomers {
    /// They are admitted as players.
    #[default]
    Play,
    /// They are admitted as spectators, and become players with the next change to [`Play`](Self::Play).
    Spectate,
    /// The host asks them to wait. They are admitted by themselves with the next change to one of the others.
    Wait,
}

/// Why a player no longer has a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The reason that the host gave. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The process that was kicked: it and older ones stay out. `None`: a ban, for whatever process of the player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

impl Removal {
    /// Whether it holds for every process of the player.
    pub fn is_ban(&self) -> bool {
        self.generation.is_none()
    }

    fn covers(&self, generation: Generation) -> bool {
        self.generation.is_none_or(|kicked| generation <= kicked)
    }
}

/// What the game adds to a room's entry on the public list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The room's title, of at most 64 characters. A longer one is cut. It need not be unique.
    pub title: String,
    /// Whatever else the game wants shown, such as the map. Defaults to `null`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Listing {
    /// A listing with a title and nothing else.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), data: Value::Null }
    }

    /// The same with data of the game.
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
}

/// Most players of a room whose host sets no capacity: as many members as a channel may have, on a relay by default and on
/// Ably's cloud in general.
pub const DEFAULT_CAPACITY: usize = 200;

/// The rules of a room, as its host set them. They stay when another player takes the room over.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoomRules {
    /// Most seats. `None`: [`DEFAULT_CAPACITY`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    /// Whether nobody new is admitted.
    #[serde(skip_serializing_if = "is_default")]
    pub locked: bool,
    /// What becomes of those who come while a round runs.
    #[serde(skip_serializing_if = "is_default")]
    pub newcomers: Newcomers,
    /// Who was kicked or banned.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<PlayerId, Removal>,
    /// What the public list shows. `None`: the room is not on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
}

impl RoomRules {
    /// Most seats, those of the lost and of spectators included.
    pub fn capacity(&self) -> usize {
        self.capacity.map_or(DEFAULT_CAPACITY, |capacity| capacity.clamp(1, MAX_PLAYERS))
    }

    /// Who is banned.
    pub fn bans(&self) -> impl Iterator<Item = &PlayerId> {
        self.removed.iter().filter(|(_, removal)| removal.is_ban()).map(|(player, _)| player)
    }

    /// Why this process of a player may not be in the room. `None` if it may.
    pub fn removal(&self, player: &PlayerId, generation: Generation) -> Option<&Removal> {
        self.removed.get(player).filter(|removal| removal.covers(generation))
    }

    /// Why this newcomer is not let in. `None` if the rules allow it.
    pub(crate) fn refusal(&self, player: &PlayerId, generation: Generation, seats: usize) -> Option<Refusal> {
        if let Some(removal) = self.removal(player, generation) {
            let reason = removal.reason.clone();
            return Some(if removal.is_ban() { Refusal::Banned { reason } } else { Refusal::Kicked { reason } });
        }
        if self.locked {
            return Some(Refusal::Locked);
        }
        let limit = self.capacity();
        (seats >= limit).then_some(Refusal::Full { limit })
    }

    /// Notes a kick or ban. A ban outweighs a kick.
    pub(crate) fn remove(&mut self, player: &PlayerId, mut removal: Removal) {
        cut(&mut removal.reason, MAX_REASON);
        if !removal.is_ban() && self.removed.get(player).is_some_and(Removal::is_ban) {
            return;
        }
        self.removed.insert(player.clone(), removal);
        let kicks = self.removed.iter().filter_map(|(player, removal)| Some((removal.generation?, player)));
        if kicks.clone().count() > MAX_KICKS
            && let Some(oldest) = kicks.min().map(|(_, player)| player.clone())
        {
            self.removed.remove(&oldest);
        }
    }

    /// Whether nobody has set any.
    pub(crate) fn is_unset(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the rules keep to their bounds.
    pub(crate) fn are_bounded(&self) -> bool {
        self.removed.len() <= MAX_BANS + MAX_KICKS
    }

    /// The rules by name, those that differ from the default. Their keys are text, so that this cannot fail.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }
}

/// Cuts a text that is longer than it may be.
pub(crate) fn cut(text: &mut String, most: usize) {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn player(name: &str) -> PlayerId {
        PlayerId::new(name).unwrap()
    }

    fn kick(generation: u64) -> Removal {
        Removal { reason: "rude".into(), generation: Some(Generation(generation)) }
    }

    #[test]
    fn rules_that_nobody_set_take_no_space_and_what_is_left_out_is_the_default() {
        assert_eq!(serde_json::to_value(RoomRules::default()).unwrap(), json!({}));
        assert_eq!(serde_json::from_value::<RoomRules>(json!({ "later": 1 })).unwrap(), RoomRules::default());
    }

    #[test]
    fn a_kick_is_for_one_process_and_those_before_it_and_a_ban_for_all() {
        let mut rules = RoomRules::default();
        rules.remove(&player("bob"), kick(5));
        assert!(rules.removal(&player("bob"), Generation(5)).is_some());
        assert!(rules.removal(&player("bob"), Generation(6)).is_none());
        rules.remove(&player("bob"), Removal { reason: String::new(), generation: None });
        rules.remove(&player("bob"), kick(7));
        assert!(rules.removal(&player("bob"), Generation(9)).is_some_and(Removal::is_ban), "a kick lifts no ban");
        assert!(rules.removal(&player("ada"), Generation(1)).is_none());
    }

    #[test]
    fn kicks_give_way_to_later_ones_and_reasons_are_cut() {
        let mut rules = RoomRules::default();
        rules.remove(&player("eve"), Removal { reason: "ü".repeat(500), generation: None });
        assert_eq!(rules.removed[&player("eve")].reason.chars().count(), MAX_REASON);
        for number in 0..500 {
            rules.remove(&player(&format!("p{number}")), kick(number));
        }
        assert_eq!(rules.removed.len(), MAX_KICKS + 1);
        assert!(rules.removed.contains_key(&player("p499")) && rules.removed.contains_key(&player("eve")));
        assert!(rules.are_bounded());
    }
}
