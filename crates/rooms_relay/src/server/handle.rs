//! A relay on a thread of its own, so that a game carries its server with it.

use std::{io, net::SocketAddr, sync::mpsc as std_mpsc, thread};

use tokio::sync::oneshot;

use super::{config::RelayConfig, control::RelayControl, error::RelayError, relay::Relay};

/// A relay on a thread of its own. It stops when this is dropped, and tells its clients.
#[derive(Debug)]
pub struct RelayHandle {
    addr: SocketAddr,
    url: String,
    control: RelayControl,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl RelayHandle {
    /// The address that it listens on, with its actual port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients on this machine connect to, such as `ws://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What steers the relay while it runs.
    pub fn control(&self) -> RelayControl {
        self.control.clone()
    }

    /// Stops the relay and tells its clients. Returns when its thread has ended, 3 seconds later at most.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for RelayHandle {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the relay's thread panicked");
        }
    }
}

/// Runs a relay on a thread named `rooms-relay`. Returns when it listens.
///
/// # Errors
/// When the thread cannot start, and as [`Relay::bind`].
pub fn spawn(config: RelayConfig) -> Result<RelayHandle, RelayError> {
    let (ready, is_ready) = std_mpsc::sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let body = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(RelayError::Thread(error)))),
        };
        runtime.block_on(async {
            let relay = match Relay::bind(config).await {
                Ok(relay) => relay,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok((relay.local_addr(), relay.url(), relay.control()))));
            let shutdown = async {
                // An error means that the handle was dropped, which stops the relay too.
                let _ = stopped.await;
            };
            if let Err(error) = relay.run(shutdown).await {
                log::error!("{error}");
            }
        });
    };
    let thread = thread::Builder::new().name("rooms-relay".to_owned()).spawn(body).map_err(RelayError::Thread)?;
    let ended = || RelayError::Thread(io::Error::other("it ended before it listened"));
    let (addr, url, control) = is_ready.recv().map_err(|_| ended())??;
    Ok(RelayHandle { addr, url, control, stop: Some(stop), thread: Some(thread) })
}
