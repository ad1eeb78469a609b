//! The relay behind a real socket: an HTTP listener whose WebSockets lead to the hub.
//!
//! One task, the [`actor`], owns the hub; every socket has a task of its own. Sockets feed the actor over one bounded
//! queue and wait when it is full; the actor feeds each socket over a bounded queue and cuts a socket whose queue is
//! full. So a slow client delays nobody, and a fast one is slowed down.

mod accept;
mod actor;
mod address;
mod admin;
mod check;
mod config;
mod control;
mod error;
mod events;
mod files;
mod handle;
mod histogram;
mod http;
mod intake;
mod limit_table;
mod live_limits;
mod memory;
mod metrics;
mod places;
mod proxy;
mod queue;
mod relay;
mod relief;
mod routes;
mod size;
mod socket;
mod tls;
mod vitals;
mod waiting;
mod watched;

pub use self::{
    check::ConfigWarning,
    config::{ConfigError, RelayConfig},
    control::RelayControl,
    error::RelayError,
    handle::{RelayHandle, spawn},
    limit_table::{LimitError, LimitInfo},
    proxy::{AddressRange, AddressRangeError},
    relay::Relay,
    tls::TlsFiles,
};
