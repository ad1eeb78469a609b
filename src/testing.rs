//! Games on a simulated network and clock: test the loss of a host or a connection in milliseconds.
//!
//! A [`Rig`] runs any number of Bevy apps, each with the real plugin, session and client, against the relay's real hub,
//! in one thread. Frames travel as the text that they are on a socket. Nothing waits: time jumps from one event to the
//! next. All randomness comes from a seed, so a run that found a fault finds it again. It works the same in a browser.
//!
//! ```
//! use std::time::Duration;
//!
//! use bevy::prelude::*;
//! use bevy_rooms::{prelude::*, testing::Rig};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Resource, Clone, Default, Serialize, Deserialize)]
//! struct Score(u32);
//!
//! // What the game adds to its app. Your `main` calls the same function.
//! fn game(app: &mut App) {
//!     app.share_resource::<Score>();
//! }
//!
//! // Three players in one room; the first hosts it.
//! let (mut rig, [ada, ben, cy]) = Rig::room(7, ["ada", "ben", "cy"], game);
//!
//! // The host scores while the connection of one player is gone.
//! rig.cut(cy, Duration::from_secs(5));
//! rig.world_mut(ada).resource_mut::<Score>().0 = 40;
//! rig.run_until(Duration::from_secs(1), |rig| rig.resource::<Score>(ben).0 == 40)?;
//! assert_eq!(rig.resource::<Score>(cy).0, 0);
//!
//! // The player comes back by itself, and has missed nothing.
//! rig.run_until(Duration::from_secs(15), |rig| rig.resource::<Score>(cy).0 == 40)?;
//! let resumed = rig.recorded::<RoomResumed>(cy);
//! assert!(matches!(resumed, [RoomResumed { continuity: Continuity::Kept }]));
//! # Ok::<(), bevy_rooms::testing::TimedOut>(())
//! ```
//!
//! | what happens | how |
//! | --- | --- |
//! | a connection drops | [`cut`](Rig::cut), or a [`Fault`] with [`inflict`](Rig::inflict) |
//! | a connection is slow, unsteady or narrow, or its reader is too slow | [`set_link`](Rig::set_link) |
//! | players cannot reach the relay, and nobody notices | [`partition`](Rig::partition), [`heal`](Rig::heal) |
//! | a game hangs, and its connection goes on | [`stall`](Rig::stall), [`thaw`](Rig::thaw) |
//! | a process stands still | [`freeze`](Rig::freeze), [`thaw`](Rig::thaw) |
//! | a process dies, and is started again | [`kill`](Rig::kill), [`restart`](Rig::restart) |
//! | an app is closed | [`close`](Rig::close) |
//! | the relay dies, and is started again | [`restart_relay`](Rig::restart_relay) |
//! | random faults | [`set_faults`](Rig::set_faults) |
//!
//! The effects show in the apps' worlds: [`resource`](Rig::resource), [`state`](Rig::state), [`host`](Rig::host), and
//! for messages, which Bevy drops after two frames, [`recorded`](Rig::recorded). A condition that does not become true
//! gives a [`TimedOut`], which shows the state of each app.
//!
//! # Without apps
//!
//! [`SimNet`] is the same network for bare [`Client`](crate::client::Client)s.
//!
//! ```
//! use std::time::Duration;
//!
//! use bevy_rooms::{
//!     client::{Command, ConnectionState},
//!     testing::{Fault, SimNet},
//! };
//!
//! let mut net = SimNet::new(7);
//! let ada = net.add_client(SimNet::options("ada"));
//! net.command(ada, Command::Connect);
//! assert!(net.run_until(|net| net.client(ada).state() == ConnectionState::Connected, Duration::from_secs(1)));
//! net.inflict(ada, Fault::Cut);
//! net.run_for(Duration::from_secs(2));
//! assert_eq!(net.client(ada).state(), ConnectionState::Connected, "it is back");
//! assert_eq!(net.client(ada).stats().reconnects, 1);
//! ```

mod rig;

pub use rooms_sim::{ClientIndex, Direction, Fault, FaultKind, FaultPlan, LinkConditions, SimNet};

pub use self::rig::{AppIndex, Recorder, Rig, TimedOut};
