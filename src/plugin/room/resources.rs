//! The resources and components that a game reads about its room.

use std::time::Duration;

use bevy::prelude::*;

use crate::session::{InterruptReason, Migration, PlayerId, Profile, RoomName, RoomRules, Term};

/// Whether we are in a room, as a Bevy state: use `OnEnter`, `OnExit` and `in_state`.
#[derive(States, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RoomState {
    /// In no room.
    #[default]
    Outside,
    /// On the way into a room; not admitted yet.
    Arriving,
    /// In the room. The roster and the shared state are there.
    Joined,
}

/// The room we are in, or last were. [`Connection`](crate::plugin::Connection) tells how
/// the connection is.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Room {
    /// Its name; `None` before the first room.
    pub name: Option<RoomName>,
    /// The host's term. It also changes when the same host leads anew.
    pub term: Term,
    /// The settings of its host; the default outside a room. Change them with
    /// [`RoomControlExt`](crate::plugin::RoomControlExt), as host.
    pub rules: RoomRules,
    /// Whether the host asked us to wait until the running round is over. The host admits us then.
    pub waiting: bool,
    /// Whether nothing arrives for the moment, though we are in the room.
    pub interrupted: bool,
    /// Why nothing arrives, while it is interrupted. [`notice`](Self::notice) puts it into words.
    pub interruption: Option<InterruptReason>,
    /// How long the host has not been heard, in whole seconds, once it is longer than a host is ever silent; `None` while all is
    /// well, for the host itself, and without a connection.
    pub host_silence: Option<Duration>,
    /// What becomes of the room without its host.
    pub migration: Migration,
    /// Whether this app runs the relay of this machine; see [`Connect::Local`](crate::plugin::Connect::Local).
    pub runs_relay: bool,
}

/// The host of the room.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The host's id; `None` outside a room.
    pub player: Option<PlayerId>,
    /// Whether we are the host.
    pub is_us: bool,
}

/// Our own player.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct LocalPlayer {
    /// Our id. It stays the same from room to room.
    pub id: PlayerId,
    /// Our profile in the room we are in, or last were.
    pub profile: Profile,
    /// Our entity, while in a room.
    pub entity: Option<Entity>,
}

/// The players of the room, in order of admission.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Roster {
    pub(super) players: Vec<RosterEntry>,
}

impl Roster {
    /// The number of players, with lost ones.
    pub fn len(&self) -> usize {
        self.players.len()
    }

    /// Whether there is no player, as outside a room.
    pub fn is_empty(&self) -> bool {
        self.players.is_empty()
    }

    /// The players in order of admission.
    pub fn iter(&self) -> std::slice::Iter<'_, RosterEntry> {
        self.players.iter()
    }

    /// One player.
    pub fn get(&self, player: &PlayerId) -> Option<&RosterEntry> {
        self.players.iter().find(|entry| entry.id == *player)
    }

    /// The name of a player; its id if it is not on the roster.
    pub fn name<'a>(&'a self, player: &'a PlayerId) -> &'a str {
        self.get(player).map_or(player.as_str(), |entry| entry.profile.name.as_str())
    }
}

impl<'a> IntoIterator for &'a Roster {
    type Item = &'a RosterEntry;
    type IntoIter = std::slice::Iter<'a, RosterEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.players.iter()
    }
}

/// One player on the roster.
#[derive(Clone, Debug, PartialEq)]
pub struct RosterEntry {
    /// Who.
    pub id: PlayerId,
    /// Its profile.
    pub profile: Profile,
    /// Whether it is connected.
    pub status: PlayerStatus,
    /// Whether it is the host.
    pub is_host: bool,
    /// Whether it only watches the running round, because it came during the round.
    pub is_spectator: bool,
    /// Its entity.
    pub entity: Entity,
}

/// Whether a player is connected. A component of the player's entity.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Reflect)]
#[reflect(Component)]
pub enum PlayerStatus {
    /// It is connected.
    #[default]
    Present,
    /// Its connection is gone; the room keeps its seat for a while.
    Lost,
}

/// One player, as an entity. A game adds components of its own. They stay while the player is lost, and go with the
/// entity when the player leaves.
#[derive(Component, Clone, Debug, PartialEq, Eq, Reflect)]
#[require(PlayerStatus)]
#[reflect(Component)]
pub struct Player {
    /// Who.
    pub id: PlayerId,
}

/// Marks the entity of the host.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Component)]
pub struct HostPlayer;

/// Marks the entity of a player that only watches the running round, because it came during the round.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Component)]
pub struct Spectator;

/// Marks our own entity.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Component)]
pub struct OwnPlayer;

/// Sets the state if it differs. Setting it again would run `OnEnter` again.
pub(super) fn set_state(world: &mut World, state: RoomState) {
    NextState::set_if_neq(&mut world.resource_mut::<NextState<RoomState>>(), state);
}
