//! The guide, one chapter for each thing that a game does with rooms.
//!
//! Begin with [`rooms`], [`shared_state`] and [`messages`]. Read the others when you need them. All examples compile,
//! and most of them run as tests of this crate.
//!
//! | chapter | what it explains |
//! | --- | --- |
//! | [`rooms`] | how to enter a room, know where you stand in it, invite others, and control it as host |
//! | [`shared_state`] | how the host shares the state of the game |
//! | [`messages`] | how players send typed messages to each other, and requests to the host |
//! | [`players`] | players as entities, and how they come, go and return |
//! | [`channels`] | chat, news and other channels without a room |
//! | [`testing`] | how to test a game on a simulated network |
//! | [`running_a_relay`] | where the server comes from |
//! | [`the_browser`] | the same game in a web page |
//! | [`security`] | what is private, and how to give players tokens |
//! | [`troubleshooting`] | what to do when something is wrong |

#[doc = include_str!("../docs/guide/rooms.md")]
pub mod rooms {}

#[doc = include_str!("../docs/guide/shared_state.md")]
pub mod shared_state {}

#[doc = include_str!("../docs/guide/messages.md")]
pub mod messages {}

#[doc = include_str!("../docs/guide/players.md")]
pub mod players {}

#[doc = include_str!("../docs/guide/channels.md")]
pub mod channels {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/running_a_relay.md")]
pub mod running_a_relay {}

#[doc = include_str!("../docs/guide/the_browser.md")]
pub mod the_browser {}

#[doc = include_str!("../docs/guide/security.md")]
pub mod security {}

#[doc = include_str!("../docs/guide/troubleshooting.md")]
pub mod troubleshooting {}
