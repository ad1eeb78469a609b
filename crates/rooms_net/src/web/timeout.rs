//! One call of the browser's `setTimeout`, as a future that owns its closure.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::oneshot;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::Window;
use web_time::Instant;

/// The longest wait that browsers know, in milliseconds. A longer wait ends early, and its owner waits again.
const LONGEST: i32 = i32::MAX;

thread_local! {
    /// All timeouts.
    static WAITING: RefCell<BTreeMap<Key, oneshot::Sender<()>>> = RefCell::default();
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// When a timeout is due, and which it is.
type Key = (Instant, u64);

/// Resolves the timeouts that are due. In a hidden page the browser is late with them.
pub(super) fn fire_those_due() {
    let now = Instant::now();
    let due: Vec<_> = WAITING.with_borrow_mut(|waiting| waiting.extract_if(..=(now, u64::MAX), |_, _| true).collect());
    for (_, fire) in due {
        // An error means that nobody waits any more.
        let _ = fire.send(());
    }
}

/// Resolves after a time. Dropping it stops the timer and drops its closure.
pub struct Timeout {
    id: i32,
    key: Key,
    fired: oneshot::Receiver<()>,
    _callback: Closure<dyn FnMut()>,
}

impl Timeout {
    /// Resolves `wait` from now or a little later, never earlier.
    pub fn after(wait: Duration) -> Self {
        let millis = i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(LONGEST);
        let due = Instant::now() + wait.min(Duration::from_millis(millis.unsigned_abs().into()));
        let key = (due, COUNT.replace(COUNT.get() + 1));
        let (fire, fired) = oneshot::channel();
        WAITING.with_borrow_mut(|waiting| waiting.insert(key, fire));
        let callback = Closure::new(move || {
            if let Some(fire) = WAITING.with_borrow_mut(|waiting| waiting.remove(&key)) {
                let _ = fire.send(());
            }
        });
        let function = callback.as_ref().unchecked_ref();
        // Neither pages nor workers refuse a timer.
        let id = global().set_timeout_with_callback_and_timeout_and_arguments_0(function, millis).unwrap_or_default();
        Self { id, key, fired, _callback: callback }
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
        WAITING.with_borrow_mut(|waiting| waiting.remove(&self.key));
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
