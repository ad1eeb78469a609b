//! What the hub is told at its start, and what it tells about its size.

use crate::{ApiKey, Limits, TokenEndpoint};

/// Whom the hub lets in and what it accepts.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The API keys that may connect. Defaults to the development key alone.
    pub keys: Vec<ApiKey>,
    /// The limits that the hub enforces.
    pub limits: Limits,
    /// How players of games get tokens. Defaults to not at all.
    pub token_endpoint: Option<TokenEndpoint>,
    /// Whether anybody may make apps with keys of their own, as the test suites of SDKs do. Defaults to no.
    pub sandbox: bool,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { keys: vec![ApiKey::development()], limits: Limits::default(), token_endpoint: None, sandbox: false }
    }
}

/// How much the hub holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Links, which are the transports.
    pub links: usize,
    /// Connections, with those that can still be resumed.
    pub connections: usize,
    /// Channels in memory.
    pub channels: usize,
    /// Members of all channels.
    pub members: usize,
    /// Messages kept for clients that come back.
    pub messages: usize,
    /// The approximate size of those messages in memory.
    pub message_bytes: usize,
}
