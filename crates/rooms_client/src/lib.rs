//! The realtime client: one connection, its channels and its presence, as a state machine without I/O.
//!
//! Owns what the specification asks of a client: the states of the connection with their timers, resuming, channels
//! that are attached again, members, and the outbox with its acknowledgements. Opens no socket, reads no clock, starts
//! no thread, and knows nothing of rooms. The crate `rooms_net` drives it over real sockets, `rooms_sim`
//! on simulated time. Both do so through [`driver::Pump`], which adds the encoding of frames and the traffic counters.
//!
//! # How to drive it
//!
//! 1. Make a [`Client`] with its options and a seed. Nothing happens before [`Command::Connect`].
//! 2. Hand in what happened, one thing at a time, with the present time: a command, or an event of a socket through
//!    [`handle_opened`](Client::handle_opened), [`handle_frame`](Client::handle_frame),
//!    [`handle_activity`](Client::handle_activity), [`handle_malformed`](Client::handle_malformed) and
//!    [`handle_closed`](Client::handle_closed).
//! 3. After each, take [`poll_output`](Client::poll_output) until it gives `None`, and do what it says, in order.
//! 4. Take [`poll_event`](Client::poll_event) until it gives `None`. Both queues are empty before the next step; that
//!    is what bounds them.
//! 5. Wait for the next thing to happen, no longer than until [`poll_timeout`](Client::poll_timeout); then call
//!    [`handle_timeout`](Client::handle_timeout). Calling it early or late does no harm.
//!
//! The client ignores events of a socket that is not the current one. So a driver may report events of sockets that it was
//! told to shut.
//!
//! # How it is built
//!
//! [`Client`] owns parts and passes each input to the part that it concerns. A part owns its state. It takes a small context,
//! and returns what the client is to do next where that concerns other parts.
//!
//! | part | what it owns |
//! | --- | --- |
//! | `connection` | the state of the connection, its hosts, its pings |
//! | `auth` | the token, and the request for the next one |
//! | `channel` | the channels with their members and ciphers |
//! | `http` | requests over HTTP, and the host that they begin with |
//! | `outbox` | what waits to be sent or acknowledged |
//! | `effects` | the current socket, and the queues to the driver and to the game |
//! | `timer` | all timers |

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod agent;
mod auth;
mod channel;
mod client;
mod command;
mod connection;
mod context;
pub mod driver;
mod effects;
mod error;
mod event;
mod http;
mod options;
mod outbox;
mod output;
mod timer;

#[cfg(test)]
mod tests;

pub use self::{
    agent::AppSide,
    auth::token::{MAX_TOKEN_SIZE, TokenAnswer, TokenCallback, TokenDetails, TokenFuture, TokenParams, TokenRequest},
    channel::{
        cipher::{CipherKey, CipherKeyError, CipherParams, KeyLength},
        filter::MessageFilter,
    },
    client::{Client, ClientStats},
    command::{
        Asker, ChannelOptions, Command, HistoryDirection, HistoryOf, HistoryQuery, Lifetime, MemberQuery, NextPage,
        OperationId, PresenceCommand,
    },
    event::{ChannelChange, ChannelState, ConnectionChange, ConnectionState, Event, HistoryPage},
    options::{ClientOptions, Credentials, Endpoint, Timing},
    output::{HttpRequest, HttpResponse, Output, RequestId, TransportId},
};

// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
