//! One call of the browser's `setTimeout`, as a future that owns its closure.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::oneshot;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::Window;

/// The longest wait that browsers know, in milliseconds. Whoever needs a longer one is woken early and waits again.
const LONGEST: i32 = i32::MAX;

/// Resolves after a time. Dropping it stops the timer and drops its closure.
pub(crate) struct Timeout {
    id: i32,
    fired: oneshot::Receiver<()>,
    _callback: Closure<dyn FnMut()>,
}

impl Timeout {
    /// Resolves `wait` from now or a little later, never earlier.
    pub(crate) fn after(wait: Duration) -> Self {
        let (fire, fired) = oneshot::channel();
        let callback = Closure::once(move || {
            let _ = fire.send(());
        });
        let millis = i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(LONGEST);
        let function = callback.as_ref().unchecked_ref();
        // Neither pages nor workers refuse a timer.
        let id = global().set_timeout_with_callback_and_timeout_and_arguments_0(function, millis).unwrap_or_default();
        Self { id, fired, _callback: callback }
    }
}

impl Future for Timeout {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.fired).poll(context).map(|_| ())
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        global().clear_timeout_with_handle(self.id);
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.id).finish()
    }
}

/// The global object. A worker's has the same timers as a window and is called the same way, so it passes for one.
fn global() -> Window {
    js_sys::global().unchecked_into()
}
