//! What the system asks of the program.

use std::io;

use tokio::signal;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end.
    End,
    /// To read the configuration again, or to end where there is no file of it: its terminal was closed.
    Reload,
}

/// The signals that the program listens to.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
    hangup: Option<signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on. `reloads` says whether a hangup is for a reload.
    pub(super) fn listen(reloads: bool) -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        let hangup = if reloads || !is_hangup_ignored() { Some(signal(SignalKind::hangup())?) } else { None };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Asked {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = hangup => Asked::Reload,
        }
    }
}

/// Whether whoever started the program wants it to outlive its terminal, as `nohup` does.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    /// The bit of SIGHUP, the first signal.
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP != 0)
}

/// The signals that the program listens to.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Listens from now on.
    pub(super) fn listen(_reloads: bool) -> io::Result<Self> {
        Ok(Self)
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Asked {
        if let Err(error) = signal::ctrl_c().await {
            log::error!("cannot listen for Ctrl-C: {error}");
            std::future::pending::<()>().await;
        }
        Asked::End
    }
}
