//! The relay: the server side of the protocol.
//!
//! [`Hub`] is the whole server without a socket: it takes frames and says which frames go out where, on the clock of its
//! driver. [`Relay`] puts it behind a WebSocket listener. [`spawn`] runs that on a thread of its own, so that a game carries
//! its server with it. API keys and tokens decide who may connect. Apps, the first part of a key, do not see each other's
//! channels.
//!
//! Over plain HTTP the relay answers the requests of Ably's REST interface that games need: publishing, history, members, tokens
//! and the time ([`Hub::rest`]). It keeps two minutes of history, and writes nothing to disk.
//!
//! ```no_run
//! # #[cfg(all(feature = "server", not(target_arch = "wasm32")))] {
//! use rooms_relay::RelayConfig;
//!
//! let relay = rooms_relay::spawn(RelayConfig::default()).expect("a free port on loopback");
//! println!("clients connect to {}", relay.url());
//! # }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod auth;
#[cfg_attr(
    not(all(feature = "server", not(target_arch = "wasm32"))),
    expect(dead_code, reason = "a hub alone tells nobody what it holds")
)]
mod budget;
#[cfg_attr(
    not(all(feature = "server", not(target_arch = "wasm32"))),
    expect(dead_code, reason = "a hub alone tells nobody what it counted")
)]
mod counters;
mod error;
mod http;
mod hub;
mod limits;
mod moment;
mod random;
mod rate;
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
mod server;

pub use auth::{
    ApiKey, ApiKeyError, AppId, Capability, CapabilityError, Credentials, Identity, Operation, Principal, TokenDetails,
    TokenEndpoint,
};
pub use http::{RestRequest, RestResponse};
pub use hub::{Batch, ConnectRequest, Hub, HubConfig, HubStats, LinkId, Output};
pub use limits::{CloudPlan, CloudPlanError, Limits};
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use server::{
    AddressRange, AddressRangeError, ConfigError, ConfigWarning, LimitError, LimitInfo, Relay, RelayConfig,
    RelayControl, RelayError, RelayHandle, TlsFiles, spawn,
};

// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
