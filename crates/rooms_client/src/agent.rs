//! What the client tells the server about itself: its name and version, the platform, and on which side of the application it
//! runs (`RSC7d`).

use std::env::consts::OS;

/// Name and version (`RSC7d1`).
const PRODUCT: &str = concat!("bevy_rooms/", env!("CARGO_PKG_VERSION"));

/// On which side of an application a client runs. The client declares it to the server with each connection and each request.
///
/// It matters for accounts of Ably's cloud that are priced by monthly active users. Such an account refuses a client that
/// declares no side. Other accounts and the relay ignore it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AppSide {
    /// A machine of a user, such as a player's. Each client id that connects or sends a request in a month counts as one user.
    /// Such an account refuses a client without a client id.
    #[default]
    Device,
    /// A machine of whoever runs the application, such as a bot or a game's own host. It does not count as a user. Never
    /// declare it for a program that users run: they would be users whom nobody pays for.
    Server,
}

impl AppSide {
    /// The entry that declares the side. It has no version. Ably's cloud looks for exactly these names, which its own newest
    /// SDKs send.
    fn flag(self) -> &'static str {
        match self {
            Self::Device => "ably-pubsub-device",
            Self::Server => "ably-pubsub-server",
        }
    }
}

/// What a client calls itself to the server (`RSC7d1`, `RTN2g`).
pub(crate) fn agent(side: AppSide) -> String {
    format!("{PRODUCT} {} {}", platform(OS), side.flag())
}

/// The operating system, or the browser, by its name in the specification's list of agents (`RSC7d5`).
fn platform(os: &str) -> &str {
    match os {
        _ if cfg!(target_arch = "wasm32") => "browser",
        "macos" => "macOS",
        "ios" => "iOS",
        "tvos" => "tvOS",
        "watchos" => "watchOS",
        // linux, windows and android have the same name there.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_names_the_client_the_platform_and_the_side() {
        let device = agent(AppSide::default());
        let parts: Vec<&str> = device.split(' ').collect();
        assert_eq!(parts, [PRODUCT, platform(OS), "ably-pubsub-device"]);
        assert!(!parts[1].is_empty());
        let server = agent(AppSide::Server);
        assert!(server.ends_with(" ably-pubsub-server") && !server.contains("device"), "{server}");
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn the_platform_has_the_name_of_the_list() {
        for (os, name) in [("macos", "macOS"), ("ios", "iOS"), ("linux", "linux"), ("windows", "windows")] {
            assert_eq!(platform(os), name);
        }
    }

    #[cfg(target_arch = "wasm32")]
    #[test]
    fn in_a_web_page_the_platform_is_the_browser() {
        assert_eq!(platform(OS), "browser");
    }
}
