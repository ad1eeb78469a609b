//! The wire: frames, messages, presence and errors as pure data, and their two forms: JSON text and MessagePack.
//!
//! Owns the vocabulary that client and relay share. Does no I/O, keeps no state, and knows no order of frames: that is
//! the business of the crates `rooms_client` and `rooms_relay`. One [`Frame`] travels per WebSocket message.
//!
//! Tolerance follows the protocol's rule for both ends (`RSF1`, `RTF1`): unknown fields are skipped, unknown actions
//! and flags are kept as numbers, `null` means absent, and an integer may arrive as a float with an integral value.
//! Everything else that does not fit is a [`DecodeError`], never a panic.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod data;
mod error;
mod extras;
mod flags;
mod format;
mod frame;
mod held;
mod id;
pub mod json;
mod json_text;
mod lenient;
mod message;
pub mod msgpack;
mod outline;
mod presence;

pub use data::{Data, DataError};
pub use error::{ErrorCode, ErrorInfo};
pub use extras::Extras;
pub use flags::Flags;
pub use format::{DecodeError, Format, WireFrame};
pub use frame::{Action, Auth, ConnectionDetails, Frame, PublishResult};
pub use id::{ChannelName, ChannelSerial, ClientId, ConnectionId, ConnectionKey, MessageSerial, MsgSerial, Timestamp};
pub use lenient::AsMap;
pub use message::{Message, MessageAction, MessageVersion};
pub use outline::{Outline, Unreadable};
pub use presence::{PresenceAction, PresenceId, PresenceMessage};

/// The protocol version that client and relay speak, sent as the query parameter `v`.
pub const PROTOCOL_VERSION: u8 = 6;

/// Largest sum of message sizes in one publish, in bytes, unless the server announces another (`maxMessageSize`).
pub const DEFAULT_MAX_MESSAGE_SIZE: usize = 64 * 1024;

/// Largest frame, in bytes, unless the server announces another (`maxFrameSize`).
pub const DEFAULT_MAX_FRAME_SIZE: usize = 512 * 1024;

/// The key that a relay takes by default, on loopback only. It is public: whoever reads this can use it.
pub const DEVELOPMENT_KEY: &str = "rooms.dev:insecure-development-key";

/// The port that a relay listens on by default.
pub const DEFAULT_RELAY_PORT: u16 = 8787;

// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
