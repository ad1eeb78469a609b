//! A room, seen by one of its players: arriving, the roster, who hosts, the shared state, and messages.
//!
//! # What it is
//! A [`Session`] is one player's end of the room protocol, for host and peer alike. It is sans-IO: no socket, no clock,
//! no randomness of its own. It speaks through a [client](rooms_client), whose events it is given and whose commands it
//! makes.
//!
//! # How to drive it
//! The client connects with the player's id as its client id and with echo. A session stands for one process of a player:
//! after [`SessionEvent::Closed`] make a new one, with a higher generation if the seat was ever taken.
//!
//! 1. Make it with [`Session::new`], a seed and the time. If the client is connected already, hand in its last
//!    [`Event::Connection`] again, since it tells the connection's id.
//! 2. Once a frame, hand every event of the client to [`Session::handle_event`], then call [`Session::step`].
//! 3. Take everything from [`Session::poll_event`] and let the game act on it: [`Session::set_shared`],
//!    [`Session::send`].
//! 4. End the frame with [`Session::flush`]. What the host changed and said in the frame goes out as one publish.
//! 5. Take everything from [`Session::poll_command`] and give it to the client.
//! 6. Without frames, come back at [`Session::poll_timeout`] at the latest. A session that is not stepped for
//!    [`SessionTiming::stall`] is taken for a frozen one, and its host's lease is not kept.
//!
//! # What it does not do
//! It does not connect, and never blocks. It trusts those it shares a room with to follow the protocol, though not to be
//! who they say: the sender of a message is what the server stamped on it. Nothing that comes over the wire makes it
//! panic or grow without bound.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod config;
mod connectivity;
mod context;
mod election;
mod event;
mod feed;
mod host;
mod id;
mod lobby;
mod peer;
mod requests;
mod session;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod timer;
mod wire;

pub use config::{Migration, Profile, SessionConfig, SessionTiming, Wish};
pub use event::{
    Admission, CloseReason, Continuity, InterruptReason, LeaveReason, Refusal, SessionError, SessionEvent,
    SessionStatus, Target,
};
pub use id::{Generation, InvalidName, PlayerId, Reign, RoomName, Stamp, Term, Version, is_room_channel};
pub use lobby::directory::{LIST_CHANNEL, ListedRoom, MAX_LISTED, RoomDirectory};
pub use lobby::invite::{Invite, InviteError};
pub use lobby::names::{ANIMALS, CODE_LEN, CODE_LETTERS, random_player};
pub use session::Session;
pub use state::document::{MAX_SHARED_KEYS, MAX_SHARED_SIZE};
pub use state::fingerprint::Fingerprint;
pub use state::json::MAX_DEPTH;
pub use state::roster::{MAX_PLAYERS, Roster, Seat, SeatStatus};
pub use state::rules::{DEFAULT_CAPACITY, Listing, MAX_BANS, MAX_REASON, MAX_TITLE, Newcomers, Removal, RoomRules};
pub use stats::SessionStats;
