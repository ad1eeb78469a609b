//! The guide, one chapter for each thing that a game does with rooms.
//!
#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../docs/guide/README.md")]

/// A chapter. The text stands in `docs/guide`, where its links lead to files and to the documentation on the web. In the first
/// definition of a link, which is the one that counts, the files in `guide` lead to the items of this crate.
macro_rules! chapter {
    ($name:ident, $text:literal, $what:literal) => {
        #[doc = $what]
        #[doc = ""]
        #[doc = include_str!("guide/links.md")]
        #[cfg_attr(feature = "testing", doc = include_str!("guide/links_testing.md"))]
        #[cfg_attr(all(feature = "relay", not(target_arch = "wasm32")), doc = include_str!("guide/links_relay.md"))]
        #[cfg_attr(feature = "ui-bare", doc = include_str!("guide/links_ui.md"))]
        #[doc = include_str!($text)]
        pub mod $name {}
    };
}

chapter!(
    rooms,
    "../docs/guide/rooms.md",
    "How to enter a room, know where you stand in it, invite others, and control it as host."
);
chapter!(shared_state, "../docs/guide/shared_state.md", "How the host shares the state of the game.");
chapter!(
    messages,
    "../docs/guide/messages.md",
    "How players send typed messages to each other, and requests to the host."
);
chapter!(players, "../docs/guide/players.md", "Players as entities, and how they come, go and return.");
chapter!(channels, "../docs/guide/channels.md", "Chat, news and other channels without a room.");
chapter!(testing, "../docs/guide/testing.md", "How to test a game on a simulated network.");
chapter!(running_a_relay, "../docs/guide/running_a_relay.md", "Where the server comes from.");
chapter!(the_browser, "../docs/guide/the_browser.md", "The same game in a web page.");
chapter!(security, "../docs/guide/security.md", "What is private, and how to give players tokens.");
chapter!(troubleshooting, "../docs/guide/troubleshooting.md", "What to do when something is wrong.");
