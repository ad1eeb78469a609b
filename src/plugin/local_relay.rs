//! The relay of this machine. With [`Connect::Local`](super::Connect::Local), the game runs it itself if no other program
//! does.

#[cfg(not(all(feature = "relay", not(target_arch = "wasm32"))))]
pub(super) use self::absent::LocalRelay;
#[cfg(all(feature = "relay", not(target_arch = "wasm32")))]
pub(super) use self::embedded::LocalRelay;

/// A native game with the feature `relay`.
#[cfg(all(feature = "relay", not(target_arch = "wasm32")))]
mod embedded {
    use std::net::Ipv4Addr;

    use crate::{
        plugin::settings::Connect,
        protocol::DEFAULT_RELAY_PORT,
        relay::{RelayConfig, RelayError, RelayHandle, spawn},
    };

    /// The relay, once this game runs it.
    #[derive(Debug, Default)]
    pub(in crate::plugin) struct LocalRelay(Option<RelayHandle>);

    impl LocalRelay {
        pub(in crate::plugin) fn is_running(&self) -> bool {
            self.0.is_some()
        }

        /// Starts the relay if the game uses the one of this machine and no program runs it.
        pub(in crate::plugin) fn start_if_asked(&mut self, connect: &Connect) {
            if *connect != Connect::Local || self.0.is_some() {
                return;
            }
            let listen = (Ipv4Addr::LOCALHOST, DEFAULT_RELAY_PORT).into();
            match spawn(RelayConfig { listen, ..RelayConfig::default() }) {
                Ok(relay) => {
                    log::info!("this game runs the relay of this machine, at {}", relay.url());
                    self.0 = Some(relay);
                }
                // Another program runs it already.
                Err(RelayError::PortInUse { .. }) => {}
                Err(error) => log::warn!("the relay of this machine could not be started: {error}"),
            }
        }
    }
}

/// A web page, or a game without the feature `relay`: it never runs a relay.
#[cfg(not(all(feature = "relay", not(target_arch = "wasm32"))))]
mod absent {
    use crate::plugin::settings::Connect;

    #[derive(Debug, Default)]
    pub(in crate::plugin) struct LocalRelay {}

    impl LocalRelay {
        pub(in crate::plugin) fn is_running(&self) -> bool {
            false
        }

        pub(in crate::plugin) fn start_if_asked(&mut self, _connect: &Connect) {}
    }
}
