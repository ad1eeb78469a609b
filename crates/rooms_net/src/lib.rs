//! The way from a game to the network: sockets, and the background task that drives a client over them.
//!
//! * [`transport`]: sockets, native, the browser's and in memory, which carry frames as WebSocket messages.
//! * [`bridge`]: the background task that owns a [`Client`](rooms_client::Client), and bounded queues to the game's loop.
//!
//! Neither knows a game engine: a bot or a tool uses them as a game does.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

pub mod bridge;
pub mod transport;
/// Timers and listeners of a browser. Not a part of the promised interface.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod web;

// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
