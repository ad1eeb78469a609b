//! Somebody who asks to be let in.

use crate::session::{PlayerId, Profile};

/// Somebody new who wants into the room that we host, as a rule of
/// [`add_admission_rule`](crate::plugin::RoomsAppExt::add_admission_rule) is asked about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Newcomer {
    /// Who, as the server stamped it.
    pub player: PlayerId,
    /// How the player shows itself.
    pub profile: Profile,
}
