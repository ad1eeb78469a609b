//! What a game reads about the room it is in.

use bevy::prelude::*;

use crate::session::{PlayerId, Profile, RoomName, RoomRules, Term};

/// Whether we are in a room, as a Bevy state: use `OnEnter`, `OnExit` and `in_state`.
#[derive(States, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RoomState {
    /// In no room.
    #[default]
    Outside,
    /// Asked for a room; not let in yet.
    Arriving,
    /// In the room: roster and shared state are there.
    Joined,
}

/// The room we are in, or last were. How the connection does is in [`Connection`](crate::plugin::Connection).
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Room {
    /// Its name; `None` before the first.
    pub name: Option<RoomName>,
    /// The present host's term; also where the same host leads anew.
    pub term: Term,
    /// What its host set; the default outside a room. Change it with
    /// [`RoomControlExt`](crate::plugin::RoomControlExt), as host.
    pub rules: RoomRules,
    /// Whether the host asked us to wait until the running round is over. We are admitted by ourselves then.
    pub waiting: bool,
    /// Whether nothing comes in for the moment, though we are in the room.
    pub interrupted: bool,
    /// Whether this app runs the relay of this machine; see [`Connect::Local`](crate::plugin::Connect::Local).
    pub runs_relay: bool,
}

/// Who leads the room.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Who; `None` outside a room.
    pub player: Option<PlayerId>,
    /// Whether that is us.
    pub is_us: bool,
}

/// Who we are.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct LocalPlayer {
    /// Our id. It stays the same from room to room.
    pub id: PlayerId,
    /// How we show ourselves, in the room we are in or last were.
    pub profile: Profile,
    /// Our entity, while in a room.
    pub entity: Option<Entity>,
}

/// The players that the host admitted, in order of admission.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Roster {
    pub(super) players: Vec<RosterEntry>,
}

impl Roster {
    /// How many there are, lost ones too.
    pub fn len(&self) -> usize {
        self.players.len()
    }

    /// Whether there is nobody, as outside a room.
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

    /// The name that a player shows; its id where it is not on the roster.
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
    /// How the player shows itself.
    pub profile: Profile,
    /// Whether its connection stands.
    pub status: PlayerStatus,
    /// Whether it leads.
    pub is_host: bool,
    /// Whether it only watches the running round, since it came while that ran.
    pub is_spectator: bool,
    /// Its entity.
    pub entity: Entity,
}

/// Whether a player's connection stands. A component of the player's entity.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Reflect)]
#[reflect(Component)]
pub enum PlayerStatus {
    /// It stands.
    #[default]
    Present,
    /// It is gone; the seat is kept for a while.
    Lost,
}

/// One player, as an entity. A game adds components of its own; they stay while the player is lost, and go with the
/// entity when it left.
#[derive(Component, Clone, Debug, PartialEq, Eq, Reflect)]
#[require(PlayerStatus)]
#[reflect(Component)]
pub struct Player {
    /// Who.
    pub id: PlayerId,
}

/// Marks the entity of the player that leads.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Component)]
pub struct HostPlayer;

/// Marks the entity of a player that only watches the running round, since it came while that ran.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Component)]
pub struct Spectator;

/// Marks our own entity.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Component)]
pub struct OwnPlayer;

/// Setting the state that is there already would run `OnEnter` again.
pub(super) fn set_state(world: &mut World, state: RoomState) {
    NextState::set_if_neq(&mut world.resource_mut::<NextState<RoomState>>(), state);
}
