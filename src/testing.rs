//! Clients and a relay on simulated time and a simulated network, with faults from a seed.
//!
//! [`SimNet`] runs the real [`Client`](crate::client::Client) and the relay's real [`Hub`](crate::relay::Hub) in one
//! thread. Frames travel as the JSON text that they are on a socket. Nothing waits: time jumps to whatever happens
//! next, so minutes of play with faults take milliseconds, and a seed that found a fault finds it again.
//!
//! It is public so that a game can put its own rules to the same test.
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

mod faults;
mod net;
mod wire;

pub use self::{
    faults::{Direction, Fault, FaultKind, FaultPlan, LinkConditions},
    net::{ClientIndex, SimNet},
};
