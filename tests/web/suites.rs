//! The suites of the plugin, the channels and the client that need no operating system, in a browser: the same files that run
//! natively, with whole apps on a simulated network.

// Makes every `#[test]` of these files one of the browser's.
#[macro_use]
extern crate browser_test;

#[path = "../channels.rs"]
mod channels;
#[path = "../client_sim.rs"]
mod client_sim;
#[path = "../encodings.rs"]
mod encodings;
#[path = "../frames.rs"]
mod frames;
#[path = "../host_loss.rs"]
mod host_loss;
#[path = "../plugin.rs"]
mod plugin;
#[path = "../rig.rs"]
mod rig;
#[path = "../rooms/main.rs"]
mod rooms;
#[path = "../succession.rs"]
mod succession;
