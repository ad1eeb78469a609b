//! Random names for rooms and players.

use crate::{
    plugin::entropy::random_seed,
    session::{self, RoomName},
};

/// A room's name of three random animals, such as `otter-badger-fox`.
pub fn random_room() -> RoomName {
    RoomName::random_animals(random_seed())
}

/// A room's name that is a short code, easy to say and to type, such as `km4-rx7`; [`RoomName::shown`] gives it in
/// capitals.
pub fn random_code() -> RoomName {
    RoomName::random_code(random_seed())
}

/// A player's name of two random animals, such as `Otter Fox`.
pub fn random_name() -> String {
    session::random_player(random_seed())
}
