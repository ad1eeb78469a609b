//! What the system asks of the program.

use std::io;

use tokio::signal;

/// Done when the program is asked to end.
#[cfg(unix)]
pub(super) fn shutdown() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let hung_up = async move {
        match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        }
    };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hung_up => {}
        }
        log::info!("shutting down");
    })
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

/// Done when the program is asked to end.
#[cfg(not(unix))]
pub(super) fn shutdown() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if let Err(error) = signal::ctrl_c().await {
            log::error!("cannot listen for Ctrl-C: {error}");
        }
        log::info!("shutting down");
    })
}
