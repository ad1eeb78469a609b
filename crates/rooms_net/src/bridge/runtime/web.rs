//! The event loop of the page or worker: the background task goes on between the game's frames, and while there are none.

use std::time::Duration;

use web_time::Instant;

use crate::bridge::error::BridgeError;
use crate::web::Timeout;

/// Where the background task runs.
#[derive(Clone, Copy, Debug, Default)]
pub enum Runtime {
    /// On the event loop of the page or worker, in callbacks of the socket and of timers. It needs no frames of the game.
    #[default]
    EventLoop,
}

impl Runtime {
    /// Runs `future` to its end in the background.
    #[expect(clippy::unnecessary_wraps, reason = "on other targets the system may refuse a thread")]
    pub(in crate::bridge) fn spawn(self, future: impl Future<Output = ()> + 'static) -> Result<Task, BridgeError> {
        wasm_bindgen_futures::spawn_local(future);
        Ok(Task)
    }
}

/// A running background task. It says goodbye and ends once the bridge is dropped. An event loop cannot wait for that, so this
/// holds nothing.
#[derive(Debug)]
pub(in crate::bridge) struct Task;

/// Runs `future` beside the background task. Nothing cancels it, so it must end without help.
pub(in crate::bridge) fn run_aside(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(future);
}

/// The time by the page's monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Waits until `deadline`. Without one, it never resolves. It may end early if the deadline is weeks away.
pub(in crate::bridge) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => Timeout::after(deadline.saturating_duration_since(now())).await,
        None => std::future::pending().await,
    }
}

/// Whether `future` ended within `limit`.
pub(in crate::bridge) async fn within(limit: Duration, future: impl Future<Output = ()>) -> bool {
    tokio::select! {
        () = future => true,
        () = Timeout::after(limit) => false,
    }
}
