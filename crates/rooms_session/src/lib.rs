//! A room, seen by one of its players: arriving, the roster, who hosts, the shared state, and messages.
//!
//! # What it is
//! A [`Session`] is one player's end of the room protocol, for host and peer alike. It is sans-IO: no socket, no clock,
//! no randomness of its own. It works on a [client](rooms_client): it takes the client's events and makes commands for it.
//!
//! # How to drive it
//! The client connects with the player's id as its client id and with echo. A session stands for one process of a player:
//! after [`SessionEvent::Closed`] make a new one, with a higher generation if the seat was ever taken.
//!
//! 1. Make it with [`Session::new`], a seed and the time. If the client is connected already, hand in its last
//!    [`Event::Connection`](rooms_client::Event::Connection) again, because it tells the connection's id.
//! 2. Once a frame, hand every event of the client to [`Session::handle_event`], then call [`Session::step`].
//! 3. Take everything from [`Session::poll_event`] and let the game act on it: [`Session::set_shared`],
//!    [`Session::send`].
//! 4. End the frame with [`Session::flush`]. What the host changed and sent in the frame goes out as one publish.
//! 5. Take everything from [`Session::poll_command`] and give it to the client.
//! 6. Without frames, come back at [`Session::poll_timeout`] at the latest. A session that is not stepped for
//!    [`SessionTiming::stall`] counts as frozen, and a host does not keep its lease.
//!
//! # What it does not do
//! It does not connect, and never blocks. It trusts the other players to follow the protocol, but not to be who they say:
//! the sender of a message is the one that the server stamped on it. Nothing that comes over the wire makes it panic or
//! grow without bound.
//!
//! # Words
//! * *generation*: counts the processes of one player. The highest has the player's seat. See [`Generation`].
//! * *incarnation*: one founding of a room, named by the serial of the claim that founded it.
//! * *term*: counts the hosts of one incarnation. See [`Term`].
//! * *reign*: one host's time: an incarnation, a term, and the claim that won the term. See [`Reign`].
//! * *stamp*: names one state of the room: a reign and a version. See [`Stamp`].
//! * *lease*: how long the peers keep a silent host. The host renews it with each lease message.
//! * *beat*: numbers a host's lease messages, so that it knows which one came back.
//! * *fence*: the time after which a host stops that does not receive its own messages. It is shorter than the lease.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Runs every `#[test]` of the crate in the browser.
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
mod server_clock;
mod session;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod timer;
mod wire;

pub use config::{Migration, PaceConfig, Profile, SessionConfig, SessionTiming, Wish};
pub use event::{
    Admission, CloseReason, Continuity, InterruptReason, LeaveReason, Refusal, SessionError, SessionEvent,
    SessionStatus, Target,
};
pub use id::{Generation, InvalidName, PlayerId, Reign, RoomName, Stamp, Term, Version, is_room_channel};
pub use lobby::directory::{LIST_CHANNEL, ListedRoom, MAX_LISTED, RoomDirectory};
pub use lobby::invite::{Invite, InviteError};
pub use lobby::names::{ANIMALS, CODE_LEN, CODE_LETTERS, random_player};
pub use server_clock::ServerClock;
pub use session::Session;
pub use state::document::{MAX_SHARED_KEYS, MAX_SHARED_SIZE};
pub use state::fingerprint::Fingerprint;
pub use state::json::MAX_DEPTH;
pub use state::roster::{MAX_PLAYERS, Roster, Seat, SeatStatus};
pub use state::rules::{DEFAULT_CAPACITY, Listing, MAX_BANS, MAX_REASON, MAX_TITLE, Newcomers, Removal, RoomRules};
pub use stats::{PaceStats, SessionStats};

// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
