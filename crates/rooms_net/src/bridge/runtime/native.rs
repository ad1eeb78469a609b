//! One thread with a tokio runtime, or a runtime that the game has.

use std::{thread, time::Duration};

use web_time::Instant;

use crate::bridge::error::BridgeError;

/// The background thread's name, as debuggers and profilers show it.
const THREAD_NAME: &str = "bevy_rooms";

/// Longest wait for the background thread when the bridge is dropped: its own closing takes half as long.
const JOIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Where the background task runs.
#[derive(Clone, Debug, Default)]
pub enum Runtime {
    /// On a new thread, named `bevy_rooms`, which ends when the bridge is dropped.
    #[default]
    OwnThread,
    /// On a tokio runtime of the game, with I/O and time enabled. The task ends when the bridge is dropped, but the bridge does
    /// not wait for it.
    Handle(tokio::runtime::Handle),
}

impl Runtime {
    /// Runs `future` to its end in the background.
    pub(in crate::bridge) fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Task, BridgeError> {
        match self {
            Self::OwnThread => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let (running, ended) = crossbeam_channel::bounded::<()>(0);
                let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
                    runtime.block_on(future);
                    // Name look-ups may take long; the thread does not wait for them.
                    runtime.shutdown_background();
                    drop(running);
                })?;
                Ok(Task { own_thread: Some((ended, thread)) })
            }
            Self::Handle(handle) => {
                handle.spawn(future);
                Ok(Task { own_thread: None })
            }
        }
    }
}

/// A running background task. Dropping it waits a moment for the task's own thread to end, so that the goodbye goes out.
#[derive(Debug)]
pub(in crate::bridge) struct Task {
    /// Tells that the thread is about to end; and the thread.
    own_thread: Option<(crossbeam_channel::Receiver<()>, thread::JoinHandle<()>)>,
}

impl Drop for Task {
    fn drop(&mut self) {
        let Some((ended, thread)) = self.own_thread.take() else { return };
        if ended.recv_timeout(JOIN_TIMEOUT) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            log::warn!(
                "the background thread did not end within {JOIN_TIMEOUT:?}; the game does not wait for it any longer"
            );
        } else if thread.join().is_err() {
            log::error!("the background thread panicked; see its message above");
        }
    }
}

/// Runs `future` beside the background task, and drops it when the runtime ends.
pub(in crate::bridge) fn run_aside(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

/// The time by the runtime's clock: the real one, unless a test paused it.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until `deadline`. Without one, it never resolves.
pub(in crate::bridge) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether `future` ended within `limit`.
pub(in crate::bridge) async fn within(limit: Duration, future: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(limit, future).await.is_ok()
}
