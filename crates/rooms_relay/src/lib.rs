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
mod error;
mod http;
mod hub;
mod limits;
mod random;
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
mod server;

pub use auth::{
    ApiKey, ApiKeyError, AppId, Capability, CapabilityError, Credentials, Identity, Operation, Principal, TokenDetails,
    TokenEndpoint,
};
pub use http::{RestRequest, RestResponse};
pub use hub::{ConnectRequest, Hub, HubConfig, HubStats, LinkId, Output, SharedFrame};
pub use limits::{CloudPlan, CloudPlanError, Limits};
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use server::{ConfigError, Relay, RelayConfig, RelayError, RelayHandle, spawn};
