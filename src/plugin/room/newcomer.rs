//! A player that asks to be admitted.

use crate::session::{PlayerId, Profile};

/// A new player that wants to enter the room that we host. A rule of
/// [`add_admission_rule`](crate::plugin::RoomsAppExt::add_admission_rule) decides about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Newcomer {
    /// Its id, as the server stamped it.
    pub player: PlayerId,
    /// Its profile.
    pub profile: Profile,
}
