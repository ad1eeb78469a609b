//! A simulated network and clock: clients of the protocol and a relay's hub in one thread, with seeded faults.
//!
//! A [`SimNet`] is one relay, any number of bare [`Client`](rooms_client::Client)s, and the network between them. Frames travel as
//! the bytes that they are on a socket. Nothing waits: time jumps from one thing that happens to the next. All chance comes from a
//! seed, so a run that found a fault finds it again.
//!
//! ```
//! use std::time::Duration;
//!
//! use rooms_client::{Command, ConnectionState};
//! use rooms_sim::{Fault, SimNet};
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
mod halt;
mod net;
mod socket;
mod wire;

pub use self::{
    faults::{Direction, Fault, FaultKind, FaultPlan, LinkConditions},
    net::{ClientIndex, SimNet},
};

// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
