//! The relay: the server side of the protocol.
//!
//! [`Hub`] is the whole server without a socket: it takes frames and says which frames go out where, on whatever clock
//! its driver gives it. [`Relay`] puts it behind a WebSocket listener, and [`spawn`] runs that on a thread of its own,
//! so that a game carries its server with it. Who may connect is decided by API keys and tokens; apps, the first part
//! of a key, do not see each other's channels.
//!
//! Over plain HTTP it answers what Ably's REST interface does, as far as games need it: publishing, history, members,
//! tokens and the time ([`Hub::rest`]). It keeps two minutes of history, and writes nothing to disk.
//!
//! ```no_run
//! # #[cfg(all(feature = "server", not(target_arch = "wasm32")))] {
//! use crate::{self, RelayConfig};
//!
//! let relay = relay::spawn(RelayConfig::default()).expect("a free port on loopback");
//! println!("clients connect to {}", relay.url());
//! # }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod answers;
mod apps;
mod attach;
mod auth;
mod capability;
mod channel;
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
mod config;
mod connection;
mod history;
mod hub;
mod limits;
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
mod listener;
mod outbox;
mod presence;
mod replay;
mod request;
mod rest;
mod serial;
mod shared;
mod timer;
mod token;

pub use auth::{ApiKey, ApiKeyError, AppId, Credentials, Identity, Principal};
pub use capability::{Capability, CapabilityError, Operation};
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use config::ConfigError;
pub use hub::{Hub, HubConfig, HubStats};
pub use limits::{CloudPlan, CloudPlanError, Limits};
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use listener::{Relay, RelayConfig, RelayError, RelayHandle, spawn};
pub use outbox::{LinkId, Output};
pub use request::ConnectRequest;
pub use rest::{RestRequest, RestResponse};
pub use shared::SharedFrame;
pub use token::{TokenDetails, game::TokenEndpoint};
