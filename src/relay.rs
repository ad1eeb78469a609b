//! The relay: the server side of the protocol.
//!
//! [`Hub`] is the whole server without a socket: it takes frames and says which frames go out where, on whatever clock
//! its driver gives it. [`Relay`] puts it behind a WebSocket listener, and [`spawn`] runs that on a thread of its own,
//! so that a game carries its server with it. Who may connect is decided by API keys; apps, the first part of a key,
//! do not see each other's channels.
//!
//! It keeps no history beyond the two minutes that a resume needs, and writes nothing to disk.
//!
//! ```no_run
//! # #[cfg(feature = "relay")] {
//! use bevy_rooms::relay::{self, RelayConfig};
//!
//! let relay = relay::spawn(RelayConfig::default()).expect("a free port on loopback");
//! println!("clients connect to {}", relay.url());
//! # }
//! ```

mod answers;
mod attach;
mod auth;
mod channel;
mod connection;
mod hub;
mod limits;
#[cfg(feature = "relay")]
mod listener;
mod outbox;
mod presence;
mod replay;
mod request;
mod serial;
mod shared;
mod timer;

pub use auth::{ApiKey, ApiKeyError, AppId, Identity, Principal};
pub use hub::{Hub, HubConfig, HubStats};
pub use limits::Limits;
#[cfg(feature = "relay")]
pub use listener::{Relay, RelayConfig, RelayError, RelayHandle, spawn};
pub use outbox::{LinkId, Output};
pub use request::ConnectRequest;
pub use shared::SharedFrame;
