//! Who hosts: the claims, this player's turn to claim, and the best reign known.
//!
//! Each host leads in a *reign*. Its *incarnation* names the founding of the room, its *term* grows with every change of
//! host, and `since` names the claim that won it (see [`Reign`](crate::Reign)). A player that wants to lead sends a claim,
//! waits for its echo, and then for better claims; if none comes within the gather time it leads.

pub(crate) mod claim;
pub(crate) mod leadership;
pub(crate) mod turn;
